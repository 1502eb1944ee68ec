//! Files that are not what they should be.

use std::fs;
use std::path::Path;

use candlecast_core::{CandleSeries, Interval, TimeRange};
use candlecast_store::{CandleStore, ParquetLake, StoreError};
use candlecast_testkit::assert_same_candles;

use crate::fixtures::{file_of, hours, key, segment_of, wait};

#[track_caller]
fn assert_corrupt<T: std::fmt::Debug>(result: Result<T, StoreError>, path: &Path) {
    match result {
        Err(StoreError::Corrupt { path: named, reason }) => {
            assert_eq!(named, path);
            assert!(!reason.is_empty());
        }
        other => panic!("a damaged file must be named, got {other:?}"),
    }
}

fn lake_of(folder: &Path, series: &CandleSeries) -> ParquetLake {
    let lake = ParquetLake::open(folder).unwrap();
    wait(lake.upsert(series)).unwrap();
    lake
}

#[test]
fn every_flipped_byte_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let series = hours(&key("BTCUSDT", Interval::H1), 0, 300);
    let lake = lake_of(folder.path(), &series);
    let path = file_of(folder.path(), "BTCUSDT", "1h", 2023);
    let good = fs::read(&path).unwrap();
    // The first four bytes say "Parquet" to people and are not read.
    for at in (4..good.len()).step_by(37).chain(good.len() - 40..good.len()) {
        let mut bad = good.clone();
        bad[at] ^= 0x15;
        fs::write(&path, &bad).unwrap();
        assert_corrupt(wait(lake.scan(series.key(), TimeRange::ALL)), &path);
    }
    fs::write(&path, &good).unwrap();
    assert_same_candles(&wait(lake.scan(series.key(), TimeRange::ALL)).unwrap(), &series);
}

#[test]
fn truncated_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let series = hours(&key("BTCUSDT", Interval::H1), 0, 300);
    let lake = lake_of(folder.path(), &series);
    let path = file_of(folder.path(), "BTCUSDT", "1h", 2023);
    let good = fs::read(&path).unwrap();
    for length in [0, 3, 7, 12, good.len() / 3, good.len() - 9, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert_corrupt(wait(lake.scan(series.key(), TimeRange::ALL)), &path);
        assert_corrupt(wait(lake.upsert(&hours(series.key(), 400, 1))), &path);
        assert_eq!(fs::read(&path).unwrap(), &good[..length], "a damaged file is not overwritten");
    }
    fs::write(&path, b"open_time,open,high,low,close\n1,2,3,4,5\n").unwrap();
    assert_corrupt(wait(lake.scan(series.key(), TimeRange::ALL)), &path);
}

#[test]
fn a_damaged_row_group_is_not_copied_into_the_next_version() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::M1);
    let start = candlecast_core::Timestamp::year_start(2023).ms();
    let minutes = |a: i64, b: i64| {
        candlecast_testkit::series_of(&key, (a..b).map(|i| (start + i * 60_000, 50.0 + (i % 9) as f64)))
    };
    let lake = lake_of(folder.path(), &minutes(0, 70_000));
    let path = file_of(folder.path(), "BTCUSDT", "1m", 2023);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    // The upsert touches the last row group only.
    assert_corrupt(wait(lake.upsert(&minutes(70_000, 70_600))), &path);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // A single candle is appended beside the file, and waits there until the file is whole again.
    assert_eq!(wait(lake.upsert(&minutes(70_000, 70_001))).unwrap(), minutes(70_000, 70_001).range());
    assert_corrupt(wait(lake.compact(&key)), &path);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    bytes[200] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(wait(lake.compact(&key)).unwrap(), 1);
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(0, 70_001));
}

