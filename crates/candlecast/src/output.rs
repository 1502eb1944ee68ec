//! [`Output`]: standard output for results, standard error for everything else.

use std::io::{IsTerminal, Write};

use candlecast_core::Problem;
use serde::Serialize;

use crate::cli::Global;

/// How a run speaks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// True when results are to be JSON.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// True when progress bars may be drawn.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// Prints a result: `doc` as the one JSON document, or the text that `human` makes.
    pub(crate) fn result<T: Serialize>(self, doc: &T, human: impl FnOnce() -> String) -> Result<(), Problem> {
        let text = if self.json {
            serde_json::to_string_pretty(doc).map_err(|e| Problem::data("output-failed", e.to_string()))?
        } else {
            human()
        };
        Self::line(&text)
    }

    /// Prints text to standard output. A reader that has gone away ends the program quietly.
    pub(crate) fn line(text: &str) -> Result<(), Problem> {
        match writeln!(std::io::stdout().lock(), "{text}") {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(Problem::data("output-failed", format!("standard output: {e}"))),
        }
    }

    /// A remark for people, on standard error.
    pub(crate) fn remark(self, text: &str) {
        if !self.quiet && !self.json {
            // Nobody reads standard error: then nobody misses the remark.
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// A problem, on standard error.
    pub(crate) fn problem(self, e: &Problem) {
        if self.json {
            Self::print_problem_json(e);
        } else {
            let _ = writeln!(std::io::stderr().lock(), "error: {}", e.detail);
        }
    }

    /// A problem as problem+json, on standard error.
    pub(crate) fn print_problem_json(e: &Problem) {
        let text = serde_json::to_string_pretty(e).unwrap_or_else(|_| e.detail.clone());
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}
