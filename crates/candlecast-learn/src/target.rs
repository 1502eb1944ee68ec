//! [`PriceTarget`]: what learners of prices learn in place of bare returns.

use serde::{Deserialize, Serialize};

use crate::Samples;

/// What a learner of prices learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// `clip((c[t+h] - c[t]) / (sigma_t sqrt h), -k_h, k_h)`, `c` being log closes and `sigma_t` the volatility of one
    /// step at the origin ([`crate::Market::sigma`]). A few large moves own the squared loss of bare returns; clipped,
    /// every hour counts about alike, and the forecast lies near the conditional median of the move.
    #[default]
    Clipped,
    /// The same clipped at 3: near the conditional mean, for ranking by expected return.
    Wide,
    /// The log return.
    Raw,
}

/// Bound of [`TargetKind::Wide`].
const WIDE: f64 = 3.0;
/// Steps up to which the bound is [`NEAR_BOUND`], and from which on it is [`FAR_BOUND`].
const NEAR_STEPS: f64 = 4.0;
const FAR_STEPS: f64 = 24.0;
const NEAR_BOUND: f64 = 1.0;
const FAR_BOUND: f64 = 0.5;

/// The target of a learner of prices: its kind and its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceTarget {
    kind: TargetKind,
    bound: Option<f64>,
}

impl PriceTarget {
    /// A target of `kind`; `bound` (above 0, in units of `sigma_t sqrt h`) replaces that of the clipped kind at every
    /// step.
    pub fn new(kind: TargetKind, bound: Option<f64>) -> Self {
        Self { kind, bound }
    }

    /// Its kind.
    pub fn kind(self) -> TargetKind {
        self.kind
    }

    /// `k_h`, the bound on the target of step `step` (at least 1): by default 1 up to 4 steps, 0.5 from 24 on, linear
    /// between; infinite for raw returns.
    pub fn bound(self, step: usize) -> f64 {
        match self.kind {
            TargetKind::Raw => f64::INFINITY,
            TargetKind::Wide => WIDE,
            TargetKind::Clipped => self.bound.unwrap_or_else(|| {
                let share = (step as f64 - NEAR_STEPS) / (FAR_STEPS - NEAR_STEPS);
                NEAR_BOUND + (FAR_BOUND - NEAR_BOUND) * share.clamp(0.0, 1.0)
            }),
        }
    }

    /// What a target of 1 is as a log return over `step` steps from the origin of sample `i`: `sigma_t sqrt h`, or 1
    /// for raw returns.
    pub fn unit(self, samples: &Samples<'_>, i: usize, step: usize) -> f64 {
        match self.kind {
            TargetKind::Raw => 1.0,
            TargetKind::Clipped | TargetKind::Wide => samples.sigma(i) * (step as f64).sqrt(),
        }
    }

    /// The targets of sample `i` for the next `out.len()` steps.
    pub fn learn_into(self, samples: &Samples<'_>, i: usize, out: &mut [f64]) {
        samples.returns_into(i, out);
        if self.kind == TargetKind::Raw {
            return;
        }
        let sigma = samples.sigma(i);
        for (h, y) in out.iter_mut().enumerate() {
            let bound = self.bound(h + 1);
            *y = (*y / (sigma * ((h + 1) as f64).sqrt())).clamp(-bound, bound);
        }
    }

    /// Turns forecasts of the targets of sample `i`, one a step, into log returns.
    pub fn to_returns(self, samples: &Samples<'_>, i: usize, forecasts: &mut [f64]) {
        if self.kind == TargetKind::Raw {
            return;
        }
        let sigma = samples.sigma(i);
        for (h, y) in forecasts.iter_mut().enumerate() {
            *y *= sigma * ((h + 1) as f64).sqrt();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;
    use crate::made::{closes_of, market_of, origins};
    use candlecast_core::Seed;

    #[test]
    fn bounds_are_one_up_to_four_steps_and_a_half_from_a_day_on() {
        let clipped = PriceTarget::new(TargetKind::Clipped, None);
        assert_eq!([1, 4, 14, 24, 288].map(|h| clipped.bound(h)), [1.0, 1.0, 0.75, 0.5, 0.5]);
        assert_eq!(PriceTarget::new(TargetKind::Clipped, Some(2.0)).bound(9), 2.0);
        assert_eq!(PriceTarget::new(TargetKind::Wide, None).bound(9), 3.0);
        assert_eq!(PriceTarget::new(TargetKind::Raw, None).bound(1), f64::INFINITY);
    }

    #[test]
    fn targets_are_returns_over_sigma_and_go_back_to_returns() {
        let mut rng = Seed(8).stream();
        let mut returns: Vec<f64> = (0..400).map(|_| 0.01 * rng.normal()).collect();
        returns[300] = 0.5;
        let (data, ids) = (closes_of(market_of(&returns)), origins([250, 299]));
        let samples = Samples::new(&data, &ids, 1, Task::Price { horizon: 3 }, None);
        let (mut plain, mut learnt) = ([0.0; 3], [0.0; 3]);
        let wide = PriceTarget::new(TargetKind::Wide, None);
        for i in 0..2 {
            samples.returns_into(i, &mut plain);
            wide.learn_into(&samples, i, &mut learnt);
            for h in 0..3 {
                let unit = samples.sigma(i) * ((h + 1) as f64).sqrt();
                assert!((learnt[h] - (plain[h] / unit).clamp(-3.0, 3.0)).abs() < 1e-12);
                assert!((wide.unit(&samples, i, h + 1) - unit).abs() < 1e-15);
            }
        }
        assert_eq!(learnt, [3.0; 3], "half the price in an hour is clipped");
        wide.learn_into(&samples, 0, &mut learnt);
        samples.returns_into(0, &mut plain);
        wide.to_returns(&samples, 0, &mut learnt);
        assert!((learnt[0] - plain[0]).abs() < 1e-12);
        let raw = PriceTarget::new(TargetKind::Raw, None);
        raw.learn_into(&samples, 0, &mut learnt);
        raw.to_returns(&samples, 0, &mut learnt);
        assert_eq!(learnt, plain);
    }
}
