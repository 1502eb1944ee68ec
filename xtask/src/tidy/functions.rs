//! Length of functions: a long one does several things, which want names of their own.

use super::code::{CodeLine, is_part};
use super::{Finding, SourceFile};

const RULE: &str = "function-length";

/// Longest function, in lines from `fn` to the brace that closes it; most are far shorter.
const MAX_LINES: usize = 80;

/// Checks the functions of a Rust file; tests may be as long as their story.
pub(super) fn check(file: &SourceFile, lines: &[CodeLine]) -> Vec<Finding> {
    if file.is_test() {
        return Vec::new();
    }
    let code = lines.iter().enumerate().filter(|(_, line)| !line.in_test);
    let functions = code.flat_map(|(row, line)| declared(&line.text).into_iter().map(move |found| (row, found)));
    functions.filter_map(|(row, (name, from))| check_function(file, lines, row, name, from)).collect()
}

fn check_function(file: &SourceFile, lines: &[CodeLine], row: usize, name: &str, from: usize) -> Option<Finding> {
    let n_lines = last_row(lines, row, from)? - row + 1;
    if n_lines <= MAX_LINES {
        return None;
    }
    let remedy = format!("`{name}` has {n_lines} lines, at most {MAX_LINES}; give its steps names of their own");
    Some(Finding::new(&file.path, row + 1, RULE, remedy))
}

/// The functions whose `fn` stands on this line: name, and the byte after it. A name may be a macro's `$name`; the
/// type `fn(u8)` has none.
fn declared(line: &str) -> Vec<(&str, usize)> {
    line.match_indices("fn ")
        .filter(|(at, _)| !line[..*at].chars().next_back().is_some_and(is_part))
        .filter_map(|(at, keyword)| {
            let from = at + keyword.len();
            let rest = &line[from..];
            let length = rest.find(|c: char| !is_part(c) && c != '$').unwrap_or(rest.len());
            (length > 0).then(|| (&rest[..length], from + length))
        })
        .collect()
}

/// The row on which the body ends whose signature goes on at byte `from` of `row`; `None` for a declaration without a
/// body. Braces and semicolons within brackets are part of the signature (`[u8; 3]`).
fn last_row(lines: &[CodeLine], row: usize, from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_i32, 0_i32);
    for (at, line) in lines.iter().enumerate().skip(row) {
        let skipped = if at == row { from } else { 0 };
        for byte in line.text.bytes().skip(skipped) {
            match byte {
                b'(' | b'[' => brackets += 1,
                b')' | b']' => brackets -= 1,
                b'{' if braces > 0 || brackets == 0 => braces += 1,
                b'}' if braces == 1 => return Some(at),
                b'}' if braces > 1 => braces -= 1,
                b';' if braces == 0 && brackets == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::code;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check(&file, &code::lines(text)).iter().map(Finding::to_string).collect()
    }

    /// A function of `n_lines` lines with `signature`.
    fn function(signature: &str, n_lines: usize) -> String {
        format!("{signature} {{\n{}}}\n", "    step();\n".repeat(n_lines - 2))
    }

    #[test]
    fn a_function_above_the_limit_is_found_at_its_first_line() {
        let text = format!("use x;\n\n{}", function("pub(crate) async fn long<T>(x: [u8; 3]) -> u8", MAX_LINES + 1));
        let found = found("crates/x/src/a.rs", &text);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/x/src/a.rs:3: function-length: `long` has 81 lines"), "{}", found[0]);
    }

    #[test]
    fn a_function_of_just_the_limit_passes_and_the_next_begins_anew() {
        let text = function("fn a()", MAX_LINES) + &function("fn b()", MAX_LINES);
        assert!(found("crates/x/src/a.rs", &text).is_empty());
    }

    #[test]
    fn inner_functions_and_those_of_macros_are_measured_too() {
        let inner = function("        fn inner()", MAX_LINES + 1);
        let outer = format!("macro_rules! m {{ ($name:ident) => {{\nfn $name() {{\n{inner}}}\n}} }}\n");
        let found = found("crates/x/src/a.rs", &outer);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("`$name` has 83") && found[1].contains("`inner` has 81"), "{found:?}");
    }

    #[test]
    fn braces_in_literals_and_comments_do_not_count() {
        let hidden = "    a(\"}\", '}', br#\"}\"#); // }\n    /* } */ b('{', \"{\");\n";
        let long = format!("fn long() {{\n{hidden}{}}}\n", "    step();\n".repeat(MAX_LINES - 3));
        assert_eq!(found("crates/x/src/a.rs", &long).len(), 1);
        // Were one of its braces counted, it would end at one of those below.
        let short = format!("fn short() {{\n    a(\"{{\", '{{'); // {{\n}}\n{}}}}}}}\n", "\n".repeat(MAX_LINES));
        assert!(found("crates/x/src/a.rs", &short).is_empty());
    }

    #[test]
    fn declarations_and_types_have_no_body() {
        let items = "    const X: u8 = 1;\n".repeat(MAX_LINES);
        let text = format!(
            "trait T {{\n    fn declared(&self, f: fn (u8) -> u8) -> [u8; 3];\n{items}}}\n\
             struct S {{\n    f: fn(u8),\n{items}}}\n"
        );
        assert!(found("crates/x/src/a.rs", &text).is_empty());
    }

    #[test]
    fn tests_may_be_longer() {
        let long = function("fn long()", MAX_LINES + 1);
        assert!(found("crates/x/src/a.rs", &format!("#[cfg(test)]\nmod tests {{\n{long}}}\n")).is_empty());
        assert!(found("crates/x/tests/it/main.rs", &long).is_empty());
        assert_eq!(found("crates/x/examples/a.rs", &long).len(), 1);
    }
}
