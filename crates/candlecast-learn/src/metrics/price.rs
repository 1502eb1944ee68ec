//! [`Metrics`] of price forecasts.

use serde::{Deserialize, Serialize};

use super::{Moments, is_default};

/// Metrics of one model over all scored origins and steps. Prices in quote units, shares in 0..1, `mape` and
/// `smape` in percent. `None` where a value is undefined (no variance, no direction).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Metrics {
    /// Mean absolute error of prices.
    pub mae: Option<f64>,
    /// Root mean squared error of prices.
    pub rmse: Option<f64>,
    /// Mean squared error of prices.
    pub mse: Option<f64>,
    /// Mean absolute percentage error of prices, in percent.
    pub mape: Option<f64>,
    /// Symmetric MAPE, `200 |f - y| / (f + y)`, in percent.
    pub smape: Option<f64>,
    /// R² of log returns from the origin, steps pooled; negative when worse than their mean.
    pub r2: Option<f64>,
    /// R² of prices; near 1 for the naive forecast too.
    pub r2_price: Option<f64>,
    /// Share of right directions; ties left out.
    pub directional_accuracy: Option<f64>,
    /// Forecasts or outcomes without a direction, left out of it.
    pub ties: usize,
    /// Mean of forecast minus price.
    pub mean_error: Option<f64>,
    /// Greatest absolute price error.
    pub max_error: Option<f64>,
    /// Least absolute price error.
    pub min_error: Option<f64>,
    /// Forecasts scored, steps counted one by one.
    pub count: usize,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval in log returns.
    pub interval_width: Option<f64>,
    /// Mean interval score in log returns (Winkler 1972; Gneiting and Raftery 2007): the width, and `2 / (1 - level)`
    /// times the distance of outcomes outside. Less is better.
    pub interval_score: Option<f64>,
    /// Share of outcomes inside the interval where the volatility was calm, middle and wild: by terciles of its last
    /// year.
    pub coverage_by_volatility: [Option<f64>; 3],
    /// Share of outcomes inside the interval by the hour of the day, UTC, at which the forecast is made.
    pub coverage_by_hour: [Option<f64>; 24],
    /// Mean continuous ranked probability score in log returns. Less is better.
    pub crps: Option<f64>,
    /// Pearson correlation of the means as the model gives them with the log returns that came; averaged over steps.
    pub information_coefficient: Option<f64>,
    /// 1 - MAE / MAE of the naive forecast on the same origins.
    pub skill: Option<f64>,
    /// The same of the loss that verdicts compare by: absolute errors of log returns in units of `sigma_t sqrt(h)`,
    /// with equal weight a step.
    pub skill_scaled: Option<f64>,
    /// MAE over the naive forecast's MAE on the training part, step by step, averaged (Hyndman and Koehler 2006).
    pub mase: Option<f64>,
}

/// Sums for [`Metrics`], fed one outcome at a time. They add up ([`merge`](Self::merge)), and are written into records
/// when the outcomes themselves are forgotten, so the fields keep their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Accumulator {
    n: f64,
    abs: f64,
    square: f64,
    percent: f64,
    symmetric: f64,
    error: f64,
    max: f64,
    min: f64,
    returns: Moments,
    prices: Moments,
    return_error: f64,
    hits: f64,
    directions: f64,
    ties: usize,
    #[serde(skip_serializing_if = "is_default")]
    inside: [f64; 3],
    /// Outcomes inside, and all of them, by hour of the origin.
    #[serde(skip_serializing_if = "is_default")]
    hours: [(f64, f64); 24],
    #[serde(skip_serializing_if = "is_default")]
    width: f64,
    #[serde(skip_serializing_if = "is_default")]
    outside: f64,
    #[serde(skip_serializing_if = "is_default")]
    with_interval: [f64; 3],
    #[serde(skip_serializing_if = "is_default")]
    crps: (f64, f64),
    product: Product,
}

/// Running moments of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Product {
    n: f64,
    mean: (f64, f64),
    square: (f64, f64),
    cross: f64,
}

