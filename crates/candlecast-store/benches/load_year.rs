//! Loading one year of one-minute candles from the lake into a series, and storing one candle more.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::Duration;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Interval, TimeRange, Timestamp};
use candlecast_store::{CandleStore, ParquetLake};
use criterion::{Criterion, criterion_group, criterion_main};

const N_CANDLES: usize = 525_600;

fn year_of_minutes() -> CandleSeries {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: N_CANDLES,
        // Half a year each in two partitions.
        start: Timestamp(Timestamp::year_start(2023).ms() - (N_CANDLES as i64 / 2) * 60_000),
        ..MarketConfig::default()
    };
    generate(&config).remove(0).series
}

fn bench(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let lake = ParquetLake::open(folder.path()).expect("an empty folder is a lake");
    let series = year_of_minutes();
    runtime.block_on(lake.upsert(&series)).expect("the lake can be written");
    let key = series.key().clone();
    let last = series.range().expect("it is not empty").to;

    let mut group = c.benchmark_group("lake");
    group.sample_size(30).measurement_time(Duration::from_secs(5));
    group.bench_function("load_year_of_minutes", |b| {
        b.iter(|| {
            let found = runtime.block_on(lake.scan(&key, TimeRange::ALL)).expect("it is stored");
            assert_eq!(found.len(), N_CANDLES);
            black_box(found)
        });
    });
    let recent = TimeRange { from: last.plus_ms(-2_000 * 60_000), to: last };
    group.bench_function("load_last_2000_minutes", |b| {
        b.iter(|| black_box(runtime.block_on(lake.scan(&key, recent)).expect("it is stored")));
    });
    let newest = series.between(TimeRange { from: last.plus_ms(-60_000), to: last });
    let mut price = newest.close()[0];
    group.bench_function("list", |b| b.iter(|| black_box(runtime.block_on(lake.list()).expect("it can be listed"))));
    group.bench_function("correct_last_minute", |b| {
        b.iter(|| {
            price += 1e-9;
            let mut columns = newest.columns().clone();
            columns.volume[0] = price;
            let changed = CandleSeries::new(key.clone(), columns).expect("any volume is valid");
            assert!(runtime.block_on(lake.upsert(&changed)).expect("it can be written").is_some());
        });
    });
    let mut next = last.ms();
    group.bench_function("append_one_minute", |b| {
        b.iter(|| {
            let mut columns = newest.columns().clone();
            columns.open_time[0] = next;
            next += 60_000;
            let candle = CandleSeries::new(key.clone(), columns).expect("any minute is valid");
            assert!(runtime.block_on(lake.upsert(&candle)).expect("it can be written").is_some());
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
