//! Tests of "better than": Diebold-Mariano and Clark-West with a long-run variance that keeps their size for slow
//! forecasts, an anytime-valid test of live forecasts, Holm, and the words of verdicts.
//!
//! All work on series ordered by origin whose neighbours overlap by up to `horizon - 1` steps.

mod e_process;
mod holm;
mod long_run;
mod overlap;
mod words;

#[cfg(test)]
mod tests;

pub use e_process::{EProcess, EValue, interleaved};
pub use holm::{holm, holm_with};
pub use long_run::{Serial, Test, clark_west, diebold_mariano, mean_above_zero};
pub use overlap::{independent, overlap};
pub use words::{Evidence, MIN_INDEPENDENT, VERDICT_LEVEL, VerdictCode, p_text};
