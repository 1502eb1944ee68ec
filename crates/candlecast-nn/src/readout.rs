//! [`Readout`]: what the outputs of a network stand for.

use candlecast_learn::{CLASSES, FitError, ModelState, PriceTarget, RestoreError, Samples, Smearing, TargetKind, Task};

use crate::loss::log_softmax;
use crate::price_scale::PriceScale;

/// What the outputs of a network stand for, by task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Readout {
    /// Moves over the steps in units of `sigma_t sqrt(h)`, at whatever bound they were learnt.
    Moves(PriceTarget),
    /// Log returns over the steps in units of a scale of the training part: the raw target.
    Prices(PriceScale),
    /// Scores of the classes.
    Classes,
    /// The relative log variance, which has no unit; the factor leads from there to the expected variance.
    Variance(Smearing),
}

impl Readout {
    /// The readout of a network that is fitted to `train`, to `target` where the task is the price; of the volatility
    /// still without its smearing factor.
    pub(crate) fn fit(train: &Samples<'_>, target: PriceTarget) -> Result<Self, FitError> {
        Ok(match train.task() {
            Task::Price { .. } if target.kind() == TargetKind::Raw => Self::Prices(PriceScale::fit(train)?),
            Task::Price { .. } => Self::Moves(target),
            Task::Direction { .. } => Self::Classes,
            Task::Volatility { .. } => Self::Variance(Smearing::NONE),
        })
    }

    /// The readout of a saved network, whose configuration names `target` and whose facts hold `volatility_floor`. A
    /// floor says that it learnt raw returns: files from before there were targets have it and name none. An error if
    /// a model of raw returns has none.
    pub(crate) fn read(
        task: &Task,
        target: PriceTarget,
        volatility_floor: Option<f64>,
        state: &ModelState,
    ) -> Result<Self, RestoreError> {
        match (task, volatility_floor) {
            (Task::Price { .. }, Some(floor)) if floor > 0.0 => Ok(Self::Prices(PriceScale { floor })),
            (Task::Price { .. }, None) if target.kind() != TargetKind::Raw => Ok(Self::Moves(target)),
            (Task::Price { .. }, _) => Err(RestoreError::Fact {
                name: "network.volatilityFloor".into(),
                reason: "a model of raw returns needs one above 0".into(),
            }),
            (Task::Direction { .. }, _) => Ok(Self::Classes),
            (Task::Volatility { .. }, _) => Ok(Self::Variance(Smearing::read(state)?)),
        }
    }

    /// True for networks that learn what is usual besides what is not. Of moves they do not: the mean of a training
    /// part is mostly chance, and as a forecast it costs about as much as all the rest.
    pub(crate) fn learns_means(self) -> bool {
        !matches!(self, Self::Moves(_))
    }

    /// Adds what is no fact to a saved state.
    pub(crate) fn write(self, state: &mut ModelState) {
        if let Self::Variance(smearing) = self {
            smearing.write(state);
        }
    }

    /// Least volatility that raw returns are scaled by.
    pub(crate) fn volatility_floor(self) -> Option<f64> {
        match self {
            Self::Prices(scale) => Some(scale.floor),
            Self::Moves(_) | Self::Classes | Self::Variance(_) => None,
        }
    }

    /// Turns the outputs of one sample into its forecast.
    pub(crate) fn write_row(self, x: &Samples<'_>, sample: usize, values: &[f32], row: &mut [f64]) {
        match self {
            Self::Moves(target) => {
                row.iter_mut().zip(values).for_each(|(to, &v)| *to = f64::from(v));
                target.to_returns(x, sample, row);
            }
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
    use candlecast_core::{FeatureTable, Seed};
    use candlecast_testkit::{World, reverting_returns};

    #[test]
    fn moves_become_log_returns_by_the_volatility_at_the_origin() {
        let returns = reverting_returns(100, 0.3, &mut Seed(4).stream());
        let features = FeatureTable { names: vec!["return".into()], columns: vec![returns.clone()] };
        let world = World::new(&returns, &features, 40, 4, Task::Price { horizon: 3 });
        let (samples, said) = (world.train(), [0.5_f32, -1.0, 0.25]);
        let mut row = [0.0; 3];
        let readout = Readout::fit(&samples, PriceTarget::new(TargetKind::Wide, None)).unwrap();
        readout.write_row(&samples, 5, &said, &mut row);
        for (h, (log_return, said)) in row.iter().zip(said).enumerate() {
            let expected = f64::from(said) * samples.sigma(5) * ((h + 1) as f64).sqrt();
            assert!((log_return - expected).abs() < 1e-15, "step {h}: {log_return} {expected}");
        }
        assert!(!readout.learns_means() && Readout::Classes.learns_means());
    }

    #[test]
    fn a_saved_network_needs_what_its_task_needs() {
        let price = Task::Price { horizon: 2 };
        let volatility = Task::Volatility { horizon: 2 };
        let empty = ModelState::default();
        let [clipped, raw] = [TargetKind::Clipped, TargetKind::Raw].map(|kind| PriceTarget::new(kind, None));
        for (target, floor) in [(raw, None), (raw, Some(0.0)), (clipped, Some(0.0))] {
            let error = Readout::read(&price, target, floor, &empty).unwrap_err().to_string();
            assert!(error.contains("volatilityFloor"), "{target:?} {floor:?}: {error}");
        }
        let moves = Readout::read(&price, clipped, None, &empty).unwrap();
        assert_eq!((moves, moves.volatility_floor()), (Readout::Moves(clipped), None));
        let prices = Readout::read(&price, raw, Some(1e-4), &empty).unwrap();
        assert_eq!(prices.volatility_floor(), Some(1e-4));
        assert_eq!(
            Readout::read(&price, clipped, Some(1e-4), &empty),
            Ok(prices),
            "it was saved before there were targets"
        );
        assert!(Readout::read(&volatility, raw, None, &empty).unwrap_err().to_string().contains("smearing"));
        let mut state = ModelState::default();
        let variance = Readout::Variance(Smearing::NONE);
        variance.write(&mut state);
        assert_eq!(Readout::read(&volatility, clipped, None, &state), Ok(variance));
        prices.write(&mut state);
        assert_eq!(state.tensors.len(), 1, "the floor is a fact");
    }
}
