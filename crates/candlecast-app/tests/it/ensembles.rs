//! Ensembles of saved models, and ensembles that are saved as models of their own.

use std::fs;
use std::sync::Arc;

use candlecast_app::doc::{ForecastDoc, ModelDoc, TrainDoc};
use candlecast_app::models::{delete_model, model as saved_model, weighing};
use candlecast_app::predict::{Predicted, log_predicted, predict_with};
use candlecast_app::{TrainJob, TrainedModel, text, with_model_defaults};
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, FeatureSet, NoProgress, Problem, Seed, SeriesKey};
use candlecast_host::{Host, LOCAL};
use candlecast_learn::TrainWindow;
use candlecast_pipeline::{Detail, PipelineOptions};
use serde_json::{Value, json};

use crate::world::{World, model, store, world};

const HORIZON: usize = 6;

fn walk() -> CandleSeries {
    random_walk(1_300, Seed(5), 0.5)
}

async fn scene() -> (World, SeriesKey) {
    let world = world();
    let key = store(&world.app, &walk()).await;
    (world, key)
}

async fn train(app: &Host, key: &SeriesKey, id: &str, params: Value) -> TrainedModel {
    let common = PipelineOptions {
        window: TrainWindow::Rolling { days: 100 },
        retrain_days: 50,
        features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
        ..PipelineOptions::new(HORIZON)
    };
    let job = TrainJob::new(vec![key.clone()], model(id, params), common, app.seed);
    candlecast_app::train(app, job, Arc::new(NoProgress)).await.unwrap().models.remove(0)
}

async fn pair(app: &Host, key: &SeriesKey) -> [String; 2] {
    let linear = train(app, key, "linear", json!({})).await;
    let hybrid = train(app, key, "hybrid", json!({ "lookbackWindow": 6 })).await;
    [linear.manifest.id, hybrid.manifest.id]
}

async fn predict(app: &Host, key: &SeriesKey, params: &Value) -> Result<Predicted, Problem> {
    predict_with(app, key, ("ensemble", "price"), params, None, &Detail::default()).await
}

fn doc(predicted: &Predicted) -> Value {
    serde_json::to_value(ForecastDoc::from(predicted)).unwrap()
}

/// The files in which what ensembles have learnt is kept.
fn kept(app: &Host) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(app.settings.models_dir.join("ensembles.cache")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn saved_models_answer_together_by_what_they_have_learnt() {
    let (world, key) = scene().await;
    let app = &world.app;
    let ids = pair(app, &key).await;
    let stacking = json!({ "members": "linear,hybrid", "strategy": "stacking" });
    let predicted = predict(app, &key, &stacking).await.unwrap();
    let told = doc(&predicted);
    assert_eq!(
        (&told["model"], &told["modelId"], &told["modelVersion"]),
        (&json!("ensemble"), &json!(null), &json!(null))
    );
    assert_eq!((&told["strategy"], &told["horizonSteps"]), (&json!("stacking"), &json!(HORIZON)));
    let members = told["members"].as_array().unwrap();
    let of = |name: &str| members.iter().map(|member| member[name].clone()).collect::<Vec<Value>>();
    assert_eq!(of("model"), [json!("linear"), json!("hybrid"), json!("naive")]);
    assert_eq!(of("modelId"), [json!(ids[0]), json!(ids[1]), json!(null)]);
    let weights: Vec<f64> = of("weight").iter().map(|weight| weight.as_f64().unwrap()).collect();
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9 && weights.iter().all(|&w| w >= 0.0), "{weights:?}");
    for share in ["consensus", "rawConfidence", "modelAgreement"] {
        assert!(told[share].as_f64().is_some_and(|value| (0.0..=1.0).contains(&value)), "{share}: {told}");
    }
    assert!(["BUY", "SELL", "HOLD"].contains(&told["action"].as_str().unwrap()));
    let words = text::forecast(&predicted);
    assert!(words.contains("by ensemble of saved models") && words.contains("ensemble, stacking: linear"), "{words}");
    assert_eq!(log_predicted(app, &[predicted]).await.unwrap(), 0, "it has no version to be judged by");

    // What was learnt is kept, and used again.
    let [file] = &kept(app)[..] else { panic!("one file") };
    let mut content: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(doc(&predict(app, &key, &stacking).await.unwrap()), told);
    content["content"]["remarks"] = json!(["it was read"]);
    fs::write(file, serde_json::to_vec(&content).unwrap()).unwrap();
    let again = doc(&predict(app, &key, &stacking).await.unwrap());
    assert!(again["warnings"].as_array().unwrap().contains(&json!("it was read")), "{again}");
    // Until a member changes.
    let newer = train(app, &key, "linear", json!({})).await.manifest.id;
    let changed = doc(&predict(app, &key, &stacking).await.unwrap());
    assert_eq!(changed["members"][0]["modelId"], json!(newer));
    assert!(newer != ids[0] && !changed["warnings"].as_array().unwrap().contains(&json!("it was read")), "{changed}");
    assert_eq!(kept(app).len(), 1, "what is overtaken is not kept");
    // What cannot be read is learnt anew.
    fs::write(&kept(app)[0], b"{").unwrap();
    assert_eq!(doc(&predict(app, &key, &stacking).await.unwrap()), changed);
}

