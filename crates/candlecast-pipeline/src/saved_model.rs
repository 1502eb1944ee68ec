//! [`SavedModel`]: what a model file holds.

use candlecast_core::Timestamp;
use candlecast_learn::walk_forward::{ForecastTable, Forecasts};
use candlecast_learn::{Borders, CalibrationState, ForecasterState, Market, PipelineConfig, PipelineState, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog;
use crate::options::MAX_FILL;

/// What a model file holds besides its frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedModel {
    /// The fitted recipe.
    pub forecaster: ForecasterState,
    /// What calibration had learnt from the forward chain, never from residuals of data the fit saw.
    pub calibration: CalibrationState,
    /// Close of the last candle the fit saw; outcomes after it are learnt from by replay.
    pub trained_to: Timestamp,
    /// Its out-of-fold forecasts, those of the forward chain; none in files of format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_fold: Option<OutOfFold>,
}

/// Forecasts from candles that the fits behind them had not seen: what ensembles are combined by, and strategies tested
/// on. Those from origins with a missing candle ahead are among them. Rounded to single precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutOfFold {
    /// Closes of the origins, ms, ascending.
    pub origins: Vec<i64>,
    /// Values of a forecast.
    pub width: usize,
    /// Log returns, class probabilities or log variances, `[origin, width]`.
    pub means: Vec<f32>,
    /// Scales of their errors, `[origin, width]`.
    pub scales: Vec<f32>,
    /// Borders of the classes, `[origin]` (direction task).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borders: Vec<Borders>,
}

impl OutOfFold {
    /// Those of `table`, which is over `market`.
    pub fn of(table: &ForecastTable, market: &Market) -> Self {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
        // What is said in place of a forecast is none.
        let mut own = Forecasts::empty(table.forecasts.width);
        let mut origins = Vec::with_capacity(table.rows.len());
        for (i, &row) in table.rows.iter().enumerate() {
            if table.stand_ins.binary_search(&row).is_err() {
                origins.push(market.series().close_time(row).ms());
                let forecast = table.row(i);
                own.means.extend_from_slice(forecast.means);
                own.scales.extend_from_slice(forecast.scales);
                own.borders.extend(forecast.borders);
            }
        }
        Self { origins, width: own.width, means: single(&own.means), scales: single(&own.scales), borders: own.borders }
    }

    /// False for forecasts that no forward chain of `task` can have made, such as those in a file that was edited.
    pub(crate) fn is_sound(&self, task: &Task) -> bool {
        let n = self.origins.len();
        let borders = if matches!(task, Task::Direction { .. }) { n } else { 0 };
        self.width == task.width()
            && self.means.len() == n * self.width
            && self.scales.len() == self.means.len()
            && self.borders.len() == borders
            && self.origins.is_sorted_by(|a, b| a < b)
            && self.means.iter().all(|mean| mean.is_finite())
            && self.scales.iter().all(|scale| scale.is_finite() && *scale >= 0.0)
            && self.borders.iter().all(|b| b.sell.is_finite() && b.buy.is_finite())
    }
}

/// Longest gap that was filled in the candles that `saved` learnt from.
pub fn max_fill(saved: &SavedModel) -> usize {
    saved.forecaster.recipe().first().map_or(MAX_FILL, |config| config.max_fill)
}

/// What a file of format 1 holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SavedModel1 {
    pipeline: PipelineState,
    calibration: Value,
    trained_to: Timestamp,
}

/// Candles a day that the calibration of an old model, which does not say, is taken for.
const HOURLY: f64 = 24.0;

/// The model in a file of an older `format`, whose fields are `value`.
pub fn migrate_saved_model(format: u32, value: Value) -> Result<SavedModel, String> {
    let refused = |e: serde_json::Error| format!("as format {format}: {e}");
    match format {
        1 => {
            let SavedModel1 { mut pipeline, calibration, trained_to } =
                serde_json::from_value(value).map_err(refused)?;
            migrate_config(&mut pipeline.config);
            let calibration = CalibrationState::from_format_1(&calibration, &pipeline.config.task, HOURLY)?;
            let forecaster = ForecasterState::Pipeline(Box::new(pipeline));
            Ok(SavedModel { forecaster, calibration, trained_to, out_of_fold: None })
        }
        _ => serde_json::from_value(value).map_err(refused),
    }
}

/// Parameter that says what a learner of prices learns, and what it stood for before there was one.
const TARGET: (&str, &str) = ("target", "raw");

