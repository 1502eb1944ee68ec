//! Folders that cannot be written to, and full disks.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use candlecast_core::{Interval, Seed, TimeRange, Timestamp};
use candlecast_store::{CandleStore, ParquetLake, StoreError};
use candlecast_testkit::{assert_same_candles, series_of};

use crate::fixtures::{file_of, hours, key, wait};

#[test]
fn a_read_only_folder_is_read_and_not_written() {
    if !candlecast_testenv::obeys_rights("space::a_read_only_folder_is_read_and_not_written") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let series = hours(&key("BTCUSDT", Interval::H1), 0, 10);
    wait(ParquetLake::open(folder.path()).unwrap().upsert(&series)).unwrap();
    let series_folder = file_of(folder.path(), "BTCUSDT", "1h", 2023).parent().unwrap().to_owned();
    let closed = [series_folder, folder.path().to_owned(), folder.path().join(".lock")];
    set_read_only(&closed, true);
    let lake = ParquetLake::open(folder.path()).unwrap();
    let error = wait(lake.upsert(&hours(series.key(), 10, 1))).unwrap_err();
    assert!(matches!(error, StoreError::NotAllowed { .. }), "{error}");
    assert_same_candles(&wait(lake.scan(series.key(), TimeRange::ALL)).unwrap(), &series);
    assert_eq!(wait(lake.list()).unwrap().len(), 1);
    set_read_only(&closed, false);
}

fn set_read_only(paths: &[std::path::PathBuf], read_only: bool) {
    for path in paths {
        let mut rights = fs::metadata(path).unwrap().permissions();
        rights.set_readonly(read_only);
        fs::set_permissions(path, rights).unwrap();
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let name = "space::a_full_disk_is_an_error_and_nothing_is_half_written";
    if let Some(disk) = candlecast_testenv::on_small_disk(name, 2 * 1024, folder.path()) {
        fill_the_disk(&disk);
    }
}

fn fill_the_disk(folder: &Path) {
    let lake = ParquetLake::open(folder).unwrap();
    let key = key("BTCUSDT", Interval::M1);
    let start = Timestamp::year_start(2023).ms();
    // Random prices, so that they hardly compress.
    let mut random = Seed(1).stream();
    let prices: Vec<f64> = (0..40_000).map(|_| 100.0 + random.uniform()).collect();
    let minutes = |a: usize, b: usize| series_of(&key, (a..b).map(|i| (start + i as i64 * 60_000, prices[i])));
    let first = minutes(0, 5_000);
    wait(lake.upsert(&first)).unwrap();
    let free = 2 * 1024 * 1024 - 400_000;
    fs::write(folder.join("filler"), vec![1; free]).unwrap();
    let path = file_of(folder, "BTCUSDT", "1m", 2023);
    let before = fs::read(&path).unwrap();
    let error = wait(lake.upsert(&minutes(5_000, 40_000))).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before, "the old partition stands");
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["year=2023.parquet"], "nothing half written is left");
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &first);
    fs::remove_file(folder.join("filler")).unwrap();
    wait(lake.upsert(&minutes(5_000, 12_000))).unwrap();
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(0, 12_000));

    let one_more = |n: usize| wait(lake.upsert(&minutes(n, n + 1)));
    one_more(12_000).unwrap();
    let mut filler = fs::File::create(folder.join("filler")).unwrap();
    while filler.write_all(&[1; 4_096]).is_ok() {}
    drop(filler);
    // The last page of the segment has room for some candles.
    let mut stored = 12_001;
    let error = loop {
        match one_more(stored) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    let reopened = ParquetLake::open(folder).unwrap();
    assert_same_candles(&wait(reopened.scan(&key, TimeRange::ALL)).unwrap(), &minutes(0, stored));
    fs::remove_file(folder.join("filler")).unwrap();
    one_more(stored).unwrap();
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(0, stored + 1));
}