#[tokio::test]
async fn a_member_that_is_missing_is_named_and_so_is_what_no_ensemble_takes() {
    let (world, key) = scene().await;
    let app = &world.app;
    pair(app, &key).await;
    let missing = predict(app, &key, &json!({ "members": "linear,gbdt" })).await.unwrap_err();
    assert_eq!((missing.code, missing.status), ("model-not-trained", 404));
    assert!(missing.detail.contains("no gbdt model"), "{missing}");
    let nobody = predict(app, &key, &json!({})).await.unwrap_err();
    assert!(nobody.code == "model-not-trained" && nobody.detail.contains("no lstm model"), "{nobody}");
    let params = json!({ "members": [{ "id": "linear", "params": { "penalty": 1 } }, "hybrid"] });
    assert!(predict(app, &key, &params).await.unwrap_err().detail.contains("name types only"));
    let (plain, two) = (Detail::default(), json!({ "members": "linear,hybrid" }));
    let long = predict_with(app, &key, ("ensemble", "price"), &two, Some(24), &plain).await.unwrap_err();
    assert_eq!(long.code, "horizon-too-long");
    let linear = predict_with(app, &key, ("linear", "price"), &two, None, &plain).await.unwrap_err();
    assert_eq!(linear.field.as_deref(), Some("model"));
    let linear = predict_with(app, &key, ("linear", "price"), &json!({}), Some(2), &plain).await.unwrap();
    assert!(linear.ensemble.is_none() && linear.forecast.steps().len() == 2);
}

#[tokio::test]
async fn a_saved_ensemble_answers_where_nobody_says_how_it_is_to_be_made() {
    let (world, key) = scene().await;
    let mut app = world.app.clone();
    pair(&app, &key).await;
    app.settings.ensemble_members = vec!["linear".into(), "hybrid".into()];
    let ad_hoc = doc(&predict(&app, &key, &json!({})).await.unwrap());
    assert_eq!((&ad_hoc["strategy"], &ad_hoc["members"][0]["weight"]), (&json!("average"), &json!(0.5)));

    let trained = train(&app, &key, "ensemble", json!({ "strategy": "voting", "votes": "confidence" })).await;
    assert_eq!(trained.manifest.config["members"], json!(["linear", "hybrid"]), "as the configuration says");
    let whole = candlecast_app::Trained { fit: fit(&trained), models: vec![trained], folder: None };
    let told = text::trained(&TrainDoc::from(&whole));
    assert!(told.contains("ensemble: ensemble, voting by confidence, weights: linear 50 %, hybrid 50 %"), "{told}");

    let saved = predict(&app, &key, &json!({})).await.unwrap();
    let of_saved = doc(&saved);
    assert_eq!(
        (&of_saved["modelId"], &of_saved["votes"]),
        (&json!("synthetic_WALKUSDT_ENSEMBLE_1.0.0"), &json!("confidence"))
    );
    assert_eq!(of_saved["members"][1]["modelId"], json!(null));
    assert!(of_saved["rawConfidence"].is_number() && of_saved["test"].is_object(), "{of_saved}");
    let named = doc(&predict(&app, &key, &json!({ "strategy": "weighted", "weights": "3,1" })).await.unwrap());
    assert_eq!((&named["modelId"], &named["members"][0]["weight"]), (&json!(null), &json!(0.75)));

    let (manifest, payload) = saved_model(&app, "synthetic_WALKUSDT_ENSEMBLE_1.0.0").await.unwrap();
    let shown = ModelDoc::of(&manifest, std::path::Path::new("x")).with_weighing(weighing(&manifest, payload));
    assert_eq!(serde_json::to_value(shown).unwrap()["ensemble"]["members"], json!(["linear", "hybrid"]));
}

