//! [`Host`]: the stores, the registry and the computation pool that all use cases share.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use candlecast_config::Settings;
use candlecast_core::{
    CandleSeries, FilledSeries, Interval, Problem, ProgressSink, Seed, SeriesKey, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_files::create_folder;
use candlecast_learn::Market;
use candlecast_learn::walk_forward::Hooks;
use candlecast_meta::{MetadataStore, SqlStore};
use candlecast_registry::Registry;
use candlecast_store::{CandleStore, ParquetLake};
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::checkpoints::Checkpoints;
use crate::computing::Computing;
use crate::folders::FoldersInUse;
use crate::memory_budget::{MemoryBudget, ReservedMemory};
use crate::models_folder::SharedNames;

/// Everything a use case needs. A clone shares all of it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Settings.
    pub settings: Settings,
    /// Candles.
    pub store: Arc<dyn CandleStore>,
    /// Models. Its calls block: async code makes them within [`blocking`]. Waiting for other writers ends when this host
    /// is cancelled.
    pub registry: Registry,
    /// Root of all randomness.
    pub seed: Seed,
    clock: Clock,
    metadata: Arc<OnceCell<Arc<dyn MetadataStore>>>,
    pub(crate) models_folder: Arc<OnceCell<String>>,
    computing: Computing,
    memory: MemoryBudget,
    cancel: Arc<AtomicBool>,
    /// Let go of with the last clone.
    _in_use: Arc<FoldersInUse>,
}

/// What the caller decides about a run.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Root of all randomness.
    pub seed: Seed,
    /// Threads for long computations; all cores if `None`. Beside them there are half as many for short ones.
    pub threads: Option<usize>,
    /// "Now".
    pub clock: Clock,
    /// Set from outside to cancel.
    pub cancel: Arc<AtomicBool>,
}

/// Where "now" comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Always this instant, as `--now` says.
    Fixed(Timestamp),
}

impl Clock {
    /// "Now".
    pub fn now(self) -> Timestamp {
        match self {
            Self::Fixed(now) => now,
            Self::System => system_time(),
        }
    }
}

impl Host {
    /// Opens the stores of `settings`, and marks their folders as in use until the last clone is gone. A restore that was
    /// killed is brought to its end, or taken back, first. Blocks for some calls to the file system.
    pub fn open(settings: Settings, options: HostOptions) -> Result<Self, Problem> {
        let in_use = Arc::new(FoldersInUse::mark(&settings.data_dir, &settings.models_dir)?);
        let store = ParquetLake::open(settings.data_dir.join("candles"))?;
        let (metadata, models_folder) = (Arc::new(OnceCell::new()), Arc::new(OnceCell::new()));
        let mut registry = Registry::open(settings.models_dir.clone())?.stopped_by(Arc::clone(&options.cancel));
        if settings.database_url.is_some() {
            let (metadata, folder) = (Arc::clone(&metadata), Arc::clone(&models_folder));
            let names = SharedNames { metadata, folder, models_dir: settings.models_dir.clone() };
            registry = registry.claiming(Arc::new(names));
        }
        let computing = Computing::new(options.threads.unwrap_or_else(all_cores))?;
        let memory = MemoryBudget::new(settings.max_memory);
        Ok(Self {
            settings,
            store: Arc::new(store),
            registry,
            seed: options.seed,
            clock: options.clock,
            metadata,
            models_folder,
            computing,
            memory,
            cancel: options.cancel,
            _in_use: in_use,
        })
    }

    /// "Now".
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The metadata database, opened at the first call: the one at `database_url`, else `candlecast.db` in the data
    /// folder.
    pub async fn metadata(&self) -> Result<&Arc<dyn MetadataStore>, Problem> {
        self.metadata
            .get_or_try_init(|| async {
                let store = if let Some(url) = &self.settings.database_url {
                    SqlStore::connect(url, self.now()).await?
                } else {
                    blocking(self, |host| Ok(create_folder(&host.settings.data_dir)?)).await?;
                    SqlStore::open_in(&self.settings.data_dir, self.now()).await?
                };
                Ok(Arc::new(store) as Arc<dyn MetadataStore>)
            })
            .await
    }

    /// The same platform with a seed and a cancellation of its own, for one job among several.
    #[must_use]
    pub fn with(&self, seed: Seed, cancel: Arc<AtomicBool>) -> Self {
        let registry = self.registry.stopped_by(Arc::clone(&cancel));
        Self { registry, seed, cancel, ..self.clone() }
    }

    /// The same platform with threads of its own for long computations, for a job that may use fewer.
    pub fn with_threads(&self, threads: usize) -> Result<Self, Problem> {
        Ok(Self { computing: self.computing.with_threads(threads)?, ..self.clone() })
    }

    /// Set to ask the work to stop.
    pub fn cancel(&self) -> &Arc<AtomicBool> {
        &self.cancel
    }

    /// Threads for long computations.
    pub fn threads(&self) -> usize {
        self.computing.threads()
    }

