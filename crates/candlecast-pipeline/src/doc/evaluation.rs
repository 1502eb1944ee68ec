//! The document of `compare` and `backtest`.

use candlecast_core::Timestamp;
use serde::Serialize;

use super::report::ReportDoc;
use crate::evaluation::Evaluation;
use crate::fingerprint::instruction_set;

/// A whole evaluation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationDoc {
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Candle length.
    pub interval: String,
    /// True for generated markets.
    pub synthetic: bool,
    /// Open of the first scored origin.
    pub from: Option<Timestamp>,
    /// Close of the last.
    pub to: Option<Timestamp>,
    /// Scores.
    #[serde(flatten)]
    pub report: ReportDoc,
    /// Root of all randomness.
    pub seed: u64,
    /// Vector instructions in use.
    pub instruction_set: &'static str,
    /// Version of the program.
    pub program: &'static str,
    /// Hash of data, configuration and seed.
    pub fingerprint: String,
}

impl EvaluationDoc {
    /// The document of `e`, run with `seed`.
    pub fn new(e: &Evaluation, seed: u64) -> Self {
        Self {
            venue: e.key.venue.to_string(),
            symbol: e.key.symbol.to_string(),
            interval: e.key.interval.to_string(),
            synthetic: e.key.venue.is_synthetic(),
            from: e.scored.map(|r| r.from),
            to: e.scored.map(|r| r.to),
            report: (&e.report).into(),
            seed,
            instruction_set: instruction_set(),
            program: env!("CARGO_PKG_VERSION"),
            fingerprint: e.fingerprint.clone(),
        }
    }
}
