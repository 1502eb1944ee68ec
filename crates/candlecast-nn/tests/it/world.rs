//! Made markets with features; bare networks with random batches.

use std::ops::ControlFlow;

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::{
    Extent, FitContext, FitError, FitObserver, FitOutcome, Labels, Learner, ModelState, Progress, Samples, Silent,
    Stop, Task, TrainState,
};
use candlecast_nn::{AdamConfig, Cell, Isa, Loss, SessionBatch, SessionConfig, Shape, catalog};
use candlecast_testkit::{World, lagged_percent, reverting_returns};
use serde_json::{Value, json};

/// Rows in a window of the networks of [`small`].
const LOOKBACK: usize = 8;
/// First origin, some rows after the first whose volatility is known.
const FIRST_ROW: usize = 44;

pub(crate) fn price(horizon: usize) -> Task {
    Task::Price { horizon }
}

pub(crate) fn direction(horizon: usize) -> Task {
    Task::Direction { horizon, labels: Labels::Adaptive { low: 0.25, high: 0.75 } }
}

pub(crate) fn volatility(horizon: usize) -> Task {
    Task::Volatility { horizon }
}

/// `n` candles whose returns contain `-reversion` times the last one, and normal noise of 0.7 %.
pub(crate) fn reverting(n: usize, reversion: f64, seed: u64, task: Task) -> World {
    let mut rng = Seed(seed).derive("world", 0).stream();
    let returns = reverting_returns(n, reversion, &mut rng);
    of_returns(&returns, candlecast_testkit::normals(n, &mut rng), task)
}

/// Candles with these log returns; features are the returns in percent and `noise`. Windows are those of [`small`].
pub(crate) fn of_returns(returns: &[f64], noise: Vec<f64>, task: Task) -> World {
    let features = FeatureTable {
        names: ["return", "noise"].map(String::from).to_vec(),
        columns: vec![lagged_percent(returns, 0), noise],
    };
    World::new(returns, &features, FIRST_ROW, LOOKBACK, task)
}

/// The learner `id`.
pub(crate) fn learner(id: &str, config: &Value) -> Box<dyn Learner> {
    catalog().iter().find(|e| e.id == id).unwrap().build(config).unwrap()
}

/// A small and quick network; the fields of `more` win.
pub(crate) fn small(more: &Value) -> Value {
    let mut config =
        json!({"sequenceLength": LOOKBACK, "hiddenSize": 12, "batchSize": 32, "epochs": 6, "learningRate": 0.005});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// What a fit may be given besides samples.
#[derive(Default)]
pub(crate) struct Given<'a> {
    pub(crate) valid: Option<&'a Samples<'a>>,
    pub(crate) threads: usize,
    pub(crate) warm: Option<&'a ModelState>,
    pub(crate) resume: Option<&'a TrainState>,
}

/// Fits with seed 5 and an observer.
pub(crate) fn fit_watched(
    learner: &dyn Learner,
    train: &Samples<'_>,
    given: &Given<'_>,
    observer: &mut dyn FitObserver,
) -> Result<FitOutcome, FitError> {
    let mut cx = FitContext {
        seed: Seed(5),
        valid: given.valid,
        threads: given.threads.max(1),
        warm: given.warm,
        resume: given.resume,
        extent: Extent::default(),
        observer,
    };
    learner.fit(train, &mut cx)
}

/// Fits with seed 5.
pub(crate) fn fit(learner: &dyn Learner, train: &Samples<'_>, given: &Given<'_>) -> Result<FitOutcome, FitError> {
    fit_watched(learner, train, given, &mut Silent)
}

/// Keeps progress and checkpoints; can stop after a number of epochs.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) progress: Vec<Progress>,
    pub(crate) checkpoints: Vec<TrainState>,
    pub(crate) stop_after: Option<usize>,
}

impl FitObserver for Recorder {
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.progress.push(*progress);
        self.checkpoints.push(snapshot());
        if self.stop_after == Some(progress.step) {
            ControlFlow::Break(Stop::Cancelled)
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// The instruction sets that this processor has.
pub(crate) fn isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// A session's configuration with mean squared error, one thread and no dropout.
pub(crate) fn session_config(shape: &Shape, isa: Isa) -> SessionConfig {
    SessionConfig {
        shape: shape.clone(),
        loss: Loss::Mse,
        adam: AdamConfig::default(),
        dropout: 0.0,
        batch_size: 256,
        threads: 1,
        isa,
        seed: Seed(3),
    }
}

pub(crate) fn shape(cell: Cell, inputs: usize, hidden: &[usize], outputs: usize, steps: usize) -> Shape {
    Shape { cell, inputs, hidden: hidden.to_vec(), outputs, steps }
}

/// `n` normal numbers.
pub(crate) fn normals(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Seed(seed).stream();
    (0..n).map(|_| rng.normal() as f32).collect()
}

/// A batch of normal inputs and targets.
pub(crate) fn random_batch(shape: &Shape, rows: usize, seed: u64) -> SessionBatch {
    let inputs = normals(rows * shape.steps * shape.inputs, seed);
    SessionBatch::of_values(shape, inputs, normals(rows * shape.outputs, seed + 1)).unwrap()
}
