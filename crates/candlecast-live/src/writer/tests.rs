//! Writers whose log fails for a while; the candles go on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use async_trait::async_trait;
use candlecast_config::{Flags, ModelCatalog, Settings};
use candlecast_core::{
    Candle, Forecast, ForecastStep, Interval, Move, Outlook, Seed, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_host::{Clock, HostOptions};
use candlecast_meta::{
    LoggedPrediction, MetaError, NewPrediction, Page, PageRequest, PredictionFilter, PredictionStatus, PredictionStore,
    PredictionsOf, Retry, Rule, Settled, SqlStore,
};
use candlecast_pipeline::ModelLabel;
use tempfile::TempDir;
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinHandle;

use super::*;
use crate::log_keeper::Limits;
use crate::prediction_log::PredictionLog;
use crate::request::LogSteps;

const WORKS: u8 = 0;
const AWAY: u8 = 1;
const HANGS: u8 = 2;
const REFUSES: u8 = 3;

/// A log over SQLite that fails as told.
#[derive(Debug)]
struct Flaky {
    inner: SqlStore,
    mode: AtomicU8,
}

impl Flaky {
    async fn ask(&self, appends: bool) -> Result<(), MetaError> {
        match self.mode.load(Ordering::SeqCst) {
            AWAY => Err(MetaError::Unreachable { place: "here".into(), detail: "gone".into() }),
            HANGS => std::future::pending().await,
            REFUSES if appends => Err(MetaError::Refused { rule: Rule::Check, detail: "never".into() }),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl PredictionStore for Flaky {
    async fn append_predictions(&self, predictions: &[NewPrediction]) -> Result<u64, MetaError> {
        self.ask(true).await?;
        self.inner.append_predictions(predictions).await
    }

    async fn predictions(
        &self,
        filter: &PredictionFilter,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError> {
        self.inner.predictions(filter, page).await
    }

    async fn due_predictions(
        &self,
        of: &PredictionsOf,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<LoggedPrediction>, MetaError> {
        self.ask(false).await?;
        self.inner.due_predictions(of, now, page).await
    }

    async fn count_pending(&self, at_most: u64) -> Result<u64, MetaError> {
        self.inner.count_pending(at_most).await
    }

    async fn settle_predictions(&self, settled: &[Settled], now: Timestamp) -> Result<u64, MetaError> {
        self.ask(false).await?;
        self.inner.settle_predictions(settled, now).await
    }

    async fn reopen_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError> {
        self.inner.reopen_predictions(series, target).await
    }

    async fn recheck_predictions(&self, series: &SeriesKey, target: TimeRange) -> Result<u64, MetaError> {
        self.inner.recheck_predictions(series, target).await
    }
}

/// What was told, in a word each.
#[derive(Debug, Default)]
struct Words(Mutex<Vec<String>>);

impl Words {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, beginning: &str) -> usize {
        self.all().iter().filter(|word| word.starts_with(beginning)).count()
    }
}

impl Listener for Words {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        let word = match event {
            StreamEvent::Candle(candle) => format!("candle {}", row_of(candle.candle.open_time)),
            StreamEvent::Forecast(made) => format!("forecast {}", row_of(made.forecast.origin) - 1),
            StreamEvent::Retrying { part, reason } => format!("retrying {}: {reason}", part.as_str()),
            StreamEvent::Healed { part, .. } => format!("healed {}", part.as_str()),
            StreamEvent::Unlogged { forecasts, reason } => format!("unlogged {forecasts}: {reason}"),
            StreamEvent::Settled { validated, .. } => format!("settled {validated}"),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(word);
        Ok(())
    }
}

fn key() -> SeriesKey {
    SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
}

fn hour(hour: i64) -> Timestamp {
    Timestamp::year_start(2024).plus_ms(hour * Interval::H1.ms())
}

fn row_of(time: Timestamp) -> i64 {
    (time.ms() - hour(0).ms()) / Interval::H1.ms()
}

/// The candle of an hour.
fn candle_of(row: i64) -> StreamEvent {
    let price = 100.0 + row as f64;
    let candle = Candle {
        open_time: hour(row),
        open: price,
        high: price + 1.0,
        low: price - 1.0,
        close: price,
        volume: 1.0,
        quote_volume: None,
        trades: None,
        taker_buy_base: None,
    };
    StreamEvent::Candle(StreamedCandle { key: Arc::new(key()), candle, backfilled: false, at: hour(row + 1) })
}

/// A forecast of the next candle's close, made when the candle of that hour closed.
fn forecast_from(row: i64) -> StreamEvent {
    let origin = hour(row + 1);
    let step = ForecastStep {
        step: 1,
        target_time: hour(row + 2),
        price: 100.0,
        lower: 90.0,
        upper: 110.0,
        direction: Move::Up,
        factor: 1.0,
        confidence: 0.5,
        calibrated: false,
    };
    let outlook = Outlook::Price(vec![step]);
    let forecast = Forecast { key: key(), origin, origin_price: 100.0, level: 0.9, outlook, quantiles: None };
    let (id, model, version) = ("m".to_owned(), "linear".to_owned(), "v1".to_owned());
    let model = Arc::new(ModelLabel { id, model, version, trained_to: hour(0) });
    StreamEvent::Forecast(LiveForecast { model, forecast, made_at: origin, in_time: true })
}

struct Stage {
    log: Arc<Flaky>,
    words: Arc<Words>,
    events: Sender<StreamEvent>,
    writer: JoinHandle<Result<Written, Problem>>,
    cancel: Arc<AtomicBool>,
    host: Host,
    _folder: TempDir,
}

impl Stage {
    /// Over a log that may take its time, as a disk does that others use, too.
    async fn new(limits: Limits) -> Self {
        Self::with_patience(limits, Duration::from_secs(60)).await
    }

    /// Where the log counts as away once it takes longer than `patience`.
    async fn with_patience(limits: Limits, patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let settings = Settings::load(&flags, |_| None, &ModelCatalog::EMPTY).unwrap();
        let cancel = Arc::new(AtomicBool::new(false));
        let clock = Clock::Fixed(hour(1_000));
        let options = HostOptions { seed: Seed(1), threads: Some(1), clock, cancel: Arc::clone(&cancel) };
        let host = Host::open(settings, options).unwrap();
        let inner = SqlStore::open_in(folder.path(), hour(0)).await.unwrap();
        let log = Arc::new(Flaky { inner, mode: AtomicU8::new(WORKS) });
        let store: Arc<dyn PredictionStore> = Arc::<Flaky>::clone(&log);
        let retry = Retry { first_ms: 1, longest_ms: 1, budget_ms: 2, seed: Seed(1) };
        let kept = PredictionLog::new(store, retry, patience, &key(), LogSteps::All);
        let (events, waiting) = channel(MAX_WAITING);
        let words = Arc::new(Words::default());
        let writer = Writer {
            app: host.clone(),
            key: Arc::new(key()),
            log: Some(LogKeeper::new(kept, limits)),
            listener: Arc::<Words>::clone(&words),
            written: Written::default(),
            since_look: 0,
        };
        let writer = tokio::spawn(writer.run(waiting));
        Self { log, words, events, writer, cancel, host, _folder: folder }
    }

    fn set(&self, mode: u8) {
        self.log.mode.store(mode, Ordering::SeqCst);
    }

    /// A candle and the forecast from it; returns once both are told.
    async fn bring(&self, row: i64) {
        self.events.send(candle_of(row)).await.unwrap();
        self.events.send(forecast_from(row)).await.unwrap();
        self.until(&format!("forecast {row}")).await;
    }

    async fn until(&self, word: &str) {
        let heard = async {
            while self.words.count(word) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), heard).await;
        in_time.unwrap_or_else(|_| panic!("never heard {word}: {:?}", self.words.all()));
    }

    async fn logged(&self, status: PredictionStatus) -> usize {
        let filter = PredictionFilter { status: Some(status), ..PredictionFilter::default() };
        self.log.inner.predictions(&filter, PageRequest::first(100)).await.unwrap().items.len()
    }
}

/// Small pauses, so that nobody waits.
fn limits(rows: usize, patience: Duration) -> Limits {
    let pauses = Pauses { first: Duration::from_millis(1), longest: Duration::from_millis(20) };
    Limits { rows, patience, pauses }
}

async fn ended(events: Sender<StreamEvent>, writer: JoinHandle<Result<Written, Problem>>) -> Result<Written, Problem> {
    drop(events);
    tokio::time::timeout(Duration::from_secs(60), writer).await.expect("the writer should have ended").unwrap()
}

#[tokio::test]
async fn a_log_that_comes_back_gets_every_forecast() {
    let stage = Stage::new(limits(1_000, Duration::from_secs(60))).await;
    stage.bring(0).await;
    stage.bring(1).await;
    assert_eq!(
        (stage.logged(PredictionStatus::Pending).await, stage.logged(PredictionStatus::Validated).await),
        (1, 1)
    );
    stage.set(AWAY);
    for row in 2..6 {
        stage.bring(row).await;
    }
    assert_eq!(stage.words.count("candle"), 6, "candles and forecasts are told of all the same");
    assert!(stage.words.count("retrying log: the metadata database at here does not answer (gone)") >= 1);
    assert_eq!(stage.host.store.coverage(&key()).await.unwrap().rows, 6, "and stored");
    assert_eq!(stage.words.count("healed"), 0);
    stage.set(WORKS);
    stage.until("healed log").await;
    for row in 6..8 {
        stage.bring(row).await;
    }
    let pending = stage.logged(PredictionStatus::Pending).await;
    let validated = stage.logged(PredictionStatus::Validated).await;
    assert_eq!((pending, validated), (1, 7), "what fell due meanwhile has met its outcome: {:?}", stage.words.all());
    let written = ended(stage.events, stage.writer).await.unwrap();
    assert_eq!((written.candles, written.logged, written.unlogged), (8, 8, 0));
    assert!(written.retries >= 1);
    assert_eq!(stage.words.count("unlogged"), 0);
}

#[tokio::test]
async fn forecasts_that_wait_are_logged_without_a_further_candle() {
    let stage = Stage::new(limits(1_000, Duration::from_secs(60))).await;
    stage.set(AWAY);
    stage.bring(0).await;
    stage.set(WORKS);
    stage.until("healed log").await;
    assert_eq!(stage.logged(PredictionStatus::Pending).await, 1);
    assert_eq!(ended(stage.events, stage.writer).await.unwrap().logged, 1);
}

#[tokio::test]
async fn a_log_that_stays_away_is_given_up_and_counted() {
    let stage = Stage::new(limits(2, Duration::ZERO)).await;
    stage.set(AWAY);
    for row in 0..5 {
        stage.bring(row).await;
    }
    assert_eq!(stage.words.count("unlogged 1: the log has failed for too long"), 3);
    let words = Arc::clone(&stage.words);
    let written = ended(stage.events, stage.writer).await.unwrap();
    assert_eq!((written.candles, written.logged, written.unlogged), (5, 0, 5));
    assert_eq!(words.count("unlogged 2: the stream ended while the log failed"), 1, "{:?}", words.all());
}

#[tokio::test]
async fn at_the_end_the_log_is_waited_for() {
    let stage = Stage::new(limits(1_000, Duration::from_secs(60))).await;
    stage.set(AWAY);
    stage.bring(0).await;
    let log = Arc::clone(&stage.log);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        log.mode.store(WORKS, Ordering::SeqCst);
    });
    let written = ended(stage.events, stage.writer).await.unwrap();
    assert_eq!((written.logged, written.unlogged), (1, 0));
}

#[tokio::test]
async fn a_database_that_hangs_holds_up_nothing() {
    let stage = Stage::with_patience(limits(1_000, Duration::from_secs(600)), Duration::from_millis(500)).await;
    stage.set(HANGS);
    for row in 0..2 {
        stage.bring(row).await;
    }
    assert!(stage.words.count("retrying log: the metadata database did not answer within 500 ms") >= 1);
    stage.cancel.store(true, Ordering::Relaxed);
    let written = ended(stage.events, stage.writer).await.unwrap();
    assert_eq!((written.candles, written.logged, written.unlogged), (2, 0, 2), "asked to stop nobody waits for it");
}

#[tokio::test]
async fn records_that_the_log_never_takes_are_told_and_left_out() {
    let stage = Stage::new(limits(1_000, Duration::from_secs(60))).await;
    stage.set(REFUSES);
    stage.bring(0).await;
    stage.set(WORKS);
    stage.bring(1).await;
    assert_eq!(stage.words.count("unlogged 1: the metadata database refused a record: never"), 1);
    assert_eq!((stage.words.count("retrying"), stage.words.count("healed")), (0, 0));
    let written = ended(stage.events, stage.writer).await.unwrap();
    assert_eq!((written.logged, written.unlogged), (1, 1));
}

#[test]
fn rights_are_waited_for_where_there_were_some() {
    let io = || std::io::Error::other("EIO");
    let path = || std::path::PathBuf::from("lake");
    assert!(passes(&StoreError::Locked { path: path(), waited_ms: 1 }, false));
    assert!(passes(&StoreError::DiskFull { path: path(), stored: None, source: io() }, false));
    assert!(passes(&StoreError::Io { path: path(), source: io() }, false));
    assert!(passes(&StoreError::NotAllowed { path: path(), source: io() }, true));
    assert!(!passes(&StoreError::NotAllowed { path: path(), source: io() }, false));
    assert!(!passes(&StoreError::Corrupt { path: path(), reason: "cut".into() }, true));
}

#[test]
fn a_fast_stream_looks_more_seldom() {
    assert_eq!([1, 24, 25, 8_192].map(look_after), [24, 24, 1_000, 1_000]);
}
