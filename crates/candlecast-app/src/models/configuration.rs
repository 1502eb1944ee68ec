//! The configuration of a saved model as its manifest has it: the learner's parameters by name, and the rest of what it
//! was made with.
//!
//! Of a pipeline `config` holds the learner's parameters, defaults included, and `pipeline` the rest, with the parameters
//! that were asked for under `params`. Of a model that is made of models `config` holds the parameters that were asked
//! for, and `pipeline` the recipes of the members under `ensemble`. In format 1 `config` holds all of a pipeline, which
//! is told as today's: with the target that models of prices had learnt.

use candlecast_learn::{PipelineConfig, Recipe};
use candlecast_pipeline::{catalog, migrate_config};
use candlecast_registry::ModelManifest;
use serde_json::{Value, json};

/// The name of the members of a model that is made of models.
const ENSEMBLE: &str = "ensemble";
/// Among the metrics, the share of the range that was asked to be tested; left out where none was.
pub(crate) const TEST_SHARE_ASKED: &str = "testShareAsked";

/// `recipe`, asked for with `params`, in the two parts that manifests have.
pub(crate) fn parts_of(recipe: &Recipe, params: &Value) -> Result<(Value, Value), serde_json::Error> {
    Ok(match recipe {
        Recipe::Pipeline(config) => (parameters(config), serde_json::to_value(config)?),
        Recipe::Ensemble(config) => (params.clone(), json!({ ENSEMBLE: config })),
    })
}

/// The share of the range that its training was asked to test, if any was named.
pub(crate) fn asked_test_share(manifest: &ModelManifest) -> Option<f64> {
    manifest.metrics.get(TEST_SHARE_ASKED)?.as_f64()
}

/// The learner's parameters, defaults included.
fn parameters(config: &PipelineConfig) -> Value {
    match catalog::find(&config.model) {
        Ok(entry) => catalog::with_defaults(entry, &config.params),
        Err(_) => config.params.clone(),
    }
}

/// The learner's parameters and the rest of the configuration, which manifests of format 1 have in one.
pub fn config_and_pipeline(manifest: &ModelManifest) -> (Value, Value) {
    if !manifest.pipeline.is_null() {
        return (manifest.config.clone(), manifest.pipeline.clone());
    }
    let whole = manifest.config.clone();
    let Ok(mut config) = serde_json::from_value::<PipelineConfig>(whole.clone()) else {
        return (whole, Value::Null);
    };
    migrate_config(&mut config);
    let params = parameters(&config);
    (params, serde_json::to_value(config).unwrap_or(whole))
}

/// The recipe and the parameters that it was asked for with; `None` if it is of a form that this program does not know.
pub(crate) fn recipe_and_params(manifest: &ModelManifest) -> Option<(Recipe, Value)> {
    let (params, whole) = config_and_pipeline(manifest);
    if let Some(members) = whole.get(ENSEMBLE) {
        return Some((Recipe::Ensemble(serde_json::from_value(members.clone()).ok()?), params));
    }
    let config: PipelineConfig = serde_json::from_value(whole).ok()?;
    let asked = config.params.clone();
    Some((Recipe::Pipeline(config), asked))
}

#[cfg(test)]
mod tests {
    use candlecast_core::{FeatureSet, Interval, SeriesKey, Symbol, Timestamp, Venue};
    use candlecast_learn::{Combine, EnsembleConfig, ScalerKind, Task, TrainWindow};
    use candlecast_registry::{DataRange, Status, Version};
    use serde_json::json;

    use super::*;

    fn config() -> PipelineConfig {
        PipelineConfig {
            model: "gbdt".into(),
            params: json!({ "rounds": 20, "learningRate": 0.1 }),
            features: FeatureSet::of(&["rsi_14"]),
            scaler: ScalerKind::Robust,
            clip: Some(10.0),
            max_fill: 3,
            task: Task::Price { horizon: 24 },
            level: 0.9,
            window: TrainWindow::Expanding,
            retrain_days: 7,
            valid_share: 0.15,
            min_candles: 1_000,
            bag: None,
        }
    }

    fn manifest(format: u32, config: Value, pipeline: Value) -> ModelManifest {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        ModelManifest {
            format,
            id: "BTCUSDT_GBDT_1.0.0".into(),
            name: "gbdt".into(),
            symbol: key.symbol,
            venue: key.venue,
            interval: key.interval,
            model_type: "GBDT".into(),
            task: "price".into(),
            version: Version::FIRST,
            status: Status::Active,
            trained_at: Timestamp(0),
            accuracy: None,
            training_duration_ms: 0,
            data_points: 0,
            config,
            pipeline,
            horizon_steps: 24,
            features: vec![],
            data_range: DataRange { from: Timestamp(0), to: Timestamp(0) },
            data_fingerprint: String::new(),
            trained_on: vec![],
            pool: vec![],
            out_of_fold: false,
            seed: 0,
            program_version: String::new(),
            instruction_set: String::new(),
            metrics: Value::Null,
            baseline_metrics: Value::Null,
            tries: None,
            feature_histograms: Value::Null,
            payload_bytes: 0,
            sha256: String::new(),
        }
    }

    #[test]
    fn the_configuration_comes_back_from_manifests_of_both_formats() {
        let recipe = Recipe::Pipeline(config());
        let (params, rest) = parts_of(&recipe, &Value::Null).unwrap();
        assert_eq!((&params["rounds"], &rest["scaler"]), (&json!(20), &json!("robust")));
        assert!(params["maxDepth"].is_number(), "defaults are told: {params}");
        let in_two = manifest(2, params.clone(), rest.clone());
        assert_eq!(config_and_pipeline(&in_two), (params, rest));
        assert_eq!(recipe_and_params(&in_two), Some((recipe, config().params)));
        // Models of prices of format 1 had learnt returns as they are.
        let mut then = config();
        then.params["target"] = json!("raw");
        let (params, rest) = parts_of(&Recipe::Pipeline(then.clone()), &Value::Null).unwrap();
        let in_one = manifest(1, serde_json::to_value(config()).unwrap(), Value::Null);
        assert_eq!(params["target"], json!("raw"));
        assert_eq!(config_and_pipeline(&in_one), (params, rest));
        let asked = then.params.clone();
        assert_eq!(recipe_and_params(&in_one), Some((Recipe::Pipeline(then), asked)));
        assert_eq!(recipe_and_params(&manifest(1, json!({ "epochs": 3 }), Value::Null)), None);
    }

    #[test]
    fn a_model_made_of_models_keeps_what_was_asked_for() {
        let members = vec![Recipe::Pipeline(config()), Recipe::Pipeline(config())];
        let recipe = Recipe::Ensemble(EnsembleConfig { combine: Combine::Average, members });
        let asked = json!({ "members": "gbdt,gbdt" });
        let (params, rest) = parts_of(&recipe, &asked).unwrap();
        assert_eq!(params, asked);
        assert_eq!(recipe_and_params(&manifest(2, params, rest)), Some((recipe, asked)));
    }
}
