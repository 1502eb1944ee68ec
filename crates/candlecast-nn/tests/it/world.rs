//! A made series with features, split by time; bare networks with random batches.

use std::ops::ControlFlow;
use std::sync::Arc;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, Seed, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_learn::{
    Dataset, FitContext, FitError, FitObserver, FitOutcome, Labels, Learner, Market, ModelState, Panel, Progress,
    SampleId, Samples, Silent, Stop, Task, Thresholds, TrainState,
};
use candlecast_nn::{AdamConfig, Cell, Isa, Loss, SessionBatch, SessionConfig, Shape, catalog};
use serde_json::{Value, json};

/// Longest window used in these tests.
pub(crate) const LOOKBACK: usize = 12;

/// A dataset and its origins in order of time.
pub(crate) struct World {
    pub(crate) data: Dataset,
    pub(crate) ids: Vec<SampleId>,
    pub(crate) task: Task,
    pub(crate) thresholds: Option<Thresholds>,
}

pub(crate) fn price(horizon: usize) -> Task {
    Task::Price { horizon }
}

pub(crate) fn direction(horizon: usize) -> Task {
    Task::Direction { horizon, labels: Labels::Adaptive { low: 0.25, high: 0.75 } }
}

impl World {
    /// Candles whose returns contain `-reversion` times the last return, and normal noise of 0.7 %.
    pub(crate) fn new(n: usize, reversion: f64, seed: u64, task: Task) -> Self {
        let mut rng = Seed(seed).derive("world", 0).stream();
        let mut last = 0.0;
        let returns: Vec<f64> = (0..n)
            .map(|_| {
                last = -reversion * last + 0.007 * rng.normal();
                last
            })
            .collect();
        let noise: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        Self::of_returns(&returns, &noise, task)
    }

    /// Candles with these log returns; features are the returns in percent and `noise`.
    pub(crate) fn of_returns(returns: &[f64], noise: &[f64], task: Task) -> Self {
        let mut columns = Columns::default();
        let mut open = 100.0;
        for (i, r) in returns.iter().enumerate() {
            let close = open * r.exp();
            columns.push(&Candle {
                open_time: Timestamp(i as i64 * Interval::H1.ms()),
                open,
                high: open.max(close),
                low: open.min(close),
                close,
                volume: 1.0,
                quote_volume: None,
                trades: None,
                taker_buy_base: None,
            });
            open = close;
        }
        let key = SeriesKey::new(Venue::synthetic(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let series = CandleSeries::new(key, columns).unwrap();
        let market = Arc::new(Market::new(FilledSeries::new(&series, 3)));
        let table = FeatureTable {
            names: vec!["return".into(), "noise".into()],
            columns: vec![returns.iter().map(|r| 100.0 * r).collect(), noise.to_vec()],
        };
        let panel = Panel::new(Arc::clone(&market), &table);
        let ids: Vec<SampleId> = (LOOKBACK + 32..returns.len())
            .filter(|&row| market.has_targets(row, task.horizon()))
            .map(|row| SampleId { panel: 0, row: row as u32 })
            .collect();
        let future: Vec<f64> =
            ids.iter().map(|id| (1..=task.horizon()).map(|h| returns[id.row as usize + h]).sum::<f64>()).collect();
        let thresholds = match task {
            Task::Direction { labels, .. } => Thresholds::fit(labels, &future[..future.len() / 2]),
            Task::Price { .. } => None,
        };
        Self { data: Dataset::single(panel), ids, task, thresholds }
    }

    /// Samples from `from` to `to`, shares of the whole.
    pub(crate) fn part(&self, (from, to): (f64, f64), learner: &dyn Learner) -> Samples<'_> {
        let at = |share: f64| (share * self.ids.len() as f64) as usize;
        Samples::new(&self.data, &self.ids[at(from)..at(to)], learner.lookback(), self.task, self.thresholds)
    }
}

/// The learner `id`.
pub(crate) fn learner(id: &str, config: &Value) -> Box<dyn Learner> {
    catalog().iter().find(|e| e.id == id).unwrap().build(config).unwrap()
}

/// A small and quick network; the fields of `more` win.
pub(crate) fn small(more: &Value) -> Value {
    let mut config =
        json!({"sequenceLength": 8, "hiddenSize": 12, "batchSize": 32, "epochs": 6, "learningRate": 0.005});
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
