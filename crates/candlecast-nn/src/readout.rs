//! [`Readout`]: what the outputs of a network stand for.

use candlecast_learn::{CLASSES, FitError, ModelState, RestoreError, Samples, Smearing, Task};

use crate::loss::log_softmax;
use crate::price_scale::PriceScale;

/// What the outputs of a network stand for, by task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Readout {
    /// Log returns over the steps in units of a scale.
    Prices(PriceScale),
    /// Scores of the classes.
    Classes,
    /// The relative log variance, which has no unit; the factor leads from there to the expected variance.
    Variance(Smearing),
}

impl Readout {
    /// The readout of a network that is fitted to `train`; of the volatility still without its smearing factor.
    pub(crate) fn fit(train: &Samples<'_>) -> Result<Self, FitError> {
        Ok(match train.task() {
            Task::Price { .. } => Self::Prices(PriceScale::fit(train)?),
            Task::Direction { .. } => Self::Classes,
            Task::Volatility { .. } => Self::Variance(Smearing::NONE),
        })
    }

    /// The readout of a saved network, whose facts hold `volatility_floor`; an error if a model of prices has none.
    pub(crate) fn read(task: &Task, volatility_floor: Option<f64>, state: &ModelState) -> Result<Self, RestoreError> {
        match (task, volatility_floor) {
            (Task::Price { .. }, Some(floor)) if floor > 0.0 => Ok(Self::Prices(PriceScale { floor })),
            (Task::Price { .. }, _) => Err(RestoreError::Fact {
                name: "network.volatilityFloor".into(),
                reason: "a model of prices needs one above 0".into(),
            }),
            (Task::Direction { .. }, _) => Ok(Self::Classes),
            (Task::Volatility { .. }, _) => Ok(Self::Variance(Smearing::read(state)?)),
        }
    }

    /// Adds what is no fact to a saved state.
    pub(crate) fn write(self, state: &mut ModelState) {
        if let Self::Variance(smearing) = self {
            smearing.write(state);
        }
    }

    /// Least volatility that prices are scaled by.
    pub(crate) fn volatility_floor(self) -> Option<f64> {
        match self {
            Self::Prices(scale) => Some(scale.floor),
            Self::Classes | Self::Variance(_) => None,
        }
    }

    /// Turns the outputs of one sample into its forecast.
    pub(crate) fn write_row(self, x: &Samples<'_>, sample: usize, values: &[f32], row: &mut [f64]) {
        match self {
            Self::Prices(scale) => {
                for (h, (to, &v)) in row.iter_mut().zip(values).enumerate() {
                    *to = f64::from(v) * scale.unit(x, sample, h);
                }
            }
            Self::Classes => row[..CLASSES].copy_from_slice(&log_softmax(values).0),
            Self::Variance(smearing) => row[0] = smearing.log_variance(x, sample, f64::from(values[0])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_network_needs_what_its_task_needs() {
        let price = Task::Price { horizon: 2 };
        let volatility = Task::Volatility { horizon: 2 };
        let empty = ModelState::default();
        for floor in [None, Some(0.0)] {
            assert!(Readout::read(&price, floor, &empty).unwrap_err().to_string().contains("volatilityFloor"));
        }
        let prices = Readout::read(&price, Some(1e-4), &empty).unwrap();
        assert_eq!(prices.volatility_floor(), Some(1e-4));
        assert!(Readout::read(&volatility, None, &empty).unwrap_err().to_string().contains("smearing"));
        let mut state = ModelState::default();
        let variance = Readout::Variance(Smearing::NONE);
        variance.write(&mut state);
        assert_eq!(Readout::read(&volatility, None, &state), Ok(variance));
        prices.write(&mut state);
        assert_eq!(state.tensors.len(), 1, "the floor is a fact");
    }
}
