//! [`VolatilityMetrics`] of forecasts of the realised variance.

use serde::{Deserialize, Serialize};

use super::{Moments, is_default};

/// Metrics of one model over all scored origins. Volatilities are roots of variances over the horizon, in log returns,
/// not annualised. Origins after which no price moved have no log variance: they are counted and left out of all else.
/// `None` where a value is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct VolatilityMetrics {
    /// Mean of `v / f - ln(v / f) - 1` of realised variance `v` and forecast `f` (Patton 2011); 0 is perfect.
    pub qlike: Option<f64>,
    /// Root mean squared error of volatilities.
    pub rmse: Option<f64>,
    /// Mean absolute error of volatilities.
    pub mae: Option<f64>,
    /// R² of log variances; negative when worse than their mean.
    pub r2: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval of the volatility.
    pub interval_width: Option<f64>,
    /// Origins without any realised variance, left out.
    pub zero_variance: usize,
    /// Origins scored.
    pub count: usize,
}

/// One forecast and its outcome.
#[derive(Debug, Clone, Copy)]
pub struct VolatilityOutcome {
    /// Natural logarithm of the forecast variance.
    pub forecast: f64,
    /// Realised variance.
    pub actual: f64,
    /// Ends of the interval in log variance, where there is one.
    pub interval: Option<(f64, f64)>,
}

impl VolatilityOutcome {
    /// True when the outcome lies within the interval; `None` without an interval or a realised variance.
    pub fn inside(&self) -> Option<bool> {
        let (lower, upper) = self.interval.filter(|_| self.actual > 0.0)?;
        Some((lower..=upper).contains(&self.actual.ln()))
    }
}

/// Sums for [`VolatilityMetrics`], fed one outcome at a time. They add up ([`merge`](Self::merge)), and are written into
/// records when the outcomes themselves are forgotten, so the fields keep their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VolatilityAccumulator {
    zero_variance: usize,
    qlike: f64,
    square: f64,
    abs: f64,
    log_error: f64,
    logs: Moments,
    #[serde(skip_serializing_if = "is_default")]
    inside: f64,
    #[serde(skip_serializing_if = "is_default")]
    width: f64,
    #[serde(skip_serializing_if = "is_default")]
    with_interval: f64,
}

impl VolatilityAccumulator {
    /// Adds one outcome.
    pub fn add(&mut self, o: &VolatilityOutcome) {
        if o.actual <= 0.0 {
            self.zero_variance += 1;
            return;
        }
        let log = o.actual.ln();
        let difference = log - o.forecast;
        self.qlike += difference.exp_m1() - difference;
        let error = (0.5 * o.forecast).exp() - o.actual.sqrt();
        self.square += error * error;
        self.abs += error.abs();
        self.log_error += difference * difference;
        self.logs.add(log);
        if let (Some(inside), Some((lower, upper))) = (o.inside(), o.interval) {
            self.with_interval += 1.0;
            self.inside += f64::from(u8::from(inside));
            self.width += (0.5 * upper).exp() - (0.5 * lower).exp();
        }
    }

    /// Adds the outcomes that `other` was fed: counts are exact, sums those of all outcomes to rounding.
    pub fn merge(&mut self, other: &Self) {
        self.zero_variance += other.zero_variance;
        for (sum, more) in [
            (&mut self.qlike, other.qlike),
            (&mut self.square, other.square),
            (&mut self.abs, other.abs),
            (&mut self.log_error, other.log_error),
            (&mut self.inside, other.inside),
            (&mut self.width, other.width),
            (&mut self.with_interval, other.with_interval),
        ] {
            *sum += more;
        }
        self.logs.merge(&other.logs);
    }

