//! [`LoadedModel`]: a saved model, restored: the one way from a file to forecasts.

use candlecast_core::{Problem, Timestamp};
use candlecast_features::Engine;
use candlecast_learn::{CalibrationState, FittedForecaster};

use crate::catalog::CatalogBuilder;
use crate::saved_model::SavedModel;

/// What is known of a saved model beside its file's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelIdentity {
    /// Id in the registry (`BTCUSDT_LINEAR_1m_price_1.0.0`).
    pub id: String,
    /// Kebab-case id of its type.
    pub model: String,
    /// Task id.
    pub task: String,
    /// Steps ahead.
    pub horizon: usize,
    /// Version.
    pub version: String,
    /// Features that it was trained on, each with the version of its definition.
    pub features: Vec<(String, u32)>,
}

/// A model in a stream or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelLabel {
    /// Id in the registry.
    pub id: String,
    /// Kebab-case id of its type.
    pub model: String,
    /// Version.
    pub version: String,
    /// Close of the last candle that it learnt from.
    pub trained_to: Timestamp,
}

/// A saved model, restored.
#[derive(Debug)]
pub struct LoadedModel {
    /// Id in the registry.
    pub id: String,
    /// Kebab-case id of its type.
    pub model: String,
    /// Version.
    pub version: String,
    /// The fitted recipe.
    pub forecaster: FittedForecaster,
    /// What calibration had learnt when the model was saved.
    pub calibration: CalibrationState,
    /// Close of the last candle that the fit saw.
    pub trained_to: Timestamp,
    /// Why an older version answers, if one does.
    pub fell_back: Option<String>,
}

impl LoadedModel {
    /// Restores `saved`: the one way from a file to forecasts. Refused are models of another task than their name says,
    /// models whose features this program computes otherwise, and files whose parts disagree.
    pub fn restore(saved: SavedModel, identity: &ModelIdentity) -> Result<Self, Problem> {
        let SavedModel { forecaster, calibration, trained_to, .. } = saved;
        let corrupt =
            |reason: String| Problem::data("corrupt-model", format!("model {}: {reason}; train it again", identity.id));
        same_features(identity, &forecaster.recipe().features())?;
        let forecaster = FittedForecaster::restore(forecaster, &CatalogBuilder).map_err(|e| corrupt(e.to_string()))?;
        let task = forecaster.task();
        if task.id() != identity.task {
            return Err(corrupt(format!("it is of the {} task, not of {}", task.id(), identity.task)));
        }
        if task.horizon() != identity.horizon {
            return Err(corrupt(format!("it is of {} steps, not of {}", task.horizon(), identity.horizon)));
        }
        if calibration.claims() != task.claims() {
            return Err(corrupt("its calibration is of another horizon".into()));
        }
        if !calibration.is_sound(&task) {
            return Err(corrupt("its calibration is damaged".into()));
        }
        Ok(Self {
            id: identity.id.clone(),
            model: identity.model.clone(),
            version: identity.version.clone(),
            forecaster,
            calibration,
            trained_to,
            fell_back: None,
        })
    }

    /// Its label.
    pub fn label(&self) -> ModelLabel {
        ModelLabel {
            id: self.id.clone(),
            model: self.model.clone(),
            version: self.version.clone(),
            trained_to: self.trained_to,
        }
    }
}

/// Refuses a model whose features are computed otherwise by this program.
fn same_features(identity: &ModelIdentity, features: &candlecast_core::FeatureSet) -> Result<(), Problem> {
    if features.ids().is_empty() {
        return Ok(());
    }
    let now = Engine::new(features)?.versions();
    let differing = identity.features.iter().zip(&now).find(|(then, now)| *then != *now);
    match differing {
        None if identity.features.len() == now.len() => Ok(()),
        _ => {
            let name = differing.map_or_else(|| "the feature set".into(), |(then, _)| then.0.clone());
            let detail = format!(
                "model {} was trained on another definition of {name} than this program computes: train it again",
                identity.id
            );
            Err(Problem::data("feature-version", detail))
        }
    }
}
