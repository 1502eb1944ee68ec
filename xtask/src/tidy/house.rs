//! House rules on single files: length, placeholders, unwraps, unsafe code.

use super::code::{CodeLine, contains_word};
use super::{Finding, SourceFile};

/// Longest file of code, in lines; most are far shorter.
const MAX_LINES: usize = 600;
const CODE: [&str; 6] = ["rs", "py", "ts", "tsx", "css", "sh"];

/// The only place for `unsafe`.
const KERNELS: &str = "crates/candlecast-nn/src/kernel";

/// Text that no code may hold, tests included, its rule and what to do instead.
const BANNED: [(&str, &str, &str); 4] = [
    ("todo!", "placeholder", "write it, or leave the feature out"),
    ("unimplemented!", "placeholder", "write it, or leave the feature out"),
    ("dbg!", "debugging", "take it out"),
    ("#[ignore", "ignored-test", "run it in every `test`, or move it to `verify`"),
];

/// Long files want to be two.
pub(super) fn check_length(file: &SourceFile) -> Option<Finding> {
    let n_lines = file.text.lines().count();
    let is_code = CODE.iter().any(|extension| file.has_extension(extension));
    (is_code && n_lines > MAX_LINES).then(|| {
        let remedy = format!("{n_lines} lines, at most {MAX_LINES}; split it by concept");
        Finding::new(&file.path, MAX_LINES + 1, "length", remedy)
    })
}

/// Checks the code of a Rust file.
pub(super) fn check_code(file: &SourceFile, lines: &[CodeLine]) -> Vec<Finding> {
    (1..).zip(lines).flat_map(|(number, line)| check_line(file, number, line)).collect()
}

fn check_line(file: &SourceFile, number: usize, line: &CodeLine) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |rule, remedy: &str| findings.push(Finding::new(&file.path, number, rule, remedy));
    for (text, rule, remedy) in BANNED {
        if line.text.contains(text) {
            find(rule, remedy);
        }
    }
    if line.text.contains(".unwrap()") && !line.in_test && !file.is_test() {
        find("unwrap", "return an error, or `expect(\"why it cannot fail\")`");
    }
    if contains_word(&line.text, "unsafe") && !file.path.starts_with(KERNELS) {
        find("unsafe", "unsafe code lives in the kernels of candlecast-nn only");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str)> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check_code(&file, &code::lines(text)).iter().map(|finding| (finding.line, finding.rule)).collect()
    }

    #[test]
    fn each_banned_text_is_found_in_tests_too() {
        for (text, rule, _) in BANNED {
            let source = format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{\n{text} ()\n}}\n");
            assert_eq!(rules("crates/x/src/a.rs", &source), [(4, rule)], "{text}");
        }
    }

    #[test]
    fn unwraps_are_for_tests() {
        let text = "fn a() { b.unwrap(); c.unwrap_or(1); }\n#[cfg(test)]\nmod tests { fn t() { d.unwrap(); } }\n";
        assert_eq!(rules("crates/x/src/a.rs", text), [(1, "unwrap")]);
        assert!(rules("crates/x/tests/it/main.rs", text).is_empty());
    }

    #[test]
    fn unsafe_code_has_one_address() {
        let text = "fn a() { unsafe { b() } }\n";
        assert_eq!(rules("crates/candlecast-store/src/a.rs", text), [(1, "unsafe")]);
        assert!(rules("crates/candlecast-nn/src/kernel/avx2.rs", text).is_empty());
        assert!(rules("crates/candlecast-core/src/lib.rs", "#![forbid(unsafe_code)]\n").is_empty());
    }

    #[test]
    fn long_code_is_found_long_text_is_not() {
        let file = |path: &str, n: usize| SourceFile { path: path.into(), text: "\n".repeat(n) };
        assert!(check_length(&file("a/b.rs", 600)).is_none() && check_length(&file("a/b.rs", 601)).is_some());
        assert!(check_length(&file("README.md", 5_000)).is_none());
    }
}