impl Product {
    fn add(&mut self, x: f64, y: f64) {
        self.n += 1.0;
        let (dx, dy) = (x - self.mean.0, y - self.mean.1);
        self.mean.0 += dx / self.n;
        self.mean.1 += dy / self.n;
        self.square.0 += dx * (x - self.mean.0);
        self.square.1 += dy * (y - self.mean.1);
        self.cross += dx * (y - self.mean.1);
    }

    /// Adds the pairs that `other` was fed, as [`Moments::merge`].
    fn merge(&mut self, other: &Self) {
        let n = self.n + other.n;
        if n > 0.0 {
            let (dx, dy) = (other.mean.0 - self.mean.0, other.mean.1 - self.mean.1);
            let weight = self.n * other.n / n;
            self.square.0 += other.square.0 + dx * dx * weight;
            self.square.1 += other.square.1 + dy * dy * weight;
            self.cross += other.cross + dx * dy * weight;
            self.mean.0 += dx * other.n / n;
            self.mean.1 += dy * other.n / n;
            self.n = n;
        }
    }

    fn correlation(&self) -> Option<f64> {
        let scale = (self.square.0 * self.square.1).sqrt();
        (scale > 1e-30).then(|| self.cross / scale)
    }
}

/// One forecast and its outcome.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Price at the origin.
    pub origin_price: f64,
    /// Forecast log return, as it is told.
    pub forecast: f64,
    /// The mean that direction is taken from: the forecast before its factor.
    pub plain: f64,
    /// Realised log return.
    pub actual: f64,
    /// The interval, where there is one.
    pub interval: Option<Bounds>,
    /// Continuous ranked probability score of the distribution, in log returns, where there is one.
    pub crps: Option<f64>,
}

/// An interval in log returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Share of outcomes that it is to cover.
    pub level: f64,
    /// Tercile of the volatility at the origin, 0 to 2.
    pub tercile: u8,
    /// Hour of the day at the origin, UTC, 0 to 23.
    pub hour: u8,
}

impl Outcome {
    /// A forecast without interval, told as the model gives it.
    pub fn point(origin_price: f64, forecast: f64, actual: f64) -> Self {
        Self { origin_price, forecast, plain: forecast, actual, interval: None, crps: None }
    }
}

impl Outcome {
    /// True when the outcome lies within the interval.
    pub fn inside(&self) -> Option<bool> {
        self.interval.map(|bounds| (bounds.lower..=bounds.upper).contains(&self.actual))
    }

    /// True when the direction is right; `None` for ties.
    pub fn hit(&self) -> Option<bool> {
        (self.plain != 0.0 && self.actual != 0.0).then_some((self.plain > 0.0) == (self.actual > 0.0))
    }
}

impl Accumulator {
    /// Adds one outcome.
    pub fn add(&mut self, o: &Outcome) {
        let (forecast, price) = (o.origin_price * o.forecast.exp(), o.origin_price * o.actual.exp());
        let error = forecast - price;
        self.min = if self.n == 0.0 { error.abs() } else { self.min.min(error.abs()) };
        self.max = self.max.max(error.abs());
        self.n += 1.0;
        self.abs += error.abs();
        self.square += error * error;
        self.percent += (error / price).abs();
        self.symmetric += 2.0 * error.abs() / (forecast + price);
        self.error += error;
        self.return_error += (o.forecast - o.actual).powi(2);
        self.returns.add(o.actual);
        self.prices.add(price);
        match o.hit() {
            Some(hit) => {
                self.directions += 1.0;
                self.hits += f64::from(u8::from(hit));
            }
            None => self.ties += 1,
        }
        if let (Some(inside), Some(bounds)) = (o.inside(), o.interval) {
            let tercile = usize::from(bounds.tercile.min(2));
            self.with_interval[tercile] += 1.0;
            self.inside[tercile] += f64::from(u8::from(inside));
            let hour = &mut self.hours[usize::from(bounds.hour.min(23))];
            *hour = (hour.0 + f64::from(u8::from(inside)), hour.1 + 1.0);
            self.width += bounds.upper - bounds.lower;
            let beyond = (bounds.lower - o.actual).max(o.actual - bounds.upper).max(0.0);
            self.outside += 2.0 / (1.0 - bounds.level) * beyond;
        }
        if let Some(crps) = o.crps {
            self.crps = (self.crps.0 + crps, self.crps.1 + 1.0);
        }
        self.product.add(o.plain, o.actual);
    }

