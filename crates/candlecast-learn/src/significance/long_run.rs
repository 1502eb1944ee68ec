//! Tests of a mean against 0 where the series depends on itself.

use std::f64::consts::PI;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A one-sided test of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic; positive speaks for the alternative.
    pub statistic: f64,
    /// Probability of so large a statistic when the alternative is not true.
    pub p_value: f64,
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom of Student's t that the statistic is set beside.
    pub degrees_of_freedom: f64,
}

impl Test {
    /// Interval that covers the true mean in a share `level` (0 to 1) of cases, with equal shares missed on either
    /// side.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let reach = student(self.degrees_of_freedom)
            .map_or(f64::INFINITY, |t| t.inverse_cdf(0.5 + 0.5 * level.clamp(0.0, 1.0)) * self.standard_error);
        (self.mean - reach, self.mean + reach)
    }

    /// p-value of the other side: that the mean is below 0.
    pub fn other_side(&self) -> f64 {
        1.0 - self.p_value
    }
}

/// How the values of a series, in the order of origins, depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serial {
    /// Steps ahead: neighbouring outcomes overlap by up to `horizon - 1` of them. At least 1.
    pub horizon: usize,
    /// Candles between refits, over which a forecast keeps the errors of its fit; 0 where nothing is refitted.
    pub refit: usize,
}

/// Cosines that the variance is estimated from even where forecasts may stay what they are for long: fewer cost more
/// power than they keep size.
const FEWEST_COSINES: usize = 5;

impl Serial {
    /// Cosines, and so degrees of freedom, for the variance of a mean of `n` values.
    ///
    /// The fewer there are, the slower is the fastest of them, and the slower what the variance takes in: with `B` of
    /// them its period is `2 n / B` values. `B` is at most `n / (4 horizon)`, a period of eight horizons, at most
    /// `n / (1.5 refit)`, three refits, and at most `sqrt(n) / 4`, but as many as five where `n / (2 horizon)` allows
    /// it. With these bounds the test of two forecasts of equal expected loss rejects 5 % within 1.5 also where
    /// forecasts over 24 steps have a half-life of 140 candles (`cargo xtask verify dm-size`).
    pub(super) fn cosines(self, n: usize) -> usize {
        let horizon = self.horizon.max(1);
        let slow = ((n as f64).sqrt() / 4.0) as usize;
        let mut most = (n / (4 * horizon)).min(slow);
        if self.refit > 0 {
            most = most.min(2 * n / (3 * self.refit));
        }
        most.max(FEWEST_COSINES.min(n / (2 * horizon))).max(1)
    }
}

/// Sum of the autocovariances of `d` at all lags: the equal-weighted cosine estimate of Lazarus, Lewis, Stock and
/// Watson (2018) from the first `cosines` type II cosine transforms. `None` where `d` has no variance.
fn long_run_variance(d: &[f64], mean: f64, cosines: usize) -> Option<f64> {
    let n = d.len() as f64;
    let variance = d.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    if variance <= mean * mean * 1e-24 || variance <= 0.0 {
        return None;
    }
    let sums = cosine_sums(d, mean, cosines);
    let long_run = 2.0 / n * sums.iter().map(|sum| sum * sum).sum::<f64>() / cosines as f64;
    (long_run > 0.0).then_some(long_run)
}

/// The first `cosines` type II cosine transforms of `d` less its mean: `sum (d_t - mean) cos(pi j (t - 1/2) / n)`.
pub(super) fn cosine_sums(d: &[f64], mean: f64, cosines: usize) -> Vec<f64> {
    let n = d.len() as f64;
    // `cos(pi j (t - 1/2) / n)` by turning a point of the unit circle, all `j` side by side.
    let turn = |angle: f64| (angle.cos(), angle.sin());
    let angles: Vec<f64> = (1..=cosines).map(|j| PI * j as f64 / n).collect();
    let mut points: Vec<(f64, f64)> = angles.iter().map(|&angle| turn(0.5 * angle)).collect();
    let turns: Vec<(f64, f64)> = angles.iter().map(|&angle| turn(angle)).collect();
    let mut sums = vec![0.0; cosines];
    for x in d {
        let x = x - mean;
        for ((sum, point), (cos, sin)) in sums.iter_mut().zip(&mut points).zip(&turns) {
            *sum += x * point.0;
            *point = (point.0 * cos - point.1 * sin, point.0 * sin + point.1 * cos);
        }
    }
    sums
}

fn student(degrees_of_freedom: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()
}

/// One-sided test that the mean of `d`, in the order of origins, is above 0, where `d` depends on itself as `serial`
/// says and slowly beyond: the mean over its standard error from a long-run variance by `B` cosines, which has
/// Student's distribution with `B` degrees of freedom (Lazarus, Lewis, Stock and Watson 2018, "HAR inference").
///
/// The published variance of Diebold and Mariano (1995) takes in autocovariances up to `horizon - 1`. That is enough
/// where forecasts forget within a few candles; with slow ones, whose losses stay alike for weeks, its test rejects 8
/// to 15 % instead of 5 %. `None` with fewer than `max(2 horizon, 10)` values, with values that are not finite, or
/// without variance.
pub fn mean_above_zero(d: &[f64], serial: Serial) -> Option<Test> {
    if d.len() < (2 * serial.horizon).max(10) || d.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let n = d.len() as f64;
    let mean = d.iter().sum::<f64>() / n;
    let cosines = serial.cosines(d.len());
    let standard_error = (long_run_variance(d, mean, cosines)? / n).sqrt();
    let degrees_of_freedom = cosines as f64;
    let statistic = mean / standard_error;
    let p_value = student(degrees_of_freedom)?.sf(statistic);
    Some(Test { statistic, p_value, mean, standard_error, degrees_of_freedom })
}

/// Diebold-Mariano: is the loss of the model lower than that of the reference? Losses are paired by origin; the mean of
/// the test is that of the reference's loss minus the model's.
pub fn diebold_mariano(model_loss: &[f64], reference_loss: &[f64], serial: Serial) -> Option<Test> {
    let d: Vec<f64> = reference_loss.iter().zip(model_loss).map(|(r, m)| r - m).collect();
    mean_above_zero(&d, serial)
}

/// Clark and West (2007): squared loss of a model that nests the reference, whose forecast is 0. `adjusted` holds `e0²
/// - (e1² - f1²)` by origin. Variance and quantiles as in [`mean_above_zero`], where the paper takes the normal ones.
pub fn clark_west(adjusted: &[f64], serial: Serial) -> Option<Test> {
    mean_above_zero(adjusted, serial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_bounded_by_overlap_refits_and_length() {
        let cosines = |n, horizon, refit| Serial { horizon, refit }.cosines(n);
        assert_eq!([cosines(720, 24, 168), cosines(2_160, 24, 168), cosines(8_760, 24, 168)], [5, 8, 23]);
        assert_eq!([cosines(8_760, 1, 168), cosines(26_280, 24, 168)], [23, 40]);
        assert_eq!([cosines(8_760, 1, 0), cosines(8_760, 1, 1_200)], [23, 5]);
        // By overlap alone: 30 independent outcomes over 288 steps.
        assert_eq!([cosines(30 * 288, 288, 24), cosines(144, 24, 0), cosines(10, 5, 0)], [7, 3, 1]);
        assert_eq!([cosines(365, 1, 7), cosines(10, 1, 0)], [5, 5]);
    }
}
