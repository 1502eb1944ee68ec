//! Made markets with features, and shorthands for fits.

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::{Extent, FitContext, FitError, FitOutcome, Labels, Learner, Prediction, Samples, Silent, Task};
use candlecast_models::catalog;
use candlecast_testkit::{World, lagged_percent, normals, reverting_returns};
use serde_json::Value;

/// Rows in a window.
const LOOKBACK: usize = 30;
/// First origin: the first row whose volatility is known.
const FIRST_ROW: usize = 32;

pub(crate) fn price(horizon: usize) -> Task {
    Task::Price { horizon }
}

pub(crate) fn direction(horizon: usize) -> Task {
    Task::Direction { horizon, labels: Labels::Adaptive { low: 0.25, high: 0.75 } }
}

pub(crate) fn volatility(horizon: usize) -> Task {
    Task::Volatility { horizon }
}

/// `n` candles whose returns have a standard deviation that is a wave of twelve rows around 0.7 %; in place of the noise
/// a feature tells where the wave will stand in the next row.
pub(crate) fn waving(n: usize, seed: u64, task: Task) -> World {
    let wave = |row: usize| 0.8 * (row as f64 * std::f64::consts::TAU / 12.0).sin();
    let shocks = normals(n, &mut Seed(seed).derive("world", 1).stream());
    let returns: Vec<f64> = shocks.iter().enumerate().map(|(row, shock)| 0.007 * wave(row).exp() * shock).collect();
    of_returns(&returns, (0..n).map(|row| wave(row + 1)).collect(), task)
}

/// `n` candles whose returns contain `-reversion` times the last one, otherwise normal noise of 0.7 %.
pub(crate) fn reverting(n: usize, reversion: f64, seed: u64, task: Task) -> World {
    let mut rng = Seed(seed).derive("world", 0).stream();
    let returns = reverting_returns(n, reversion, &mut rng);
    of_returns(&returns, normals(n, &mut rng), task)
}

/// Candles with these log returns; features are the last three returns in percent and `noise`.
pub(crate) fn of_returns(returns: &[f64], noise: Vec<f64>, task: Task) -> World {
    let features = FeatureTable {
        names: ["return_0", "return_1", "return_2", "noise"].map(String::from).to_vec(),
        columns: vec![lagged_percent(returns, 0), lagged_percent(returns, 1), lagged_percent(returns, 2), noise],
    };
    World::new(returns, &features, FIRST_ROW, LOOKBACK, task)
}

pub(crate) fn build(id: &str, config: &Value) -> Box<dyn Learner> {
    catalog().iter().find(|entry| entry.answers_to(id)).unwrap().build(config).unwrap()
}

/// Settings that make fits quick where the outcome is not what is tested.
pub(crate) fn quick(id: &str) -> Value {
    match id {
        "gbdt" => serde_json::json!({ "rounds": 12, "maxDepth": 3, "subsample": 0.8, "colsample": 0.75 }),
        "random-forest" => serde_json::json!({ "trees": 20 }),
        _ => Value::Null,
    }
}

pub(crate) fn fit(
    learner: &dyn Learner,
    train: &Samples<'_>,
    valid: Option<&Samples<'_>>,
    threads: usize,
) -> Result<FitOutcome, FitError> {
    let mut observer = Silent;
    let mut cx = FitContext {
        seed: Seed(7),
        valid,
        threads,
        warm: None,
        resume: None,
        extent: Extent::default(),
        observer: &mut observer,
    };
    learner.fit(train, &mut cx)
}

pub(crate) fn predict(outcome: &FitOutcome, samples: &Samples<'_>) -> Prediction {
    let mut out = Prediction::default();
    outcome.model.predict_into(samples, &mut out);
    out
}

/// Mean squared error at `step` (from 1) relative to the naive forecast's.
pub(crate) fn relative_error(prediction: &Prediction, samples: &Samples<'_>, step: usize) -> f64 {
    let mut y = vec![0.0; prediction.width];
    let (mut error, mut naive) = (0.0, 0.0);
    for i in 0..samples.len() {
        samples.returns_into(i, &mut y);
        error += (y[step - 1] - prediction.row(i)[step - 1]).powi(2);
        naive += y[step - 1].powi(2);
    }
    error / naive
}
