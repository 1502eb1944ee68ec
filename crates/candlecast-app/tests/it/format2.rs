//! Models of format 2 (`tests/fixtures/format2`) forecast what they forecast when the format was closed: points, intervals,
//! directions, factors and confidences.
//!
//! `CANDLECAST_FIXTURE=write` writes them anew; that is for a new format only.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::doc::ForecastDoc;
use candlecast_app::{TrainJob, train};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FeatureSet, NoProgress, Seed, Timestamp};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_learn::TrainWindow;
use candlecast_monitor::family;
use candlecast_pipeline::{PipelineOptions, instruction_set};
use serde_json::{Value, json};

use crate::format1::{assert_same, copy, key};
use crate::world::{World, model, store, world};

/// 2023-07-01 and 2023-07-18 00:00.
const TRAINED: Timestamp = Timestamp(1_688_169_600_000);
const NOW: Timestamp = Timestamp(1_689_638_400_000);

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format2")
}

/// Task, model and parameters.
fn cases() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("price", "linear", json!({})),
        ("price", "gbdt", json!({ "rounds": 5, "maxDepth": 2, "patience": 0 })),
        ("price", "lstm", json!({ "hiddenSize": 4, "epochs": 1, "sequenceLength": 4 })),
        ("direction", "linear", json!({})),
        ("volatility", "har-x", json!({})),
    ]
}

async fn platform(now: Timestamp) -> (World, Host) {
    let world = world();
    let market = generate(&MarketConfig { n_candles: 13_500, seed: Seed(42), ..MarketConfig::default() });
    store(&world.app, &market[0].series).await;
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(2),
        clock: Clock::Fixed(now),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    let host = Host::open(world.app.settings.clone(), options).unwrap();
    (world, host)
}

async fn forecast(host: &Host, task: &str, id: &str) -> (Value, String) {
    let family = family(&key(), id, task).unwrap();
    let predicted = candlecast_app::predict::predict(host, &family, None).await.unwrap();
    let manifest = predicted.manifest.as_ref().unwrap();
    assert_eq!(manifest.format, 2, "{id}");
    (serde_json::to_value(ForecastDoc::from(&predicted)).unwrap(), manifest.instruction_set.clone())
}

/// Trains the models on candles up to [`TRAINED`] and keeps them with what they forecast at [`NOW`].
async fn write() {
    let (_world, host) = platform(TRAINED).await;
    for (task, id, params) in cases() {
        let common = PipelineOptions {
            task: task.into(),
            window: TrainWindow::Rolling { days: 120 },
            retrain_days: 30,
            features: (id != "har-x").then(|| FeatureSet::of(&["log_return_1", "rsi_14", "volume_ratio_20"])),
            ..PipelineOptions::new(2)
        };
        let mut job = TrainJob::new(vec![key()], model(id, params), common, Seed(42));
        job.range.to = TRAINED;
        train(&host, job, Arc::new(NoProgress)).await.unwrap();
    }
    let _ = fs::remove_dir_all(fixtures().join("models"));
    copy(&host.settings.data_dir.join("models"), &fixtures().join("models"));
    let (_world, host) = with_models().await;
    for (task, id, _) in cases() {
        let (told, _) = forecast(&host, task, id).await;
        let text = serde_json::to_string_pretty(&told).unwrap();
        fs::write(fixtures().join(format!("{id}-{task}.json")), text + "\n").unwrap();
    }
}

async fn with_models() -> (World, Host) {
    let (world, host) = platform(NOW).await;
    copy(&fixtures().join("models"), &host.settings.data_dir.join("models"));
    (world, host)
}

#[tokio::test]
async fn every_model_forecasts_what_it_forecast_when_the_format_was_closed() {
    if std::env::var("CANDLECAST_FIXTURE").is_ok_and(|mode| mode == "write") {
        write().await;
    }
    let (_world, host) = with_models().await;
    for (task, id, _) in cases() {
        let (now, set) = forecast(&host, task, id).await;
        let text = fs::read(fixtures().join(format!("{id}-{task}.json"))).unwrap();
        let then: Value = serde_json::from_slice(&text).unwrap();
        assert_same(&now, &then, set == instruction_set(), &[], &format!("{task} by {id}"));
    }
}
