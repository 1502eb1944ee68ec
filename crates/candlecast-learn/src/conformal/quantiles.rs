//! Quantiles of a forecast, and intervals of any level, from the scores that calibration keeps.

use candlecast_core::Quantiles;

use super::Calibrator;

impl Calibrator {
    /// Quantiles of the forecast issued last from a price of `origin_price` (quote units): for each claim the prices or
    /// the volatility that a share of outcomes is expected to lie at or below. `shares` ascend, above 0 and below 1.
    /// `None` for classes, which have no distribution, and before anything was issued.
    ///
    /// Each value is the mean plus the scale times one order statistic of the claim's known scores of the same state of
    /// the market ([`super::Distribution::quantile`]), so that values never descend from one share to a greater one.
    /// They are neither smoothed over the steps nor steered by the misses of the past, as the model's own interval is.
    pub fn quantiles(&self, origin_price: f64, shares: &[f64]) -> Option<Quantiles> {
        let values = self.by_claim(|distribution| {
            let told = |&share: &f64| self.task.kind().told(origin_price, distribution.quantile(share));
            shares.iter().map(told).collect()
        })?;
        Some(Quantiles { shares: shares.to_vec(), values })
    }

    /// Intervals of `level` (0.5 to 0.99) of the forecast issued last from a price of `origin_price`, as
    /// `(lower, upper)` in the unit of the forecast, `[claim]`: its quantiles `(1 - level) / 2` and `(1 + level) / 2`,
    /// stretched to the forecast where both lie to one side of it. A greater level never gives a narrower interval.
    /// `None` as in [`Calibrator::quantiles`].
    pub fn intervals(&self, origin_price: f64, level: f64) -> Option<Vec<(f64, f64)>> {
        let side = (1.0 - level) / 2.0;
        self.by_claim(|distribution| {
            let lower = distribution.quantile(side).min(distribution.mean);
            let upper = distribution.quantile(1.0 - side).max(distribution.mean);
            let kind = self.task.kind();
            (kind.told(origin_price, lower), kind.told(origin_price, upper))
        })
    }

