//! Sessions with an exchange that fails as told; time does not pass.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use candlecast_config::{Flags, ModelCatalog, Settings};
use candlecast_core::{Interval, Seed, Symbol, Venue};
use candlecast_exchange::{OrderBook, Page, Subscription};
use candlecast_host::{Clock, HostOptions};
use tempfile::TempDir;
use tokio::sync::mpsc::{Receiver, channel};

use super::*;

fn key() -> SeriesKey {
    SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
}

fn hour(hour: i64) -> Timestamp {
    Timestamp::year_start(2024).plus_ms(hour * Interval::H1.ms())
}

fn closed(row: i64) -> LiveEvent {
    let candle = Candle {
        open_time: hour(row),
        open: 100.0,
        high: 101.0,
        low: 99.0,
        close: 100.0,
        volume: 1.0,
        quote_volume: None,
        trades: None,
        taker_buy_base: None,
    };
    LiveEvent::Closed { key: key(), candle, origin: Origin::Stream }
}

fn refused() -> ExchangeError {
    ExchangeError::Refused { venue: Venue::binance(), path: "/klines".into(), message: "Invalid symbol.".into() }
}

fn denied() -> ExchangeError {
    let (venue, path, message) = (Venue::binance(), "/klines".into(), "<html>".into());
    ExchangeError::Denied { venue, path, status: 403, message }
}

fn blocked(wait_s: u64) -> ExchangeError {
    ExchangeError::Blocked { venue: Venue::binance(), status: 418, wait_s }
}

/// Knows the time, waits as others do, and has nothing else.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Exchange for Silent {
    fn venue(&self) -> Venue {
        Venue::binance()
    }

    async fn now(&self) -> Result<Timestamp, ExchangeError> {
        Ok(hour(1_000))
    }

    async fn klines(&self, _: &SeriesKey, _: TimeRange) -> Result<Page, ExchangeError> {
        Err(refused())
    }

    async fn live(&self, _: Subscription) -> Result<Box<dyn Live>, ExchangeError> {
        Err(refused())
    }
}

/// What is to happen, and after it nothing.
#[derive(Debug)]
struct Script(VecDeque<Result<LiveEvent, ExchangeError>>);

#[async_trait]
impl Live for Script {
    async fn next(&mut self) -> Result<Option<LiveEvent>, ExchangeError> {
        match self.0.pop_front() {
            Some(step) => step.map(Some),
            None => std::future::pending().await,
        }
    }

    fn book(&self, _: &Symbol) -> Option<&OrderBook> {
        None
    }
}

struct Stage {
    session: Session,
    told: Receiver<StreamEvent>,
    cancel: Arc<AtomicBool>,
    _folder: TempDir,
}

/// A session that hears `script`, before a queue with room for `room` events.
fn stage(script: Vec<Result<LiveEvent, ExchangeError>>, room: usize) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let settings = Settings::load(&flags, |_| None, &ModelCatalog::EMPTY).unwrap();
    let cancel = Arc::new(AtomicBool::new(false));
    let options =
        HostOptions { seed: Seed(1), threads: Some(1), clock: Clock::Fixed(hour(1_000)), cancel: Arc::clone(&cancel) };
    let host = Host::open(settings, options).unwrap();
    let (events, told) = channel(room);
    let opened = StreamOpened { key: Arc::new(key()), history: 0, models: vec![], remarks: vec![] };
    let live = Box::new(Script(script.into()));
    let session = Session::new(host, Arc::new(Silent), live, &opened, vec![], 1, events);
    Stage { session, told, cancel, _folder: folder }
}

/// What was told, in a word each.
fn words(told: &mut Receiver<StreamEvent>) -> Vec<String> {
    let mut words = Vec::new();
    while let Ok(event) = told.try_recv() {
        words.push(match event {
            StreamEvent::Candle(candle) => {
                format!("candle {}", (candle.candle.open_time.ms() - hour(0).ms()) / 3_600_000)
            }
            StreamEvent::Missing { candles, .. } => format!("missing {candles}"),
            StreamEvent::Retrying { part, .. } => format!("retrying {}", part.as_str()),
            StreamEvent::Healed { part, tries, seconds } => {
                format!("healed {} after {tries} in {seconds:.0} s", part.as_str())
            }
            other => format!("{other:?}"),
        });
    }
    words
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_waited_for_and_told() {
    let script = vec![
        Ok(closed(0)),
        Err(denied()),
        Ok(LiveEvent::Connected),
        Err(denied()),
        Err(blocked(600)),
        Ok(LiveEvent::Missing { key: key(), range: TimeRange { from: hour(1), to: hour(3) } }),
        Ok(closed(3)),
        Err(denied()),
        Ok(closed(4)),
        Err(refused()),
    ];
    let mut stage = stage(script, 100);
    let error = stage.session.run(Until::Stopped).await.unwrap_err();
    assert_eq!(error.code, "exchange-failed");
    assert!(error.detail.contains("Invalid symbol"), "{}", error.detail);
    let expected = [
        "candle 0",
        "retrying exchange",
        "Connected",
        "retrying exchange",
        "retrying exchange",
        // 30 s, 60 s, and what the exchange wanted; that it connects is no sign that it works.
        "healed exchange after 3 in 690 s",
        "missing 2",
        "candle 3",
        "retrying exchange",
        "healed exchange after 1 in 30 s",
        "candle 4",
    ];
    assert_eq!(words(&mut stage.told), expected);
    let tally = stage.session.finish();
    assert_eq!((tally.retries, tally.missing, tally.disconnects), (4, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn pauses_are_bounded() {
    let mut script = vec![Ok(closed(0))];
    script.extend((0..20).map(|_| Err(denied())));
    script.extend([Err(blocked(u64::MAX)), Ok(closed(1)), Err(refused())]);
    let mut stage = stage(script, 100);
    stage.session.run(Until::Stopped).await.unwrap_err();
    let told = words(&mut stage.told);
    // 30, 60, 120, 240, 16 times 300 s, and an hour.
    assert!(told.contains(&"healed exchange after 21 in 8850 s".to_owned()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_never_worked_ends_at_once() {
    for error in [denied(), blocked(1)] {
        let reason = error.to_string();
        let mut stage = stage(vec![Ok(LiveEvent::Connected), Err(error)], 100);
        assert_eq!(stage.session.run(Until::Stopped).await.unwrap_err().detail, reason);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_hears_that_it_is_to_stop() {
    let mut stage = stage(vec![Ok(closed(0)), Err(blocked(3_600))], 100);
    let cancel = Arc::clone(&stage.cancel);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.store(true, Ordering::Relaxed);
    });
    let started = Instant::now();
    assert_eq!(stage.session.run(Until::Stopped).await.unwrap(), Ended::Interrupted);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the clock stood still but for pauses: {:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_hears_that_it_is_to_stop() {
    let mut stage = stage((0..5).map(|row| Ok(closed(row))).collect(), 1);
    let cancel = Arc::clone(&stage.cancel);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.store(true, Ordering::Relaxed);
    });
    let started = Instant::now();
    assert_eq!(stage.session.run(Until::Stopped).await.unwrap(), Ended::Interrupted);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "the clock stood still but for pauses: {:?}",
        started.elapsed()
    );
    assert_eq!(words(&mut stage.told), ["candle 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_gone_ends_the_session() {
    let mut stage = stage(vec![Ok(closed(0)), Err(blocked(3_600))], 100);
    stage.told.close();
    assert_eq!(stage.session.run(Until::Stopped).await.unwrap(), Ended::Interrupted);
}
