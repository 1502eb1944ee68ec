//! Candles that are stored a few at a time: where they lie, and that nobody can tell the difference.

use std::fs;
use std::path::Path;

use candlecast_core::{CandleSeries, Interval, SeriesKey, TimeRange, Timestamp};
use candlecast_store::{CandleStore, LakeConfig, MemoryStore, ParquetLake, StoreError};
use candlecast_testkit::{assert_same_candles, series_of};
use proptest::prelude::{Just, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use proptest::{collection, prop_assert, prop_assert_eq, prop_oneof};

use crate::fixtures::{file_of, hours, key, minutes, segment_of, wait};

const HISTORIES: u32 = 64;
/// Minutes that histories touch: the last hour and a half of 2022 and as many of 2023.
const MINUTES: i64 = 180;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_few_candles_leave_the_file_of_the_year_alone_until_the_day_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::H1);
    let lake = ParquetLake::open(folder.path()).unwrap();
    wait(lake.upsert(&hours(&key, 0, 20))).unwrap();
    let year = file_of(folder.path(), "BTCUSDT", "1h", 2023);
    let written = fs::read(&year).unwrap();
    for hour in 20..24 {
        assert_eq!(wait(lake.upsert(&hours(&key, hour, 1))).unwrap(), hours(&key, hour, 1).range());
        assert_eq!(names(year.parent().unwrap()), ["_segment-2023.log", "year=2023.parquet"]);
        assert!(fs::read(&year).unwrap() == written, "hour {hour} rewrote the year");
        assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &hours(&key, 0, hour + 1));
    }
    let segment = segment_of(folder.path(), "BTCUSDT", "1h", 2023);
    let before = fs::read(&segment).unwrap();
    assert_eq!(wait(lake.upsert(&hours(&key, 21, 3))).unwrap(), None);
    assert!(fs::read(&segment).unwrap() == before, "nothing new, and yet written");
    // The first hour of the next day.
    wait(lake.upsert(&hours(&key, 24, 1))).unwrap();
    assert_eq!(names(year.parent().unwrap()), ["year=2023.parquet"]);
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &hours(&key, 0, 25));
}

#[test]
fn long_segments_and_large_upserts_are_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::M1);
    let config = LakeConfig { segment_rows: 5, ..LakeConfig::default() };
    let lake = ParquetLake::open_with(folder.path(), &config).unwrap();
    let segment = segment_of(folder.path(), "BTCUSDT", "1m", 2023);
    wait(lake.upsert(&minutes(&key, 0, 10))).unwrap();
    for (first, n, waits) in
        [(10, 3, true), (13, 1, true), (14, 1, false), (15, 2, true), (17, 6, false), (23, 6, false)]
    {
        wait(lake.upsert(&minutes(&key, first, n))).unwrap();
        assert_eq!(segment.exists(), waits, "after {n} candles from {first}");
        assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(&key, 0, first + n));
    }
    wait(lake.upsert(&minutes(&key, 29, 1))).unwrap();
    let without = LakeConfig { segment_rows: 0, ..LakeConfig::default() };
    let other = ParquetLake::open_with(folder.path(), &without).unwrap();
    wait(other.upsert(&minutes(&key, 30, 1))).unwrap();
    assert!(!segment.exists(), "whoever has no segments compacts those of others");
    assert_same_candles(&wait(lake.scan(&key, TimeRange::ALL)).unwrap(), &minutes(&key, 0, 31));
}

#[test]
fn a_compacted_series_is_the_file_that_one_upsert_writes() {
    let key = key("BTCUSDT", Interval::M1);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let lakes = folders.each_ref().map(|folder| ParquetLake::open(folder.path()).unwrap());
    wait(lakes[0].upsert(&minutes(&key, 0, 40))).unwrap();
    for minute in 0..40 {
        wait(lakes[1].upsert(&minutes(&key, minute, 1))).unwrap();
    }
    assert_eq!(wait(lakes[1].compact(&key)).unwrap(), 39, "the first made the file");
    assert_eq!(wait(lakes[1].compact(&key)).unwrap(), 0);
    let files = folders.each_ref().map(|folder| fs::read(file_of(folder.path(), "BTCUSDT", "1m", 2023)).unwrap());
    assert!(files[0] == files[1]);
}

