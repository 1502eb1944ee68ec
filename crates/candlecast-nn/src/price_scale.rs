//! [`PriceScale`]: the raw target of the price task, without a unit.
//!
//! The raw target of step h is the log return from the origin to that step, divided by the volatility of one-step
//! returns at the origin (known there: causal) times the square root of h. It has about unit variance at every
//! step, in every series and in calm and wild times alike; a prediction is multiplied by the same number. In a
//! market at a standstill the volatility may be next to zero, so it is bounded below by a share of its median over
//! the training part, which is stored with the model.

use candlecast_learn::{FitError, Samples};

/// Share of the training part's median volatility that a volatility counts as at least.
const FLOOR_SHARE: f64 = 0.1;

/// Turns log returns into targets and outputs into log returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PriceScale {
    /// Least volatility used, in log returns a step; above 0.
    pub(crate) floor: f64,
}

impl PriceScale {
    /// The scale of `train`; an error if its prices hardly ever move.
    pub(crate) fn fit(train: &Samples<'_>) -> Result<Self, FitError> {
        let mut all: Vec<f64> = (0..train.len()).map(|i| train.volatility(i)).filter(|v| v.is_finite()).collect();
        all.sort_by(f64::total_cmp);
        let floor = FLOOR_SHARE * all.get(all.len() / 2).copied().unwrap_or(0.0);
        if floor > 0.0 {
            return Ok(Self { floor });
        }
        Err(FitError::Degenerate(
            "the training prices do not move (median volatility is 0): there is nothing to learn from; take another \
             range or interval"
                .into(),
        ))
    }

    /// Size of a target of 1 at step `step` (0 is the first) of sample `i`, in log returns.
    pub(crate) fn unit(self, samples: &Samples<'_>, i: usize, step: usize) -> f64 {
        samples.volatility(i).max(self.floor) * ((step + 1) as f64).sqrt()
    }
}
