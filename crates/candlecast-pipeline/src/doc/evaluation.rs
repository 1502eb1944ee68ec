//! The document of `compare` and `backtest`.

use candlecast_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::cross::CrossDoc;
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
    /// How the data were split: `walk-forward`, `simple`, `purged-k-fold` or `cpcv`.
    pub method: &'static str,
    /// Share of a training window, its end, that early stopping and selection use.
    pub valid_share: f64,
    /// Share of the candles known to the run that lie within `from` and `to`.
    pub test_share: f64,
    /// Scores; of a cross-validation those of its first path.
    #[serde(flatten)]
    pub report: ReportDoc,
    /// What all paths of a cross-validation say; left out for other methods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossDoc>,
    /// Hashes of the forecasts of each model.
    pub forecast_digests: Vec<ForecastDigestDoc>,
    /// Root of all randomness.
    pub seed: u64,
    /// Vector instructions in use.
    pub instruction_set: &'static str,
    /// Version of the program.
    pub program: &'static str,
    /// Hash of data, configuration and seed.
    pub fingerprint: String,
}

/// Hash of all scored forecasts of a model, with their intervals and confidences: equal hashes are equal bits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastDigestDoc {
    /// Name.
    pub model: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
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
            method: e.method.id(),
            valid_share: e.forecasters.first().and_then(|f| Some(f.recipe().first()?.valid_share)).unwrap_or_default(),
            test_share: test_share(e),
            report: (&e.report).into(),
            cross_validation: e.cross.as_ref().map(Into::into),
            forecast_digests: e
                .digests
                .iter()
                .map(|(model, sha256)| ForecastDigestDoc { model: model.clone(), sha256: sha256.clone() })
                .collect(),
            seed,
            instruction_set: instruction_set(),
            program: env!("CARGO_PKG_VERSION"),
            fingerprint: e.fingerprint.clone(),
        }
    }
}

/// Share of the candles of the market that lie within what was scored.
fn test_share(e: &Evaluation) -> f64 {
    let series = e.market.series();
    let rows = e.scored.map_or(0, |scored| series.first_row_from(scored.to) - series.first_row_from(scored.from));
    rows as f64 / series.len().max(1) as f64
}
