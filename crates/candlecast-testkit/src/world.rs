//! [`World`]: a made market whose truth is known, as samples in three parts.

use std::sync::Arc;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, SeriesKey, Stream, Symbol, Timestamp, Venue,
};
use candlecast_learn::{Dataset, Market, Panel, SampleId, Samples, Task, Thresholds};

/// Standard deviation of what cannot be known of [`reverting_returns`].
const SIGMA: f64 = 0.007;

/// `n` log returns that contain `-reversion` times the last one, besides normal noise of 0.7 %.
pub fn reverting_returns(n: usize, reversion: f64, rng: &mut Stream) -> Vec<f64> {
    let mut last = 0.0;
    (0..n)
        .map(|_| {
            last = -reversion * last + SIGMA * rng.normal();
            last
        })
        .collect()
}

/// `n` standard normal numbers.
pub fn normals(n: usize, rng: &mut Stream) -> Vec<f64> {
    (0..n).map(|_| rng.normal()).collect()
}

/// A feature: the log return `lag` rows before each row, in percent; 0 where there is none.
pub fn lagged_percent(returns: &[f64], lag: usize) -> Vec<f64> {
    (0..returns.len()).map(|i| if i < lag { 0.0 } else { 100.0 * returns[i - lag] }).collect()
}

/// A market with features and its origins in order of time, which are split in three: 70 % to train on, 15 % to
/// validate on, 15 % to test on.
#[derive(Debug)]
pub struct World {
    /// One panel: the features over the market.
    pub data: Dataset,
    /// Origins whose targets are known.
    pub ids: Vec<SampleId>,
    /// What is predicted.
    pub task: Task,
    /// Class thresholds of the training part (direction task).
    pub thresholds: Option<Thresholds>,
    lookback: usize,
}

impl World {
    /// Hourly candles with these log `returns`, `[row]`, and `features` over the same rows, as samples with windows of
    /// `lookback` rows. Every row from `first_row` on with known targets is an origin, whatever its features are.
    /// The volatility is known from row 32 on.
    ///
    /// # Panics
    /// When the first window does not fit before `first_row`, or the returns lead to no valid candles.
    pub fn new(returns: &[f64], features: &FeatureTable, first_row: usize, lookback: usize, task: Task) -> Self {
        assert!(first_row + 1 >= lookback, "a window of {lookback} rows does not fit before row {first_row}");
        let market = Arc::new(Market::new(FilledSeries::new(&candles(returns), 0)));
        let panel = Panel::new(Arc::clone(&market), features);
        let ids = (first_row..returns.len())
            .filter(|&row| market.has_targets(row, task.horizon()))
            .map(|row| SampleId { panel: 0, row: row as u32 })
            .collect();
        let mut world = Self { data: Dataset::single(panel), ids, task, thresholds: None, lookback };
        if let Task::Direction { .. } = task {
            world.thresholds = world.train().fit_thresholds();
        }
        world
    }

    /// The same with other class thresholds.
    #[must_use]
    pub fn with_thresholds(self, thresholds: Thresholds) -> Self {
        Self { thresholds: Some(thresholds), ..self }
    }

    /// First 70 %, less the horizon.
    pub fn train(&self) -> Samples<'_> {
        self.purged(0.0, 0.7)
    }

    /// 70 % to 85 %, less the horizon.
    pub fn valid(&self) -> Samples<'_> {
        self.purged(0.7, 0.85)
    }

    /// Last 15 %.
    pub fn test(&self) -> Samples<'_> {
        self.part(0.85, 1.0)
    }

    /// Origins from one share of the whole to another.
    pub fn part(&self, from: f64, to: f64) -> Samples<'_> {
        let at = |share: f64| (share * self.ids.len() as f64) as usize;
        Samples::new(&self.data, &self.ids[at(from)..at(to)], self.lookback, self.task, self.thresholds)
    }

    fn purged(&self, from: f64, to: f64) -> Samples<'_> {
        let part = self.part(from, to);
        part.slice(0..part.len() - self.task.horizon())
    }
}

/// Hourly candles with these log returns from a price of 100, each opening where the last one closed.
fn candles(returns: &[f64]) -> CandleSeries {
    let mut columns = Columns::default();
    let mut open = 100.0_f64;
    for (i, log_return) in returns.iter().enumerate() {
        let close = open * log_return.exp();
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
    let symbol = Symbol::new("MADEUSDT").expect("the symbol is in exchange form");
    let key = SeriesKey::new(Venue::synthetic(), symbol, Interval::H1);
    CandleSeries::new(key, columns).expect("the returns of a fixture give valid candles")
}