#[test]
fn every_flipped_byte_of_a_segment_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let btc = key("BTCUSDT", Interval::H1);
    let whole = hours(&btc, -30, 33);
    let lake = lake_of(folder.path(), &hours(&btc, -30, 31));
    for hour in [1, 2] {
        wait(lake.upsert(&hours(&btc, hour, 1))).unwrap();
    }
    let path = segment_of(folder.path(), "BTCUSDT", "1h", 2023);
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x15;
        fs::write(&path, &bad).unwrap();
        assert_corrupt(wait(lake.scan(&btc, TimeRange::ALL)), &path);
        if at % 50 == 0 {
            assert_corrupt(wait(lake.upsert(&hours(&btc, 3, 1))), &path);
            assert_corrupt(wait(lake.compact(&btc)), &path);
            assert_eq!(fs::read(&path).unwrap(), bad, "a damaged file is not overwritten");
        }
    }
    // The other year is read, and the remedy is told.
    let last_year = hours(&btc, -30, 30);
    assert_same_candles(&wait(lake.scan(&btc, last_year.range().unwrap())).unwrap(), &last_year);
    let coverage = wait(lake.list()).unwrap().remove(0);
    assert_eq!((coverage.rows, coverage.range), (30, last_year.range()));
    assert!(coverage.damaged[0].contains("_segment-2023.log"), "{:?}", coverage.damaged);
    assert!(coverage.damaged[0].contains("fetch the newest candles of 2023 again"), "{:?}", coverage.damaged);
    fs::write(&path, &good).unwrap();
    assert_same_candles(&wait(lake.scan(&btc, TimeRange::ALL)).unwrap(), &whole);
    // What the remedy says: moved away, and brought in again.
    fs::remove_file(&path).unwrap();
    wait(lake.upsert(&hours(&btc, 1, 2))).unwrap();
    assert_same_candles(&wait(lake.scan(&btc, TimeRange::ALL)).unwrap(), &whole);
}

#[test]
fn a_segment_outlives_the_file_of_its_year() {
    let folder = tempfile::tempdir().unwrap();
    let btc = key("BTCUSDT", Interval::H1);
    let lake = lake_of(folder.path(), &hours(&btc, 0, 10));
    wait(lake.upsert(&hours(&btc, 10, 1))).unwrap();
    // The remedy for a damaged year.
    fs::remove_file(file_of(folder.path(), "BTCUSDT", "1h", 2023)).unwrap();
    assert_same_candles(&wait(lake.scan(&btc, TimeRange::ALL)).unwrap(), &hours(&btc, 10, 1));
    assert_eq!(wait(lake.coverage(&btc)).unwrap().rows, 1);
    assert_eq!(wait(lake.upsert(&hours(&btc, 0, 11))).unwrap(), hours(&btc, 0, 10).range());
    assert_same_candles(&wait(lake.scan(&btc, TimeRange::ALL)).unwrap(), &hours(&btc, 0, 11));
    assert!(!segment_of(folder.path(), "BTCUSDT", "1h", 2023).exists());
}

#[test]
fn a_file_in_the_wrong_place_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (btc, eth) = (key("BTCUSDT", Interval::H1), key("ETHUSDT", Interval::H1));
    let lake = lake_of(folder.path(), &hours(&btc, 0, 10));
    wait(lake.upsert(&hours(&eth, 0, 10))).unwrap();
    let (from, to) = (file_of(folder.path(), "BTCUSDT", "1h", 2023), file_of(folder.path(), "ETHUSDT", "1h", 2023));
    fs::copy(&from, &to).unwrap();
    let error = wait(lake.scan(&eth, TimeRange::ALL)).unwrap_err().to_string();
    assert!(error.contains("binance:BTCUSDT:1h") && error.contains("binance:ETHUSDT:1h"), "{error}");
    let other_year = file_of(folder.path(), "BTCUSDT", "1h", 2020);
    fs::copy(&from, &other_year).unwrap();
    assert_corrupt(wait(lake.scan(&btc, TimeRange::ALL)), &other_year);
}

#[test]
fn a_damaged_year_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let btc = key("BTCUSDT", Interval::H1);
    let whole = hours(&btc, -50, 100);
    let lake = lake_of(folder.path(), &whole);
    let path = file_of(folder.path(), "BTCUSDT", "1h", 2022);
    fs::write(&path, b"PAR1 nothing else").unwrap();
    let this_year = hours(&btc, 0, 50);
    let found = wait(lake.scan(&btc, this_year.range().unwrap())).unwrap();
    assert_same_candles(&found, &this_year);
    assert_corrupt(wait(lake.scan(&btc, TimeRange::ALL)), &path);
    let coverage = wait(lake.list()).unwrap().remove(0);
    assert_eq!((coverage.rows, coverage.range), (50, this_year.range()));
    assert!(coverage.damaged.len() == 1 && coverage.damaged[0].contains("year=2022.parquet"));
}
