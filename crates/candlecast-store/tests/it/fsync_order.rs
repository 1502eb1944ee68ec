//! What is acknowledged is on the disk: the order of writes and syncs, from the system calls of a program that writes.
//!
//! How this fails when a sync is missing: a file that is renamed before its own sync, a name that is not synced before
//! another one changes, and anything unsynced when the writer acknowledges, each is a violation in words (the rules are
//! those of `SyncTrace::violations`, whose own tests take every sync out of a trace, one by one). The steps below reach
//! every place where the lake syncs: a new lake with the folders above it, a new series, a replaced year, a new segment,
//! an append, a compaction with its removal, a deletion. So with any of these syncs removed from the code, the trace
//! lacks it, and the test fails. Its last lines prove that for the very trace of this lake: had any of its paths never
//! been synced, that would be told.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use candlecast_core::Interval;
use candlecast_store::{CandleStore, LakeConfig, ParquetLake};
use candlecast_testkit::{SyncTrace, strace};

use crate::fixtures::{hours, key, minutes, wait};

const FOLDER: &str = "CANDLECAST_TEST_SYNC_FOLDER";
/// Folders above the lake that are not there yet, and the lake.
const LAKE: &str = "deep/er/lake";

#[test]
fn what_is_acknowledged_was_synced_in_order() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return write(Path::new(&folder));
    }
    let dir = tempfile::tempdir().unwrap();
    // System calls name files by their real paths.
    let folder = fs::canonicalize(dir.path()).unwrap();
    let (log, lake) = (folder.join("trace"), folder.join(LAKE));
    let Some(mut strace) = strace(&log) else { return };
    let run = strace
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "fsync_order::what_is_acknowledged_was_synced_in_order"])
        .env(FOLDER, &folder)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));

    let (trace, roots) = (SyncTrace::read(&log), [lake.as_path()]);
    assert_eq!(trace.violations(&roots), Vec::<String>::new());
    assert!(trace.n_acknowledged() >= 12, "{} acknowledgements", trace.n_acknowledged());

    let series = lake.join("venue=binance/symbol=BTCUSDT/interval=1h");
    let synced = trace.synced(&roots);
    for expected in [
        folder.clone(),
        folder.join("deep"),
        folder.join("deep/er"),
        lake.clone(),
        lake.join("venue=binance"),
        lake.join("venue=binance/symbol=BTCUSDT"),
        series.clone(),
        series.join(".year=2022.parquet.tmp"),
        series.join(".year=2023.parquet.tmp"),
        series.join("._segment-2023.log.tmp"),
        series.join("_segment-2023.log"),
    ] {
        assert!(synced.contains(&expected), "{} was not synced: {synced:?}", expected.display());
    }
    for path in &synced {
        let told = trace.without_syncs_of(path).violations(&roots);
        assert!(!told.is_empty(), "nobody would notice that {} was never synced", path.display());
    }
}

/// Every way in which a lake changes its files, each acknowledged.
fn write(folder: &Path) {
    let mut log = fs::File::options().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    let mut acknowledge = || log.write_all(b".").unwrap();
    let lake = ParquetLake::open(folder.join(LAKE)).unwrap();
    acknowledge();
    let hourly = key("BTCUSDT", Interval::H1);
    // Two years, both new.
    wait(lake.upsert(&hours(&hourly, -700, 1_400))).unwrap();
    acknowledge();
    // A segment, appended to twice, and compacted with the first candle of the next day.
    for hour in 700..705 {
        wait(lake.upsert(&hours(&hourly, hour, 1))).unwrap();
        acknowledge();
    }
    wait(lake.upsert(&hours(&hourly, 720, 1))).unwrap();
    acknowledge();
    // Compacted by a larger change, by a deletion, and on request.
    wait(lake.upsert(&hours(&hourly, 721, 1))).unwrap();
    wait(lake.upsert(&hours(&hourly, 600, 600))).unwrap();
    acknowledge();
    wait(lake.upsert(&hours(&hourly, 1_200, 1))).unwrap();
    wait(lake.delete(&hourly, hours(&hourly, 1_199, 1).range().unwrap())).unwrap();
    acknowledge();
    wait(lake.upsert(&hours(&hourly, 1_199, 1))).unwrap();
    assert_eq!(wait(lake.compact(&hourly)).unwrap(), 1);
    acknowledge();
    // A whole year goes.
    wait(lake.delete(&hourly, hours(&hourly, -700, 700).range().unwrap())).unwrap();
    acknowledge();
    // Another series in folders that are there in part, by a lake that has no segments.
    let config = LakeConfig { segment_rows: 0, ..LakeConfig::default() };
    let other = ParquetLake::open_with(folder.join(LAKE), &config).unwrap();
    for minute in 0..2 {
        wait(other.upsert(&minutes(&key("BTCUSDT", Interval::M1), minute, 1))).unwrap();
        acknowledge();
    }
}