/// Makes the configuration of a model of format 1 one of today: models of prices had learnt log returns as they are,
/// where today their default is another target. In format 1 no model was made of models.
pub fn migrate_config(config: &mut PipelineConfig) {
    let (name, before) = TARGET;
    let has_target =
        |model: &str| catalog::find(model).is_ok_and(|entry| entry.params.iter().any(|param| param.name == name));
    if !matches!(config.task, Task::Price { .. }) || !has_target(&config.model) {
        return;
    }
    if config.params.is_null() {
        config.params = Value::Object(Map::new());
    }
    if let Some(params) = config.params.as_object_mut() {
        params.entry(name).or_insert_with(|| before.into());
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::FeatureSet;
    use candlecast_learn::{Labels, ScalerKind, TrainWindow};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_model_is_refused_with_its_format_and_the_reason() {
        let refused = migrate_saved_model(1, json!({ "pipeline": null })).unwrap_err();
        assert!(refused.starts_with("as format 1: "), "{refused}");
        for format in [1, 2] {
            let refused = migrate_saved_model(format, json!({ "surprise": 1 })).unwrap_err();
            assert!(refused.contains("surprise"), "{refused}");
        }
    }

    fn config(model: &str, params: Value, task: Task) -> PipelineConfig {
        PipelineConfig {
            model: model.into(),
            params,
            features: FeatureSet::of(&["rsi_14"]),
            scaler: ScalerKind::None,
            clip: None,
            max_fill: 3,
            task,
            level: 0.9,
            window: TrainWindow::Expanding,
            retrain_days: 7,
            valid_share: 0.15,
            min_candles: 1_000,
            bag: None,
        }
    }

    #[test]
    fn models_of_prices_of_format_1_have_learnt_returns_as_they_are() {
        let price = Task::Price { horizon: 2 };
        let migrated = |model: &str, params: Value, task: Task| {
            let mut config = config(model, params, task);
            migrate_config(&mut config);
            config.params
        };
        for model in ["gbdt", "random-forest"] {
            assert_eq!(migrated(model, json!({}), price), json!({ "target": "raw" }), "{model}");
            assert_eq!(migrated(model, Value::Null, price), json!({ "target": "raw" }), "{model}");
            let entry = catalog::find(model).unwrap();
            assert_eq!(entry.build(&migrated(model, json!({}), price)).err(), None, "{model}");
        }
        let with_others = json!({ "rounds": 5, "target": "raw" });
        assert_eq!(migrated("gbdt", json!({ "rounds": 5 }), price), with_others);
        // What has no target, and what forecasts something else, is as it was.
        assert_eq!(migrated("hybrid", json!({}), price), json!({}));
        assert_eq!(migrated("naive", Value::Null, price), Value::Null);
        let direction = Task::Direction { horizon: 2, labels: Labels::Fixed { threshold: 0.01 } };
        for task in [direction, Task::Volatility { horizon: 2 }] {
            assert_eq!(migrated("gbdt", json!({}), task), json!({}), "{task:?}");
        }
    }

    #[test]
    fn a_file_of_format_1_is_migrated_and_one_of_format_2_is_taken_as_it_is() {
        let pipeline = json!({
            "config": config("gbdt", json!({ "rounds": 5 }), Task::Price { horizon: 2 }),
            "lookback": 1,
            "scaler": {
                "kind": "none", "keep": [0], "center": [0.0], "scale": [1.0], "clip": null, "dropped": [],
            },
            "thresholds": null,
            "model": { "facts": {}, "tensors": {} },
        });
        let step = json!({"alpha": 0.1, "scores": [], "outcomes": [], "sinceFit": 0, "confidence": null});
        let calibration = json!({"level": 0.9, "steps": [step, step]});
        let params = |format: u32, value: Value| {
            let saved = migrate_saved_model(format, value).unwrap_or_else(|e| panic!("{e}"));
            saved.forecaster.recipe().first().unwrap().params.clone()
        };
        let first = json!({ "pipeline": pipeline, "calibration": calibration, "trainedTo": Timestamp(0) });
        assert_eq!(params(1, first), json!({ "rounds": 5, "target": "raw" }));
        let calibration = CalibrationState::new(0.9, &Task::Price { horizon: 2 }, 24.0);
        let second =
            json!({ "forecaster": { "pipeline": pipeline }, "calibration": calibration, "trainedTo": Timestamp(0) });
        assert_eq!(params(2, second), json!({ "rounds": 5 }));
    }
}
