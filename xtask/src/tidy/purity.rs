//! The pure crates do no I/O and no async, and read no clock, no environment and no global random numbers:
//! whatever they compute depends on their arguments alone.

use super::code::{CodeLine, contains_word};
use super::{Finding, SourceFile};

const RULE: &str = "purity";

const PURE: [&str; 9] = ["core", "features", "learn", "models", "nn", "pipeline", "detect", "trading", "tune"];

/// Word and what to do instead.
const BANNED: [(&str, &str); 9] = [
    ("std::fs", "take bytes or a reader from the caller"),
    ("std::net", "leave the network to `ingest` and above"),
    ("std::env", "take a parameter from the caller"),
    ("SystemTime::now", "take \"now\" as an argument"),
    ("Instant::now", "let the caller measure, for example through its observer"),
    ("async fn", "leave async to the stores and above"),
    ("tokio", "leave async to the stores and above"),
    ("rand::rng", "draw from a `Seed`'s stream"),
    ("thread_rng", "draw from a `Seed`'s stream"),
];

/// Modules of std that are banned, for `use std::{…}`.
const BANNED_MODULES: [&str; 3] = ["fs", "net", "env"];

/// Checks the library code of a pure crate; other files pass.
pub(super) fn check(file: &SourceFile, lines: &[CodeLine]) -> Vec<Finding> {
    let is_pure = PURE.iter().any(|name| file.path.starts_with(&format!("crates/candlecast-{name}/src/")));
    if !is_pure || file.is_test() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_std_group = false;
    for (number, line) in (1..).zip(lines).filter(|(_, line)| !line.in_test) {
        for (word, remedy) in BANNED.iter().filter(|(word, _)| contains_word(&line.text, word)) {
            findings.push(Finding::new(&file.path, number, RULE, format!("no `{word}` in a pure crate; {remedy}")));
        }
        in_std_group |= line.text.contains("use std::{");
        if in_std_group {
            for module in BANNED_MODULES.iter().filter(|module| contains_word(&line.text, module)) {
                findings.push(Finding::new(&file.path, number, RULE, format!("no `std::{module}` in a pure crate")));
            }
        }
        in_std_group &= !line.text.contains(';');
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check(&file, &code::lines(text)).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn every_banned_word_is_found_in_library_code() {
        for (word, _) in BANNED {
            let text = format!("fn a() {{}}\nfn b() {{ {word} (); }}\n");
            assert_eq!(found("crates/candlecast-nn/src/a.rs", &text), [2], "{word}");
        }
    }

    #[test]
    fn every_pure_crate_is_looked_at() {
        for name in PURE {
            let path = format!("crates/candlecast-{name}/src/a.rs");
            assert_eq!(found(&path, "use std::fs;"), [1], "{name}");
        }
        assert!(PURE.contains(&"pipeline"));
    }

    #[test]
    fn modules_in_a_group_are_found() {
        assert_eq!(found("crates/candlecast-core/src/a.rs", "use std::{\n    fmt,\n    env,\n};\nlet env = 1;"), [3]);
    }

    #[test]
    fn tests_comments_and_other_crates_pass() {
        let text = "// std::fs\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n";
        assert!(found("crates/candlecast-core/src/a.rs", text).is_empty());
        assert!(found("crates/candlecast-store/src/a.rs", "use std::fs;").is_empty());
        assert!(found("crates/candlecast-core/tests/it/main.rs", "use std::fs;").is_empty());
        assert!(found("crates/candlecast-core/src/a.rs", "use core_tokio_like::std_fs;").is_empty());
    }
}
