//! Scores of class forecasts.

use crate::confidence::ReliabilityAccumulator;
use crate::metrics::{ClassAccumulator, HitRate, OriginHits};
use crate::tasks::{Direction, TaskKind, most_probable};

use super::confidences::Confidences;
use super::{Facts, Losses, Scorer, TaskMetrics, TaskScores, Told};

/// Scores of class forecasts. Classes are those of the fold that forecast: its thresholds are of the training part.
pub(crate) struct DirectionScorer<'a> {
    facts: &'a Facts<'a>,
    horizon: usize,
    classes: ClassAccumulator,
    reliability: ReliabilityAccumulator,
    /// One class an origin.
    origins: Vec<OriginHits>,
    confidences: Confidences,
}

impl<'a> DirectionScorer<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, horizon: usize) -> Self {
        Self {
            facts,
            horizon,
            classes: ClassAccumulator::default(),
            reliability: ReliabilityAccumulator::default(),
            origins: vec![],
            confidences: Confidences::default(),
        }
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
        let is_right = most_probable(forecast.means) == actual;
        if let Some(issued) = issued.first().filter(|issued| issued.calibrated) {
            self.reliability.add(issued.confidence, is_right);
            self.confidences.add(self.origins.len(), issued.confidence, Some(is_right));
        }
        let opened = self.facts.opened(row);
        self.origins.push(OriginHits { opened, hits: usize::from(is_right), directions: 1 });
    }

    fn finish(self: Box<Self>) -> TaskScores {
        let (facts, origins) = (self.facts, &self.origins);
        let (candle_ms, serial) = (facts.candle_ms(), facts.serial());
        TaskScores {
            metrics: TaskMetrics::Direction(self.classes.finish()),
            per_horizon: vec![],
            direction: None,
            reliability: self.reliability.finish(),
            recent: HitRate::recent(origins, candle_ms, serial),
            selected: self.confidences.selected(facts.confidence_threshold(), origins, candle_ms, serial),
            confidence_quantiles: self.confidences.quantiles(),
        }
    }
}
