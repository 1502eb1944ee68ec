//! The rule regime: bull, bear or sideways by trend alone; volatility moves only how sure the label is.

mod label;
pub(crate) mod rule;

pub use label::{Regime, RegimeLabel, regime_label};
