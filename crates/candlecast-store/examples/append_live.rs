//! What it costs to acknowledge a candle of a live stream: five years of one-minute candles, then more of them one by
//! one. A JSON line a variant: `bench`, `variant`, `median_ms`, `p99_ms`, `max_ms`, `runs`.
//!
//! usage: `append_live [FOLDER] [RUNS]`
//!
//! | variant | |
//! | --- | --- |
//! | `upsert` | one candle into a lake in FOLDER, a temporary one by default; those that compact a day included |
//! | `sync` | the bare write and sync of as many bytes behind a file in FOLDER, by turns with the upserts |
//! | `beside-sync` | `upsert` less `sync`, each pair by itself |
//! | `memory` | the upserts in `/dev/shm`, where syncing costs nothing; only where there is one |
//! | `compact` | putting a day of candles into the file of its year |
//!
//! The target is a median of `beside-sync` below 2 ms.
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Interval, TimeRange, Timestamp};
use candlecast_store::{CandleStore, ParquetLake};

/// Five years, the last of which ends at noon of 2025-06-30.
const STORED: usize = 5 * 365 * 24 * 60;
const RUNS: usize = 2_000;
/// Bytes that an append of one candle writes.
const FRAME_BYTES: usize = 96;
const MINUTE_MS: i64 = 60_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let temporary = tempfile::tempdir()?;
    let folder = arguments.next().map_or_else(|| temporary.path().to_owned(), Into::into);
    let runs = arguments.next().map_or(Ok(RUNS), |runs| runs.parse())?.max(1);
    let series = minutes(STORED + runs)?;

    let mut sync = File::options().create(true).append(true).open(folder.join("sync.tmp"))?;
    let lake = stored(&folder, &series).await?;
    let (upserts, syncs) = append(&lake, &series, Some(&mut sync)).await?;
    std::fs::remove_file(folder.join("sync.tmp"))?;
    let beside: Vec<Duration> = upserts.iter().zip(&syncs).map(|(upsert, sync)| upsert.saturating_sub(*sync)).collect();
    tell("upsert", upserts);
    tell("sync", syncs);
    tell("beside-sync", beside);

    if Path::new("/dev/shm").is_dir() {
        let memory = tempfile::tempdir_in("/dev/shm")?;
        let lake = stored(memory.path(), &series).await?;
        tell("memory", append(&lake, &series, None).await?.0);
    }
    tell("compact", vec![compact(&lake, &series).await?]);
    Ok(())
}

fn minutes(n: usize) -> Result<CandleSeries, Box<dyn Error>> {
    let end = Timestamp::parse("2025-06-30T12:00:00Z")?;
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: n,
        start: end.plus_ms(-(STORED as i64) * MINUTE_MS),
        ..MarketConfig::default()
    };
    Ok(generate(&config).remove(0).series)
}

/// A lake with the first [`STORED`] candles.
async fn stored(folder: &Path, series: &CandleSeries) -> Result<ParquetLake, Box<dyn Error>> {
    let lake = ParquetLake::open(folder)?;
    lake.upsert(&rows(series, 0, STORED)?).await?;
    Ok(lake)
}

fn rows(series: &CandleSeries, from: usize, to: usize) -> Result<CandleSeries, Box<dyn Error>> {
    Ok(CandleSeries::new(series.key().clone(), series.columns().slice(from..to))?)
}

/// Times of storing the other candles one by one, and, with `sync`, of writing and syncing as many bytes after each.
async fn append(
    lake: &ParquetLake,
    series: &CandleSeries,
    mut sync: Option<&mut File>,
) -> Result<(Vec<Duration>, Vec<Duration>), Box<dyn Error>> {
    let (mut upserts, mut syncs) = (Vec::new(), Vec::new());
    for i in STORED..series.len() {
        let candle = rows(series, i, i + 1)?;
        let start = Instant::now();
        let changed = lake.upsert(&candle).await?;
        upserts.push(start.elapsed());
        if changed != candle.range() {
            return Err("a new candle was not told as new".into());
        }
        if let Some(file) = sync.as_deref_mut() {
            let start = Instant::now();
            file.write_all(&[1; FRAME_BYTES])?;
            file.sync_data()?;
            syncs.push(start.elapsed());
        }
    }
    let found = lake.scan(series.key(), TimeRange::ALL).await?;
    if found.len() != series.len() {
        return Err(format!("{} candles were stored, {} are there", series.len(), found.len()).into());
    }
    Ok((upserts, syncs))
}

/// Time of compacting one day of minutes, each stored by itself before.
async fn compact(lake: &ParquetLake, series: &CandleSeries) -> Result<Duration, Box<dyn Error>> {
    lake.compact(series.key()).await?;
    let end = Timestamp::parse("2025-07-31")?.ms();
    let mut day = rows(series, 0, 1_440)?.into_columns();
    for (minute, time) in day.open_time.iter_mut().enumerate() {
        *time = end + minute as i64 * MINUTE_MS;
    }
    let day = CandleSeries::new(series.key().clone(), day)?;
    for i in 0..day.len() {
        lake.upsert(&rows(&day, i, i + 1)?).await?;
    }
    let start = Instant::now();
    let compacted = lake.compact(series.key()).await?;
    let took = start.elapsed();
    if compacted == day.len() { Ok(took) } else { Err(format!("{compacted} candles were compacted").into()) }
}

fn tell(variant: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let ms = |at: usize| times[at.min(times.len() - 1)].as_secs_f64() * 1e3;
    let line = serde_json::json!({
        "bench": "append-live", "variant": variant, "median_ms": ms(times.len() / 2),
        "p99_ms": ms(times.len() * 99 / 100), "max_ms": ms(times.len() - 1), "runs": times.len(),
    });
    println!("{line}");
}