/// How a fit went that nobody asks about.
fn fit(trained: &TrainedModel) -> candlecast_learn::FitSummary {
    trained.report.models.last().unwrap().fits[0].clone()
}

#[tokio::test]
async fn three_of_four_types_are_the_members_and_a_change_is_said_once() {
    let (world, key) = scene().await;
    let app = &world.app;
    let small = json!({ "hiddenSize": 4, "epochs": 1, "sequenceLength": 4 });
    let trees = json!({ "rounds": 3, "maxDepth": 2, "patience": 0 });
    let forest = json!({ "trees": 5, "maxDepth": 3 });
    train(app, &key, "lstm", small).await;
    train(app, &key, "gbdt", trees).await;
    let forest = train(app, &key, "random-forest", forest).await.manifest.id;
    let told = doc(&predict(app, &key, &json!({})).await.unwrap());
    let types = |told: &Value| -> Vec<Value> {
        told["members"].as_array().unwrap().iter().map(|member| member["model"].clone()).collect()
    };
    assert_eq!(types(&told), [json!("lstm"), json!("random-forest"), json!("gbdt")]);
    let weight = |k: usize| told["members"][k]["weight"].as_f64().unwrap();
    assert!((weight(0) - 40.0 / 90.0).abs() < 1e-12 && (weight(1) - 25.0 / 90.0).abs() < 1e-12, "{told}");
    let has_changed = |told: &Value| told["warnings"].to_string().contains("members are lstm, hybrid since");
    assert!(!has_changed(&told));

    train(app, &key, "hybrid", json!({ "lookbackWindow": 6 })).await;
    delete_model(app, &forest, true, LOCAL).await.unwrap();
    let told = doc(&predict(app, &key, &json!({})).await.unwrap());
    assert_eq!((types(&told), has_changed(&told)), (vec![json!("lstm"), json!("hybrid")], true));
    assert!(!has_changed(&doc(&predict(app, &key, &json!({})).await.unwrap())), "it is said once");
}

#[test]
fn an_ensemble_without_members_is_trained_with_the_usual_ones() {
    let world = world();
    let mut settings = world.app.settings.clone();
    let filled = with_model_defaults(&settings, model("ensemble", json!({ "strategy": "stacking" })));
    assert_eq!(filled.params, json!({ "strategy": "stacking", "members": ["lstm", "hybrid"] }));
    settings.ensemble_members = vec!["gbdt".into(), "linear".into()];
    let filled = with_model_defaults(&settings, model("ensemble", Value::Null));
    assert_eq!(filled.params, json!({ "members": ["gbdt", "linear"] }));
    let named = with_model_defaults(&settings, model("ensemble", json!({ "models": "lstm,gbdt" })));
    assert_eq!(named.params, json!({ "members": ["lstm", "gbdt"] }));
    let bagged = with_model_defaults(&settings, model("bagging", json!({ "model": "gbdt", "bags": 3 })));
    assert_eq!(bagged.params, json!({ "model": "gbdt", "bags": 3 }));
}
