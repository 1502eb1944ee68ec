//! [`Smearing`]: from a forecast of the log variance to one of the variance.

use serde::{Deserialize, Serialize};

use crate::dataset::RELATIVE_BOUND;
use crate::learner::{ModelState, Prediction, RestoreError, Tensor};
use crate::{FitError, Samples};

/// Name of the tensor that carries the factor.
const TENSOR: &str = "smearing";

/// Duan's smearing factor (Duan 1983): the mean of `exp(residual)` of a model of the log variance.
///
/// The exponential of a mean logarithm estimates the median of a variance, not its mean, which is what squared errors
/// and QLIKE ask for. The factor makes up for that without assuming a distribution of the residuals. It also takes any
/// constant error of a model's level away.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Smearing {
    factor: f64,
}

impl Smearing {
    /// Leaves forecasts as they are.
    pub const NONE: Self = Self { factor: 1.0 };

    /// The factor of a model whose forecasts of `samples` with [`Smearing::NONE`] are `plain`.
    pub fn fit(samples: &Samples<'_>, plain: &Prediction) -> Result<Self, FitError> {
        let residual = |i: usize| samples.relative_log_variance(i) + samples.base_log_variance(i) - plain.row(i)[0];
        Self::of_residuals((0..samples.len()).map(residual))
    }

    /// The mean of `exp(residual)` over `residuals`, of which there is one at least.
    pub fn of_residuals(residuals: impl ExactSizeIterator<Item = f64>) -> Result<Self, FitError> {
        let n = residuals.len();
        let found = Self { factor: residuals.map(f64::exp).sum::<f64>() / n as f64 };
        if found.is_sound() {
            return Ok(found);
        }
        Err(FitError::NotFinite {
            what: "the mean of the exponentials of the residuals".into(),
            value: found.factor,
            step: 0,
            remedy: "check the candles of this range with `candlecast data check`".into(),
        })
    }

    /// The factor of the weighted mean of the logarithms of several forecasts of expected variances. `residuals` are
    /// those of each on the same samples, `[forecast][sample]`, of which there is one at least; `weights` sum to 1.
    ///
    /// With `s(e)` the mean of `exp(e)` over the samples it is `s(sum w_k e_k) / prod s(e_k)^(w_k)`: the factor of the
    /// mean over those that the forecasts have themselves. By Hölder's inequality it is at most 1, and 1 for forecasts
    /// that differ by factors only. What the forecasts have in common cancels: an error of their level on these samples,
    /// residuals that are too small where a model has learnt from them, and the luck of few wild days.
    pub(crate) fn of_mean(weights: &[f64], residuals: &[Vec<f64>]) -> Result<Self, FitError> {
        let n = residuals.iter().map(Vec::len).min().unwrap_or(0);
        let mean = |i: usize| weights.iter().zip(residuals).map(|(weight, own)| weight * own[i]).sum::<f64>();
        let mut log_factor = Self::of_residuals((0..n).map(mean))?.factor.ln();
        for (weight, own) in weights.iter().zip(residuals) {
            log_factor -= weight * Self::of_residuals(own.iter().copied())?.factor.ln();
        }
        // Rounding may bring it above the bound.
        Ok(Self { factor: log_factor.min(0.0).exp() })
    }

    /// True for a factor that a fit can have given.
    pub(crate) fn is_sound(self) -> bool {
        self.factor.is_finite() && self.factor > 0.0
    }

    /// The factor, above 0.
    pub fn factor(self) -> f64 {
        self.factor
    }

    /// Log variance of sample `i` by a forecast of its relative log variance. A forecast beyond the bound of what was
    /// learnt from ([`Samples::relative_log_variance`]) counts as the bound.
    pub fn log_variance(self, samples: &Samples<'_>, i: usize, relative: f64) -> f64 {
        self.log_variance_over(samples.base_log_variance(i), relative)
    }

    /// The same where the forecast is relative to another base: `base` is its log variance.
    pub fn log_variance_over(self, base: f64, relative: f64) -> f64 {
        base + relative.clamp(-RELATIVE_BOUND, RELATIVE_BOUND) + self.factor.ln()
    }

    /// Multiplies the variances whose logarithms these are by the factor.
    pub(crate) fn apply(self, log_variances: &mut [f64]) {
        log_variances.iter_mut().for_each(|log_variance| *log_variance += self.factor.ln());
    }

    /// Writes the factor into `state`.
    pub fn write(self, state: &mut ModelState) {
        state.tensors.insert(TENSOR.into(), Tensor::f64(&[1], vec![self.factor]));
    }