#[test]
fn nothing_to_compact_needs_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let key = key("BTCUSDT", Interval::H1);
    let lake = ParquetLake::open(folder.path()).unwrap();
    wait(lake.upsert(&hours(&key, 0, 20))).unwrap();
    let lock = fs::File::options().write(true).open(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(wait(lake.compact(&key)).unwrap(), 0);
}

/// Candle by candle, compacted every few candles, while others read.
#[test]
fn readers_beside_compactions_see_whole_versions() {
    wait(async {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { segment_rows: 3, ..LakeConfig::default() };
        let lake = ParquetLake::open_with(folder.path(), &config).unwrap();
        let key = key("BTCUSDT", Interval::M1);
        lake.upsert(&minutes(&key, 0, 10)).await.unwrap();
        let (writer, written) = (lake.clone(), key.clone());
        let writing = tokio::spawn(async move {
            for minute in 10..250 {
                writer.upsert(&minutes(&written, minute, 1)).await.unwrap();
            }
        });
        let mut seen = 10;
        while !writing.is_finished() {
            let found = lake.scan(&key, TimeRange::ALL).await.unwrap();
            assert!(found.len() as i64 >= seen, "{} candles after {seen}", found.len());
            seen = found.len() as i64;
            assert_same_candles(&found, &minutes(&key, 0, seen));
            let coverage = lake.coverage(&key).await.unwrap();
            assert!(coverage.rows as i64 >= seen && coverage.gaps.count == 0, "{coverage:?} after {seen}");
        }
        writing.await.unwrap();
        assert_same_candles(&lake.scan(&key, TimeRange::ALL).await.unwrap(), &minutes(&key, 0, 250));
    });
}

/// All candles change at once, again and again, one of them in between: no reader may see two versions mixed.
#[test]
fn an_old_segment_is_never_laid_over_a_newer_file() {
    let version = |key: &SeriesKey, n: i64, price: i64| {
        series_of(key, (0..n).map(|m| (Timestamp::year_start(2023).ms() + m * 60_000, 100.0 + price as f64)))
    };
    wait(async move {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { segment_rows: 3, ..LakeConfig::default() };
        let lake = ParquetLake::open_with(folder.path(), &config).unwrap();
        let key = key("BTCUSDT", Interval::M1);
        lake.upsert(&version(&key, 20, 0)).await.unwrap();
        let (writer, written) = (lake.clone(), key.clone());
        let writing = tokio::spawn(async move {
            for price in 1..80 {
                writer.upsert(&version(&written, 1, price)).await.unwrap();
                writer.upsert(&version(&written, 20, price)).await.unwrap();
            }
        });
        while !writing.is_finished() {
            let found = lake.scan(&key, TimeRange::ALL).await.unwrap();
            let (first, rest) = (found.close()[0], &found.close()[1..]);
            assert!(rest.iter().all(|&close| close == rest[0]), "{:?}", found.close());
            assert!(first == rest[0] || first == rest[0] + 1.0, "{:?}", found.close());
        }
        writing.await.unwrap();
    });
}

