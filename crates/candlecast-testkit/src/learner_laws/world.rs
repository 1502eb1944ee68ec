//! Made series for the laws of learners.

use std::sync::Arc;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, Seed, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_learn::{Dataset, Market, Panel, SampleId, Samples, Task, Thresholds};

/// Candles of a series.
pub(super) const N_CANDLES: usize = 900;
/// Rows that lie in the training, the validation and the test part of [`N_CANDLES`] candles.
pub(super) const ROW_OF_TRAIN: usize = 300;
pub(super) const ROW_OF_VALID: usize = 690;
pub(super) const ROW_OF_TEST: usize = 820;
/// The feature that says nothing, and that is spoilt where features are.
pub(super) const NOISE: &str = "noise";

/// First row whose volatility is known.
const FIRST_ROW: usize = 32;
const SIGMA: f64 = 0.007;

/// Log returns and features before they become a market.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    returns: Vec<f64>,
    noise: Vec<f64>,
}

impl Tape {
    /// Returns that contain `-reversion` times the last one, besides normal noise of 0.7 %.
    pub(super) fn reverting(n: usize, reversion: f64) -> Self {
        let mut rng = Seed(11).derive("learner-laws", 0).stream();
        let mut last = 0.0;
        let returns = (0..n)
            .map(|_| {
                last = -reversion * last + SIGMA * rng.normal();
                last
            })
            .collect();
        Self::of_returns(returns)
    }

    /// These log returns.
    pub(super) fn of_returns(returns: Vec<f64>) -> Self {
        let mut rng = Seed(12).derive("learner-laws", 1).stream();
        let noise = (0..returns.len()).map(|_| rng.normal()).collect();
        Self { returns, noise }
    }

    /// The same with another log return at `row`.
    pub(super) fn with_return(mut self, row: usize, log_return: f64) -> Self {
        self.returns[row] = log_return;
        self
    }

    /// The same with another value of [`NOISE`] at `row`.
    pub(super) fn with_noise(mut self, row: usize, value: f64) -> Self {
        self.noise[row] = value;
        self
    }

    /// The same, standing still before `row`.
    pub(super) fn still_before(mut self, row: usize) -> Self {
        self.returns[..row].fill(0.0);
        self
    }

    fn candles(&self) -> CandleSeries {
        let mut columns = Columns::default();
        let mut open = 100.0_f64;
        for (i, log_return) in self.returns.iter().enumerate() {
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
        let symbol = Symbol::new("LAWSUSDT").expect("the fixture's symbol is valid");
        let key = SeriesKey::new(Venue::synthetic(), symbol, Interval::H1);
        CandleSeries::new(key, columns).expect("the fixture's candles are valid")
    }

    /// The last return and the one before it, in percent, and the noise.
    fn features(&self) -> FeatureTable {
        let percent = |lag: usize| -> Vec<f64> {
            (0..self.returns.len()).map(|i| if i < lag { 0.0 } else { 100.0 * self.returns[i - lag] }).collect()
        };
        FeatureTable {
            names: ["last_return", "return_before", NOISE].map(String::from).to_vec(),
            columns: vec![percent(0), percent(1), self.noise.clone()],
        }
    }
}

/// A market with features, its origins in order of time, split in three.
#[derive(Debug)]
pub(super) struct World {
    data: Dataset,
    ids: Vec<SampleId>,
    lookback: usize,
    task: Task,
    thresholds: Option<Thresholds>,
}

impl World {
    /// The market of `tape` as samples with windows of `lookback` rows. Class thresholds come from the training part.
    pub(super) fn new(tape: &Tape, lookback: usize, task: Task) -> Self {
        let market = Arc::new(Market::new(FilledSeries::new(&tape.candles(), 0)));
        let panel = Panel::new(Arc::clone(&market), &tape.features());
        // Rows with spoilt features are origins too: that is what some laws are about.
        let ids = (FIRST_ROW.max(lookback)..tape.returns.len())
            .filter(|&row| market.has_targets(row, task.horizon()))
            .map(|row| SampleId { panel: 0, row: row as u32 })
            .collect();
        let mut world = Self { data: Dataset::single(panel), ids, lookback, task, thresholds: None };
        if let Task::Direction { labels, .. } = task {
            let train = world.train();
            let returns: Vec<f64> = (0..train.len()).map(|i| train.return_over_horizon(i)).collect();
            world.thresholds = Thresholds::fit(labels, &returns);
        }
        world
    }

    /// The same with other class thresholds.
    pub(super) fn with_thresholds(self, thresholds: Thresholds) -> Self {
        Self { thresholds: Some(thresholds), ..self }
    }

    /// First 70 %, less the horizon.
    pub(super) fn train(&self) -> Samples<'_> {
        self.part(0.0, 0.7, self.task.horizon())
    }

    /// 70 % to 85 %, less the horizon.
    pub(super) fn valid(&self) -> Samples<'_> {
        self.part(0.7, 0.85, self.task.horizon())
    }

    /// Last 15 %.
    pub(super) fn test(&self) -> Samples<'_> {
        self.part(0.85, 1.0, 0)
    }

    fn part(&self, from: f64, to: f64, purge: usize) -> Samples<'_> {
        let at = |share: f64| (share * self.ids.len() as f64) as usize;
        let ids = &self.ids[at(from)..at(to) - purge];
        Samples::new(&self.data, ids, self.lookback, self.task, self.thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_rows_lie_in_their_parts() {
        for (lookback, horizon) in [(1, 1), (32, 24)] {
            let world = World::new(&Tape::reverting(N_CANDLES, 0.4), lookback, Task::Price { horizon });
            let holds = |samples: Samples<'_>, row: usize| samples.ids().iter().any(|id| id.row as usize == row);
            assert!(holds(world.train(), ROW_OF_TRAIN), "{lookback} {horizon}");
            assert!(holds(world.valid(), ROW_OF_VALID), "{lookback} {horizon}");
            assert!(holds(world.test(), ROW_OF_TEST), "{lookback} {horizon}");
        }
    }
}
