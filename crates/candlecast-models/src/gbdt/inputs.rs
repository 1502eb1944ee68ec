//! [`GbdtInputs`]: what trees read, and what the volatilities that they learn are relative to.

use candlecast_learn::har_x::{HarXRows, REGRESSORS};
use candlecast_learn::{FitError, Prediction, Samples, Smearing};
use serde::{Deserialize, Serialize};

use crate::checks;
use crate::tree;

/// What trees read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GbdtInputs {
    /// The features at the origin. Log variances are relative to that of [`Samples::base_log_variance`].
    Features,
    /// The regressors of `har-x` for the horizon ([`HarXRows`]), in single precision. Log variances are relative to
    /// their level. Of the volatility task only.
    HarX,
}

impl GbdtInputs {
    /// Values a row.
    pub(super) fn width(self, samples: &Samples<'_>) -> usize {
        match self {
            Self::Features => samples.width(),
            Self::HarX => REGRESSORS,
        }
    }

    /// Values at the origins, row-major `[sample, value]`.
    pub(super) fn values(self, samples: &Samples<'_>) -> Vec<f32> {
        match self {
            Self::Features => tree::inputs(samples),
            Self::HarX => {
                let rows = HarXRows::of(samples);
                (0..samples.len()).flat_map(|i| regressors(&rows, i)).collect()
            }
        }
    }

    /// Relative log variances of `samples`, `[sample]`: the targets of the volatility task.
    pub(super) fn relative_variances(self, samples: &Samples<'_>) -> Result<Vec<f64>, FitError> {
        match self {
            Self::Features => checks::relative_variances(samples),
            Self::HarX => {
                let rows = HarXRows::of(samples);
                let targets: Vec<f64> = (0..samples.len()).map(|i| rows.target(i)).collect();
                checks::finite_targets(&targets)?;
                Ok(targets)
            }
        }
    }

    /// The smearing factor of a model whose forecasts of `samples` without one are `plain`.
    pub(super) fn smearing(self, samples: &Samples<'_>, plain: &Prediction) -> Result<Smearing, FitError> {
        match self {
            Self::Features => Smearing::fit(samples, plain),
            Self::HarX => {
                let rows = HarXRows::of(samples);
                let residual = |i: usize| rows.target(i) + rows.base(i) - plain.row(i)[0];
                Smearing::of_residuals((0..samples.len()).map(residual))
            }
        }
    }
}

/// The regressors of sample `i`, as trees read them.
pub(super) fn regressors(rows: &HarXRows<'_>, i: usize) -> [f32; REGRESSORS] {
    rows.regressors(i).map(|value| value as f32)
}
