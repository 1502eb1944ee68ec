//! [`PipelineOptions`]: what all models of a run share.

use candlecast_core::{FeatureSet, Problem};
use candlecast_learn::{Labels, PipelineConfig, Recipe, ScalerKind, Task, TrainWindow, task_kind};
use serde::{Deserialize, Serialize};

/// What all models of a run share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineOptions {
    /// What is forecast: `price`, `direction` or `volatility`.
    #[serde(default = "price")]
    pub task: String,
    /// How returns become classes (direction task).
    #[serde(default = "adaptive")]
    pub labels: Labels,
    /// Steps ahead.
    pub horizon: usize,
    /// Share of outcomes that intervals cover.
    pub level: f64,
    /// How far back training reaches.
    pub window: TrainWindow,
    /// Days between refits.
    pub retrain_days: u32,
    /// Fewest candles a fit may have.
    pub min_candles: usize,
    /// Longest gap that is filled, in candles.
    pub max_fill: usize,
    /// Features instead of the models' own.
    pub features: Option<FeatureSet>,
    /// Scaler instead of the models' own.
    pub scaler: Option<ScalerKind>,
    /// Share of a training window, its end, that early stopping and selection use, 0.05 to 0.4.
    #[serde(default = "valid_share", alias = "validationSplit")]
    pub valid_share: f64,
    /// Share of the range, its end, that a training is scored on, 0.05 to 0.4; `None` for 15 %, 90 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_share: Option<f64>,
}

fn price() -> String {
    "price".into()
}

fn adaptive() -> Labels {
    Labels::Adaptive { low: 0.25, high: 0.75 }
}

fn valid_share() -> f64 {
    0.15
}

/// Longest gap that is filled by default, in candles.
pub const MAX_FILL: usize = 3;
/// Candles a training needs by default, and at the least.
pub const MIN_CANDLES: (usize, usize) = (1_000, 200);
/// Bound on scaled features, in scaled units: tames outliers without touching ordinary values.
pub(crate) const CLIP: f64 = 10.0;

impl PipelineOptions {
    /// The defaults for `horizon`: 90 % intervals, each model's own training window, refit every 7 days.
    pub fn new(horizon: usize) -> Self {
        Self {
            task: price(),
            labels: adaptive(),
            horizon,
            level: 0.9,
            window: TrainWindow::Own,
            retrain_days: 7,
            min_candles: MIN_CANDLES.0,
            max_fill: MAX_FILL,
            features: None,
            scaler: None,
            valid_share: valid_share(),
            test_share: None,
        }
    }

    /// What is forecast.
    pub fn task(&self) -> Result<Task, Problem> {
        let kind = task_kind(&self.task).map_err(|e| Problem::usage("unknown-task", "task", e))?;
        Ok(kind.task(self.horizon, self.labels))
    }

    /// Refuses values out of range, each named.
    pub fn check(&self) -> Result<(), Problem> {
        self.task()?;
        check_labels(self.labels)?;
        if self.horizon == 0 {
            return Err(Problem::usage("bad-horizon", "horizon", "horizon 0: at least 1 step is needed"));
        }
        check_share("bad-valid-share", "valid-share", self.valid_share)?;
        self.test_share.map_or(Ok(()), |share| check_share("bad-test-share", "test-share", share))?;
        if !(0.5..=0.99).contains(&self.level) {
            return Err(Problem::usage(
                "bad-level",
                "level",
                format!("level {} is not within 0.5 to 0.99", self.level),
            ));
        }
        if self.min_candles < MIN_CANDLES.1 {
            return Err(Problem::usage(
                "bad-min-candles",
                "min-candles",
                format!(
                    "min-candles {} is below {}, the least a fit can be trusted with at all",
                    self.min_candles, MIN_CANDLES.1
                ),
            ));
        }
        if !(1..=3_650).contains(&self.retrain_days) {
            return Err(Problem::usage(
                "bad-retrain-days",
                "retrain-days",
                format!("retrain-days {} is not within 1 to 3650", self.retrain_days),
            ));
        }
        if let TrainWindow::Rolling { days } = self.window
            && !(1..=36_500).contains(&days)
        {
            return Err(Problem::usage(
                "bad-train-days",
                "train-days",
                format!("train-days {days} is not within 1 to 36500"),
            ));
        }
        Ok(())
    }
}

/// Refuses a share of the data that is too small to tell anything or leaves too little beside it.
fn check_share(code: &'static str, field: &str, share: f64) -> Result<(), Problem> {
    if (0.05..=0.4).contains(&share) {
        return Ok(());
    }
    Err(Problem::usage(code, field, format!("{field} {share} is not within 0.05 to 0.4")))
}

