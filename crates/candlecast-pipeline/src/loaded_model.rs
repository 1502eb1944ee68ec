//! [`LoadedModel`]: a saved model, restored: the one way from a file to forecasts.

use candlecast_core::{FeatureSet, MAX_HORIZON_STEPS, Problem, Timestamp};
use candlecast_features::Engine;
use candlecast_learn::{CalibrationState, FittedForecaster, PipelineConfig, Recipe};

use crate::catalog::CatalogBuilder;
use crate::options::options_of;
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
    /// models whose features this program computes otherwise, and files whose parts disagree or hold what no training
    /// can have put there.
    pub fn restore(saved: SavedModel, identity: &ModelIdentity) -> Result<Self, Problem> {
        let SavedModel { forecaster, calibration, trained_to, out_of_fold } = saved;
        let corrupt =
            |reason: String| Problem::data("corrupt-model", format!("model {}: {reason}; train it again", identity.id));
        let recipe = forecaster.recipe();
        same_features(identity, &recipe.features())?;
        if let Some(reason) = unsound(&recipe) {
            return Err(corrupt(reason));
        }
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
        if calibration.level() != forecaster.level() {
            return Err(corrupt("its calibration is of intervals of another level".into()));
        }
        if out_of_fold.is_some_and(|forecasts| !forecasts.is_sound(&task)) {
            return Err(corrupt("its out-of-fold forecasts are damaged".into()));
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

/// Longest gap, in candles, that a saved model may fill.
const MOST_FILLED: usize = 1_000;

/// Why no training can have saved `recipe`, if so: what is out of bounds there would end in a panic or in nonsense later.
fn unsound(recipe: &Recipe) -> Option<String> {
    let mut reason = None;
    recipe.visit(&mut |config| reason = reason.take().or_else(|| unsound_config(config)));
    reason
}

fn unsound_config(config: &PipelineConfig) -> Option<String> {
    let options = options_of(&Recipe::Pipeline(config.clone()))?;
    if let Err(problem) = options.check() {
        return Some(problem.detail);
    }
    if options.horizon > MAX_HORIZON_STEPS {
        return Some(format!("horizon {} is above {MAX_HORIZON_STEPS}", options.horizon));
    }
    if config.max_fill > MOST_FILLED {
        return Some(format!("maxFill {} is above {MOST_FILLED}", config.max_fill));
    }
    if config.clip.is_some_and(|bound| !bound.is_finite() || bound <= 0.0) {
        return Some("clip is not above 0".into());
    }
    let is_list = |features: &FeatureSet| Engine::new(features).is_ok_and(|engine| engine.expanded() == *features);
    if !config.features.ids().is_empty() && !is_list(&config.features) {
        return Some("its features are no list of single ones, each once".into());
    }
    None
}

/// Refuses a model whose features are computed otherwise by this program.
fn same_features(identity: &ModelIdentity, features: &FeatureSet) -> Result<(), Problem> {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candlecast_core::market::random_walk;
    use candlecast_core::{FilledSeries, Forecast, ModelRequest, NoProgress, Outlook, Seed, TimeRange};
    use candlecast_learn::Market;
    use candlecast_learn::walk_forward::NoHooks;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Detail, MAX_FILL, PipelineOptions, Training, TrainingRequest, forecast_newest};

    const HORIZON: usize = 3;

    fn market() -> Arc<Market> {
        Arc::new(Market::new(FilledSeries::new(&random_walk(3_000, Seed(3), 0.4), MAX_FILL)))
    }

    /// A trained linear model of two features, as its file has it, and what is known of it beside.
    fn saved(task: &str) -> (Value, ModelIdentity) {
        let common = PipelineOptions {
            task: task.into(),
            features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
            ..PipelineOptions::new(HORIZON)
        };
        let model = ModelRequest { id: "linear".into(), params: json!({}) };
        let request = TrainingRequest { model, common, range: TimeRange::ALL, seed: Seed(1) };
        let training = Training::new(vec![market()], &request, vec![None], None, 1).unwrap();
        let mut fitted = training.run(&NoHooks, &NoProgress).unwrap();
        let identity = ModelIdentity {
            id: "WALKUSDT_LINEAR_1.0.0".into(),
            model: "linear".into(),
            task: task.into(),
            horizon: HORIZON,
            version: "1.0.0".into(),
            features: fitted.features,
        };
        (serde_json::to_value(fitted.markets.remove(0).saved).unwrap(), identity)
    }

    fn restore(saved: &Value, identity: &ModelIdentity) -> Result<LoadedModel, Problem> {
        let saved: SavedModel = serde_json::from_value(saved.clone()).expect("the edit leaves its form");
        LoadedModel::restore(saved, identity)
    }

    #[test]
    fn a_model_as_it_was_saved_is_restored_and_forecasts() {
        for task in ["price", "direction"] {
            let (saved, identity) = saved(task);
            let model = restore(&saved, &identity).unwrap();
            assert_eq!(model.forecaster.task().id(), task);
            let market = market();
            let now = market.series().close_time(market.series().len() - 1);
            let newest = forecast_newest(model, &market, now, &Detail::default()).unwrap();
            assert_eq!(newest.forecast.origin, now);
            assert_eq!(newest.forecast, newest.issued);
        }
    }

    #[test]
    fn another_level_and_quantiles_change_what_is_told_and_not_what_was_issued() {
        let market = market();
        let now = market.series().close_time(market.series().len() - 1);
        for (task, claims) in [("price", HORIZON), ("volatility", 1)] {
            let (saved, identity) = saved(task);
            let newest =
                |detail: &Detail| forecast_newest(restore(&saved, &identity).unwrap(), &market, now, detail).unwrap();
            let plain = newest(&Detail::default());
            let told = newest(&Detail::new(Some(0.5), &[0.75, 0.05, 0.25]).unwrap());
            assert_eq!(told.issued, plain.forecast);
            assert_eq!((told.forecast.level, plain.forecast.level), (0.5, 0.9));
            let quantiles = told.forecast.quantiles.as_ref().unwrap();
            assert_eq!((&quantiles.shares[..], quantiles.values.len()), (&[0.05, 0.25, 0.75][..], claims));
            for (claim, bounds) in bounds(&told.forecast).into_iter().enumerate() {
                let [low, lower, upper] = quantiles.values[claim][..] else { panic!("{quantiles:?}") };
                assert!(low <= lower && lower <= upper, "{quantiles:?}");
                assert!(bounds.0 <= lower && upper <= bounds.1, "half of the outcomes lie between the quartiles");
            }
            assert_eq!(newest(&Detail::new(Some(0.9), &[]).unwrap()).forecast, plain.forecast, "its own level");
        }
    }

    /// The intervals of a forecast of prices or of a volatility.
    fn bounds(forecast: &Forecast) -> Vec<(f64, f64)> {
        match &forecast.outlook {
            Outlook::Volatility(v) => vec![(v.lower, v.upper)],
            _ => forecast.steps().iter().map(|step| (step.lower, step.upper)).collect(),
        }
    }

    #[test]
    fn what_no_training_can_have_saved_is_refused() {
        let (saved, identity) = saved("price");
        let edits = [
            ("/forecaster/pipeline/scaler/keep/1", json!(7)),
            ("/forecaster/pipeline/scaler/keep", json!([1, 1])),
            ("/forecaster/pipeline/scaler/scale/0", json!(0.0)),
            ("/forecaster/pipeline/scaler/center", json!([])),
            ("/forecaster/pipeline/scaler/clip", json!(-1.0)),
            ("/forecaster/pipeline/config/clip", json!(0.0)),
            ("/forecaster/pipeline/config/level", json!(1.5)),
            ("/forecaster/pipeline/config/level", json!(0.8)),
            ("/forecaster/pipeline/config/validShare", json!(7.0)),
            ("/forecaster/pipeline/config/retrainDays", json!(0)),
            ("/forecaster/pipeline/config/minCandles", json!(0)),
            ("/forecaster/pipeline/config/window", json!({ "kind": "rolling", "days": 0 })),
            ("/forecaster/pipeline/config/maxFill", json!(u64::MAX)),
            ("/forecaster/pipeline/config/task/horizon", json!(0)),
            ("/forecaster/pipeline/config/task/horizon", json!(4)),
            ("/forecaster/pipeline/config/task/horizon", json!(u64::MAX)),
            ("/forecaster/pipeline/lookback", json!(0)),
            ("/forecaster/pipeline/lookback", json!(9)),
            ("/forecaster/pipeline/model/tensors", json!({})),
            ("/calibration/level", json!(3.0)),
            ("/calibration/steps", json!([])),
            ("/outOfFold/width", json!(u64::MAX)),
            ("/outOfFold/means", json!([])),
            ("/outOfFold/origins/0", json!(i64::MAX)),
            ("/outOfFold/scales/0", json!(-1.0)),
        ];
        for (pointer, value) in edits {
            let mut edited = saved.clone();
            *edited.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is in the file")) = value.clone();
            let problem = restore(&edited, &identity).map(|model| model.id).unwrap_err();
            assert_eq!(problem.code, "corrupt-model", "{pointer} {value}: {problem}");
            assert!(problem.detail.contains("WALKUSDT_LINEAR_1.0.0"), "{pointer} {value}: {problem}");
            assert!(problem.detail.contains("train it again"), "{pointer} {value}: {problem}");
        }
        let mut other = saved;
        other["forecaster"]["pipeline"]["config"]["features"] = json!(["rsi_14", "hour_sin"]);
        assert_eq!(restore(&other, &identity).map(|model| model.id).unwrap_err().code, "feature-version");
    }

    /// A trained mean of logarithms of `har-x` and of boosted trees on its regressors.
    fn saved_mean_of_logarithms(market: &Arc<Market>) -> (Value, ModelIdentity) {
        let gbdt = json!({ "inputs": "har-x", "rounds": 5, "maxDepth": 2, "patience": 0 });
        let params = json!({ "members": ["har-x", { "id": "gbdt", "params": gbdt }], "mean": "logarithmic" });
        let common = PipelineOptions { task: "volatility".into(), ..PipelineOptions::new(HORIZON) };
        let model = ModelRequest { id: "ensemble".into(), params };
        let request = TrainingRequest { model, common, range: TimeRange::ALL, seed: Seed(1) };
        let training = Training::new(vec![Arc::clone(market)], &request, vec![None], None, 1).unwrap();
        let mut fitted = training.run(&NoHooks, &NoProgress).unwrap();
        let identity = ModelIdentity {
            id: "WALKUSDT_ENSEMBLE_1h_volatility_1.0.0".into(),
            model: "ensemble".into(),
            task: "volatility".into(),
            horizon: HORIZON,
            version: "1.0.0".into(),
            features: fitted.features,
        };
        (serde_json::to_value(fitted.markets.remove(0).saved).unwrap(), identity)
    }

    #[test]
    fn a_mean_of_logarithms_is_restored_with_its_factor() {
        let market = Arc::new(Market::new(FilledSeries::new(&random_walk(6_000, Seed(4), 0.4), MAX_FILL)));
        let (saved, identity) = saved_mean_of_logarithms(&market);
        let factor = saved["forecaster"]["ensemble"]["smearing"].as_f64().unwrap();
        assert!(factor > 0.0 && factor <= 1.0, "{factor}");
        let model = restore(&saved, &identity).unwrap();
        assert_eq!(serde_json::to_value(model.forecaster.state()).unwrap(), saved["forecaster"]);
        let now = market.series().close_time(market.series().len() - 1);
        let newest = forecast_newest(model, &market, now, &Detail::default()).unwrap();
        assert_eq!((newest.forecast.origin, newest.forecast.task()), (now, "volatility"));
        for damaged in [json!(0.0), json!(null)] {
            let mut edited = saved.clone();
            edited["forecaster"]["ensemble"]["smearing"] = damaged.clone();
            let problem = restore(&edited, &identity).map(|model| model.id).unwrap_err();
            assert_eq!(problem.code, "corrupt-model", "{damaged}: {problem}");
        }
    }

    #[test]
    fn an_ensemble_keeps_what_it_has_learnt_of_its_members() {
        let market = market();
        let now = market.series().close_time(market.series().len() - 1);
        let gbdt = json!({ "rounds": 5, "maxDepth": 2, "patience": 0 });
        let members = json!(["linear", { "id": "gbdt", "params": gbdt }]);
        for strategy in ["average", "voting", "stacking"] {
            let params = json!({ "members": members, "strategy": strategy });
            let common = PipelineOptions {
                features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
                ..PipelineOptions::new(HORIZON)
            };
            let model = ModelRequest { id: "ensemble".into(), params };
            let request = TrainingRequest { model, common, range: TimeRange::ALL, seed: Seed(1) };
            let training = Training::new(vec![Arc::clone(&market)], &request, vec![None], None, 1).unwrap();
            let fitted = training.run(&NoHooks, &NoProgress).unwrap();
            let (mut markets, features) = (fitted.markets, fitted.features);
            let identity = ModelIdentity {
                id: "WALKUSDT_ENSEMBLE_1.0.0".into(),
                model: "ensemble".into(),
                task: "price".into(),
                horizon: HORIZON,
                version: "1.0.0".into(),
                features,
            };
            let fitted = markets.remove(0);
            let weights = &fitted.report.models[fitted.model].ensemble.as_ref().unwrap().learnt;
            let saved = serde_json::to_value(&fitted.saved).unwrap();
            assert_eq!(saved["forecaster"]["ensemble"]["learnt"]["weights"], json!(weights.weights()), "{strategy}");
            let model = restore(&saved, &identity).unwrap();
            assert_eq!(serde_json::to_value(model.forecaster.state()).unwrap(), saved["forecaster"]);
            let newest = forecast_newest(model, &market, now, &Detail::default()).unwrap();
            let opinion = newest.opinion.unwrap();
            assert_eq!((opinion.strategy, opinion.claims.len()), (strategy, HORIZON));
            assert!(opinion.claims.iter().all(|claim| claim.raw_confidence.is_some() && claim.agreement.is_some()));
            let mut damaged = saved.clone();
            damaged["forecaster"]["ensemble"]["learnt"]["weights"][0][0] = json!(7.0);
            assert_eq!(restore(&damaged, &identity).map(|model| model.id).unwrap_err().code, "corrupt-model");
        }
    }

    #[test]
    fn classes_need_thresholds_in_order() {
        let (saved, identity) = saved("direction");
        for thresholds in [json!(null), json!({ "sell": 0.02, "buy": -0.01, "unit": "volatility" })] {
            let mut edited = saved.clone();
            edited["forecaster"]["pipeline"]["thresholds"] = thresholds.clone();
            let problem = restore(&edited, &identity).map(|model| model.id).unwrap_err();
            assert!(
                problem.code == "corrupt-model" && problem.detail.contains("thresholds"),
                "{thresholds}: {problem}"
            );
        }
    }
}