    /// What `of` makes of the distribution of each claim of the forecast issued last.
    fn by_claim<T>(&self, of: impl Fn(&super::Distribution<'_>) -> T) -> Option<Vec<T>> {
        let all: Option<Vec<T>> =
            (0..self.latest.len()).map(|claim| self.distribution(claim).map(|d| of(&d))).collect();
        all.filter(|claims| !claims.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformal::{CalibrationState, ForecastRow, Origin};
    use crate::tasks::Borders;
    use crate::{Labels, Task};
    use candlecast_core::Seed;

    const PRICE: f64 = 100.0;

    /// A calibrator of `task` that has issued a forecast from the last of `n` rows of a walk, and learnt from those
    /// before.
    fn issued(task: Task, n: usize, means: &[f64], scales: &[f64], borders: Option<Borders>) -> Calibrator {
        let mut rng = Seed(11).stream();
        let mut log_close = vec![0.0];
        for i in 1..n {
            log_close.push(log_close[i - 1] + 0.01 * rng.student_t(4));
        }
        let mut calibrator = Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0));
        for row in 0..n {
            calibrator.advance(row, &log_close);
            let origin = Origin { row, sigma: 0.01, tercile: (row % 3) as u8 };
            calibrator.issue(origin, ForecastRow { means, scales, borders, confidences: &[] }, true);
        }
        calibrator
    }

    fn price(n: usize) -> Calibrator {
        issued(Task::Price { horizon: 3 }, n, &[0.001, 0.002, -0.001], &[0.01, 0.014, 0.017], None)
    }

    /// Every whole percent.
    fn percents() -> Vec<f64> {
        (1..100).map(|p| f64::from(p) / 100.0).collect()
    }

    #[test]
    fn quantiles_never_cross_with_few_scores_and_with_many() {
        for n in [1, 20, 100, 400, 3_000] {
            let quantiles = price(n).quantiles(PRICE, &percents()).unwrap();
            assert_eq!((quantiles.shares.len(), quantiles.values.len()), (99, 3));
            for row in &quantiles.values {
                assert!(row.windows(2).all(|w| w[0] <= w[1]), "{n}: {row:?}");
                assert!(row[0] < row[98], "{n}: {row:?}");
            }
        }
    }

    #[test]
    fn a_quantile_is_the_price_that_the_distribution_leads_to() {
        let calibrator = price(3_000);
        let quantiles = calibrator.quantiles(PRICE, &[0.05, 0.5, 0.95]).unwrap();
        for (claim, row) in quantiles.values.iter().enumerate() {
            let distribution = calibrator.distribution(claim).unwrap();
            for (&share, &value) in quantiles.shares.iter().zip(row) {
                assert_eq!(value, PRICE * distribution.quantile(share).exp());
            }
        }
        // A twentieth of Student's t with four degrees of freedom and unit variance lies beyond 1.51 either way.
        let first = &quantiles.values[0];
        assert!(first[0] < 99.0 && (99.5..100.5).contains(&first[1]) && first[2] > 101.0, "{first:?}");
    }

    #[test]
    fn outcomes_fall_below_a_quantile_as_often_as_it_says() {
        let task = Task::Price { horizon: 1 };
        let mut rng = Seed(4).stream();
        let mut log_close = vec![0.0];
        let mut calibrator = Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0));
        let shares = [0.1, 0.3, 0.5, 0.9];
        let (mut below, mut told) = ([0.0; 4], Vec::<f64>::new());
        for row in 0..6_000 {
            if row > 0 {
                log_close.push(log_close[row - 1] + 0.01 * rng.normal());
            }
            for (count, &value) in below.iter_mut().zip(&told) {
                *count += f64::from(u8::from(log_close[row].exp() <= value));
            }
            calibrator.advance(row, &log_close);
            let origin = Origin { row, sigma: 0.01, tercile: (row % 3) as u8 };
            let forecast = ForecastRow { means: &[0.0], scales: &[0.01], borders: None, confidences: &[] };
            calibrator.issue(origin, forecast, true);
            told = calibrator.quantiles(log_close[row].exp(), &shares).unwrap().values.remove(0);
        }
        for (count, share) in below.iter().zip(shares) {
            // Four standard errors of 6,000 independent outcomes are 0.026 at most.
            assert!((count / 5_999.0 - share).abs() < 0.026, "{share}: {}", count / 5_999.0);
        }
    }

    #[test]
    fn intervals_hold_the_forecast_and_grow_with_the_level() {
        for n in [1, 300, 3_000] {
            let calibrator = price(n);
            let mut inner: Option<Vec<(f64, f64)>> = None;
            for level in [0.5, 0.6, 0.8, 0.9, 0.95, 0.99] {
                let intervals = calibrator.intervals(PRICE, level).unwrap();
                for (claim, &(lower, upper)) in intervals.iter().enumerate() {
                    let mean = PRICE * calibrator.distribution(claim).unwrap().mean.exp();
                    assert!(lower <= mean && mean <= upper, "{n}, {level}: {lower} {mean} {upper}");
                }
                if let Some(inner) = inner {
                    assert!(inner.iter().zip(&intervals).all(|(i, o)| o.0 <= i.0 && i.1 <= o.1), "{n}, {level}");
                }
                inner = Some(intervals);
            }
        }
    }

    #[test]
    fn without_scores_the_spread_is_that_of_the_model() {
        let calibrator = price(1);
        // A scale of 0.014 at the second step, and the factor on the mean is 0.
        let (lower, upper) = calibrator.intervals(PRICE, 0.9).unwrap()[1];
        assert!(((upper / PRICE).ln() - 0.014 * 1.644_853_627).abs() < 1e-8, "{upper}");
        assert!(((lower / PRICE).ln() + 0.014 * 1.644_853_627).abs() < 1e-8, "{lower}");
    }

    #[test]
    fn volatilities_have_quantiles_and_classes_have_none() {
        let volatility = issued(Task::Volatility { horizon: 3 }, 3_000, &[-8.0], &[1.0], None);
        let quantiles = volatility.quantiles(PRICE, &[0.05, 0.95]).unwrap();
        let [low, high] = quantiles.values[0][..] else { panic!("{quantiles:?}") };
        // Three hourly moves of a hundredth, as large as Student's with four degrees of freedom are.
        assert!(0.003 < low && low < 0.02 && 0.02 < high && high < 0.1, "{quantiles:?}");
        let direction = Task::Direction { horizon: 3, labels: Labels::Fixed { threshold: 0.02 } };
        let borders = Some(Borders { sell: -0.02, buy: 0.02 });
        let classes = issued(direction, 100, &[0.2, 0.3, 0.5], &[1.0; 3], borders);
        assert!(classes.quantiles(PRICE, &[0.5]).is_none() && classes.intervals(PRICE, 0.9).is_none());
        let task = Task::Price { horizon: 3 };
        let fresh = Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0));
        assert!(fresh.quantiles(PRICE, &[0.5]).is_none(), "nothing was issued");
    }
}
