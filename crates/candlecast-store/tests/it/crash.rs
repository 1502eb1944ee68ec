//! Writers that die.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use candlecast_core::{CandleSeries, Interval, TimeRange};
use candlecast_store::{CandleStore, LakeConfig, ParquetLake};
use candlecast_testkit::assert_same_candles;

use crate::fixtures::{file_of, hours, key, minutes, segment_of, wait};

const FOLDER: &str = "CANDLECAST_TEST_CRASH_FOLDER";
const CHUNK: i64 = 24;
/// Candles of a segment, so that kills hit compactions too.
const SEGMENT_ROWS: usize = 16;

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
        let key = key("BTCUSDT", Interval::H1);
        write_until_killed(Path::new(&folder), |chunk| hours(&key, chunk * CHUNK, CHUNK));
    }
    let key = key("BTCUSDT", Interval::H1);
    kill_writers("crash::a_killed_writer_loses_nothing_acknowledged", 1, |folder, acknowledged| {
        let found = wait(ParquetLake::open(folder).unwrap().scan(&key, TimeRange::ALL)).unwrap();
        assert!(found.len() as i64 >= acknowledged * CHUNK, "{} candles, {acknowledged} chunks", found.len());
        assert_same_candles(&found, &hours(&key, 0, found.len() as i64 / CHUNK * CHUNK));
    });
}

/// The same candle by candle, as a live stream writes.
#[test]
fn a_killed_live_writer_loses_no_acknowledged_candle() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let key = key("BTCUSDT", Interval::M1);
        write_until_killed(Path::new(&folder), |minute| minutes(&key, minute, 1));
    }
    let key = key("BTCUSDT", Interval::M1);
    kill_writers("crash::a_killed_live_writer_loses_no_acknowledged_candle", 11, |folder, acknowledged| {
        let lake = ParquetLake::open(folder).unwrap();
        let found = wait(lake.scan(&key, TimeRange::ALL)).unwrap();
        assert!(found.len() as i64 >= acknowledged, "{} candles, {acknowledged} acknowledged", found.len());
        assert_same_candles(&found, &minutes(&key, 0, found.len() as i64));
        assert_eq!(wait(lake.coverage(&key)).unwrap().rows, found.len());
    });
}

/// What a kill leaves between the two steps of a compaction.
#[test]
fn a_segment_that_was_compacted_but_not_removed_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::M1);
    let lake = ParquetLake::open(folder.path()).unwrap();
    wait(lake.upsert(&minutes(&key, 0, 10))).unwrap();
    wait(lake.upsert(&minutes(&key, 10, 1))).unwrap();
    let path = segment_of(folder.path(), "BTCUSDT", "1m", 2023);
    let segment = fs::read(&path).unwrap();
    assert_eq!(wait(lake.compact(&key)).unwrap(), 1);
    let year = fs::read(file_of(folder.path(), "BTCUSDT", "1m", 2023)).unwrap();
    fs::write(&path, &segment).unwrap();
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(&key, 0, 11));
    assert_eq!(wait(lake.coverage(&key)).unwrap().rows, 11);
    // It is removed without another version of the year, and more may be appended to it as well.
    assert_eq!(wait(lake.compact(&key)).unwrap(), 1);
    assert_eq!(fs::read(file_of(folder.path(), "BTCUSDT", "1m", 2023)).unwrap(), year);
    fs::write(&path, &segment).unwrap();
    assert_eq!(wait(lake.upsert(&minutes(&key, 10, 2))).unwrap(), minutes(&key, 11, 1).range());
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(&key, 0, 12));
    // What it holds must not come back when it is deleted.
    assert_eq!(wait(lake.compact(&key)).unwrap(), 2);
    fs::write(&path, &segment).unwrap();
    assert_eq!(wait(lake.delete(&key, minutes(&key, 10, 1).range().unwrap())).unwrap(), 1);
    let rest = minutes(&key, 0, 10).merged(&minutes(&key, 11, 1)).unwrap();
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &rest);
}

/// Starts the writer of test `name` again and again, kills it some acknowledgements later, and lets `check` look at
/// what is left: it is told the folder and how many writes were acknowledged.
fn kill_writers(name: &str, more: i64, check: impl Fn(&Path, i64)) {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let goal = acknowledged + round * more;
        while acknowledged_writes(folder.path()) < goal {
            assert!(child.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        // Somewhere within one of the next writes.
        std::thread::sleep(Duration::from_micros(700 * round as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = acknowledged_writes(folder.path());
        check(folder.path(), acknowledged);
    }
}

fn acknowledged_writes(folder: &Path) -> i64 {
    fs::read(folder.join("acknowledged")).map_or(0, |bytes| bytes.len() as i64)
}

/// Stores what `write` gives for each number from the first that is not acknowledged on.
fn write_until_killed(folder: &Path, write: impl Fn(i64) -> CandleSeries) -> ! {
    let config = LakeConfig { segment_rows: SEGMENT_ROWS, ..LakeConfig::default() };
    let lake = ParquetLake::open_with(folder, &config).unwrap();
    let mut log = fs::File::options().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    let mut number = acknowledged_writes(folder);
    loop {
        wait(lake.upsert(&write(number))).unwrap();
        log.write_all(b".").unwrap();
        number += 1;
    }
}
