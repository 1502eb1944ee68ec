//! [`Outcomes`]: what became of each mutant, a line each, written at once, so that an interrupted run goes on.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What the tests said of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A test failed.
    Caught,
    /// Tests did not end in time, which is noticed, too.
    TimedOut,
    /// All tests passed.
    Missed,
    /// It does not compile.
    Unviable,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Caught, Self::TimedOut, Self::Missed, Self::Unviable];

    /// In a word, as the file has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::TimedOut => "timed-out",
            Self::Missed => "missed",
            Self::Unviable => "unviable",
        }
    }
}

/// What became of one mutant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    /// Time to build and test it.
    pub(super) seconds: f64,
}

/// The outcomes at one revision and scope of tests.
#[derive(Debug)]
pub(super) struct Outcomes {
    file: PathBuf,
    /// Revision and scope, which a line must have to count.
    of: String,
    known: BTreeMap<String, Outcome>,
}

impl Outcomes {
    /// Reads `file`; a missing one holds none. Half a line, of a run that was killed, does not count, nor do lines `of`
    /// something else.
    pub(super) fn load(file: &Path, of: &str) -> Result<Self> {
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        let known = text.lines().filter_map(|line| read(line, of)).collect();
        Ok(Self { file: file.to_owned(), of: of.to_owned(), known })
    }

    pub(super) fn get(&self, name: &str) -> Option<Outcome> {
        self.known.get(name).copied()
    }

    /// Notes an outcome, in the file too.
    pub(super) fn add(&mut self, name: &str, outcome: Outcome) -> Result<()> {
        let line = json!({
            "of": self.of, "mutant": name, "verdict": outcome.verdict.as_str(), "seconds": outcome.seconds,
        });
        // A line of its own even behind half a one.
        let line = format!("\n{line}\n");
        let written = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.file)
            .and_then(|mut f| f.write_all(line.as_bytes()));
        written.with_context(|| format!("cannot write {}", self.file.display()))?;
        self.known.insert(name.to_owned(), outcome);
        Ok(())
    }
}

fn read(line: &str, of: &str) -> Option<(String, Outcome)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let verdict = Verdict::ALL.into_iter().find(|verdict| line["verdict"] == verdict.as_str())?;
    let outcome = Outcome { verdict, seconds: line["seconds"].as_f64()? };
    let name = line["mutant"].as_str().filter(|_| line["of"] == of)?;
    Some((name.to_owned(), outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_kept_and_half_a_line_is_tested_again() {
        let file = std::env::temp_dir().join(format!("xtask-outcomes-{}.jsonl", std::process::id()));
        let missed = Outcome { verdict: Verdict::Missed, seconds: 2.5 };
        let mut outcomes = Outcomes::load(&file, "abc 0").unwrap();
        outcomes.add("a:1:1: x", missed).unwrap();
        assert_eq!(outcomes.get("a:1:1: x"), Some(missed));
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str("{\"of\":\"abc 0\",\"mutant\":\"b");
        fs::write(&file, text).unwrap();
        let mut again = Outcomes::load(&file, "abc 0").unwrap();
        assert_eq!((again.get("a:1:1: x"), again.get("b")), (Some(missed), None));
        again.add("b", Outcome { verdict: Verdict::TimedOut, seconds: 1.0 }).unwrap();
        let third = Outcomes::load(&file, "abc 0").unwrap();
        assert_eq!(third.get("b").map(|outcome| outcome.verdict), Some(Verdict::TimedOut));
        assert_eq!(Outcomes::load(&file, "abd 0").unwrap().get("b"), None, "another revision begins anew");
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn verdicts_survive_their_words() {
        for verdict in Verdict::ALL {
            let line = json!({"of": "x", "mutant": "m", "verdict": verdict.as_str(), "seconds": 1.0}).to_string();
            assert_eq!(read(&line, "x").unwrap().1.verdict, verdict);
        }
        assert!(read(r#"{"of":"x","mutant":"m","verdict":"lost","seconds":1}"#, "x").is_none());
    }
}
