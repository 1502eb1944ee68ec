//! What the lake's tests share.

use std::future::Future;
use std::path::{Path, PathBuf};

use candlecast_core::{CandleSeries, Interval, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_testkit::series_of;

pub(crate) const HOUR_MS: i64 = 3_600_000;

pub(crate) fn key(symbol: &str, interval: Interval) -> SeriesKey {
    SeriesKey::new(Venue::binance(), Symbol::new(symbol).unwrap(), interval)
}

/// `n` candles from hour `first` of 2023 on.
pub(crate) fn hours(key: &SeriesKey, first: i64, n: i64) -> CandleSeries {
    let start = Timestamp::year_start(2023).ms();
    series_of(key, (first..first + n).map(|h| (start + h * HOUR_MS, 100.0 + (h.rem_euclid(500)) as f64)))
}

/// The file of a series' year, spelled out: other programs rely on it.
pub(crate) fn file_of(root: &Path, symbol: &str, interval: &str, year: i32) -> PathBuf {
    root.join(format!("venue=binance/symbol={symbol}/interval={interval}/year={year}.parquet"))
}

/// Where the newest candles of that year wait.
pub(crate) fn segment_of(root: &Path, symbol: &str, interval: &str, year: i32) -> PathBuf {
    file_of(root, symbol, interval, year).with_file_name(format!("_segment-{year}.log"))
}

/// `n` candles from minute `first` of 2023 on.
pub(crate) fn minutes(key: &SeriesKey, first: i64, n: i64) -> CandleSeries {
    let start = Timestamp::year_start(2023).ms();
    series_of(key, (first..first + n).map(|m| (start + m * 60_000, 100.0 + (m.rem_euclid(500)) as f64)))
}

pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(work)
}
