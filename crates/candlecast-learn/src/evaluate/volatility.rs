//! Scores of volatility forecasts.

use crate::confidence::Reliability;
use crate::metrics::{VolatilityAccumulator, VolatilityOutcome};

use crate::tasks::{TaskKind, Volatility};

use super::{Facts, Losses, Scorer, TaskMetrics, TaskScores, Told};

/// Scores of forecasts of the realised variance. Origins after which no price moved have no QLIKE, of any model.
pub(crate) struct VolatilityScorer<'a> {
    facts: &'a Facts<'a>,
    horizon: usize,
    sums: VolatilityAccumulator,
}

impl<'a> VolatilityScorer<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, horizon: usize) -> Self {
        Self { facts, horizon, sums: VolatilityAccumulator::default() }
    }
}

impl Scorer for VolatilityScorer<'_> {
    fn add(&mut self, row: usize, told: Told<'_>, losses: &mut Losses) {
        let forecast = told.forecast;
        let actual = self.facts.market().realised_variance(row, self.horizon);
        let mean = forecast.means[0];
        let interval = told.issued.first().map(|issued| (issued.lower, issued.upper));
        self.sums.add(&VolatilityOutcome { forecast: mean, actual, interval });
        losses.by_step.extend(Volatility.mean_loss(self.facts.market(), row, self.horizon, forecast));
    }

    fn finish(self: Box<Self>) -> TaskScores {
        TaskScores {
            metrics: TaskMetrics::Volatility(self.sums.finish()),
            per_horizon: vec![],
            direction: None,
            reliability: Reliability::default(),
            recent: None,
            selected: None,
            confidence_quantiles: vec![],
        }
    }
}
