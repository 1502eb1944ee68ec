//! [`GapsDoc`]: missing candles in documents.

use serde::Serialize;

use crate::Gaps;

/// Gaps, in candles.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GapsDoc {
    /// Runs of missing candles.
    pub count: usize,
    /// Longest run.
    pub longest: usize,
    /// Missing in all.
    pub missing: usize,
}

impl From<Gaps> for GapsDoc {
    fn from(g: Gaps) -> Self {
        Self { count: g.count, longest: g.longest, missing: g.missing }
    }
}
