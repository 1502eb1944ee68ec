//! Made markets and features of them.

use std::ops::Range;
use std::sync::Arc;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Columns, FeatureTable, FilledSeries, Seed, TimeRange, Timestamp};
use candlecast_learn::{Market, Panel};

/// Longest gap that is filled, in candles.
pub(crate) const MAX_FILL: usize = 3;

/// `n` hourly candles, each with a part of the last return reversed, so that there is something to learn.
pub(crate) fn generated(n: usize, seed: u64) -> CandleSeries {
    let coins = vec![("BTCUSDT", 30_000.0)];
    let config = MarketConfig { coins, n_candles: n, seed: Seed(seed), predictability: 0.3, ..MarketConfig::default() };
    generate(&config).remove(0).series
}

pub(crate) fn market(series: &CandleSeries) -> Arc<Market> {
    Arc::new(Market::new(FilledSeries::new(series, MAX_FILL)))
}

/// `series` but for the candles `missing`.
pub(crate) fn without(series: &CandleSeries, missing: &[Range<usize>]) -> CandleSeries {
    let mut columns = Columns::default();
    for i in (0..series.len()).filter(|i| !missing.iter().any(|gap| gap.contains(i))) {
        columns.push(&series.candle(i));
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// The first `row` candles of `series`, and what another market did from there on.
pub(crate) fn with_other_future(series: &CandleSeries, row: usize) -> CandleSeries {
    let other = generated(series.len(), 77);
    let mut columns = series.columns().slice(0..row);
    for i in row..series.len() {
        columns.push(&other.candle(i));
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// From the open of the first of `rows` to the close of the last.
pub(crate) fn time_of(market: &Market, rows: Range<usize>) -> TimeRange {
    let series = market.series();
    TimeRange { from: Timestamp(series.columns().open_time[rows.start]), to: series.close_time(rows.end - 1) }
}

/// Two features of one candle each, in percent: its log return and its log range.
pub(crate) fn features(market: &Market) -> FeatureTable {
    let c = market.series().columns();
    let percent = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| 100.0 * (a / b).ln()).collect() };
    FeatureTable {
        names: vec!["body".into(), "range".into()],
        columns: vec![percent(&c.close, &c.open), percent(&c.high, &c.low)],
    }
}

/// A panel of [`features`].
pub(crate) fn with_features(market: &Arc<Market>) -> Panel {
    Panel::new(Arc::clone(market), &features(market))
}

/// A panel without features.
pub(crate) fn closes_only(market: &Arc<Market>) -> Panel {
    Panel::new(Arc::clone(market), &FeatureTable::default())
}
