//! `naive`: the price stays where it is. The best forecast of a random walk.

use candlecast_core::catalog::Entry;

use super::closes_only;
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "naive",
    aliases: &["last-price", "random-walk"],
    summary: "the last price, for every step",
    params: &[],
    build: |_| Ok(Box::new(Naive)),
};

#[derive(Debug)]
struct Naive;

impl Learner for Naive {
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
    fn min_samples(&self) -> usize {
        0
    }
    fn fit(&self, _: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        Ok(FitOutcome { model: Box::new(Naive), stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(Naive))
    }
}

impl Fitted for Naive {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
    }
    fn state(&self) -> ModelState {
        ModelState::default()
    }
}
