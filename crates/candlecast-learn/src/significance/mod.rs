//! What luck explains.
//!
//! Tests of "better than": Diebold-Mariano and Clark-West with a long-run variance that keeps their size for slow
//! forecasts, an anytime-valid test of live forecasts, Holm, and the words of verdicts. Which of several models cannot be
//! told from the best one: the model confidence set. Resampling in blocks. All these work on series ordered by origin
//! whose neighbours overlap by up to `horizon - 1` steps.
//!
//! What the best of many is worth: the deflated Sharpe ratio, the probability of backtest overfitting, and how many of
//! the things that were tried are different.

mod block_length;
mod bootstrap;
mod confidence_set;
mod e_process;
mod holm;
mod long_run;
mod overfitting;
mod overlap;
mod sharpe;
mod trials;
mod words;

#[cfg(test)]
mod tests;

pub use block_length::{BlockLengths, block_lengths};
pub use bootstrap::{Block, BlockSums, Blocks, Resampler, Resamples, replicated};
pub use confidence_set::{Statistic, confidence_set, confidence_set_by_cosines};
pub use e_process::{EProcess, EValue, interleaved};
pub use holm::{holm, holm_with};
pub use long_run::{Serial, Test, clark_west, diebold_mariano, mean_above_zero};
pub use overfitting::{Choice, Degradation, MOST_BLOCKS, Overfitting, Performance};
pub use overlap::{independent, overlap};
pub use sharpe::{SharpeRatio, expected_maximum};
pub use trials::EffectiveTrials;
pub use words::{Evidence, MIN_INDEPENDENT, VERDICT_LEVEL, VerdictCode, p_text};
