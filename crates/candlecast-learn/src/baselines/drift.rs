//! `drift`: the last price plus the mean return of the training part.

use candlecast_core::catalog::Entry;

use super::closes_only;
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, Stop, Task, Tensor,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "drift",
    aliases: &[],
    summary: "the last price moved on by the mean log return of the training part",
    params: &[],
    build: |_| Ok(Box::new(Drift)),
};

#[derive(Debug)]
struct Drift;

#[derive(Debug)]
struct FittedDrift {
    /// Mean one-step log return.
    mean: f64,
}

impl Learner for Drift {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. })
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
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if train.is_empty() {
            return Err(FitError::TooFewSamples { have: 0, need: 1 });
        }
        let mut one = [0.0];
        let sum: f64 = (0..train.len())
            .map(|i| {
                train.returns_into(i, &mut one);
                one[0]
            })
            .sum();
        let model = Box::new(FittedDrift { mean: sum / train.len() as f64 });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedDrift { mean: state.f64("mean", &[1])?[0] }))
    }
}

impl Fitted for FittedDrift {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        for i in 0..x.len() {
            for (h, y) in out.row_mut(i).iter_mut().enumerate() {
                *y = self.mean * (h + 1) as f64;
            }
        }
    }
    fn state(&self) -> ModelState {
        ModelState {
            facts: serde_json::Value::Null,
            tensors: [("mean".to_owned(), Tensor::f64(&[1], vec![self.mean]))].into(),
        }
    }
}
