//! Made markets and features of them.

use std::ops::Range;
use std::sync::Arc;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureTable, FilledSeries, Interval, Seed, SeriesKey, Symbol, TimeRange, Timestamp,
    Venue,
};
use candlecast_learn::{Market, Panel};

/// Longest gap that is filled, in candles.
pub(crate) const MAX_FILL: usize = 3;

/// `n` hourly candles, each with a part of the last return reversed, so that there is something to learn.
pub(crate) fn generated(n: usize, seed: u64) -> CandleSeries {
    let coins = vec![("BTCUSDT", 30_000.0)];
    let config = MarketConfig { coins, n_candles: n, seed: Seed(seed), predictability: 0.3, ..MarketConfig::default() };
    generate(&config).remove(0).series
}

/// Two markets of `n` hourly candles over the same time, in each of which a part of the last return is reversed.
pub(crate) fn pair(n: usize, seed: u64) -> [CandleSeries; 2] {
    let coins = vec![("BTCUSDT", 30_000.0), ("ETHUSDT", 2_000.0)];
    let config = MarketConfig { coins, n_candles: n, seed: Seed(seed), predictability: 0.3, ..MarketConfig::default() };
    let mut made = generate(&config).into_iter().map(|generated| generated.series);
    std::array::from_fn(|_| made.next().unwrap())
}

/// Standard deviation of one-step log returns of the markets that are made here.
const SIGMA: f64 = 0.006;

/// `n` log returns whose log variance goes back to its mean by 2 % a step: calm and wild times that last for days.
pub(crate) fn clustered_returns(n: usize, seed: u64) -> Vec<f64> {
    const KEPT: f64 = 0.98;
    let mut rng = Seed(seed).derive("clustered", 0).stream();
    let mut log_variance = 0.0_f64;
    (0..n)
        .map(|_| {
            log_variance = KEPT * log_variance + (1.0 - KEPT * KEPT).sqrt() * rng.normal();
            SIGMA * (0.5 * log_variance).exp() * rng.normal()
        })
        .collect()
}

/// Hourly candles with these log returns from a price of 100, each opening where the last one closed.
pub(crate) fn of_returns(returns: &[f64]) -> CandleSeries {
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
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("MADEUSDT").unwrap(), Interval::H1);
    CandleSeries::new(key, columns).unwrap()
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

/// The first `row` candles of `series` and one more, at whose close the price is `factor` times the last one.
pub(crate) fn ending_with(series: &CandleSeries, row: usize, factor: f64) -> CandleSeries {
    let mut columns = series.columns().slice(0..row);
    let (mut candle, last) = (series.candle(row), series.close()[row - 1]);
    candle.close = factor * last;
    candle.high = candle.high.max(candle.close);
    candle.low = candle.low.min(candle.close);
    columns.push(&candle);
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

/// Three features of the volatility: the log variance of the last 6 and of the last 24 candles over what the volatility
/// stands for, and the log volatility.
pub(crate) fn variances(market: &Market) -> FeatureTable {
    let (closes, volatility) = (market.log_close(), market.volatility());
    let past = |row: usize, n: usize| -> f64 {
        if row < market.series().segment_of(row).start + n {
            return f64::NAN;
        }
        let squares: f64 = closes[row - n..=row].windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        (squares / (n as f64 * volatility[row].powi(2))).ln()
    };
    let column = |value: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..closes.len()).map(value).collect() };
    FeatureTable {
        names: vec!["past_6".into(), "past_24".into(), "level".into()],
        columns: vec![column(&|row| past(row, 6)), column(&|row| past(row, 24)), column(&|row| volatility[row].ln())],
    }
}

/// A panel of [`variances`].
pub(crate) fn with_variances(market: &Arc<Market>) -> Panel {
    Panel::new(Arc::clone(market), &variances(market))
}

/// The columns of both tables, side by side.
pub(crate) fn joined(a: FeatureTable, b: FeatureTable) -> FeatureTable {
    FeatureTable { names: [a.names, b.names].concat(), columns: [a.columns, b.columns].concat() }
}
