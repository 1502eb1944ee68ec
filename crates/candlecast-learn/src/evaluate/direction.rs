//! Scores of class forecasts.

use crate::confidence::ReliabilityAccumulator;
use crate::metrics::ClassAccumulator;
use crate::tasks::{Direction, TaskKind, most_probable};

use super::{Facts, Losses, Scorer, TaskMetrics, TaskScores, Told};

/// Scores of class forecasts. Classes are those of the fold that forecast: its thresholds are of the training part.
pub(crate) struct DirectionScorer<'a> {
    facts: &'a Facts<'a>,
    horizon: usize,
    classes: ClassAccumulator,
    reliability: ReliabilityAccumulator,
}

impl<'a> DirectionScorer<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, horizon: usize) -> Self {
        Self { facts, horizon, classes: ClassAccumulator::default(), reliability: ReliabilityAccumulator::default() }
    }
}

impl Scorer for DirectionScorer<'_> {
    fn add(&mut self, row: usize, told: Told<'_>, losses: &mut Losses) {
        let (forecast, issued) = (told.forecast, told.issued);
        let Some(borders) = forecast.borders else { return };
        let log_close = self.facts.market().log_close();
        let actual = borders.class(log_close[row + self.horizon] - log_close[row]);
        let probabilities = std::array::from_fn(|class| forecast.means[class]);
        self.classes.add(probabilities, actual);
        let market = self.facts.market();
        losses.by_step.extend(Direction.mean_loss(market, row, self.horizon, forecast));
        if let Some(issued) = issued.first().filter(|issued| issued.calibrated) {
            self.reliability.add(issued.confidence, most_probable(forecast.means) == actual);
        }
    }

    fn finish(self: Box<Self>) -> TaskScores {
        TaskScores {
            metrics: TaskMetrics::Direction(self.classes.finish()),
            per_horizon: vec![],
            direction: None,
            reliability: self.reliability.finish(),
        }
    }
}
