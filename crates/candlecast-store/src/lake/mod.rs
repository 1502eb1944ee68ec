//! [`ParquetLake`]: candles in Parquet files, one a series and year, that other programs read in place; the newest
//! beside them, in segments.
//!
//! A sync engine does the work on the file system, on the blocking threads of the async runtime; this module puts
//! the async contract on top. Decoding runs on a pool of the lake's own, so that it never queues behind training.

mod commit;
mod damage;
mod decode;
mod encode;
mod engine;
mod format;
mod layout;
mod live;
mod lock;
mod partition;
mod rewrite;
mod seal;
mod segment;
mod span;
mod survey;
mod view;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use candlecast_core::{CandleSeries, SeriesKey, TimeRange};
use candlecast_files::create_folder;
use futures::{Stream, StreamExt, TryStreamExt, future, stream};

use crate::{CandlePieces, CandleStore, Coverage, StoreError, years};
use engine::Engine;
use format::N_COLUMNS;

/// How a lake behaves.
#[derive(Debug, Clone)]
pub struct LakeConfig {
    /// Longest wait for another program that writes, per partition. 10 s by default.
    pub lock_wait: Duration,
    /// Threads that decode; the number of cores by default, at most one a column.
    pub threads: Option<usize>,
    /// Candles that a segment holds at most before it is compacted into the file of its year; 4,096 by default. With 0
    /// there are no segments, and each upsert rewrites the file.
    pub segment_rows: usize,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self { lock_wait: Duration::from_secs(10), threads: None, segment_rows: 4_096 }
    }
}

/// A folder of Parquet files, `venue=binance/symbol=BTCUSDT/interval=1h/year=2023.parquet` (years UTC).
///
/// Columns: `open_time` (timestamp of milliseconds, UTC), `open`, `high`, `low`, `close`, `volume` (f64, never
/// null), `quote_volume` (f64), `trades` (i64), `taker_buy_base` (f64), null where missing. The folder names are
/// Hive partitions for readers that know them.
///
/// A few candles at a time, up to 512 of a year that is there, go into a segment beside the file, `_segment-2023.log`,
/// with one write and one fsync. Whatever reads the lake through this type lays them over the file; other programs do
/// not see them until the segment is compacted. That happens with the first candle of another day (UTC), when the
/// segment is long, before any larger change of the year, and by [`CandleStore::compact`].
///
/// All other writing replaces a file whole (write, fsync, rename, fsync of the folder): after a crash at any moment it
/// is the old one or the new one. One writer at a time, across programs, by a lock that is held for one partition;
/// readers never wait and see one version of each partition. The last, partial row group and the candles after
/// the earliest change are encoded anew, the full row groups before are copied; an upsert that changes nothing
/// leaves the files as they are. Checksums of the footer, of every column chunk and of segments are verified whenever
/// they are read.
///
/// Cloning gives another handle on the same lake.
#[derive(Debug, Clone)]
pub struct ParquetLake {
    engine: Arc<Engine>,
}

impl ParquetLake {
    /// Opens the lake in `folder`, creating it where there is none, and removes what killed writers left behind.
    /// Blocks for a few file-system calls. A folder that cannot be written to opens for reading.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(folder, &LakeConfig::default())
    }

    /// [`open`](Self::open) with other settings.
    pub fn open_with(folder: impl AsRef<Path>, config: &LakeConfig) -> Result<Self, StoreError> {
        let root: PathBuf = folder.as_ref().to_owned();
        create_folder(&root).map_err(|e| StoreError::io(&root, e.source))?;
        clean(&root);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(config.threads.unwrap_or_else(cores).clamp(1, N_COLUMNS))
            .thread_name(|i| format!("lake-{i}"))
            .build()
            .map_err(|e| StoreError::io(&root, io::Error::other(e)))?;
        let LakeConfig { lock_wait, segment_rows, .. } = *config;
        let engine = Engine { root, pool, lock_wait, segment_rows, writers: Mutex::new(()) };
        Ok(Self { engine: Arc::new(engine) })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.engine.root
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || work(&engine))
            .await
            .map_err(|e| StoreError::Interrupted { reason: e.to_string() })?
    }
}

/// Removes leftovers, unless another program is writing: then they may be its own.
fn clean(root: &Path) {
    let cleaned = lock::try_acquire(root).and_then(|lock| match lock {
        Some(_held) => layout::remove_leftovers(root),
        None => Ok(()),
    });
    if let Err(error) = cleaned {
        tracing::warn!(folder = %root.display(), %error, "the lake cannot be written to, it opens for reading");
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[async_trait]
impl CandleStore for ParquetLake {
    async fn upsert(&self, series: &CandleSeries) -> Result<Option<TimeRange>, StoreError> {
        let (key, parts) = (series.key().clone(), years::split(series.columns())?);
        self.blocking(move |engine| engine.upsert(&key, &parts)).await
    }

    async fn scan(&self, key: &SeriesKey, range: TimeRange) -> Result<CandleSeries, StoreError> {
        let key = key.clone();
        self.blocking(move |engine| engine.read(&key, &engine.years_within(&key, range)?, range)).await
    }

    fn scan_pieces(&self, key: &SeriesKey, range: TimeRange) -> CandlePieces {
        let (lake, key) = (self.clone(), key.clone());
        let listed = {
            let (lake, key) = (self.clone(), key.clone());
            async move { lake.blocking(move |engine| engine.years_within(&key, range)).await }
        };
        stream::once(listed).map_ok(move |years| pieces(lake.clone(), key.clone(), years, range)).try_flatten().boxed()
    }

    async fn list(&self) -> Result<Vec<Coverage>, StoreError> {
        self.blocking(Engine::list).await
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Coverage, StoreError> {
        let key = key.clone();
        self.blocking(move |engine| engine.coverage(&key)).await
    }

    async fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError> {
        let key = key.clone();
        self.blocking(move |engine| engine.delete(&key, range)).await
    }

    async fn compact(&self, key: &SeriesKey) -> Result<usize, StoreError> {
        let key = key.clone();
        self.blocking(move |engine| engine.compact(&key)).await
    }
}

fn pieces(
    lake: ParquetLake,
    key: SeriesKey,
    years: Vec<i32>,
    range: TimeRange,
) -> impl Stream<Item = Result<CandleSeries, StoreError>> + Send {
    stream::iter(years)
        .then(move |year| {
            let (lake, key) = (lake.clone(), key.clone());
            async move { lake.blocking(move |engine| engine.read(&key, &[year], range)).await }
        })
        .try_filter(|piece| future::ready(!piece.is_empty()))
}
