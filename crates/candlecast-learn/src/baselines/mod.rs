//! The naive forecasts that stand beside every model: `naive`, `drift`, `seasonal-naive`, `ewma`.
//!
//! They are learners like all others, so that they get the same splits, intervals, tests and tables.

mod drift;
mod ewma;
mod naive;
mod seasonal;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::Entry;

use crate::{Inputs, Learner, ScalerKind};

/// Ids of the baselines, in the order of tables.
pub const BASELINES: [&str; 4] = ["naive", "drift", "seasonal-naive", "ewma"];

/// All baselines.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    &[naive::ENTRY, drift::ENTRY, seasonal::ENTRY, ewma::ENTRY]
}

/// Baselines read closes only.
fn closes_only() -> Inputs {
    Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
}
