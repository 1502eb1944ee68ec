//! `ewma`: the exponentially weighted mean of past log closes, for every step (simple exponential smoothing), or of past
//! squared returns.

use candlecast_core::catalog::{Entry, read_config};

use super::closes_only;
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "ewma",
    aliases: &[],
    summary: "the exponentially weighted mean of past closes, for every step",
    params: Ewma::PARAMS,
    build: |config| Ok(Box::new(read_config::<Ewma>("ewma", config)?)),
};

candlecast_core::params! {
    /// Simple exponential smoothing. Of the volatility it forecasts that the variance of a step stays what
    /// [`crate::Market::volatility`] says at the origin: a RiskMetrics forecast, and the base from which the other models
    /// of the volatility set out. Its half-life is fixed, `alpha` is for prices.
    #[derive(Copy)]
    struct Ewma {
        "alpha" => alpha: f64 = 0.3, float(0.05..=1.0), "weight of the newest close";
    }
}

impl Learner for Ewma {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. } | Task::Volatility { .. })
    }
    /// Until the weights left out sum to less than 1e-6.
    fn lookback(&self) -> usize {
        if self.alpha >= 1.0 { 1 } else { (1e-6_f64.ln() / (1.0 - self.alpha).ln()).ceil() as usize }
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
        Ok(FitOutcome { model: Box::new(*self), stopped: Stop::Converged, steps: 0, curve: Curve::default() })
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(*self))
    }
}

impl Fitted for Ewma {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        if let Task::Volatility { .. } = x.task() {
            (0..x.len()).for_each(|i| out.row_mut(i)[0] = x.base_log_variance(i));
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::{closes_of, market_of, origins};

    #[test]
    fn the_variance_of_a_step_stays_what_it_was() {
        let returns: Vec<f64> = (0..120).map(|i| if i % 2 == 0 { 0.01 } else { -0.01 }).collect();
        let (data, ids) = (closes_of(market_of(&returns)), origins([50, 80]));
        let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 6 }, None);
        let mut out = Prediction::default();
        Ewma { alpha: 0.3 }.predict_into(&samples, &mut out);
        assert_eq!(out.width, 1);
        for mean in out.mean {
            assert!((mean - 6e-4_f64.ln()).abs() < 1e-9, "{mean}");
        }
    }
}
