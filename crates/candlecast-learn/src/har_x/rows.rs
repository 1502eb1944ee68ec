//! [`HarXRows`]: what `har-x` reads and learns at each origin, for it and for other learners of the volatility.

use super::regressors::{ANCHORS, Between, COLUMNS, REGRESSORS, base_of, regressors};
use crate::Samples;
use crate::dataset::RELATIVE_BOUND;

/// Days of the window that learners of these rows take.
pub const WINDOWS: &[u32] = &[1_825];

/// Bytes that a market needs for each of its rows.
pub const ROW_BYTES: usize = size_of::<f32>() * COLUMNS;

/// The regressors of `har-x` at the origins of samples, and what is learnt from them, for the task's horizon.
///
/// They are there for origins with at least [`super::WARM_UP`] candles of their segment, the origin included; before
/// that they are NaN. Those of a whole market and of a live one have the same bits.
#[derive(Debug, Clone, Copy)]
pub struct HarXRows<'a> {
    samples: Samples<'a>,
    horizon: usize,
    /// Where the season of the horizon is found.
    season: Between,
}

impl<'a> HarXRows<'a> {
    /// Of `samples`.
    pub fn of(samples: &Samples<'a>) -> Self {
        let horizon = samples.task().horizon();
        Self { samples: *samples, horizon, season: Between::of(&ANCHORS, horizon) }
    }

    /// Regressors of sample `i`: those that all horizons share, then the logarithm of the season of the horizon.
    pub fn regressors(&self, i: usize) -> [f64; REGRESSORS] {
        regressors(self.samples.har_x(i), self.season)
    }

    /// `lvl'` of sample `i`: the logarithm of the variance of the horizon that is usual by the ranges of the candles up
    /// to the origin.
    pub fn base(&self, i: usize) -> f64 {
        base_of(self.samples.har_x(i), self.horizon)
    }

    /// What is learnt of sample `i`, which has its outcome: the log variance that came true relative to the base, within
    /// -8 and 8.
    pub fn target(&self, i: usize) -> f64 {
        (self.samples.log_variance(i) - self.base(i)).clamp(-RELATIVE_BOUND, RELATIVE_BOUND)
    }
}

#[cfg(test)]
mod tests {
    use super::super::WARM_UP;
    use super::*;
    use crate::Task;
    use crate::made::{closes_of, market_of, origins};
    use candlecast_core::Seed;

    #[test]
    fn rows_are_those_of_the_market_for_the_horizon() {
        let mut rng = Seed(5).stream();
        let returns: Vec<f64> = (0..WARM_UP + 60).map(|_| 0.01 * rng.normal()).collect();
        let (data, first) = (closes_of(market_of(&returns)), WARM_UP as u32 - 1);
        let ids = origins([first - 1, first, first + 20]);
        for (horizon, season) in [(1, 30), (24, 35)] {
            let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon }, None);
            let rows = HarXRows::of(&samples);
            assert!(rows.base(0).is_nan() && rows.regressors(0)[0].is_nan(), "the warm-up is over one candle later");
            for i in 1..ids.len() {
                let columns = samples.har_x(i);
                let x = rows.regressors(i);
                assert!((0..30).all(|k| x[k] == f64::from(columns[k])));
                assert_eq!(x[30], f64::from(columns[season]), "horizon {horizon} is an anchor");
                let base = f64::from(columns[0]) - 24.0_f64.ln() + (horizon as f64).ln();
                assert_eq!(rows.base(i), base);
                assert!((rows.target(i) - (samples.log_variance(i) - base)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn targets_are_bounded() {
        let mut returns = vec![0.01; WARM_UP + 20];
        returns[WARM_UP + 5] = 64.0;
        returns[WARM_UP + 6..].fill(0.0);
        let (data, at) = (closes_of(market_of(&returns)), WARM_UP as u32);
        let ids = origins([at + 3, at + 7]);
        let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 4 }, None);
        let rows = HarXRows::of(&samples);
        assert_eq!([0, 1].map(|i| rows.target(i)), [8.0, -8.0]);
    }
}
