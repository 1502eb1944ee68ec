//! The document of `audit features`.

use candlecast_core::{SeriesKey, Timestamp};
use candlecast_features::Leak;
use serde::Serialize;

use crate::feature_audit::{AuditFinding, Audited};

/// A value that depends on the future.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditFindingDoc {
    feature: String,
    /// `truncated`: changes when later candles are taken away; `scrambled`: when they are exchanged.
    leak: &'static str,
    row: usize,
    open_time: Timestamp,
    cut_time: Timestamp,
    whole: Option<f64>,
    without: Option<f64>,
}

impl From<&AuditFinding> for AuditFindingDoc {
    fn from(f: &AuditFinding) -> Self {
        let defined = |v: f64| (!v.is_nan()).then_some(v);
        Self {
            feature: f.finding.output.clone(),
            leak: leak_name(f.finding.leak),
            row: f.finding.row,
            open_time: f.open_time,
            cut_time: f.cut_time,
            whole: defined(f.finding.whole),
            without: defined(f.finding.without),
        }
    }
}

/// The check that a value failed, in one word.
pub fn leak_name(leak: Leak) -> &'static str {
    match leak {
        Leak::Truncated => "truncated",
        Leak::Scrambled => "scrambled",
    }
}

/// An audit of features.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditDoc {
    series: SeriesKey,
    synthetic: bool,
    candles: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    features: usize,
    cuts: usize,
    findings: Vec<AuditFindingDoc>,
    undefined: Vec<String>,
    notes: Vec<String>,
    passed: bool,
    seed: u64,
}

impl AuditDoc {
    /// The document of `a`, run with `seed`.
    pub fn new(a: &Audited, seed: u64) -> Self {
        Self {
            series: a.key.clone(),
            synthetic: a.key.venue.is_synthetic(),
            candles: a.candles,
            from: a.range.map(|r| r.from),
            to: a.range.map(|r| r.to),
            features: a.features.len(),
            cuts: a.cuts,
            findings: a.findings.iter().map(Into::into).collect(),
            undefined: a.undefined.clone(),
            notes: a.notes.clone(),
            passed: a.passed(),
            seed,
        }
    }
}
