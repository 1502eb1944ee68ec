//! `direction`: SELL, HOLD or BUY over the horizon.

use candlecast_core::{Action, DirectionOutlook, Outlook};

use super::{Borders, Claim, Known, OutlookOrigin, TaskKind};
use crate::conformal::{Calibrated, ForecastRow};
use crate::dataset::{Market, return_scale};
use crate::evaluate::{DirectionScorer, Facts, Scorer};
use crate::task::{CLASSES, Labels, Task, ThresholdUnit, Thresholds};

/// Probabilities are kept this far from 0, so that one wrong certainty does not make the log loss infinite.
pub(crate) const CLIP: f64 = 1e-15;

#[derive(Debug)]
pub(crate) struct Direction;

/// The class with the greatest probability, the first of equal ones.
pub(crate) fn most_probable(probabilities: &[f64]) -> usize {
    (1..probabilities.len()).fold(0, |best, c| if probabilities[c] > probabilities[best] { c } else { best })
}

/// Log returns that separate the classes of the origin `row`.
pub(crate) fn borders_of(thresholds: Thresholds, market: &Market, row: usize, horizon: usize) -> Borders {
    let unit = match thresholds.unit {
        ThresholdUnit::Return => 1.0,
        ThresholdUnit::Volatility => return_scale(market.volatility()[row], horizon),
    };
    Borders { sell: thresholds.sell * unit, buy: thresholds.buy * unit }
}

impl Borders {
    /// Class of a log return over the horizon: 0 SELL, 1 HOLD, 2 BUY.
    pub fn class(self, log_return: f64) -> usize {
        if log_return <= self.sell {
            0
        } else if log_return >= self.buy {
            2
        } else {
            1
        }
    }
}

impl TaskKind for Direction {
    fn id(&self) -> &'static str {
        "direction"
    }

    fn task(&self, horizon: usize, labels: Labels) -> Task {
        Task::Direction { horizon, labels }
    }

    fn baselines(&self) -> &'static [&'static str] {
        &["majority", "stratified"]
    }

    fn reference(&self) -> &'static str {
        "majority"
    }

    fn loss(&self) -> &'static str {
        "log loss"
    }

    fn claims(&self, _: usize) -> usize {
        1
    }

    fn lag(&self, horizon: usize, _: usize) -> usize {
        horizon
    }

    fn chance(&self) -> f64 {
        1.0 / CLASSES as f64
    }

    fn claim(&self, forecast: ForecastRow<'_>, _: f64) -> Vec<Claim> {
        let (means, borders) = (forecast.means, forecast.borders);
        let class = most_probable(means);
        let size = forecast.confidences.first().copied().unwrap_or(means[class]);
        vec![Claim { mean: class as f64, scale: 1.0, unit: None, size: Some(size), borders }]
    }

    fn outcome(&self, claim: &Claim, closes: &[f64]) -> Known {
        let log_return = closes[closes.len() - 1] - closes[0];
        let right = claim.borders.map(|borders| borders.class(log_return) as f64 == claim.mean);
        Known { actual: None, right }
    }

    /// Every class is as probable as another.
    fn neutral(&self, _: &Market, _: usize, _: usize) -> Vec<f64> {
        vec![1.0 / CLASSES as f64; CLASSES]
    }

    fn mean_loss(&self, market: &Market, row: usize, horizon: usize, forecast: ForecastRow<'_>) -> Option<f64> {
        let close = market.log_close();
        let actual = forecast.borders?.class(close[row + horizon] - close[row]);
        Some(-forecast.means[actual].clamp(CLIP, 1.0 - CLIP).ln())
    }

    fn scorer<'a>(&self, facts: &'a Facts<'a>, task: Task, _: f64) -> Box<dyn Scorer + 'a> {
        Box::new(DirectionScorer::new(facts, task.horizon()))
    }

    fn told(&self, _: f64, value: f64) -> f64 {
        value
    }

    fn outlook(
        &self,
        origin: OutlookOrigin,
        means: &[f64],
        issued: &[Calibrated],
        borders: Option<Borders>,
    ) -> Outlook {
        let borders = borders.unwrap_or(Borders { sell: 0.0, buy: 0.0 });
        let probability = |class: usize| means.get(class).copied().unwrap_or(0.0);
        let issued = issued.first();
        Outlook::Direction(DirectionOutlook {
            step: origin.horizon,
            target_time: origin.time.plus_ms(origin.horizon as i64 * origin.step_ms),
            action: Action::ALL[most_probable(means)],
            probabilities: std::array::from_fn(probability),
            sell_at: origin.price * borders.sell.exp(),
            buy_at: origin.price * borders.buy.exp(),
            confidence: issued.map_or(self.chance(), |c| c.confidence),
            calibrated: issued.is_some_and(|c| c.calibrated),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_claimed_and_found_right_by_its_borders() {
        let borders = Some(Borders { sell: -0.01, buy: 0.02 });
        let scales = &[1.0; 3];
        let claim = |means: [f64; 3]| {
            Direction.claim(ForecastRow { means: &means, scales, borders, confidences: &[] }, 0.01)[0]
        };
        let buy = claim([0.2, 0.3, 0.5]);
        assert_eq!((buy.mean, buy.size), (2.0, Some(0.5)));
        let raw = ForecastRow { means: &[0.2, 0.3, 0.5], scales, borders, confidences: &[0.4] };
        assert_eq!(Direction.claim(raw, 0.01)[0].size, Some(0.4), "an ensemble has a raw confidence");
        for (close, right) in [(0.02, true), (0.019, false), (-0.01, false)] {
            assert_eq!(Direction.outcome(&buy, &[0.0, 5.0, close]), Known { actual: None, right: Some(right) });
        }
        assert_eq!(Direction.outcome(&claim([0.6, 0.2, 0.2]), &[0.0, -0.01]).right, Some(true));
        assert_eq!(Direction.outcome(&claim([0.2, 0.6, 0.2]), &[0.0, 0.0]).right, Some(true));
    }
}
