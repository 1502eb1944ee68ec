//! What must be there after a kill, for each kind of work.

pub(super) mod backup;
pub(super) mod import;
pub(super) mod job;
pub(super) mod stream;

use std::fmt::Debug;

use anyhow::Result;

use super::known::Known;
use super::scene::Site;
use crate::program::{Ending, Program};

/// A run without a kill.
pub(super) struct Undisturbed<'a> {
    pub(super) site: &'a Site,
    pub(super) program: &'a Program,
    /// What was known before it, after it, and of the earlier backup.
    pub(super) before: &'a Known,
    pub(super) after: &'a Known,
    pub(super) earlier: &'a Known,
    pub(super) printed: &'a str,
}

/// A run that was to be killed.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ending: Ending,
    /// What it had printed.
    pub(super) printed: String,
}

impl Run {
    /// True when it had ended, or had begun to print its result: what it was to do is done.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.ending == Ending::Finished || !self.printed.trim().is_empty()
    }
}

/// Runs of one command over one data folder, and what they left.
pub(super) struct Round<'a> {
    pub(super) site: &'a Site,
    pub(super) program: &'a Program,
    pub(super) line: &'a [String],
    /// What was acknowledged before.
    pub(super) known: &'a Known,
    pub(super) left: Known,
    pub(super) runs: Vec<Run>,
}

impl Round<'_> {
    pub(super) fn is_acknowledged(&self) -> bool {
        self.runs.iter().any(Run::is_acknowledged)
    }
}

/// What a kind of work must leave. That what was known before is still there has been looked at.
pub(super) trait Check: Debug {
    /// What the runs acknowledged is there.
    fn left(&self, round: &Round<'_>) -> Result<()>;

    /// Brings the work to its end, which must be that of an undisturbed run.
    fn complete(&self, round: &Round<'_>) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_acknowledged_by_its_end_or_its_first_words() {
        let is_acknowledged = |ending, printed: &str| Run { ending, printed: printed.to_owned() }.is_acknowledged();
        assert!(is_acknowledged(Ending::Finished, "") && is_acknowledged(Ending::Killed, "BTCUSDT: 5 rows"));
        assert!(!is_acknowledged(Ending::Killed, "") && !is_acknowledged(Ending::Killed, "\n"));
    }
}
