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
        let factor = (0..samples.len()).map(|i| residual(i).exp()).sum::<f64>() / samples.len() as f64;
        if factor.is_finite() && factor > 0.0 {
            return Ok(Self { factor });
        }
        Err(FitError::NotFinite {
            what: "the mean of the exponentials of the residuals".into(),
            value: factor,
            step: 0,
            remedy: "check the candles of this range with `candlecast data check`".into(),
        })
    }

    /// The factor, above 0.
    pub fn factor(self) -> f64 {
        self.factor
    }

    /// Log variance of sample `i` by a forecast of its relative log variance. A forecast beyond the bound of what was
    /// learnt from ([`Samples::relative_log_variance`]) counts as the bound.
    pub fn log_variance(self, samples: &Samples<'_>, i: usize, relative: f64) -> f64 {
        samples.base_log_variance(i) + relative.clamp(-RELATIVE_BOUND, RELATIVE_BOUND) + self.factor.ln()
    }

    /// Writes the factor into `state`.
    pub fn write(self, state: &mut ModelState) {
        state.tensors.insert(TENSOR.into(), Tensor::f64(&[1], vec![self.factor]));
    }

    /// The factor that [`Smearing::write`] wrote.
    pub fn read(state: &ModelState) -> Result<Self, RestoreError> {
        let factor = state.f64(TENSOR, &[1])?[0];
        if factor > 0.0 {
            return Ok(Self { factor });
        }
        Err(RestoreError::Fact { name: TENSOR.into(), reason: format!("{factor} is not above 0") })
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
