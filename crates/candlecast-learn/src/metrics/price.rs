//! [`Metrics`] of price forecasts.

use super::Moments;

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
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval over the price at the origin.
    pub interval_width: Option<f64>,
    /// 1 - MAE / MAE of the naive forecast on the same origins.
    pub skill: Option<f64>,
    /// MAE over the naive forecast's MAE on the training part, step by step, averaged (Hyndman and Koehler 2006).
    pub mase: Option<f64>,
}

/// Sums for [`Metrics`], fed one outcome at a time.
#[derive(Debug, Clone, Copy, Default)]
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
    inside: f64,
    width: f64,
    with_interval: f64,
}

/// One forecast and its outcome.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// Price at the origin.
    pub origin_price: f64,
    /// Forecast log return.
    pub forecast: f64,
    /// Realised log return.
    pub actual: f64,
    /// Half-width of the interval in log returns, where there is one.
    pub half_width: Option<f64>,
}

impl Outcome {
    /// True when the outcome lies within the interval.
    pub fn inside(&self) -> Option<bool> {
        self.half_width.map(|w| (self.actual - self.forecast).abs() <= w)
    }

    /// True when the direction is right; `None` for ties.
    pub fn hit(&self) -> Option<bool> {
        (self.forecast != 0.0 && self.actual != 0.0).then_some((self.forecast > 0.0) == (self.actual > 0.0))
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
        if let (Some(inside), Some(w)) = (o.inside(), o.half_width) {
            self.with_interval += 1.0;
            self.inside += f64::from(u8::from(inside));
            self.width += (o.forecast + w).exp() - (o.forecast - w).exp();
        }
    }

    /// The metrics; `skill` and `mase` are set by whoever knows the reference.
    pub fn finish(&self) -> Metrics {
        let mean = |sum: f64| (self.n > 0.0).then(|| sum / self.n);
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
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
            coverage: share(self.inside, self.with_interval),
            interval_width: share(self.width, self.with_interval),
            skill: None,
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
            a.add(&Outcome {
                origin_price: 100.0,
                forecast: (forecast / 100.0).ln(),
                actual: (actual / 100.0).ln(),
                half_width: Some(0.06),
            });
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
    }

    #[test]
    fn ties_and_emptiness_are_undefined_not_zero() {
        let mut a = Accumulator::default();
        assert_eq!(a.finish().mae, None);
        a.add(&Outcome { origin_price: 1.0, forecast: 0.0, actual: 0.1, half_width: None });
        let m = a.finish();
        assert_eq!((m.directional_accuracy, m.ties, m.coverage, m.r2), (None, 1, None, None));
    }
}
