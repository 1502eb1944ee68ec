//! Streams whose store or exchange fails for a while: they go on by themselves, say so, and no candle is missing.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlecast_core::{CandleSeries, Problem, Seed, SeriesKey, TimeRange, Timestamp, Venue};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_files::{FileLock, LOCK_FILE};
use candlecast_live::{Listener, LogSteps, Part, ReplayRequest, StreamEvent, StreamRequest, StreamSource};
use candlecast_store::{LakeConfig, ParquetLake};

use super::stream::{RETRIES, request, stream};
use super::{Recorder, generated, minutes, rows};
use crate::scene::Scene;
use crate::world::{World, store, world};

fn retried(recorder: &Recorder, part: Part) -> usize {
    recorder.events().iter().filter(|e| matches!(e, StreamEvent::Retrying { part: p, .. } if *p == part)).count()
}

fn healed(recorder: &Recorder, part: Part) -> usize {
    recorder.events().iter().filter(|e| matches!(e, StreamEvent::Healed { part: p, .. } if *p == part)).count()
}

/// Another program that holds the lake's lock until the stream has met it twice; then it goes, or the stream is asked to
/// stop.
struct OtherProgram {
    recorder: Recorder,
    held: Mutex<Option<FileLock>>,
    /// Set when the stream is to stop instead.
    cancel: Option<Arc<AtomicBool>>,
}

impl Listener for OtherProgram {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        self.recorder.hear(event)?;
        if retried(&self.recorder, Part::Store) >= 2 {
            match &self.cancel {
                Some(cancel) => cancel.store(true, Ordering::Relaxed),
                None => drop(self.held.lock().unwrap().take()),
            }
        }
        Ok(())
    }
}

/// A platform whose lake has little patience, and another program that holds its lock.
fn locked(cancels: bool) -> (World, Arc<OtherProgram>) {
    let mut world = world();
    let folder = world.app.settings.data_dir.join("candles");
    let config = LakeConfig { lock_wait: Duration::from_millis(20), threads: Some(1), ..LakeConfig::default() };
    world.app.store = Arc::new(ParquetLake::open_with(&folder, &config).unwrap());
    let held = FileLock::try_exclusive(&folder.join(LOCK_FILE)).unwrap().expect("nobody else has it");
    let cancel = cancels.then(|| Arc::clone(&world.cancel));
    let other = OtherProgram { recorder: Recorder::default(), held: Mutex::new(Some(held)), cancel };
    (world, Arc::new(other))
}

/// Plays `series` from a file as fast as possible.
fn replay(series: &CandleSeries, folder: &std::path::Path) -> StreamRequest {
    let file = folder.join("BTCUSDT-1m.csv");
    candlecast_app::export::write(series, &file).unwrap();
    let replay = ReplayRequest { files: vec![file], venue: None, speed: 0.0, since: None, store_as: None };
    StreamRequest {
        task: "price".into(),
        symbol: series.key().symbol.clone(),
        interval: series.key().interval,
        source: StreamSource::Replay(replay),
        models: vec![],
        model_venue: None,
        predict_every: 1,
        log: LogSteps::All,
        duration: None,
    }
}

fn replayed() -> SeriesKey {
    SeriesKey { venue: Venue::new("replay-binance").unwrap(), ..minutes() }
}

#[tokio::test]
async fn a_lake_that_is_locked_is_waited_for() {
    let (world, other) = locked(false);
    let folder = tempfile::tempdir().unwrap();
    let series = generated(&minutes(), 500, &[]);
    let summary = stream(&world.app, replay(&series, folder.path()), &other).await.unwrap();
    assert_eq!((summary.candles, other.recorder.candles().len()), (500, 500));
    assert_eq!(world.app.series(&replayed()).await.unwrap(), rows(&series, 0..500, &replayed()));
    assert_eq!((retried(&other.recorder, Part::Store), healed(&other.recorder, Part::Store)), (2, 1));
    assert_eq!(summary.retries, 2);
}

#[tokio::test]
async fn asked_to_stop_before_a_locked_lake_a_stream_says_what_it_leaves() {
    let (world, other) = locked(true);
    let folder = tempfile::tempdir().unwrap();
    let series = generated(&minutes(), 500, &[]);
    let error = stream(&world.app, replay(&series, folder.path()), &other).await.unwrap_err();
    assert_eq!(error.code, "store-locked");
    assert!(error.detail.contains("may not be stored: they come again"), "{}", error.detail);
    assert!(other.recorder.candles().is_empty(), "what is not stored is not told of");
}

/// Cuts the stream, loses messages, and lets the next request for history meet `status`, once it has heard of a candle.
struct Firewall {
    recorder: Recorder,
    scene: Arc<Scene>,
    at: Timestamp,
    status: u16,
    done: AtomicBool,
}

impl Listener for Firewall {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        if let StreamEvent::Candle(candle) = event
            && candle.candle.open_time >= self.at
            && !self.done.swap(true, Ordering::Relaxed)
        {
            self.scene.server.answer_next("/klines", self.status, None);
            self.scene.server.cut_streams(8);
        }
        self.recorder.hear(event)
    }
}

/// So many that the stream is not through before it is cut.
const CANDLES: usize = 2_000;

/// A market of which 60 candles have closed and 40 are stored.
async fn behind_a_firewall(world: &World, status: u16) -> (Arc<Firewall>, CandleSeries) {
    let market = Market::generated(minutes(), Seed(3), CANDLES, 60, 0);
    let whole = market.series.clone();
    let (at, last) = (whole.candle(100).open_time, whole.candle(CANDLES - 2).open_time);
    store(&world.app, &whole.between(TimeRange { to: whole.candle(40).open_time, ..TimeRange::ALL })).await;
    let scene = Arc::new(Scene::new(market, FaultPlan::none(), RETRIES).await);
    let recorder = Recorder::until(last, &world.cancel);
    (Arc::new(Firewall { recorder, scene, at, status, done: AtomicBool::new(false) }), whole)
}

#[tokio::test]
async fn a_firewall_is_waited_for() {
    let world = world();
    let (firewall, whole) = behind_a_firewall(&world, 403).await;
    let summary = stream(&world.app, request(&firewall.scene, false), &firewall).await.unwrap();
    let expected = whole.between(TimeRange { to: whole.candle(CANDLES - 1).open_time, ..TimeRange::ALL });
    assert_eq!(world.app.series(&minutes()).await.unwrap(), expected);
    let told = (retried(&firewall.recorder, Part::Exchange), healed(&firewall.recorder, Part::Exchange));
    assert_eq!((told, summary.retries), ((1, 1), 1));
    assert_eq!(firewall.scene.server.report().faults.get("scripted"), Some(&1));
}

#[tokio::test]
async fn what_is_final_ends_a_stream_with_its_reason() {
    let world = world();
    let (firewall, _) = behind_a_firewall(&world, 400).await;
    let error = stream(&world.app, request(&firewall.scene, false), &firewall).await.unwrap_err();
    assert_eq!(error.code, "exchange-failed");
    assert!(error.detail.contains("Invalid symbol") && error.detail.contains("are stored"), "{}", error.detail);
    assert_eq!(retried(&firewall.recorder, Part::Exchange), 0);
}
