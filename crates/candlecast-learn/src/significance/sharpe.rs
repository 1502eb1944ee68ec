//! What a Sharpe ratio is worth that was measured over a while, and that was the best of many.
//!
//! Sharpe ratios here are by observation (of daily returns: a day's), mean over standard deviation with divisor n - 1,
//! without a riskless return. A year's is the root of the observations in a year times that.

use std::f64::consts::{E, EULER_GAMMA};

use statrs::distribution::{ContinuousCDF, Normal};

/// A Sharpe ratio and what its uncertainty depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeRatio {
    /// By observation.
    pub sharpe: f64,
    /// Observations that it was measured on.
    pub observations: usize,
    /// Skewness of the returns, `m3 / m2^1.5` with the central moments `m` (divisor n): 0 for a normal distribution.
    pub skewness: f64,
    /// Kurtosis of the returns, `m4 / m2^2`: 3 for a normal distribution.
    pub kurtosis: f64,
}

impl SharpeRatio {
    /// That of `returns`; `None` with fewer than two of them, values that are not finite, and returns that are all the
    /// same.
    pub fn of(returns: &[f64]) -> Option<Self> {
        let n = returns.len() as f64;
        if returns.len() < 2 || returns.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let mean = returns.iter().sum::<f64>() / n;
        let moment = |power: i32| returns.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
        let variance = moment(2);
        if variance <= mean * mean * 1e-24 || variance <= 0.0 {
            return None;
        }
        Some(Self {
            sharpe: mean / (variance * n / (n - 1.0)).sqrt(),
            observations: returns.len(),
            skewness: moment(3) / variance.powf(1.5),
            kurtosis: moment(4) / (variance * variance),
        })
    }

    /// The observations times the squared standard error, `1 - skew SR + (kurt - 1) / 4 SR^2` (Mertens 2002), beside
    /// `n - 1`. `None` where it is not above 0, as no moments of real returns make it.
    fn spread(&self) -> Option<f64> {
        let spread = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe * self.sharpe;
        (spread > 0.0 && spread.is_finite()).then_some(spread)
    }

    /// Its standard error, `sqrt((1 - skew SR + (kurt - 1) / 4 SR^2) / (n - 1))`.
    pub fn standard_error(&self) -> Option<f64> {
        if self.observations < 2 {
            return None;
        }
        Some((self.spread()? / (self.observations - 1) as f64).sqrt())
    }

    /// Probabilistic Sharpe ratio (Bailey and Lopez de Prado 2012): probability that the true one is above `benchmark`,
    /// which is by observation, `Phi((SR - benchmark) / standard error)`.
    pub fn probability_above(&self, benchmark: f64) -> Option<f64> {
        Some(Normal::standard().cdf((self.sharpe - benchmark) / self.standard_error()?))
    }

    /// Deflated Sharpe ratio (Bailey and Lopez de Prado 2014): probability that the true one is above what the best of
    /// `trials` strategies without any skill is expected to have, [`expected_maximum`]. Above 0.95 luck is no good
    /// explanation.
    ///
    /// `trials` is the number of different strategies that were tried, however alike they were: `variance`, that of
    /// their Sharpe ratios, tells that already. With the effective number of trials in its place
    /// ([`EffectiveTrials`](super::EffectiveTrials)) what they have in common counts twice, and of studies in which no
    /// strategy is any good up to 15 % are above 0.95; with their number it is below 6 % (`cargo xtask verify luck`).
    pub fn deflated(&self, trials: f64, variance: f64) -> Option<f64> {
        self.probability_above(expected_maximum(trials, variance)?)
    }

    /// Observations after which a Sharpe ratio like this one is above `benchmark` with `confidence` (such as 0.95):
    /// the minimum track record length of Bailey and Lopez de Prado (2012),
    /// `1 + (1 - skew SR + (kurt - 1) / 4 SR^2) (z / (SR - benchmark))^2`. `None` where it never is.
    pub fn minimum_track_record(&self, benchmark: f64, confidence: f64) -> Option<f64> {
        if self.sharpe <= benchmark || !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let z = Normal::standard().inverse_cdf(confidence);
        Some(1.0 + self.spread()? * (z / (self.sharpe - benchmark)).powi(2))
    }
}

