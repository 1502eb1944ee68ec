//! Loads one-minute candles from a lake as the program does, one JSON line: `bench`, `variant`, `median_ms`, `runs`,
//! and what was read: `rows`, `closeSum`.
//!
//! usage: `load_lake LAKE [RUNS]`
//!
//! LAKE is the folder that holds `venue=…`; it must hold a single series of one-minute candles. Every candle is
//! read with all its columns into vectors and checked; the page cache is warm. The peer is
//! `bench-peers/load_lake.py`.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::time::Instant;

use candlecast_core::{Interval, SeriesKey, TimeRange};
use candlecast_store::{CandleStore, ParquetLake};

const WARM_UP: usize = 2;
const RUNS: usize = 15;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: load_lake LAKE [RUNS]")?;
    let runs = arguments.get(1).map_or(Ok(RUNS), |runs| runs.parse())?.max(1);
    let lake = ParquetLake::open(folder)?;
    let key = minutes(&lake).await?;
    for _ in 0..WARM_UP {
        lake.scan(&key, TimeRange::ALL).await?;
    }
    let (mut times, mut rows, mut close_sum) = (Vec::with_capacity(runs), 0, 0.0_f64);
    for _ in 0..runs {
        let start = Instant::now();
        let series = lake.scan(&key, TimeRange::ALL).await?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
        rows = series.len();
        close_sum = series.close().iter().sum();
    }
    times.sort_by(f64::total_cmp);
    let line = serde_json::json!({
        "bench": "load-lake", "variant": "", "median_ms": times[runs / 2], "runs": runs,
        "rows": rows, "closeSum": (100.0 * close_sum).round() / 100.0,
    });
    println!("{line}");
    Ok(())
}

/// The lake's one series of one-minute candles.
async fn minutes(lake: &ParquetLake) -> Result<SeriesKey, Box<dyn Error>> {
    let stored = lake.list().await?;
    let mut found = stored.into_iter().map(|coverage| coverage.key).filter(|key| key.interval == Interval::M1);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err("no one-minute candles in the lake: import some first".into()),
        (Some(a), Some(b)) => Err(format!("the lake holds {a} and {b}: load a lake of one series").into()),
    }
}
