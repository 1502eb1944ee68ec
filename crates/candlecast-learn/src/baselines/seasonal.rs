//! `seasonal-naive`: the last price plus what the price did at the same time one season ago.

use candlecast_core::catalog::{Entry, read_config};

use super::closes_only;
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, Stop, Task,
};

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "seasonal-naive",
    aliases: &[],
    summary: "the last price plus the return of the same hours one day ago",
    params: SeasonalNaive::PARAMS,
    build: |config| Ok(Box::new(read_config::<SeasonalNaive>("seasonal-naive", config)?)),
};

candlecast_core::params! {
    /// The season before, once more.
    #[derive(Copy)]
    struct SeasonalNaive {
        "seasonSteps" => season_steps: usize = 24, int(1..=10_080),
            "candles in a season; the platform sets it to 24 hours of the series' interval";
    }
}

impl Learner for SeasonalNaive {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. })
    }
    fn lookback(&self) -> usize {
        self.season_steps + 1
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

impl Fitted for SeasonalNaive {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        for i in 0..x.len() {
            let closes = x.log_closes(i, self.season_steps + 1);
            season_returns(closes, out.row_mut(i));
        }
    }
    fn state(&self) -> ModelState {
        ModelState::default()
    }
}

/// `closes` holds the last season and the close before it; beyond one season it repeats.
fn season_returns(closes: &[f64], out: &mut [f64]) {
    let season = closes.len() - 1;
    let whole = closes[season] - closes[0];
    for (h, y) in out.iter_mut().enumerate() {
        *y = (h / season) as f64 * whole + closes[h % season + 1] - closes[0];
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_season_repeats() {
        let mut out = [0.0; 7];
        super::season_returns(&[10.0, 11.0, 9.0, 12.0], &mut out);
        assert_eq!(out, [1.0, -1.0, 2.0, 3.0, 1.0, 4.0, 5.0]);
    }
}
