//! Features: named, documented functions of past candles, in batch and candle by candle.
//!
//! [`catalog()`] lists every feature; [`Engine`] computes a `FeatureSet` of them over a series. Where TA-Lib has a
//! function its definition and seeding are taken (crate `ta-lib`, batch and stream); the others are state machines
//! written once, which batch and stream both drive. Where TA-Lib gives a number for 0/0 the feature is missing: the
//! catalog names each such difference. [`audit()`] proves that no value depends on the future.
//!
//! Named sets: [`DEFAULT`], which models train on unless told otherwise, and [`REVERSAL`], for the price of the next
//! candles.
//!
//! Errors: [`FeatureError`] is all that this crate refuses with, and it refuses only names and parameters. Values
//! that are not defined are NaN.

mod aliases;
mod audit;
mod average;
mod calendar;
mod catalog;
mod correlation;
mod default_set;
mod engine;
mod error;
mod formula;
mod indicator;
mod microstructure;
mod momentum;
mod price;
mod reference;
mod regime;
mod resolve;
mod reversal_set;
mod rolling;
mod scaled;
mod selection;
mod session;
mod spec;
mod talib;
mod trend;
mod volatility;
mod volume;

pub use aliases::aliases;
pub use audit::{AuditConfig, Finding, Leak, audit, audit_indicators};
pub use catalog::catalog;
pub use default_set::DEFAULT;
pub use engine::{Engine, EngineStream};
pub use error::FeatureError;
pub use indicator::{Indicator, IndicatorStream, MAX_OUTPUTS, Memory, Observation};
pub use reference::reference_markdown;
pub use regime::{Regime, RegimeLabel, regime_label};
pub use reversal_set::REVERSAL;
pub use selection::{
    AgainstChance, Classes, MAX_CLASSES, Ranks, Redundant, circular_shifts, correlation_filter, equal_count_bins,
    mutual_information,
};
pub use spec::{FeatureSpec, Group, ParamRange, Scale};
