//! `majority`: the shares of the classes in the training part, at every origin.

use candlecast_core::catalog::Entry;

use super::{class_shares, closes_only, read_shares, state_of};
use crate::{
    Asked, CLASSES, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction,
    RestoreError, Samples, Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "majority",
    aliases: &[],
    summary: "the shares of the classes in the training part; the most frequent class, always",
    params: &[],
    build: |_| Ok(Box::new(Majority)),
};

#[derive(Debug)]
struct Majority;

/// The class it names is the most frequent one: the best that can be done without looking at the origin.
#[derive(Debug)]
struct FittedMajority {
    shares: [f64; CLASSES],
}

impl Learner for Majority {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Direction { .. })
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        closes_only()
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn min_samples(&self) -> usize {
        1
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let model = Box::new(FittedMajority { shares: class_shares(train)? });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedMajority { shares: read_shares(state)? }))
    }
}

impl Fitted for FittedMajority {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), CLASSES);
        for i in 0..x.len() {
            out.row_mut(i).copy_from_slice(&self.shares);
        }
    }
    fn state(&self) -> ModelState {
        state_of(self.shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extent;
    use crate::made::{closes_of, market_of, origins};
    use crate::{Silent, ThresholdUnit, Thresholds};
    use candlecast_core::Seed;

    #[test]
    fn every_forecast_is_the_shares_of_the_training_part() {
        // Of each five returns two are SELL, two HOLD and one BUY.
        let returns: Vec<f64> = (0..200).map(|i| [-0.02, 0.0, 0.02, -0.02, 0.0][i % 5]).collect();
        let (data, ids) = (closes_of(market_of(&returns)), origins(40..190));
        let labels = crate::Labels::Fixed { threshold: 0.01 };
        let thresholds = Thresholds { sell: -0.01, buy: 0.01, unit: ThresholdUnit::Return };
        let samples = Samples::new(&data, &ids, 1, Task::Direction { horizon: 1, labels }, Some(thresholds));
        let mut cx = FitContext {
            seed: Seed(1),
            valid: None,
            threads: 1,
            warm: None,
            resume: None,
            extent: Extent::default(),
            observer: &mut Silent,
        };
        let fitted = Majority.fit(&samples.slice(0..100), &mut cx).unwrap().model;
        let restored = Majority.restore(&fitted.state(), samples.task()).unwrap();
        for model in [fitted, restored] {
            let mut out = Prediction::default();
            model.predict_into(&samples, &mut out);
            assert!((0..samples.len()).all(|i| out.row(i) == [0.4, 0.4, 0.2]), "{:?}", out.row(0));
        }
        let none = Majority.fit(&samples.slice(0..0), &mut cx).unwrap_err();
        assert_eq!(none, FitError::TooFewSamples { have: 0, need: 1 });
    }
}
