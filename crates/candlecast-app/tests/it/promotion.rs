//! Whether a new model replaces what serves, and how much was tried on what it was tested on.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::doc::ModelDoc;
use candlecast_app::models::Status;
use candlecast_app::{TrainJob, TrainedModel};
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, FeatureSet, NoProgress, Seed, SeriesKey};
use candlecast_host::Host;
use candlecast_learn::TrainWindow;
use candlecast_pipeline::PipelineOptions;
use serde_json::json;

use crate::world::{all_models, model, store, world};

/// A step ahead, from windows of 100 days.
fn common() -> PipelineOptions {
    PipelineOptions { window: TrainWindow::Rolling { days: 100 }, retrain_days: 50, ..PipelineOptions::new(1) }
}

/// Every return takes half of the last one back.
fn walk(n: usize) -> CandleSeries {
    random_walk(n, Seed(5), 0.5)
}

fn part(series: &CandleSeries, rows: std::ops::Range<usize>) -> CandleSeries {
    CandleSeries::new(series.key().clone(), series.columns().slice(rows)).unwrap()
}

async fn status(app: &Host, id: &str) -> Status {
    all_models(app).await.iter().find(|l| l.name.to_string() == id).unwrap().status
}

async fn train(app: &Host, job: TrainJob) -> TrainedModel {
    candlecast_app::train(app, job, Arc::new(NoProgress)).await.unwrap().models.remove(0)
}

/// `linear` of one feature: `log_return_1` shows what the next return takes back, `hour_sin` does not.
async fn train_on(app: &Host, key: &SeriesKey, feature: &str) -> TrainedModel {
    let common = PipelineOptions { features: Some(FeatureSet::of(&[feature])), ..common() };
    train(app, TrainJob::new(vec![key.clone()], model("linear", json!({})), common, app.seed)).await
}

#[tokio::test]
async fn another_configuration_serves_once_it_is_no_worse_on_origins_that_neither_has_learnt_from() {
    let world = world();
    let app = &world.app;
    let walk = walk(2_800);
    let key = store(app, &part(&walk, 0..1_200)).await;
    let blind = train_on(app, &key, "hour_sin").await;
    assert!(blind.active_because.unwrap().contains("nothing served"));
    // On candles that what serves has learnt from nothing is decided, however good the scores are.
    let seeing = train_on(app, &key, "log_return_1").await;
    let why = seeing.candidate_because.unwrap();
    assert!(why.contains(" 0 independent origins") && why.contains("version 1.0.0 goes on serving"), "{why}");

    store(app, &part(&walk, 1_200..2_000)).await;
    let seeing = train_on(app, &key, "log_return_1").await;
    let why = seeing.active_because.unwrap();
    assert!(why.contains("at least as well as version 1.0.0") && why.contains("300 of them independent"), "{why}");
    let id = seeing.manifest.id;
    assert_eq!(status(app, &id).await, Status::Active);
    // The same configuration again needs no such proof.
    let refit = train_on(app, &key, "log_return_1").await;
    let why = refit.active_because.unwrap();
    assert!(why.contains("the same configuration as version 2.0.1"), "{why}");

    store(app, &part(&walk, 2_000..2_800)).await;
    let blind = train_on(app, &key, "hour_sin").await;
    let why = blind.candidate_because.unwrap();
    assert!(why.contains("does not do as well as version 2.0.2") && why.contains("420 origins"), "{why}");
    assert_eq!(status(app, &refit.manifest.id).await, Status::Active);
}

#[tokio::test]
async fn how_much_was_scored_on_a_test_part_is_saved_with_the_model() {
    let world = world();
    let app = &world.app;
    let key = store(app, &walk(1_200)).await;
    let tried = |model: TrainedModel| model.manifest.tries.map(|tries| (tries.scorings, tries.configurations));
    assert_eq!(tried(train_on(app, &key, "hour_sin").await), Some((1, 1)));
    assert_eq!(tried(train_on(app, &key, "log_return_1").await), Some((2, 2)));
    assert_eq!(tried(train_on(app, &key, "log_return_1").await), Some((2, 2)), "the very same training counts once");
    // Another model is another configuration, another seed another try of the same one.
    let hybrid = TrainJob::new(vec![key.clone()], model("hybrid", json!({})), common(), app.seed);
    assert_eq!(tried(train(app, hybrid).await), Some((3, 3)));
    let elsewhere = app.with(Seed(43), Arc::new(AtomicBool::new(false)));
    let last = train_on(&elsewhere, &key, "log_return_1").await;
    let doc = serde_json::to_value(ModelDoc::of(&last.manifest, &last.path)).unwrap();
    assert_eq!(doc["tries"], json!({ "scorings": 4, "configurations": 3 }));
    assert_eq!(doc["test"]["looks"], 4);
    let shown = candlecast_app::text::model(&last.manifest, &last.path);
    assert!(shown.contains("4 trainings and evaluations of 3 configurations"), "{shown}");
    assert!(shown.contains(&format!("on its test part: {}", doc["test"]["verdict"].as_str().unwrap())), "{shown}");
}
