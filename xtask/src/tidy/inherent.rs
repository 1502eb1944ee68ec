//! The types that everything is reached through have one inherent block. A method that another file adds to them can
//! call every other one and be called by it, so that no part could be understood, or moved to a crate, by itself. Use
//! cases are functions and types of their own; traits may be implemented anywhere.

use super::code::{CodeLine, contains_word};
use super::{Finding, Source};

const RULE: &str = "inherent-impl";

/// Where the block stands. The rule holds as soon as there is this file.
const HOME: &str = "crates/candlecast-host/src/host.rs";
const TYPES: [&str; 2] = ["App", "Host"];

/// Finds inherent blocks of these types elsewhere.
pub(super) fn check(sources: &[Source<'_>]) -> Vec<Finding> {
    if sources.iter().all(|source| source.file.path != HOME) {
        return Vec::new();
    }
    sources.iter().filter(|source| source.file.path != HOME && !source.file.is_test()).flat_map(check_source).collect()
}

fn check_source(source: &Source<'_>) -> Vec<Finding> {
    let lines = source.lines.iter().enumerate().filter(|(_, line)| !line.in_test);
    lines
        .filter(|(_, line)| line.text.trim_start().starts_with("impl"))
        .filter_map(|(row, _)| {
            let header = header(&source.lines[row..]);
            let name = inherent_type(&header).filter(|name| TYPES.contains(name))?;
            let remedy =
                format!("no `impl {name}` outside {HOME}; write a function that takes what it needs, or a trait");
            Some(Finding::new(&source.file.path, row + 1, RULE, remedy))
        })
        .collect()
}

/// What stands before the first brace, on one line.
fn header(lines: &[CodeLine]) -> String {
    let mut header = String::new();
    for line in lines {
        let (before, is_end) = line.text.split_once('{').map_or((line.text.as_str(), false), |(text, _)| (text, true));
        header.push_str(before);
        header.push(' ');
        if is_end {
            break;
        }
    }
    header
}

/// Name of the type that `header` begins an inherent block of.
fn inherent_type(header: &str) -> Option<&str> {
    let after = header.trim_start().strip_prefix("impl").filter(|after| after.starts_with([' ', '<']))?;
    let subject = without_generics(after.trim_start()).split(" where ").next()?;
    if contains_word(subject, "for") {
        return None;
    }
    let path = subject.split('<').next()?.trim();
    path.rsplit("::").next()
}

/// What follows the `<…>` at the start of `text`, if there is one.
fn without_generics(text: &str) -> &str {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if !text[..at].ends_with('-') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 { text } else { &text[at + 1..] };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::SourceFile;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
        check(&Source::all(&files)).iter().map(Finding::to_string).collect()
    }

    /// What is found in a file that holds `text`, beside the home.
    fn elsewhere(text: &str) -> Vec<String> {
        found(&[(HOME, "pub struct Host;\nimpl Host {\n}\n"), ("crates/candlecast-app/src/train.rs", text)])
    }

    #[test]
    fn an_inherent_block_elsewhere_is_found_however_it_is_written() {
        for block in [
            "impl Host {\n}",
            "impl App{}",
            "    impl candlecast_host::Host {}",
            "impl<'a, F: Fn() -> u8> App<'a, F>\nwhere\n    F: for<'b> Fn(&'b u8),\n{\n}",
        ] {
            let found = elsewhere(&format!("use x;\n{block}\n"));
            assert_eq!(found.len(), 1, "{block}");
            assert!(found[0].starts_with("crates/candlecast-app/src/train.rs:2: inherent-impl: "), "{}", found[0]);
        }
    }

    #[test]
    fn traits_other_types_and_tests_pass() {
        for text in [
            "impl Train for Host {\n}\n",
            "impl<T: Watch> Hear<T> for crate::App {\n}\n",
            "impl From<Host> for App\nwhere\n    u8: Copy,\n{\n}\n",
            "impl HostOptions {\n}\nimpl AppError {}\nimpl Apps {}\nimplement!(App {});\n",
            "fn f(\n    host: &Host,\n    work: u8,\n) -> impl Watch {\n}\n",
            "// impl Host {}\nconst A: &str = \"\nimpl Host {}\";\n",
            "#[cfg(test)]\nimpl Host {\n}\n",
        ] {
            assert_eq!(elsewhere(text), Vec::<String>::new(), "{text}");
        }
        assert!(found(&[(HOME, "impl Host {}"), ("crates/candlecast-app/tests/it/main.rs", "impl App {}")]).is_empty());
    }

    #[test]
    fn without_the_home_there_is_no_rule() {
        assert!(found(&[("crates/candlecast-app/src/train.rs", "impl App {\n}\n")]).is_empty());
    }
}
