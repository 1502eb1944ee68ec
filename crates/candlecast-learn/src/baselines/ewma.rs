//! `ewma`: the exponentially weighted mean of past log closes, for every step (simple exponential smoothing).

use candlecast_core::catalog::{Entry, read_config};

use super::closes_only;
use crate::{
    Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError, Samples,
    Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "ewma",
    aliases: &[],
    summary: "the exponentially weighted mean of past closes, for every step",
    params: Ewma::PARAMS,
    build: |config| Ok(Box::new(read_config::<Ewma>("ewma", config)?)),
};

candlecast_core::params! {
    /// Simple exponential smoothing.
    #[derive(Copy)]
    struct Ewma {
        "alpha" => alpha: f64 = 0.3, float(0.05..=1.0), "weight of the newest close";
    }
}

impl Learner for Ewma {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. })
    }
    /// Until the weights left out sum to less than 1e-6.
    fn lookback(&self) -> usize {
        if self.alpha >= 1.0 { 1 } else { (1e-6_f64.ln() / (1.0 - self.alpha).ln()).ceil() as usize }
    }
    fn inputs(&self) -> Inputs {
        closes_only()
    }
    fn uses_validation(&self) -> bool {
        false
    }
    fn min_samples(&self) -> usize {
        0
    }
    fn fit(&self, _: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        Ok(FitOutcome { model: Box::new(*self), stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(*self))
    }
}

impl Fitted for Ewma {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        for i in 0..x.len() {
            let closes = x.log_closes(i, self.lookback());
            let level = closes[1..].iter().fold(closes[0], |level, c| level + self.alpha * (c - level));
            out.row_mut(i).fill(level - closes[closes.len() - 1]);
        }
    }
    fn state(&self) -> ModelState {
        ModelState::default()
    }
}
