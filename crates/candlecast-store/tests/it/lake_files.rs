//! What a lake does to its files.

use std::fs::{self, File};
use std::time::Duration;

use candlecast_core::{Interval, TimeRange};
use candlecast_store::{CandleStore, LakeConfig, ParquetLake, StoreError};
use candlecast_testkit::{assert_same_candles, series_of};

use crate::fixtures::{file_of, hours, key, wait};

#[test]
fn candles_lie_where_other_programs_look_for_them() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let lake = ParquetLake::open(folder.path()).unwrap();
        lake.upsert(&hours(&key("BTCUSDT", Interval::H1), -5, 10)).await.unwrap();
        for year in [2022, 2023] {
            let bytes = fs::read(file_of(folder.path(), "BTCUSDT", "1h", year)).unwrap();
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        }
        assert_eq!(lake.folder(), folder.path());
    });
}

#[test]
fn an_upsert_that_changes_nothing_leaves_the_file_alone() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let lake = ParquetLake::open(folder.path()).unwrap();
        let series = hours(&key("BTCUSDT", Interval::H1), 0, 500);
        lake.upsert(&series).await.unwrap();
        let path = file_of(folder.path(), "BTCUSDT", "1h", 2023);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(lake.upsert(&series).await.unwrap(), None);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        lake.upsert(&hours(series.key(), 500, 600)).await.unwrap();
        assert_ne!(fs::metadata(&path).unwrap().modified().unwrap(), before);
    });
}

#[test]
fn the_same_candles_make_the_same_bytes_by_any_way() {
    wait(async {
        let key = key("BTCUSDT", Interval::M1);
        let n = 150_000;
        let start = candlecast_core::Timestamp::year_start(2023).ms();
        let whole = series_of(&key, (0..n).map(|i| (start + i * 60_000, 100.0 + (i % 997) as f64)));
        let mut files = Vec::new();
        for chunk in [n, 40_000, 65_536] {
            let folder = tempfile::tempdir().unwrap();
            let lake = ParquetLake::open(folder.path()).unwrap();
            for from in (0..n).step_by(chunk as usize) {
                let range = TimeRange {
                    from: candlecast_core::Timestamp(start + from * 60_000),
                    to: candlecast_core::Timestamp(start + (from + chunk) * 60_000),
                };
                lake.upsert(&whole.between(range)).await.unwrap();
            }
            assert_same_candles(&lake.scan(&key, TimeRange::ALL).await.unwrap(), &whole);
            files.push(without_footer(fs::read(file_of(folder.path(), "BTCUSDT", "1m", 2023)).unwrap()));
        }
        assert!(files[0] == files[1] && files[0] == files[2], "copied row groups differ from encoded ones");
    });
}

fn without_footer(mut file: Vec<u8>) -> Vec<u8> {
    let tail = file.len() - 8;
    let footer = u32::from_le_bytes(file[tail..tail + 4].try_into().unwrap()) as usize;
    // The eight bytes before the footer are its checksum.
    file.truncate(tail - footer - 8);
    file
}

#[test]
fn a_reopened_lake_has_its_candles() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let series = hours(&key("BTCUSDT", Interval::H1), -100, 200);
        ParquetLake::open(folder.path()).unwrap().upsert(&series).await.unwrap();
        let lake = ParquetLake::open(folder.path()).unwrap();
        assert_same_candles(&lake.scan(series.key(), TimeRange::ALL).await.unwrap(), &series);
    });
}

#[test]
fn two_handles_lose_nothing_of_each_other() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let lakes = [ParquetLake::open(folder.path()).unwrap(), ParquetLake::open(folder.path()).unwrap()];
        let key = key("BTCUSDT", Interval::H1);
        let chunks: Vec<_> = (0..20).map(|k| hours(&key, k * 10, 10)).collect();
        let work = chunks.iter().enumerate().map(|(k, chunk)| lakes[k % 2].upsert(chunk));
        for done in futures::future::join_all(work).await {
            done.unwrap();
        }
        for lake in &lakes {
            assert_same_candles(&lake.scan(&key, TimeRange::ALL).await.unwrap(), &hours(&key, 0, 200));
        }
    });
}

#[test]
fn a_held_lock_stops_writers_but_no_readers() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { lock_wait: Duration::from_millis(50), ..LakeConfig::default() };
        let lake = ParquetLake::open_with(folder.path(), &config).unwrap();
        let series = hours(&key("BTCUSDT", Interval::H1), 0, 10);
        lake.upsert(&series).await.unwrap();
        let lock = File::options().write(true).open(folder.path().join(".lock")).unwrap();
        lock.lock().unwrap();
        let refused = lake.upsert(&hours(series.key(), 10, 1)).await.unwrap_err();
        assert!(matches!(refused, StoreError::Locked { waited_ms: 50, .. }), "{refused}");
        assert!(lake.delete(series.key(), TimeRange::ALL).await.is_err());
        assert_same_candles(&lake.scan(series.key(), TimeRange::ALL).await.unwrap(), &series);
        assert_eq!(lake.list().await.unwrap().len(), 1);
        assert!(ParquetLake::open(folder.path()).is_ok());
        drop(lock);
        lake.upsert(&hours(series.key(), 10, 1)).await.unwrap();
    });
}

#[test]
fn readers_beside_a_writer_see_whole_versions() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let lake = ParquetLake::open(folder.path()).unwrap();
        let key = key("BTCUSDT", Interval::H1);
        lake.upsert(&hours(&key, 0, 10)).await.unwrap();
        let (writer, written) = (lake.clone(), key.clone());
        let writing = tokio::spawn(async move {
            for k in 1..60 {
                writer.upsert(&hours(&written, k * 10, 10)).await.unwrap();
            }
        });
        let mut seen = 0;
        while !writing.is_finished() {
            let found = lake.scan(&key, TimeRange::ALL).await.unwrap();
            assert!(found.len() % 10 == 0 && found.len() >= seen, "{} candles after {seen}", found.len());
            assert_same_candles(&found, &hours(&key, 0, found.len() as i64));
            seen = found.len();
        }
        writing.await.unwrap();
        assert_eq!(lake.coverage(&key).await.unwrap().rows, 600);
    });
}
