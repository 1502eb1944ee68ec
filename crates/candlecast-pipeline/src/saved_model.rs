//! [`SavedModel`]: what a model file holds.

use candlecast_core::Timestamp;
use candlecast_learn::walk_forward::{ForecastTable, Forecasts};
use candlecast_learn::{Borders, CalibrationState, ForecasterState, Market, PipelineState, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
            let SavedModel1 { pipeline, calibration, trained_to } = serde_json::from_value(value).map_err(refused)?;
            let calibration = CalibrationState::from_format_1(&calibration, &pipeline.config.task, HOURLY)?;
            let forecaster = ForecasterState::Pipeline(Box::new(pipeline));
            Ok(SavedModel { forecaster, calibration, trained_to, out_of_fold: None })
        }
        _ => serde_json::from_value(value).map_err(refused),
    }
}

#[cfg(test)]
mod tests {
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
}