    /// Adds the outcomes that `other` was fed: counts are exact, sums those of all outcomes to rounding.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0.0 {
            return;
        }
        self.min = if self.n == 0.0 { other.min } else { self.min.min(other.min) };
        self.max = self.max.max(other.max);
        for (sum, more) in [
            (&mut self.n, other.n),
            (&mut self.abs, other.abs),
            (&mut self.square, other.square),
            (&mut self.percent, other.percent),
            (&mut self.symmetric, other.symmetric),
            (&mut self.error, other.error),
            (&mut self.return_error, other.return_error),
            (&mut self.hits, other.hits),
            (&mut self.directions, other.directions),
            (&mut self.width, other.width),
            (&mut self.outside, other.outside),
            (&mut self.crps.0, other.crps.0),
            (&mut self.crps.1, other.crps.1),
        ] {
            *sum += more;
        }
        self.ties += other.ties;
        for tercile in 0..3 {
            self.inside[tercile] += other.inside[tercile];
            self.with_interval[tercile] += other.with_interval[tercile];
        }
        for (hour, more) in self.hours.iter_mut().zip(other.hours) {
            *hour = (hour.0 + more.0, hour.1 + more.1);
        }
        self.returns.merge(&other.returns);
        self.prices.merge(&other.prices);
        self.product.merge(&other.product);
    }

    /// The metrics; `skill`, `skill_scaled` and `mase` are set by whoever knows the reference.
    pub fn finish(&self) -> Metrics {
        let mean = |sum: f64| (self.n > 0.0).then(|| sum / self.n);
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        let intervals: f64 = self.with_interval.iter().sum();
        Metrics {
            mae: mean(self.abs),
            rmse: mean(self.square).map(f64::sqrt),
            mse: mean(self.square),
            mape: mean(100.0 * self.percent),
            smape: mean(100.0 * self.symmetric),
            r2: (self.returns.m2 > 0.0).then(|| 1.0 - self.return_error / self.returns.m2),
            r2_price: (self.prices.m2 > 0.0).then(|| 1.0 - self.square / self.prices.m2),
            directional_accuracy: share(self.hits, self.directions),
            ties: self.ties,
            mean_error: mean(self.error),
            max_error: mean(self.max * self.n),
            min_error: mean(self.min * self.n),
            count: self.n as usize,
            coverage: share(self.inside.iter().sum(), intervals),
            interval_width: share(self.width, intervals),
            interval_score: share(self.width + self.outside, intervals),
            coverage_by_hour: self.hours.map(|(inside, all)| share(inside, all)),
            coverage_by_volatility: std::array::from_fn(|k| share(self.inside[k], self.with_interval[k])),
            crps: share(self.crps.0, self.crps.1),
            information_coefficient: self.product.correlation(),
            skill: None,
            skill_scaled: None,
            mase: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_by_hand() {
        let mut a = Accumulator::default();
        // Prices 110 and 90 from 100, forecast 105 and 105.
        for (actual, forecast) in [(110.0_f64, 105.0_f64), (90.0, 105.0)] {
            let mean = (forecast / 100.0).ln();
            let bounds = Bounds { lower: mean - 0.06, upper: mean + 0.06, level: 0.9, tercile: 2, hour: 7 };
            let outcome = Outcome::point(100.0, mean, (actual / 100.0).ln());
            a.add(&Outcome { interval: Some(bounds), crps: Some(0.02), ..outcome });
        }
        let m = a.finish();
        let close = |x: Option<f64>, y: f64| assert!((x.unwrap() - y).abs() < 1e-12, "{x:?} {y}");
        close(m.mae, 10.0);
        close(m.rmse, 125.0_f64.sqrt());
        close(m.mape, 100.0 * (5.0 / 110.0 + 15.0 / 90.0) / 2.0);
        close(m.smape, 100.0 * (10.0 / 215.0 + 30.0 / 195.0) / 2.0);
        close(m.r2_price, 1.0 - 250.0 / 200.0);
        close(m.directional_accuracy, 0.5);
        close(m.mean_error, 5.0);
        close(m.max_error, 15.0);
        close(m.min_error, 5.0);
        close(m.coverage, 0.5);
        close(m.interval_width, 0.12);
        let beyond = (105.0_f64 / 90.0).ln() - 0.06;
        close(m.interval_score, 0.12 + 20.0 * beyond / 2.0);
        close(m.crps, 0.02);
        assert_eq!(m.coverage_by_volatility, [None, None, Some(0.5)]);
        assert_eq!((m.coverage_by_hour[7], m.coverage_by_hour[6]), (Some(0.5), None));
        assert_eq!(m.information_coefficient, None, "the forecasts are all the same");
    }

    /// Outcome `i` of a made series, some with an interval and a score.
    fn made(i: usize) -> Outcome {
        let wave = |k: f64| (k * i as f64).sin() / 50.0;
        let (forecast, actual) = (wave(0.7), if i.is_multiple_of(5) { 0.0 } else { wave(1.3) });
        let (tercile, hour) = ((i % 3) as u8, (i % 24) as u8);
        let bounds = Bounds { lower: forecast - 0.01, upper: forecast + 0.02, level: 0.9, tercile, hour };
        let is_told = i.is_multiple_of(2);
        Outcome {
            interval: is_told.then_some(bounds),
            crps: is_told.then_some(0.01),
            ..Outcome::point(100.0 + i as f64, forecast, actual)
        }
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole_and_survive_their_text() {
        let of = |range: std::ops::Range<usize>| {
            let mut a = Accumulator::default();
            range.for_each(|i| a.add(&made(i)));
            a
        };
        let whole = of(0..120).finish();
        for cuts in [[0, 120], [1, 2], [40, 41], [60, 119]] {
            let mut merged = of(0..cuts[0]);
            for part in [of(cuts[0]..cuts[1]), of(cuts[1]..120)] {
                let read: Accumulator = serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap();
                assert_eq!(read, part);
                merged.merge(&read);
            }
            let merged = merged.finish();
            assert_eq!((merged.count, merged.ties), (whole.count, whole.ties));
            assert_eq!(merged.directional_accuracy, whole.directional_accuracy);
            assert_eq!(merged.coverage_by_volatility, whole.coverage_by_volatility);
            assert_eq!(merged.coverage_by_hour, whole.coverage_by_hour);
            assert_eq!((merged.min_error, merged.max_error), (whole.min_error, whole.max_error));
            let of_both = |m: &Metrics| {
                let all = [m.mae, m.mse, m.mape, m.smape, m.r2, m.r2_price, m.mean_error, m.coverage];
                [all, [m.interval_width, m.interval_score, m.crps, m.information_coefficient, m.rmse, None, None, None]]
            };
            for (a, b) in of_both(&merged).iter().flatten().zip(of_both(&whole).iter().flatten()) {
                let (Some(a), Some(b)) = (a, b) else { continue };
                assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a} {b} {cuts:?}");
            }
        }
        let none: Accumulator = serde_json::from_str("{}").unwrap();
        assert_eq!(none, Accumulator::default());
    }

    #[test]
    fn the_information_coefficient_is_pearsons_correlation() {
        let mut a = Accumulator::default();
        for (plain, actual) in [(1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 3.0)] {
            a.add(&Outcome { plain: 0.01 * plain, ..Outcome::point(1.0, 0.0, 0.01 * actual) });
        }
        assert!((a.finish().information_coefficient.unwrap() - 0.6).abs() < 1e-12);
    }

    #[test]
    fn ties_and_emptiness_are_undefined_not_zero() {
        let mut a = Accumulator::default();
        assert_eq!(a.finish().mae, None);
        a.add(&Outcome::point(1.0, 0.0, 0.1));
        let m = a.finish();
        assert_eq!((m.directional_accuracy, m.ties, m.coverage, m.r2), (None, 1, None, None));
    }
}
