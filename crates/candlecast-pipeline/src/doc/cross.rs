//! What a cross-validation says of every path.

use candlecast_core::TimeRange;
use serde::Serialize;

use crate::evaluation::{CrossScores, PathScores};

/// Scores of a cross-validation, path by path. Its fits have learnt from candles after those that they forecast, so it is
/// for research and has no verdicts.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CrossDoc {
    /// Always true.
    pub research_only: bool,
    /// Groups of the period in time order: open of the first candle, and of the first one behind it.
    pub groups: Vec<TimeRange>,
    /// Groups that each split tests.
    pub test_groups: usize,
    /// Splits.
    pub splits: usize,
    /// Paths through the whole period: how often each group is tested.
    pub paths: usize,
    /// Fits of each model, those that only calibrate among them.
    pub fits: usize,
    /// Candles on both sides of a test group that are not learnt from.
    pub purge: usize,
    /// Candles behind that which are not learnt from either.
    pub embargo: usize,
    /// How each model fares over the paths, in the order of the report.
    pub models: Vec<CrossModelDoc>,
    /// The same path by path.
    pub by_path: Vec<PathDoc>,
}

/// One model over all paths.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CrossModelDoc {
    /// Name.
    pub model: String,
    /// True for the baselines.
    pub baseline: bool,
    /// The figure that models are ranked by, less is better: MAE of prices, log loss, QLIKE.
    pub loss: SpreadDoc,
    /// 1 - loss / loss of the reference.
    pub skill: SpreadDoc,
    /// Share of right directions or classes.
    pub accuracy: SpreadDoc,
    /// Share of outcomes inside the intervals.
    pub coverage: SpreadDoc,
    /// Paths on which the skill is above 0.
    pub paths_with_skill: usize,
}

/// A figure over the paths on which it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadDoc {
    /// Mean; `None` where it is defined on no path.
    pub mean: Option<f64>,
    /// Standard deviation (n - 1); `None` on fewer than two paths. Paths share most of their candles: it is no standard
    /// error.
    pub deviation: Option<f64>,
    /// Least.
    pub least: Option<f64>,
    /// Greatest.
    pub greatest: Option<f64>,
}

/// All models on one path.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathDoc {
    /// Its number, from 1.
    pub path: usize,
    /// In the order of the report.
    pub models: Vec<PathModelDoc>,
}

/// One model on one path.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathModelDoc {
    /// Name.
    pub model: String,
    /// The figure that models are ranked by.
    pub loss: Option<f64>,
    /// 1 - loss / loss of the reference.
    pub skill: Option<f64>,
    /// Share of right directions or classes.
    pub accuracy: Option<f64>,
    /// Share of outcomes inside the intervals.
    pub coverage: Option<f64>,
}

impl SpreadDoc {
    /// Of `values`, one a path.
    fn of(values: impl Iterator<Item = Option<f64>>) -> Self {
        let values: Vec<f64> = values.flatten().collect();
        let n = values.len() as f64;
        let mean = (n > 0.0).then(|| values.iter().sum::<f64>() / n);
        let squares = |mean: f64| values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        Self {
            mean,
            deviation: mean.filter(|_| n > 1.0).map(|mean| (squares(mean) / (n - 1.0)).sqrt()),
            least: values.iter().copied().reduce(f64::min),
            greatest: values.iter().copied().reduce(f64::max),
        }
    }
}

impl From<&CrossScores> for CrossDoc {
    fn from(scores: &CrossScores) -> Self {
        let n_models = scores.paths.first().map_or(0, Vec::len);
        let by_path = |(k, path): (usize, &Vec<PathScores>)| PathDoc {
            path: k + 1,
            models: path.iter().map(PathModelDoc::from).collect(),
        };
        Self {
            research_only: true,
            groups: scores.groups.clone(),
            test_groups: scores.test_groups,
            splits: scores.splits,
            paths: scores.paths.len(),
            fits: scores.fits,
            purge: scores.purge,
            embargo: scores.embargo,
            models: (0..n_models).map(|k| over_paths(scores, k)).collect(),
            by_path: scores.paths.iter().enumerate().map(by_path).collect(),
        }
    }
}

/// Model `k` of every path.
fn over_paths(scores: &CrossScores, k: usize) -> CrossModelDoc {
    let of = |value: fn(&PathScores) -> Option<f64>| SpreadDoc::of(scores.paths.iter().map(|path| value(&path[k])));
    let PathScores { model, baseline, .. } = &scores.paths[0][k];
    CrossModelDoc {
        model: model.clone(),
        baseline: *baseline,
        loss: of(|m| m.loss),
        skill: of(|m| m.skill),
        accuracy: of(|m| m.accuracy),
        coverage: of(|m| m.coverage),
        paths_with_skill: scores.paths.iter().filter(|path| path[k].skill.is_some_and(|skill| skill > 0.0)).count(),
    }
}

impl From<&PathScores> for PathModelDoc {
    fn from(m: &PathScores) -> Self {
        let PathScores { model, loss, skill, accuracy, coverage, .. } = m.clone();
        Self { model, loss, skill, accuracy, coverage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(loss: f64, skill: Option<f64>) -> PathScores {
        PathScores { model: "linear".into(), baseline: false, loss: Some(loss), skill, accuracy: None, coverage: None }
    }

    #[test]
    fn figures_are_spread_over_the_paths_on_which_they_are_defined() {
        let paths = [(1.0, Some(0.2)), (3.0, None), (2.0, Some(-0.1)), (6.0, Some(0.0))];
        let scores = CrossScores {
            groups: vec![],
            test_groups: 2,
            splits: 10,
            fits: 20,
            purge: 6,
            embargo: 30,
            paths: paths.map(|(loss, skill)| vec![scores(loss, skill)]).to_vec(),
        };
        let doc = CrossDoc::from(&scores);
        assert_eq!((doc.paths, doc.by_path.len(), doc.by_path[3].path), (4, 4, 4));
        let [model] = &doc.models[..] else { panic!("one model") };
        // numpy.std([1, 3, 2, 6], ddof=1) = 2.160246899469287
        assert_eq!((model.loss.mean, model.loss.least, model.loss.greatest), (Some(3.0), Some(1.0), Some(6.0)));
        assert!((model.loss.deviation.unwrap() - 2.160_246_899_469_287).abs() < 1e-12);
        assert!((model.skill.mean.unwrap() - 0.1 / 3.0).abs() < 1e-12);
        assert_eq!((model.skill.least, model.skill.greatest, model.paths_with_skill), (Some(-0.1), Some(0.2), 1));
        let none = SpreadDoc { mean: None, deviation: None, least: None, greatest: None };
        assert_eq!(model.accuracy, none);
        let once = SpreadDoc::of([Some(0.5)].into_iter());
        assert_eq!((once.mean, once.deviation), (Some(0.5), None));
    }
}
