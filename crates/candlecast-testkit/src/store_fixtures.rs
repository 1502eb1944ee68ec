//! Candles and keys for the store laws.

use candlecast_core::{Candle, CandleSeries, Columns, Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// A valid candle that opens at `time` (ms) and closes at `price`. Trade count and taker volume are there for every
/// second and third hour only, so that optional columns have holes.
pub fn candle_at(time: i64, price: f64) -> Candle {
    let hour = time.div_euclid(HOUR_MS);
    Candle {
        open_time: Timestamp(time),
        open: price * 0.999,
        high: price * 1.013,
        low: price * 0.987,
        close: price,
        volume: price / 7.0,
        quote_volume: Some(price * price / 7.0),
        trades: (hour % 2 == 0).then_some((price * 3.0).round()),
        taker_buy_base: (hour % 3 == 0).then_some(price / 15.0),
    }
}

/// A series of `key` from pairs of open time (ms) and price, in any order.
///
/// # Panics
/// When a time is off the grid of the key's interval or a price is not above 0.
pub fn series_of(key: &SeriesKey, candles: impl IntoIterator<Item = (i64, f64)>) -> CandleSeries {
    let mut columns = Columns::default();
    for (time, price) in candles {
        columns.push(&candle_at(time, price));
    }
    CandleSeries::from_unsorted(key.clone(), &columns).expect("the fixture's candles are valid")
}

/// Asserts that two series have the same key and the same candles; columns without any value count as no columns.
///
/// # Panics
/// When they differ, naming the first difference.
#[track_caller]
pub fn assert_same_candles(found: &CandleSeries, expected: &CandleSeries) {
    assert_eq!(found.key(), expected.key(), "the series' keys differ");
    for i in 0..found.len().min(expected.len()) {
        assert_eq!(found.candle(i), expected.candle(i), "candle {i} of {} differs", expected.key());
    }
    assert_eq!(found.len(), expected.len(), "{} has another number of candles", expected.key());
}

pub(crate) fn key(symbol: &str, interval: &str) -> SeriesKey {
    SeriesKey::new(
        Venue::binance(),
        Symbol::new(symbol).expect("the fixture's symbols are valid"),
        interval.parse().expect("the fixture's intervals are valid"),
    )
}

pub(crate) fn range(from: i64, to: i64) -> TimeRange {
    TimeRange { from: Timestamp(from), to: Timestamp(to) }
}

/// `n` candles of `interval` from `start` (ms) on, prices rising from `price`.
pub(crate) fn run(interval: Interval, start: i64, n: i64, price: f64) -> impl Iterator<Item = (i64, f64)> + Clone {
    (0..n).map(move |i| (start + i * interval.ms(), price + i as f64))
}

/// Midnight of a new year, where partitions part.
pub(crate) fn border() -> i64 {
    Timestamp::year_start(2023).ms()
}