#[derive(Debug, Clone)]
enum Step {
    /// Candles as (minute, price), in any order.
    Upsert(Vec<(i64, u32)>),
    /// The same, killed after this share of what it appends was written; what comes after was never written, or is
    /// zeros.
    KilledUpsert(Vec<(i64, u32)>, f64, bool),
    Delete(i64, i64),
    Compact,
    /// Killed between the two steps of each compaction.
    KilledCompact,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let candles = |most: usize| collection::vec((0..MINUTES, 1..4_u32), 1..most);
    prop_oneof![
        6 => candles(4).prop_map(Step::Upsert),
        // As a stream does: neighbours, mostly behind all others.
        4 => (MINUTES / 2..MINUTES - 3, 1..4_i64, 1..4_u32)
            .prop_map(|(first, n, price)| Step::Upsert((first..first + n).map(|m| (m, price)).collect())),
        2 => candles(40).prop_map(Step::Upsert),
        3 => (candles(4), 0.0..1.0_f64, proptest::bool::ANY)
            .prop_map(|(candles, share, zeros)| Step::KilledUpsert(candles, share, zeros)),
        1 => (0..MINUTES, 0..MINUTES).prop_map(|(from, to)| Step::Delete(from, to)),
        1 => Just(Step::Compact),
        1 => Just(Step::KilledCompact),
        1 => Just(Step::Reopen),
    ]
}

fn time(minute: i64) -> i64 {
    Timestamp::year_start(2023).ms() + (minute - MINUTES / 2) * 60_000
}

fn series(key: &SeriesKey, candles: &[(i64, u32)]) -> CandleSeries {
    series_of(key, candles.iter().map(|&(minute, price)| (time(minute), f64::from(price))))
}

/// A lake beside a store in memory that must hold the same.
struct Pair {
    folder: tempfile::TempDir,
    config: LakeConfig,
    lake: ParquetLake,
    memory: MemoryStore,
    key: SeriesKey,
}

impl Pair {
    fn new(segment_rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = LakeConfig { segment_rows, threads: Some(1), ..LakeConfig::default() };
        let lake = ParquetLake::open_with(folder.path(), &config).unwrap();
        Self { folder, config, lake, memory: MemoryStore::new(), key: key("BTCUSDT", Interval::M1) }
    }

    fn reopen(&mut self) {
        self.lake = ParquetLake::open_with(self.folder.path(), &self.config).unwrap();
    }

    /// The segments of both years, where there are any.
    fn segments(&self) -> [(std::path::PathBuf, Option<Vec<u8>>); 2] {
        [2022, 2023].map(|year| {
            let path = segment_of(self.folder.path(), "BTCUSDT", "1m", year);
            let bytes = fs::read(&path).ok();
            (path, bytes)
        })
    }