/// Expected largest Sharpe ratio of `trials` strategies (1 or more) whose true ones are 0, with `variance` that of those
/// that were measured, by observation: `sqrt(V) ((1 - g) z(1 - 1/N) + g z(1 - 1/(N e)))`, `z` the quantile of the normal
/// distribution and `g` Euler and Mascheroni's constant (Bailey and Lopez de Prado 2014). 0 for a single trial, and never
/// below. `None` for fewer, and for a variance that is below 0 or not finite.
pub fn expected_maximum(trials: f64, variance: f64) -> Option<f64> {
    if !(trials >= 1.0 && trials.is_finite() && variance >= 0.0 && variance.is_finite()) {
        return None;
    }
    if trials == 1.0 {
        return Some(0.0);
    }
    let quantile = |outside: f64| Normal::standard().inverse_cdf(1.0 - outside);
    let maximum = (1.0 - EULER_GAMMA) * quantile(1.0 / trials) + EULER_GAMMA * quantile(1.0 / (trials * E));
    Some(variance.sqrt() * maximum.max(0.0))
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    /// The paper's example (Bailey and Lopez de Prado 2014): Sharpe 2.5 a year of 250 days, of 1,250 daily returns.
    const PAPER: SharpeRatio =
        SharpeRatio { sharpe: 0.158_113_883_008_418_97, observations: 1_250, skewness: -3.0, kurtosis: 10.0 };

    fn close(a: Option<f64>, b: f64) {
        assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
    }

    #[test]
    fn the_worked_case_of_the_paper() {
        let variance = 0.5 / 250.0;
        close(expected_maximum(100.0, variance), 0.113_172_001_865);
        close(PAPER.deflated(100.0, variance), 0.900_396_834_449);
        close(PAPER.deflated(46.0, variance), 0.950_501_706_876);
        close(PAPER.probability_above(0.0), 0.999_996_859_508);
        assert!((PAPER.minimum_track_record(0.0, 0.95).unwrap() - 166.643_288_677).abs() < 1e-6);
        close(PAPER.deflated(1.0, variance), PAPER.probability_above(0.0).unwrap());
    }

    #[test]
    fn moments_by_hand() {
        let found = SharpeRatio::of(&[0.0, 1.0, 1.0, 2.0, 6.0]).unwrap();
        // Mean 2, deviations -2, -1, -1, 0, 4.
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(found.sharpe, 2.0 / 5.5_f64.sqrt());
        close(found.skewness, 10.8 / 4.4_f64.powf(1.5));
        close(found.kurtosis, 54.8 / 4.4_f64.powi(2));
        assert_eq!(found.observations, 5);
        for degenerate in [&[][..], &[1.0], &[0.1; 9], &[1.0, f64::NAN], &[1.0, f64::INFINITY]] {
            assert_eq!(SharpeRatio::of(degenerate), None, "{degenerate:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_undefined() {
        assert_eq!(expected_maximum(0.5, 1.0), None);
        assert_eq!(expected_maximum(f64::NAN, 1.0), None);
        assert_eq!(expected_maximum(10.0, -1.0), None);
        assert_eq!(expected_maximum(10.0, 0.0), Some(0.0));
        assert_eq!(expected_maximum(1.05, 1.0), Some(0.0), "never below what a single trial has");
        let losing = SharpeRatio { sharpe: -0.1, ..PAPER };
        assert_eq!(losing.minimum_track_record(0.0, 0.95), None);
        assert_eq!(PAPER.minimum_track_record(0.0, 1.0), None);
        assert_eq!(SharpeRatio { observations: 1, ..PAPER }.standard_error(), None);
        assert_eq!(SharpeRatio { skewness: 100.0, ..PAPER }.probability_above(0.0), None);
    }

    #[test]
    fn the_best_of_many_without_skill_is_as_good_as_expected() {
        let (runs, trials) = (400, 20);
        let best = |run: u64| {
            let mut rng = Seed(5).derive("best", run).stream();
            (0..trials).map(|_| rng.normal()).fold(f64::MIN, f64::max)
        };
        let mean = (0..runs).map(best).sum::<f64>() / runs as f64;
        let expected = expected_maximum(20.0, 1.0).unwrap();
        // The formula is the limit for many trials; of 20 normal values the largest is expected at 1.867.
        assert!((expected - 1.900_707_951).abs() < 1e-6 && (mean - 1.867).abs() < 0.1, "{mean} {expected}");
    }
}
