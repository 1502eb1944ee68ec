//! Models and jobs that the program wrote when files were of format 1 (`tests/fixtures/format1`) give what they gave.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::TrainJob;
use candlecast_app::doc::ForecastDoc;
use candlecast_app::models::{model, validate_model};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{Interval, Seed, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_jobs::JobKind;
use candlecast_monitor::family;
use candlecast_pipeline::instruction_set;
use serde_json::Value;

use crate::world::{World, all_models, store, world};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format1")
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A platform with the models, over the market that they were trained on, when the forecasts were recorded.
async fn upgraded() -> (World, Host) {
    let world = world();
    let market = generate(&MarketConfig { n_candles: 13_500, seed: Seed(42), ..MarketConfig::default() });
    store(&world.app, &market[0].series).await;
    copy(&fixtures().join("models"), &world.app.settings.data_dir.join("models"));
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(2),
        // 2023-07-18 00:00.
        clock: Clock::Fixed(Timestamp(1_689_638_400_000)),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    let host = Host::open(world.app.settings.clone(), options).unwrap();
    (world, host)
}

pub(crate) fn key() -> SeriesKey {
    SeriesKey::new(Venue::synthetic(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
}

/// What is calibrated by another rule since: intervals and confidences are about what they were, and go on from there.
const CALIBRATED: [&str; 4] = ["lowerBound", "upperBound", "confidence", "calibrated"];

fn width(step: &serde_json::Map<String, Value>) -> Option<f64> {
    Some(step.get("upperBound")?.as_f64()? - step.get("lowerBound")?.as_f64()?)
}

/// Equal to the last bit on the instruction set that it was recorded with; elsewhere but for rounding. Fields called as in
/// `skip` are not compared, but intervals have about the same width.
pub(crate) fn assert_same(now: &Value, then: &Value, exact: bool, skip: &[&str], at: &str) {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (name, then) in then.iter().filter(|(name, _)| !skip.contains(&name.as_str())) {
                assert_same(&now[name], then, exact, skip, &format!("{at}.{name}"));
            }
            if let (Some(now), Some(then)) = (width(now), width(then)) {
                assert!((0.75..1.3).contains(&(now / then)), "{at}: interval of {now} in place of {then}");
            }
        }
        (Value::Array(now), Value::Array(then)) => {
            assert_eq!(now.len(), then.len(), "{at}");
            now.iter().zip(then).for_each(|(now, then)| assert_same(now, then, exact, skip, at));
        }
        (Value::Number(now), Value::Number(then)) if !exact => {
            let (now, then) = (now.as_f64().unwrap(), then.as_f64().unwrap());
            assert!((now - then).abs() <= 1e-6 * then.abs(), "{at}: {now} {then}");
        }
        _ => assert_eq!(now, then, "{at}"),
    }
}

#[tokio::test]
async fn every_model_forecasts_what_it_forecast_then() {
    let (_world, host) = upgraded().await;
    for id in ["linear", "hybrid", "gbdt", "lstm"] {
        let predicted =
            candlecast_app::predict::predict(&host, &family(&key(), id, "price").unwrap(), None).await.unwrap();
        let manifest = predicted.manifest.as_ref().unwrap();
        assert_eq!(manifest.format, 1, "{id}");
        let exact = manifest.instruction_set == instruction_set();
        let now = serde_json::to_value(ForecastDoc::from(&predicted)).unwrap();
        let then: Value = serde_json::from_slice(&fs::read(fixtures().join(format!("{id}.json"))).unwrap()).unwrap();
        assert_same(&now, &then, exact, &CALIBRATED, id);
    }
}

#[tokio::test]
async fn what_is_known_of_a_model_is_shown_as_of_a_new_one() {
    let (_world, host) = upgraded().await;
    assert_eq!(all_models(&host).await.len(), 4);
    for listed in all_models(&host).await {
        let id = listed.name.to_string();
        let (manifest, saved) = model(&host, &id).await.unwrap();
        let (config, pipeline) = candlecast_app::models::config_and_pipeline(&manifest);
        assert!(config.as_object().is_some_and(|config| !config.is_empty()), "{id}: {config}");
        assert_eq!(pipeline["task"], serde_json::json!({ "kind": "price", "horizon": 2 }), "{id}: {pipeline}");
        assert_eq!((manifest.horizon_steps, saved.out_of_fold), (2, None));
        let validated = validate_model(&host, &id, 10).await.unwrap();
        assert!(validated.validation.report.is_some(), "{id}: {}", validated.validation.remark);
    }
}

#[test]
fn a_queued_training_is_read() {
    let payload = fs::read(fixtures().join("train-job.json")).unwrap();
    let job: TrainJob = serde_json::from_slice(&payload).unwrap();
    assert_eq!(job.check(), Ok(()));
    assert_eq!((job.series.as_slice(), job.common.task.as_str()), ([key()].as_slice(), "price"));
    assert_eq!((job.common.horizon, job.common.valid_share, job.seed), (2, 0.15, Seed(42)));
}
