//! Writers that die.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use candlecast_core::{Interval, TimeRange};
use candlecast_store::{CandleStore, ParquetLake};
use candlecast_testkit::assert_same_candles;

use crate::fixtures::{file_of, hours, key, wait};

const FOLDER: &str = "CANDLECAST_TEST_CRASH_FOLDER";
const CHUNK: i64 = 24;

#[test]
fn leftovers_of_killed_writers_are_removed_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let series = hours(&key("BTCUSDT", Interval::H1), 0, 10);
    wait(ParquetLake::open(folder.path()).unwrap().upsert(&series)).unwrap();
    let path = file_of(folder.path(), "BTCUSDT", "1h", 2023);
    let bytes = fs::read(&path).unwrap();
    for (year, content) in [(2023, &bytes[..bytes.len() / 2]), (2024, &bytes[..])] {
        fs::write(path.with_file_name(format!(".year={year}.parquet.tmp")), content).unwrap();
    }
    let lake = ParquetLake::open(folder.path()).unwrap();
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["year=2023.parquet"]);
    assert_same_candles(&wait(lake.scan(series.key(), TimeRange::ALL)).unwrap(), &series);
}

#[test]
fn leftovers_stay_while_another_program_writes() {
    let folder = tempfile::tempdir().unwrap();
    let series = hours(&key("BTCUSDT", Interval::H1), 0, 10);
    wait(ParquetLake::open(folder.path()).unwrap().upsert(&series)).unwrap();
    let leftover = file_of(folder.path(), "BTCUSDT", "1h", 2023).with_file_name(".year=2023.parquet.tmp");
    fs::write(&leftover, b"being written").unwrap();
    let lock = fs::File::options().write(true).open(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    ParquetLake::open(folder.path()).unwrap();
    assert!(leftover.exists());
}

/// Kills a writing program at several moments. Every acknowledged chunk must be there, no chunk in part.
#[test]
fn a_killed_writer_loses_nothing_acknowledged() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::H1);
    let mut acknowledged = 0;
    for round in 1..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::a_killed_writer_loses_nothing_acknowledged"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let goal = acknowledged + round;
        while acknowledged_chunks(folder.path()) < goal {
            assert!(child.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Somewhere within one of the next writes.
        std::thread::sleep(Duration::from_micros(700 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = acknowledged_chunks(folder.path());
        let lake = ParquetLake::open(folder.path()).unwrap();
        let found = wait(lake.scan(&key, TimeRange::ALL)).unwrap();
        assert!(found.len() as i64 >= acknowledged * CHUNK, "{} candles, {acknowledged} chunks", found.len());
        assert_same_candles(&found, &hours(&key, 0, found.len() as i64 / CHUNK * CHUNK));
    }
}

fn acknowledged_chunks(folder: &Path) -> i64 {
    fs::read(folder.join("acknowledged")).map_or(0, |bytes| bytes.len() as i64)
}

fn write_until_killed(folder: &Path) -> ! {
    let lake = ParquetLake::open(folder).unwrap();
    let key = key("BTCUSDT", Interval::H1);
    let mut log = fs::File::options().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    let mut chunk = acknowledged_chunks(folder);
    loop {
        wait(lake.upsert(&hours(&key, chunk * CHUNK, CHUNK))).unwrap();
        log.write_all(b".").unwrap();
        chunk += 1;
    }
}