    /// The metrics.
    pub fn finish(&self) -> VolatilityMetrics {
        let n = self.logs.n;
        let mean = |sum: f64| (n > 0.0).then(|| sum / n);
        let share = |part: f64| (self.with_interval > 0.0).then(|| part / self.with_interval);
        VolatilityMetrics {
            qlike: mean(self.qlike),
            rmse: mean(self.square).map(f64::sqrt),
            mae: mean(self.abs),
            r2: (self.logs.m2 > 0.0).then(|| 1.0 - self.log_error / self.logs.m2),
            coverage: share(self.inside),
            interval_width: share(self.width),
            zero_variance: self.zero_variance,
            count: n as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(forecast: f64, actual: f64, half_width: Option<f64>) -> VolatilityOutcome {
        let interval = half_width.map(|w| (forecast.ln() - w, forecast.ln() + w));
        VolatilityOutcome { forecast: forecast.ln(), actual, interval }
    }

    #[test]
    fn metrics_by_hand() {
        let mut sums = VolatilityAccumulator::default();
        // Volatilities 0.02 and 0.01 forecast, 0.01 and 0.03 realised.
        sums.add(&outcome(4e-4, 1e-4, Some(1.0)));
        sums.add(&outcome(1e-4, 9e-4, Some(3.0)));
        let m = sums.finish();
        let close = |x: Option<f64>, y: f64| assert!((x.unwrap() - y).abs() < 1e-12, "{x:?} {y}");
        close(m.qlike, f64::midpoint(0.25 + 4.0_f64.ln() - 1.0, 9.0 - 9.0_f64.ln() - 1.0));
        close(m.rmse, (0.5 * (1e-4 + 4e-4_f64)).sqrt());
        close(m.mae, 0.015);
        close(m.r2, 1.0 - (4.0_f64.ln().powi(2) + 9.0_f64.ln().powi(2)) / (0.5 * 9.0_f64.ln().powi(2)));
        close(m.coverage, 0.5);
        let width = |w: f64| 2.0 * (0.5 * w).sinh();
        close(m.interval_width, f64::midpoint(0.02 * width(1.0), 0.01 * width(3.0)));
        assert_eq!((m.count, m.zero_variance), (2, 0));
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let made = |i: usize| {
            let forecast = 1e-4 * (1.0 + (i as f64).sin().abs());
            let actual = if i.is_multiple_of(7) { 0.0 } else { 1e-4 * (1.0 + (2.0 * i as f64).cos().abs()) };
            outcome(forecast, actual, i.is_multiple_of(2).then_some(0.5))
        };
        let of = |range: std::ops::Range<usize>| {
            let mut sums = VolatilityAccumulator::default();
            range.for_each(|i| sums.add(&made(i)));
            sums
        };
        let whole = of(0..50).finish();
        let mut merged = VolatilityAccumulator::default();
        for part in [of(0..1), of(1..23), of(23..23), of(23..50)] {
            merged.merge(&serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap());
        }
        let merged = merged.finish();
        assert_eq!((merged.count, merged.zero_variance), (whole.count, whole.zero_variance));
        assert_eq!(merged.coverage, whole.coverage);
        let close = |x: Option<f64>, y: Option<f64>| assert!((x.unwrap() - y.unwrap()).abs() < 1e-12, "{x:?} {y:?}");
        close(merged.qlike, whole.qlike);
        close(merged.rmse, whole.rmse);
        close(merged.mae, whole.mae);
        close(merged.r2, whole.r2);
        close(merged.interval_width, whole.interval_width);
    }

    #[test]
    fn a_perfect_forecast_has_no_loss_and_a_halved_one_costs_more_than_a_doubled_one() {
        let qlike = |forecast: f64| {
            let mut sums = VolatilityAccumulator::default();
            sums.add(&outcome(forecast, 2e-4, None));
            sums.finish().qlike.unwrap()
        };
        assert!(qlike(2e-4).abs() < 1e-12);
        assert!(qlike(1e-4) > qlike(4e-4) && qlike(4e-4) > 0.1);
    }

    #[test]
    fn origins_after_which_nothing_moved_are_counted_and_left_out() {
        let mut sums = VolatilityAccumulator::default();
        assert_eq!(sums.finish(), VolatilityMetrics::default());
        let still = outcome(1e-4, 0.0, Some(1.0));
        sums.add(&still);
        assert_eq!(still.inside(), None);
        assert_eq!(sums.finish(), VolatilityMetrics { zero_variance: 1, ..VolatilityMetrics::default() });
        sums.add(&outcome(1e-4, 1e-4, None));
        let m = sums.finish();
        assert_eq!((m.count, m.zero_variance, m.coverage, m.r2), (1, 1, None, None));
    }
}
