//! The figures of predicted volatilities.

use candlecast_learn::VolatilityMetrics;

use super::sums::VolatilitySums;
use super::{TaskAccuracy, TaskFigures, of_task};

/// Why no verdict is possible.
const UNTOLD: &str =
    "log-har would have to be fitted as it was at each origin; `candlecast models validate` compares with it";

/// A validated prediction of a volatility as accuracy needs it. Volatilities are over the steps, not annualised.
#[derive(Debug, Clone, Copy)]
pub struct ScoredVolatility {
    /// Origin, ms.
    pub origin: i64,
    /// Candles that it is over.
    pub step: u32,
    /// Volatility as predicted.
    pub prediction: f64,
    /// Volatility as it came; 0 where no price moved.
    pub actual: f64,
    /// Lower bound, upper bound, level.
    pub interval: Option<(f64, f64, f64)>,
}

/// How predicted volatilities did. Outcomes at which no price moved are counted, and left out of all else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VolatilityFigures {
    /// The metrics, without coverage.
    pub metrics: VolatilityMetrics,
    /// Share of outcomes within the interval; `None` without any interval.
    pub coverage: Option<f64>,
    /// Mean share that the intervals were to cover.
    pub level: Option<f64>,
    /// Predictions with an interval.
    pub n_intervals: usize,
}

/// Accuracy of predicted volatilities; `None` without any.
pub(super) fn accuracy(sums: &VolatilitySums, step_ms: i64) -> Option<TaskAccuracy> {
    let step = sums.origins.values().copied().max()?;
    let metrics = sums.metrics.finish();
    let (coverage, level) = sums.intervals.shares();
    let figures = VolatilityFigures { metrics, coverage, level, n_intervals: sums.intervals.n };
    let origins: Vec<i64> = sums.origins.keys().copied().collect();
    let n = metrics.count + metrics.zero_variance;
    Some(of_task(n, step, &origins, step_ms, TaskFigures::Volatility(figures), UNTOLD))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(hour: i64, prediction: f64, actual: f64, interval: Option<(f64, f64, f64)>) -> ScoredVolatility {
        ScoredVolatility { origin: hour * 3_600_000, step: 24, prediction, actual, interval }
    }

    #[test]
    fn figures_by_hand() {
        let log = [
            scored(0, 0.02, 0.01, Some((0.01, 0.04, 0.9))),
            scored(24, 0.01, 0.03, Some((0.005, 0.02, 0.8))),
            scored(48, 0.02, 0.02, None),
            // No price moved: no variance, and nothing that an interval could cover.
            scored(72, 0.02, 0.0, Some((0.01, 0.04, 0.9))),
        ];
        let mut sums = VolatilitySums::default();
        log.iter().for_each(|scored| sums.add(scored));
        let found = accuracy(&sums, 3_600_000).unwrap();
        assert_eq!((found.step, found.n, found.independent), (24, 4, 4));
        let TaskFigures::Volatility(figures) = found.figures else { panic!("of volatilities") };
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
        close(figures.metrics.qlike, ((0.25 + 4.0_f64.ln() - 1.0) + (9.0 - 9.0_f64.ln() - 1.0)) / 3.0);
        close(figures.metrics.mae, 0.03 / 3.0);
        assert_eq!((figures.metrics.count, figures.metrics.zero_variance, figures.metrics.coverage), (3, 1, None));
        close(figures.coverage, 0.5);
        close(figures.level, 0.85);
        assert_eq!(figures.n_intervals, 2);
        assert!(accuracy(&VolatilitySums::default(), 3_600_000).is_none());
    }
}
