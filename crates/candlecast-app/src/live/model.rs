//! [`LiveModel`]: a saved model made ready to go along with a series.

use candlecast_core::{SeriesKey, Timestamp};
use candlecast_learn::{CalibrationState, FittedPipeline, Task};
use candlecast_registry::{Loaded, Slot};

use super::event::ModelLabel;
use crate::predict::same_features;
use crate::train::SavedModel;
use crate::{App, AppError, catalog};

/// A saved model, restored.
#[derive(Debug)]
pub struct LiveModel {
    /// Id in the registry (`BTCUSDT_LINEAR_1m_price_1.0.0`).
    pub id: String,
    /// Kebab-case id of its type.
    pub model: String,
    /// Version.
    pub version: String,
    /// The fitted pipeline.
    pub pipeline: FittedPipeline,
    /// What calibration had learnt when the model was saved.
    pub calibration: CalibrationState,
    /// Close of the last candle that the fit saw.
    pub trained_to: Timestamp,
    /// Why an older version answers, if one does.
    pub fell_back: Option<String>,
}

impl LiveModel {
    pub(super) fn label(&self) -> ModelLabel {
        ModelLabel {
            id: self.id.clone(),
            model: self.model.clone(),
            version: self.version.clone(),
            trained_to: self.trained_to,
        }
    }
}

impl App {
    /// The active model of type `name` of the series `key`.
    pub async fn live_model(&self, key: &SeriesKey, name: &str) -> Result<LiveModel, AppError> {
        let entry = catalog::find(name)?;
        let slot = Slot::new(key.clone(), entry.id, "price")?;
        let registry = self.registry.clone();
        self.compute(move || {
            let Loaded { meta, payload, fell_back } = registry.load::<SavedModel>(&slot, None)?;
            let SavedModel { pipeline, calibration, trained_to } = payload;
            let corrupt = |reason: String| {
                AppError::data("corrupt-model", format!("model {}: {reason}; train it again", meta.id))
            };
            if !matches!(pipeline.config.task, Task::Price { .. }) {
                return Err(corrupt("it forecasts no prices".to_owned()));
            }
            same_features(&meta, &pipeline.config.features)?;
            let learner = entry.build(&pipeline.config.params)?;
            let pipeline = FittedPipeline::restore(pipeline, learner.as_ref()).map_err(|e| corrupt(e.to_string()))?;
            let (model, version) = (entry.id.to_owned(), meta.version.to_string());
            Ok(LiveModel { id: meta.id, model, version, pipeline, calibration, trained_to, fell_back })
        })
        .await
    }
}
