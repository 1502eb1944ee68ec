//! A tiny model to save.

use std::path::Path;

use candlecast_core::{SeriesKey, Symbol, Timestamp, Venue};
use candlecast_registry::{
    Activate, Change, DataRange, Family, FeatureVersion, ModelManifest, NewModel, Registry, Slot,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Weights of the tiny model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tiny {
    pub(crate) weights: Vec<f64>,
    pub(crate) bias: f32,
    pub(crate) clip: Option<f64>,
}

/// Weights that tell which seed they belong to.
pub(crate) fn tiny(seed: u64) -> Tiny {
    Tiny { weights: vec![seed as f64, 0.1, -1e-300], bias: 0.3, clip: None }
}

pub(crate) fn family_of(venue: &str, interval: &str, model: &str, task: &str) -> Family {
    let venue = Venue::new(venue).expect("tests name valid venues");
    let symbol = Symbol::new("BTCUSDT").expect("a valid symbol");
    let interval = interval.parse().expect("tests name valid intervals");
    Family::new(SeriesKey::new(venue, symbol, interval), model, task).expect("tests name valid models")
}

/// The family with the shortest names.
pub(crate) fn lstm() -> Family {
    family_of("binance", "1h", "lstm", "price")
}

/// The slot of [`new_model`] in [`lstm`].
pub(crate) fn day() -> Slot {
    lstm().slot(24)
}

/// A change whose time and author do not matter.
pub(crate) fn now() -> Change<'static> {
    Change { at: Timestamp(1_696_512_060_000), by: "local" }
}

/// The model of the format fixtures, but for its seed.
pub(crate) fn new_model(seed: u64) -> NewModel {
    let feature = |id: &str, version| FeatureVersion { id: id.into(), version };
    NewModel {
        name: None,
        trained_at: Timestamp(1_696_512_000_000),
        accuracy: Some(0.73),
        training_duration_ms: 45_000,
        data_points: 1000,
        config: json!({"hiddenSize": 32, "sequenceLength": 20, "learningRate": 0.001, "epochs": 100}),
        pipeline: json!({"scaler": "robust", "window": 60, "task": "price"}),
        horizon_steps: 24,
        features: vec![feature("log_return_1", 1), feature("rsi_14", 2)],
        data_range: DataRange { from: Timestamp(1_692_912_000_000), to: Timestamp(1_696_512_000_000) },
        data_fingerprint: "5f1d7a84".into(),
        trained_on: vec!["binance:BTCUSDT:1h".into()],
        pool: vec![],
        out_of_fold: true,
        seed,
        program_version: "candlecast 0.1.0".into(),
        instruction_set: "avx2".into(),
        metrics: json!({"mae": 61.5, "coverage": 0.9}),
        baseline_metrics: json!({"naive": {"mae": 62.5}}),
        tries: None,
        feature_histograms: Value::Null,
    }
}

pub(crate) fn registry(root: &Path) -> Registry {
    Registry::open(root.to_owned()).expect("the folder is one")
}

/// [`new_model`] for another horizon.
pub(crate) fn at_horizon(seed: u64, horizon_steps: usize) -> NewModel {
    NewModel { horizon_steps, ..new_model(seed) }
}

/// Saves the tiny model of `seed` as the active one of its slot.
pub(crate) fn save(root: &Path, seed: u64) -> ModelManifest {
    save_at(root, seed, 24)
}

/// Saves the tiny model of `seed` as the active one at `horizon`.
pub(crate) fn save_at(root: &Path, seed: u64, horizon: usize) -> ModelManifest {
    registry(root)
        .save(&lstm(), at_horizon(seed, horizon), &tiny(seed), Activate::Always, 100, now())
        .expect("a writable folder takes a model")
}

/// Names of everything in `folder`, in order, the lock left out.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let name = |e: std::io::Result<std::fs::DirEntry>| e.expect("readable").file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = entries.map(name).filter(|n| n != ".lock").collect();
    names.sort();
    names
}