    async fn follow(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Upsert(candles) => self.upsert(&series(&self.key, candles)).await?,
            Step::KilledUpsert(candles, share, zeros) => {
                self.killed_upsert(&series(&self.key, candles), *share, *zeros).await?;
            }
            Step::Delete(from, to) => {
                let range = TimeRange { from: Timestamp(time(*from)), to: Timestamp(time(*to)) };
                let deleted = known(self.lake.delete(&self.key, range).await)?;
                prop_assert_eq!(deleted, known(self.memory.delete(&self.key, range).await)?, "deleted candles");
            }
            Step::Compact => {
                known(self.lake.compact(&self.key).await)?;
                prop_assert!(self.segments().iter().all(|(_, bytes)| bytes.is_none()));
            }
            Step::KilledCompact => {
                let before = self.segments();
                known(self.lake.compact(&self.key).await)?;
                for (path, bytes) in before {
                    bytes.into_iter().for_each(|bytes| fs::write(&path, bytes).unwrap());
                }
                self.reopen();
            }
            Step::Reopen => self.reopen(),
        }
        self.same().await
    }

    async fn upsert(&self, newer: &CandleSeries) -> Result<(), TestCaseError> {
        let changed = self.lake.upsert(newer).await.map_err(fail)?;
        prop_assert_eq!(changed, self.memory.upsert(newer).await.map_err(fail)?, "the changed range");
        Ok(())
    }

    /// An upsert of one year at a time, so that at most one append is under way when it is killed.
    async fn killed_upsert(&mut self, newer: &CandleSeries, share: f64, zeros: bool) -> Result<(), TestCaseError> {
        let border = Timestamp::year_start(2023);
        let halves = [TimeRange { to: border, ..TimeRange::ALL }, TimeRange { from: border, ..TimeRange::ALL }];
        for (i, half) in halves.into_iter().enumerate() {
            let newer = newer.between(half);
            let before = self.segments();
            let changed = self.lake.upsert(&newer).await.map_err(fail)?;
            let after = self.segments();
            match (&before[i].1, &after[i].1) {
                (Some(old), Some(new)) if new.len() > old.len() && new.starts_with(old) => {
                    let appended = new.len() - old.len();
                    // Sectors end between whole words of eight bytes.
                    let ahead = (appended as f64 * share) as usize;
                    let written = old.len() + if zeros { ahead / 8 * 8 } else { ahead };
                    let mut left = new[..written].to_vec();
                    left.resize(if zeros { new.len() } else { written }, 0);
                    // Zeros may happen to be what was to be written.
                    if left != *new {
                        fs::write(&after[i].0, left).unwrap();
                        self.reopen();
                        return Ok(());
                    }
                }
                // A segment is made under a hidden name.
                (None, Some(new)) => {
                    let hidden = after[i].0.with_file_name(format!("._segment-{}.log.tmp", 2022 + i));
                    fs::remove_file(&after[i].0).unwrap();
                    fs::write(&hidden, &new[..(new.len() as f64 * share) as usize]).unwrap();
                    self.reopen();
                    prop_assert!(!hidden.exists(), "a leftover is removed at opening");
                    return Ok(());
                }
                _ => {}
            }
            // It was done before the kill.
            prop_assert_eq!(changed, self.memory.upsert(&newer).await.map_err(fail)?, "the changed range");
        }
        Ok(())
    }

    async fn same(&self) -> Result<(), TestCaseError> {
        let Ok(expected) = self.memory.scan(&self.key, TimeRange::ALL).await else {
            let found = self.lake.scan(&self.key, TimeRange::ALL).await;
            prop_assert!(matches!(found, Err(StoreError::UnknownSeries { .. })), "{:?}", found);
            prop_assert!(self.lake.list().await.map_err(fail)?.is_empty());
            return Ok(());
        };
        let found = self.lake.scan(&self.key, TimeRange::ALL).await.map_err(fail)?;
        let candles = |series: &CandleSeries| (0..series.len()).map(|i| series.candle(i)).collect::<Vec<_>>();
        prop_assert_eq!(candles(&found), candles(&expected));
        for (from, to) in [(0, 60), (80, 100), (95, 96), (91, 180)] {
            let range = TimeRange { from: Timestamp(time(from)), to: Timestamp(time(to)) };
            let found = self.lake.scan(&self.key, range).await.map_err(fail)?;
            prop_assert_eq!(candles(&found), candles(&expected.between(range)), "minutes {} to {}", from, to);
        }
        let (lake, memory) = (self.lake.coverage(&self.key).await, self.memory.coverage(&self.key).await);
        let (lake, memory) = (lake.map_err(fail)?, memory.map_err(fail)?);
        prop_assert_eq!((lake.rows, lake.range, lake.gaps), (memory.rows, memory.range, memory.gaps));
        prop_assert!(lake.damaged.is_empty(), "{:?}", lake.damaged);
        Ok(())
    }
}

/// What is done to a series that is not stored is done to none of its candles.
fn known(done: Result<usize, StoreError>) -> Result<usize, TestCaseError> {
    match done {
        Err(StoreError::UnknownSeries { .. }) => Ok(0),
        done => done.map_err(fail),
    }
}

fn fail(error: StoreError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

/// Any sequence of upserts, deletions, compactions and kills leaves what a store in memory holds.
#[test]
fn random_histories_with_kills_equal_a_store_in_memory() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let histories = (prop_oneof![Just(4_096_usize), Just(6), Just(0)], collection::vec(step(), 1..20));
    let outcome = runner.run(&histories, |(segment_rows, steps)| {
        runtime.block_on(async {
            let mut pair = Pair::new(segment_rows);
            for step in &steps {
                pair.follow(step).await?;
            }
            Ok(())
        })
    });
    if let Err(failure) = outcome {
        panic!("a lake must hold what a store in memory holds: {failure}");
    }
}