    /// The factor that [`Smearing::write`] wrote.
    pub fn read(state: &ModelState) -> Result<Self, RestoreError> {
        let found = Self { factor: state.f64(TENSOR, &[1])?[0] };
        if found.is_sound() {
            return Ok(found);
        }
        Err(RestoreError::Fact { name: TENSOR.into(), reason: format!("{} is not above 0", found.factor) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;
    use crate::made::{closes_of, market_of, origins};
    use candlecast_core::Seed;

    #[test]
    fn with_the_factor_the_mean_of_realised_over_forecast_variance_is_one() {
        let mut rng = Seed(3).stream();
        let returns: Vec<f64> = (0..600).map(|_| 0.01 * rng.normal()).collect();
        let (data, ids) = (closes_of(market_of(&returns)), origins(40..590));
        let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 3 }, None);
        // A model that forecasts the base itself, and one that errs by a constant.
        for error in [0.0, -0.7] {
            let mut plain = Prediction::default();
            plain.reset(samples.len(), 1);
            for i in 0..samples.len() {
                plain.row_mut(i)[0] = Smearing::NONE.log_variance(&samples, i, error);
            }
            let smearing = Smearing::fit(&samples, &plain).unwrap();
            let ratio = |i: usize| (samples.log_variance(i) - smearing.log_variance(&samples, i, error)).exp();
            let mean = (0..samples.len()).map(ratio).sum::<f64>() / samples.len() as f64;
            assert!((mean - 1.0).abs() < 1e-12, "{error}: {mean}");
            assert!((smearing.factor().ln() + error).abs() < 0.2, "{error}: {smearing:?}");
        }
    }

    #[test]
    fn the_factor_of_a_mean_of_logarithms_is_that_of_the_mean_over_those_of_the_parts() {
        // exp of the residuals: 1, 4 of mean 5/2; 9, 1 of mean 5; of their mean 3, 2 of mean 5/2.
        let residuals = [vec![0.0, 4.0_f64.ln()], vec![9.0_f64.ln(), 0.0]];
        let even = Smearing::of_mean(&[0.5, 0.5], &residuals).unwrap().factor();
        assert!((even - 2.5 / (2.5_f64 * 5.0).sqrt()).abs() < 1e-12, "{even}");
        // Of one part and three: sqrt(sqrt(1)) 9^(3/4) and sqrt(sqrt(4)).
        let uneven = Smearing::of_mean(&[0.25, 0.75], &residuals).unwrap().factor();
        let expected = 0.5 * (9.0_f64.powf(0.75) + 2.0_f64.sqrt()) / (2.5_f64.powf(0.25) * 5.0_f64.powf(0.75));
        assert!((uneven - expected).abs() < 1e-12, "{uneven} {expected}");
        assert_eq!(Smearing::of_mean(&[1.0, 0.0], &residuals), Ok(Smearing::NONE));
    }

    #[test]
    fn the_factor_of_a_mean_of_logarithms_is_at_most_one_and_blind_to_levels() {
        let mut rng = Seed(4).stream();
        for spread in [0.0, 0.3, 2.0] {
            let common: Vec<f64> = (0..200).map(|_| rng.normal()).collect();
            let own = |level: f64, rng: &mut candlecast_core::Stream| -> Vec<f64> {
                common.iter().map(|e| level + e + spread * rng.normal()).collect()
            };
            let residuals = [own(0.0, &mut rng), own(-0.7, &mut rng), own(0.2, &mut rng)];
            let weights = [0.5, 0.3, 0.2];
            let factor = Smearing::of_mean(&weights, &residuals).unwrap().factor();
            assert!(factor <= 1.0 && (spread > 0.0 || factor > 1.0 - 1e-12), "{spread}: {factor}");
            let moved = residuals.map(|own| own.iter().map(|e| e + 3.0).collect::<Vec<f64>>());
            let again = Smearing::of_mean(&weights, &moved).unwrap().factor();
            assert!((again - factor).abs() < 1e-12, "{spread}: {again} {factor}");
        }
        assert!(Smearing::of_mean(&[0.5, 0.5], &[vec![], vec![]]).is_err(), "there must be a sample");
        assert!(Smearing::of_mean(&[0.5, 0.5], &[vec![0.0], vec![f64::NAN]]).is_err());
    }

    #[test]
    fn a_factor_multiplies_variances() {
        let mut logs = [2.0_f64.ln(), 5.0_f64.ln()];
        Smearing { factor: 0.5 }.apply(&mut logs);
        assert!((logs[0].exp() - 1.0).abs() < 1e-12 && (logs[1].exp() - 2.5).abs() < 1e-12);
    }

    #[test]
    fn forecasts_beyond_the_bound_count_as_the_bound() {
        let (data, ids) = (closes_of(market_of(&[0.01; 60])), origins([40]));
        let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 2 }, None);
        for (relative, bounded) in [(1e30, 8.0), (-1e30, -8.0), (3.0, 3.0)] {
            let expected = samples.base_log_variance(0) + bounded;
            assert!((Smearing::NONE.log_variance(&samples, 0, relative) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_factor_is_read_back_and_a_bad_one_is_refused() {
        let mut state = ModelState::default();
        assert!(matches!(Smearing::read(&state), Err(RestoreError::Missing { .. })));
        let smearing = Smearing { factor: 1.25 };
        smearing.write(&mut state);
        assert_eq!(Smearing::read(&state), Ok(smearing));
        for factor in [0.0, -1.0, f64::NAN] {
            Smearing { factor }.write(&mut state);
            assert!(Smearing::read(&state).is_err(), "{factor}");
        }
    }
}
