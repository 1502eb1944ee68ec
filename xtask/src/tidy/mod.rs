//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy knows. Each finding reads
//! `file:line: rule: remedy`.

mod catalogs;
mod code;
mod files;
mod functions;
mod graph;
mod house;
mod inherent;
mod job_kinds;
mod paths;
mod purity;
mod toolchain;
mod touch;

use std::fmt;

use anyhow::{Result, ensure};

use self::code::CodeLine;
use crate::args::Args;

/// One file of the repository.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// All of its text.
    pub(crate) text: String,
}

impl SourceFile {
    fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// True for files that only tests compile.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

/// A Rust file and what of it is code.
#[derive(Debug)]
struct Source<'a> {
    file: &'a SourceFile,
    lines: Vec<CodeLine>,
}

impl<'a> Source<'a> {
    /// The Rust files among `files`, in order.
    fn all(files: &'a [SourceFile]) -> Vec<Self> {
        let rust = files.iter().filter(|file| file.has_extension("rs"));
        rust.map(|file| Self { file, lines: code::lines(&file.text) }).collect()
    }
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    remedy: String,
}

impl Finding {
    fn new(path: &str, line: usize, rule: &'static str, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, remedy: remedy.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.remedy)
    }
}

/// Checks the repository; an error if anything was found. The flag of [`touch::WRITE`] first records the touch counts.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let (flags, rest): (Vec<String>, Vec<String>) = args.iter().cloned().partition(|arg| arg == touch::WRITE);
    Args::parse(&rest, &[])?.no_names()?;
    if !flags.is_empty() {
        touch::write(&files::all()?)?;
    }
    let files = files::all()?;
    let findings = check(&files);
    for finding in &findings {
        println!("{finding}");
    }
    ensure!(findings.is_empty(), "tidy: {} findings", findings.len());
    println!("tidy: {} files in order", files.len());
    Ok(())
}

fn check(files: &[SourceFile]) -> Vec<Finding> {
    let sources = Source::all(files);
    let mut findings = catalogs::check(&sources);
    findings.extend(job_kinds::check(&sources));
    findings.extend(inherent::check(&sources));
    findings.extend(toolchain::check(files));
    findings.extend(touch::check(files, &sources));
    for file in files {
        findings.extend(paths::check(file));
        findings.extend(house::check_length(file));
        if file.path.ends_with("/Cargo.toml") {
            findings.extend(graph::check(file));
        }
    }
    for Source { file, lines } in &sources {
        findings.extend(house::check_code(file, lines));
        findings.extend(purity::check(file, lines));
        findings.extend(functions::check(file, lines));
    }
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_of_this_program_is_read() {
        let files = files::all().unwrap();
        assert!(files.iter().any(|f| f.path == "xtask/src/tidy/mod.rs"));
        assert!(files.iter().all(|f| !f.path.starts_with("target/") && !f.path.starts_with('/')));
    }

    #[test]
    fn findings_read_as_file_line_rule_remedy() {
        assert_eq!(Finding::new("a.rs", 3, "rule", "do this").to_string(), "a.rs:3: rule: do this");
    }

    #[test]
    fn other_words_and_flags_are_refused() {
        for word in ["now", "--write", "--write-touch-count"] {
            assert!(run(&[word.to_owned()]).unwrap_err().to_string().contains(word), "{word}");
        }
    }
}
