//! The figures of predicted classes.

use candlecast_core::Action;
use candlecast_learn::{CLASSES, ClassMetrics, HitRate};

use super::sums::{ConfidenceSums, DirectionSums};
use super::{TaskAccuracy, TaskFigures, of_task, recent};

/// Why no verdict is possible.
const UNTOLD: &str = "which class would be the most frequent was not known at the time; `candlecast models validate` \
    compares with majority";

/// A validated prediction of a class as accuracy needs it.
#[derive(Debug, Clone, Copy)]
pub struct ScoredClass {
    /// Origin, ms.
    pub origin: i64,
    /// Candles ahead.
    pub step: u32,
    /// Class as predicted.
    pub class: Action,
    /// Class as it came.
    pub actual: Action,
    /// Probability that the class is right.
    pub confidence: Option<f64>,
}

/// How predicted classes did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectionFigures {
    /// Metrics of the classes. Without log loss and Brier score: the log has no probabilities of all classes.
    pub metrics: ClassMetrics,
    /// The most frequent class of the outcomes, the first of equal ones.
    pub majority: Action,
    /// Its share: what would have been right by naming it always, had it been known.
    pub majority_share: f64,
    /// How good the confidence was; `None` without any.
    pub confidence: Option<ConfidenceFigures>,
    /// Share of right classes of the last three months.
    pub recent: Option<HitRate>,
}

/// How good the confidence was that classes are right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConfidenceFigures {
    /// Predictions with a confidence.
    pub n: usize,
    /// Its mean.
    pub mean: f64,
    /// Share of right classes among them: what the mean should be.
    pub right: f64,
    /// Brier score: mean squared distance from 1 where the class was right, from 0 where it was not.
    pub brier: f64,
}

/// Accuracy of predicted classes; `None` without any.
pub(super) fn accuracy(sums: &DirectionSums, step_ms: i64) -> Option<TaskAccuracy> {
    let step = sums.origins.values().map(|o| o.last).max()?;
    let metrics = ClassMetrics { log_loss: None, brier: None, ..sums.classes.finish() };
    let actual: [usize; CLASSES] = metrics.confusion.map(|row| row.iter().sum());
    let majority = Action::ALL.into_iter().rev().max_by_key(|&class| actual[class as usize])?;
    let figures = DirectionFigures {
        metrics,
        majority,
        majority_share: actual[majority as usize] as f64 / metrics.count as f64,
        confidence: confidence(&sums.confidence),
        recent: recent::recent(sums.origins.iter().map(|(&origin, o)| (origin, o.last, o.hits, o.n)), step_ms),
    };
    let origins: Vec<i64> = sums.origins.keys().copied().collect();
    Some(of_task(metrics.count, step, &origins, step_ms, TaskFigures::Direction(figures), UNTOLD))
}

fn confidence(sums: &ConfidenceSums) -> Option<ConfidenceFigures> {
    let mean = |sum: f64| sum / sums.n as f64;
    (sums.n > 0).then(|| ConfidenceFigures {
        n: sums.n,
        mean: mean(sums.sum),
        right: mean(sums.right as f64),
        brier: mean(sums.brier),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(log: &[ScoredClass]) -> Option<TaskAccuracy> {
        let mut sums = DirectionSums::default();
        log.iter().for_each(|scored| sums.add(scored));
        accuracy(&sums, 3_600_000)
    }

    fn scored(hour: i64, class: Action, actual: Action, confidence: Option<f64>) -> ScoredClass {
        ScoredClass { origin: hour * 3_600_000, step: 6, class, actual, confidence }
    }

    #[test]
    fn figures_by_hand() {
        use Action::{Buy, Hold, Sell};
        let log = [
            scored(0, Buy, Buy, Some(0.5)),
            scored(2, Buy, Hold, Some(0.7)),
            scored(4, Sell, Sell, None),
            scored(6, Hold, Hold, Some(0.4)),
            scored(8, Sell, Hold, None),
        ];
        let found = of(&log).unwrap();
        assert_eq!((found.step, found.n, found.independent), (6, 5, 2));
        let TaskFigures::Direction(figures) = found.figures else { panic!("of classes") };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        close(figures.metrics.accuracy.unwrap(), 0.6);
        assert_eq!(figures.metrics.confusion, [[1, 0, 0], [1, 1, 1], [0, 0, 1]]);
        assert_eq!((figures.metrics.log_loss, figures.metrics.brier), (None, None));
        assert_eq!(figures.majority, Hold);
        let recent = figures.recent.unwrap();
        assert_eq!((recent.hits, recent.directions, recent.origins, recent.rate), (3, 5, 5, 0.6));
        close(figures.majority_share, 0.6);
        let confidence = figures.confidence.unwrap();
        assert_eq!(confidence.n, 3);
        close(confidence.mean, 1.6 / 3.0);
        close(confidence.right, 2.0 / 3.0);
        close(confidence.brier, (0.25 + 0.49 + 0.36) / 3.0);
    }

    #[test]
    fn without_confidence_there_is_no_figure_of_it_and_without_predictions_none_at_all() {
        let found = of(&[scored(0, Action::Hold, Action::Sell, None)]).unwrap();
        let TaskFigures::Direction(figures) = found.figures else { panic!("of classes") };
        assert_eq!((figures.confidence, figures.metrics.accuracy), (None, Some(0.0)));
        assert!(of(&[]).is_none());
    }

    #[test]
    fn of_classes_that_are_as_frequent_the_first_counts() {
        let log = [scored(0, Action::Hold, Action::Buy, None), scored(9, Action::Hold, Action::Hold, None)];
        let TaskFigures::Direction(figures) = of(&log).unwrap().figures else { panic!("of classes") };
        assert_eq!((figures.majority, figures.majority_share), (Action::Hold, 0.5));
    }
}