fn check_labels(labels: Labels) -> Result<(), Problem> {
    let wrong = match labels {
        Labels::Adaptive { low, high } if !(low > 0.0 && low < high && high < 1.0) => {
            format!("adaptive labels need 0 < low < high < 1, not {low} and {high}")
        }
        Labels::Fixed { threshold } if !(threshold > 0.0 && threshold < 1.0) => {
            format!("the threshold of fixed labels is a log return above 0 and below 1, not {threshold}")
        }
        Labels::Adaptive { .. } | Labels::Fixed { .. } => return Ok(()),
    };
    Err(Problem::usage("bad-labels", "labels", wrong))
}

/// Confidences that a threshold may ask for.
const CONFIDENCE_THRESHOLDS: std::ops::RangeInclusive<f64> = 0.5..=0.99;

/// Refuses a threshold of the confidence out of range, or one of a task whose forecasts have no confidence.
pub fn check_confidence_threshold(threshold: Option<f64>, task: &Task) -> Result<(), Problem> {
    let Some(threshold) = threshold else { return Ok(()) };
    let wrong = if !CONFIDENCE_THRESHOLDS.contains(&threshold) {
        format!(
            "confidence-threshold {threshold} is not within {} to {}",
            CONFIDENCE_THRESHOLDS.start(),
            CONFIDENCE_THRESHOLDS.end()
        )
    } else if matches!(task, Task::Volatility { .. }) {
        "a volatility has no direction that could be right, so there is no confidence: leave out confidence-threshold"
            .into()
    } else {
        return Ok(());
    };
    Err(Problem::usage("bad-confidence-threshold", "confidence-threshold", wrong))
}

/// The options of a training that makes `recipe` again.
pub fn options_of(recipe: &Recipe) -> Option<PipelineOptions> {
    let config: &PipelineConfig = recipe.first()?;
    let labels = match config.task {
        Task::Direction { labels, .. } => labels,
        Task::Price { .. } | Task::Volatility { .. } => adaptive(),
    };
    // Members of an ensemble have features of their own.
    let own = matches!(recipe, Recipe::Pipeline(_));
    Some(PipelineOptions {
        task: config.task.id().into(),
        labels,
        horizon: config.task.horizon(),
        level: config.level,
        window: config.window,
        retrain_days: config.retrain_days,
        min_candles: config.min_candles,
        max_fill: config.max_fill,
        // Models that read closes only ignore both.
        features: (own && !config.features.ids().is_empty()).then(|| config.features.clone()),
        scaler: own.then_some(config.scaler),
        valid_share: config.valid_share,
        // It is no part of the recipe: how a model was scored does not make it another one.
        test_share: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_split_lie_within_a_twentieth_and_two_fifths() {
        let code = |options: PipelineOptions| options.check().map_err(|problem| problem.code);
        let with = |valid_share, test_share| PipelineOptions { valid_share, test_share, ..PipelineOptions::new(6) };
        for share in [0.05, 0.15, 0.4] {
            assert_eq!(code(with(share, Some(share))), Ok(()));
        }
        for share in [0.0, 0.049, 0.41, 1.0, -0.1, f64::NAN] {
            assert_eq!(code(with(share, None)), Err("bad-valid-share"), "{share}");
            assert_eq!(code(with(0.15, Some(share))), Err("bad-test-share"), "{share}");
        }
    }

    #[test]
    fn shares_are_read_by_both_names_and_written_where_they_were_asked_for() {
        let plain = serde_json::to_value(PipelineOptions::new(6)).unwrap();
        assert!(plain.get("testShare").is_none() && plain["validShare"] == 0.15);
        let mut other_name = plain;
        other_name.as_object_mut().unwrap().remove("validShare");
        other_name["validationSplit"] = serde_json::json!(0.3);
        other_name["testShare"] = serde_json::json!(0.2);
        let read: PipelineOptions = serde_json::from_value(other_name).unwrap();
        assert_eq!((read.valid_share, read.test_share), (0.3, Some(0.2)));
    }

    #[test]
    fn a_threshold_of_the_confidence_is_a_share_above_chance_of_what_has_one() {
        let code = |threshold, task: &str| {
            let options = PipelineOptions { task: task.into(), ..PipelineOptions::new(6) };
            check_confidence_threshold(threshold, &options.task().unwrap()).map_err(|problem| problem.code)
        };
        for task in ["price", "direction"] {
            assert!([None, Some(0.5), Some(0.99)].into_iter().all(|threshold| code(threshold, task).is_ok()));
            for threshold in [0.49, 0.995, -1.0, f64::NAN, f64::INFINITY] {
                assert_eq!(code(Some(threshold), task), Err("bad-confidence-threshold"), "{threshold}");
            }
        }
        assert_eq!(
            (code(None, "volatility"), code(Some(0.6), "volatility")),
            (Ok(()), Err("bad-confidence-threshold"))
        );
    }
}
