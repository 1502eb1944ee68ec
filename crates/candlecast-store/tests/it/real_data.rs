//! Years of a real market through the lake.

use std::fs::File;
use std::path::PathBuf;

use candlecast_core::{Candle, CandleSeries, Columns, Interval, TimeRange, Timestamp};
use candlecast_store::{CandleStore, ParquetLake};
use candlecast_testkit::assert_same_candles;

use crate::fixtures::{key, wait};

/// Reads rows of open time, open, high, low, close, volume. Invalid rows are left out, as an import leaves them out.
fn read(path: PathBuf) -> CandleSeries {
    let key = key("BTCUSDT", Interval::H1);
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(File::open(path).unwrap()));
    let mut columns = Columns::default();
    for row in reader.records() {
        let row = row.unwrap();
        let number = |i: usize| row[i].parse::<f64>().unwrap();
        let candle = Candle {
            open_time: Timestamp(row[0].parse().unwrap()),
            open: number(1),
            high: number(2),
            low: number(3),
            close: number(4),
            volume: number(5),
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        };
        if candle.check(key.interval).is_ok() {
            columns.push(&candle);
        }
    }
    CandleSeries::from_unsorted(key, &columns).unwrap()
}

#[test]
fn years_of_hours_come_back_and_import_again_without_change() {
    let Some(folder) = candlecast_testenv::real_data() else { return };
    let series = read(folder.join("candles/BTCUSDT-1h.csv.gz"));
    assert!(series.len() > 50_000);
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let lake = ParquetLake::open(folder.path()).unwrap();
        assert_eq!(lake.upsert(&series).await.unwrap(), series.range());
        assert_same_candles(&lake.scan(series.key(), TimeRange::ALL).await.unwrap(), &series);
        assert_eq!(lake.upsert(&series).await.unwrap(), None);
        let coverage = lake.coverage(series.key()).await.unwrap();
        assert_eq!(coverage.gaps, candlecast_core::Gaps::of(series.open_time(), Interval::H1));
        assert_eq!((coverage.rows, coverage.range), (series.len(), series.range()));
    });
}