    /// Runs `work` that somebody waits for, such as a forecast, off the caller's async threads. It never queues behind
    /// [`compute_long`](Self::compute_long).
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.computing.short(work).await
    }

    /// Runs `work` that takes long, such as a training, off the caller's async threads. At most as many as there are
    /// [`threads`](Self::threads) run side by side in this process; the others wait in the order in which they came, tell
    /// `watch` so, and end with a problem once this host is cancelled.
    pub async fn compute_long<T: Send + 'static>(
        &self,
        watch: &dyn ProgressSink,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.computing.long(&self.cancel, watch, work).await
    }

    /// Memory that the long computations of this process share.
    pub fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Reserves `bytes` of [`memory`](Self::memory) for a computation, as [`MemoryBudget::reserve`] does, until this host
    /// is cancelled.
    pub async fn reserve_memory(&self, bytes: u64, watch: &dyn ProgressSink) -> Result<ReservedMemory, Problem> {
        self.memory.reserve(bytes, &self.cancel, watch).await
    }

    /// Where interrupted runs leave what they finished.
    pub fn checkpoints_dir(&self) -> PathBuf {
        self.settings.data_dir.join("checkpoints")
    }

    /// A token that reports cancellation, progress and time to an evaluation.
    pub fn hooks(&self, watch: Arc<dyn ProgressSink>) -> RunHooks {
        RunHooks { cancel: Arc::clone(&self.cancel), watch, started: Instant::now(), checkpoints: None }
    }

    /// An error once the run was cancelled.
    pub fn check_cancelled(&self) -> Result<(), Problem> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Problem::cancelled());
        }
        Ok(())
    }

    /// The stored series that `wanted` names; what it leaves open is filled in from what is stored: the venue if
    /// there is one only, `1h` if stored, else the finest interval.
    pub async fn find_series(&self, wanted: &SeriesQuery) -> Result<SeriesKey, Problem> {
        let listed = self.store.list().await?;
        let matches: Vec<&SeriesKey> = listed
            .iter()
            .map(|c| &c.key)
            .filter(|k| {
                k.symbol == wanted.symbol
                    && wanted.venue.as_ref().is_none_or(|v| *v == k.venue)
                    && wanted.interval.is_none_or(|i| i == k.interval)
            })
            .collect();
        let venues: std::collections::BTreeSet<&Venue> = matches.iter().map(|k| &k.venue).collect();
        let venue = match venues.iter().find(|v| v.as_str() == "binance").or_else(|| venues.first()) {
            Some(_) if venues.len() > 1 && !venues.iter().any(|v| v.as_str() == "binance") => {
                let names: Vec<&str> = venues.iter().map(|v| v.as_str()).collect();
                return Err(Problem::usage(
                    "ambiguous-venue",
                    "venue",
                    format!(
                        "{} is stored for several venues: choose one with --venue ({})",
                        wanted.symbol,
                        names.join(", ")
                    ),
                ));
            }
            Some(venue) => (*venue).clone(),
            None => wanted.venue.clone().unwrap_or_else(Venue::binance),
        };
        let of_venue = matches.iter().filter(|k| k.venue == venue);
        let interval = wanted
            .interval
            .or_else(|| of_venue.clone().map(|k| k.interval).find(|&i| i == Interval::H1))
            .or_else(|| of_venue.map(|k| k.interval).min())
            .unwrap_or(Interval::H1);
        let key = SeriesKey::new(venue, wanted.symbol.clone(), interval);
        // Unknown keys fail here with the nearest names.
        self.store.coverage(&key).await?;
        Ok(key)
    }

    /// All candles of `key`.
    pub async fn series(&self, key: &SeriesKey) -> Result<CandleSeries, Problem> {
        Ok(self.store.scan(key, TimeRange::ALL).await?)
    }

    /// The series of `key` made ready for forecasting.
    pub async fn market(&self, key: &SeriesKey, max_fill: usize) -> Result<Arc<Market>, Problem> {
        let series = self.series(key).await?;
        self.compute(move || Ok(Arc::new(Market::new(FilledSeries::new(&series, max_fill))))).await
    }
}

/// The system's clock, whatever "now" is said to be: what other processes compare with theirs goes by it. Leases go by
/// that of the database.
pub fn system_time() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0)))
}

/// Cores of this machine that this process may use.
pub fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A series as a request names it.
#[derive(Debug, Clone)]
pub struct SeriesQuery {
    /// Symbol.
    pub symbol: Symbol,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
}

/// Reports cancellation, progress and time to an evaluation.
pub struct RunHooks {
    cancel: Arc<AtomicBool>,
    watch: Arc<dyn ProgressSink>,
    started: Instant,
    checkpoints: Option<Checkpoints>,
}

impl RunHooks {
    /// Goes on from what an interrupted run with the same `fingerprint` left below `folder`, and keeps what gets done.
    pub fn resume(&mut self, folder: &Path, fingerprint: &str) {
        let checkpoints = Checkpoints::open(folder, fingerprint);
        let left = checkpoints.len();
        if left > 0 {
            self.watch.note(&format!("going on from {left} pieces that an interrupted run of this command finished"));
        }
        self.checkpoints = Some(checkpoints);
    }

    /// The run is done: nothing is left to go on from.
    pub fn done(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.clear();
        }
    }
}

impl std::fmt::Debug for RunHooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunHooks").finish_non_exhaustive()
    }
}

impl Hooks for RunHooks {
    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
    fn fits_done(&self, done: usize, of: usize, model: &str) {
        self.watch.progress(&format!("fits, last {model}"), done as u64, of as u64);
    }
    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.checkpoints.as_ref()?.recall(name)
    }
    fn keep(&self, name: &str, content: &[u8]) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.keep(name, content);
        }
    }
}
