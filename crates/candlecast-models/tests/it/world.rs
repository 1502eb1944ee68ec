//! A made series with features, split by time.

use std::sync::Arc;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, Seed, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_learn::{
    Dataset, FitContext, FitError, FitOutcome, Labels, Learner, Market, Panel, Prediction, SampleId, Samples, Silent,
    Task, Thresholds,
};
use candlecast_models::catalog;
use serde_json::Value;

pub(crate) const LOOKBACK: usize = 30;

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
    /// Candles whose returns contain `-reversion` of the last return, otherwise normal noise of 0.7 %.
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

    /// Candles with these log returns; features are the last three returns in percent and `noise`.
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
        let lag = |k: usize| -> Vec<f64> {
            (0..returns.len()).map(|i| if i < k { f64::NAN } else { 100.0 * returns[i - k] }).collect()
        };
        let table = FeatureTable {
            names: ["return_0", "return_1", "return_2", "noise"].map(String::from).to_vec(),
            columns: vec![lag(0), lag(1), lag(2), noise.to_vec()],
        };
        let panel = Panel::new(Arc::clone(&market), &table);
        let ids: Vec<SampleId> = (0..returns.len())
            .filter(|&row| panel.is_origin(row, LOOKBACK) && market.has_targets(row, task.horizon()))
            .map(|row| SampleId { panel: 0, row: row as u32 })
            .collect();
        let data = Dataset::single(panel);
        let mut world = Self { data, ids, task, thresholds: None };
        if let Task::Direction { labels, .. } = task {
            let all = world.samples(0.0, 1.0);
            let train: Vec<f64> = (0..all.len() * 7 / 10).map(|i| all.return_over_horizon(i)).collect();
            world.thresholds = Thresholds::fit(labels, &train);
        }
        world
    }

    /// Origins from one share of time to another.
    pub(crate) fn samples(&self, from: f64, to: f64) -> Samples<'_> {
        let at = |share: f64| (share * self.ids.len() as f64) as usize;
        Samples::new(&self.data, &self.ids[at(from)..at(to)], LOOKBACK, self.task, self.thresholds)
    }

    /// First 70 %, less the horizon.
    pub(crate) fn train(&self) -> Samples<'_> {
        let all = self.samples(0.0, 0.7);
        all.slice(0..all.len() - self.task.horizon())
    }

    /// 70 % to 85 %, less the horizon.
    pub(crate) fn valid(&self) -> Samples<'_> {
        let all = self.samples(0.7, 0.85);
        all.slice(0..all.len() - self.task.horizon())
    }

    /// Last 15 %.
    pub(crate) fn test(&self) -> Samples<'_> {
        self.samples(0.85, 1.0)
    }
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
    let mut cx = FitContext { seed: Seed(7), valid, threads, warm: None, resume: None, observer: &mut observer };
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
