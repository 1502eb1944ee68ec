//! Files played as if live.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{CandleSeries, Interval, Seed, TimeRange};
use candlecast_exchange::faults::Market;
use candlecast_exchange::{
    Clock, Exchange, ExchangeError, Fetch, LiveEvent, Origin, ReplayControl, Setting, Subscription, VirtualClock, find,
};
use serde_json::json;

use crate::scene::key;
use crate::stream::{Heard, candles};

fn series(symbol: &str, seed: u64, candles: usize) -> CandleSeries {
    Market::generated(key("binance", symbol, Interval::M1), Seed(seed), candles, 0, 0).series
}

fn write(folder: &Path, series: &CandleSeries) -> PathBuf {
    let mut text = String::from("open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_base\n");
    for i in 0..series.len() {
        let c = series.candle(i);
        let (quote, trades) = (c.quote_volume.unwrap(), c.trades.unwrap());
        let (time, taker) = (c.open_time.ms(), c.taker_buy_base.unwrap());
        writeln!(text, "{time},{},{},{},{},{},{quote},{trades},{taker}", c.open, c.high, c.low, c.close, c.volume)
            .unwrap();
    }
    let path = folder.join(format!("{}-1m.csv", series.key().symbol));
    std::fs::write(&path, text).unwrap();
    path
}

fn play(
    files: Vec<PathBuf>,
    config: &serde_json::Value,
    control: Option<ReplayControl>,
) -> (Arc<VirtualClock>, Box<dyn Exchange>) {
    let clock = Arc::new(VirtualClock::new());
    let setting = Setting { files, control, clock: Arc::<VirtualClock>::clone(&clock), ..Setting::default() };
    let exchange = find("replay").unwrap().build(config).unwrap().connect(&setting).unwrap();
    (clock, exchange)
}

async fn events(exchange: &dyn Exchange, subscription: Subscription) -> Vec<LiveEvent> {
    let mut live = exchange.live(subscription).await.unwrap();
    let mut all = Vec::new();
    while let Some(event) = live.next().await.unwrap() {
        all.push(event);
    }
    all
}

#[tokio::test]
async fn candles_come_at_the_speed_asked_for_and_never_early() {
    let folder = tempfile::tempdir().unwrap();
    let whole = series("BTCUSDT", 1, 600);
    let (clock, exchange) = play(vec![write(folder.path(), &whole)], &json!({"speed": 3600}), None);
    let key = whole.key().clone();
    let mut live = exchange.live(candles(&key, None)).await.unwrap();
    let begin = whole.candle(0).open_time;
    let mut n = 0;
    while let Some(event) = live.next().await.unwrap() {
        let LiveEvent::Closed { key: k, candle, origin } = event else { panic!("{event:?}") };
        assert_eq!((&k, candle, origin), (&key, whole.candle(n), Origin::Stream));
        let close = candle.open_time.plus_ms(key.interval.ms());
        let due_ms = ((close.ms() - begin.ms()) as u64).div_ceil(3_600);
        let late_ms = clock.elapsed_ms() as i64 - due_ms as i64;
        assert!((0..=1).contains(&late_ms), "candle {n} is {late_ms} ms late");
        assert_eq!(exchange.now().await.unwrap(), close);
        let page = exchange.klines(&key, TimeRange::ALL).await.unwrap();
        assert_eq!(page.series.len(), n + 1, "history ends with the candle just closed");
        n += 1;
    }
    assert_eq!(n, whole.len());
}

#[tokio::test]
async fn speed_changes_when_but_not_what() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> =
        [series("BTCUSDT", 1, 300), series("ETHUSDT", 2, 300)].iter().map(|s| write(folder.path(), s)).collect();
    let mut runs = Vec::new();
    for speed in [0.0, 0.5, 3_600.0, 1e9] {
        let (_, exchange) = play(files.clone(), &json!({"speed": speed}), None);
        runs.push(events(exchange.as_ref(), Subscription::default()).await);
    }
    assert_eq!(runs[0].len(), 600);
    assert!(runs.iter().all(|r| *r == runs[0]));
    let closes: Vec<i64> = runs[0]
        .iter()
        .map(|e| if let LiveEvent::Closed { candle, .. } = e { candle.open_time.ms() } else { panic!("{e:?}") })
        .collect();
    assert!(closes.is_sorted(), "two series are played in one order of time");
}

#[tokio::test]
async fn what_lies_before_is_history() {
    let folder = tempfile::tempdir().unwrap();
    let whole = series("BTCUSDT", 3, 12_500);
    let files = vec![write(folder.path(), &whole)];
    let (_, exchange) = play(files, &json!({"speed": 0, "warmup": 12_000}), None);
    let key = whole.key().clone();
    let mut fetch = Fetch::new(exchange.as_ref(), key.clone(), &[TimeRange::ALL]);
    let mut history = CandleSeries::empty(key.clone());
    while let Some(chunk) = fetch.next_chunk().await.unwrap() {
        history = history.merged(&chunk).unwrap();
    }
    assert_eq!(history.len(), 12_000);
    let since = whole.candle(11_990).open_time;
    let mut live = exchange.live(candles(&key, Some(since))).await.unwrap();
    let heard = Heard::until(live.as_mut(), whole.candle(12_499).open_time).await;
    assert_eq!((heard.origins[&Origin::Backfill], heard.origins[&Origin::Stream]), (10, 500));
    assert_eq!(live.next().await.unwrap(), None);
    let end = TimeRange { from: since, ..TimeRange::ALL };
    assert_eq!(heard.series(&key), whole.between(end));
}

#[tokio::test]
async fn a_replay_can_be_paused() {
    let whole = series("BTCUSDT", 4, 50);
    let folder = tempfile::tempdir().unwrap();
    let control = ReplayControl::new(60.0);
    let (clock, exchange) = play(vec![write(folder.path(), &whole)], &json!({}), Some(control.clone()));
    let mut live = exchange.live(Subscription::default()).await.unwrap();
    assert!(live.next().await.unwrap().is_some());
    control.pause();
    assert!(tokio::time::timeout(Duration::from_millis(30), live.next()).await.is_err(), "nothing while it is paused");
    let stopped_ms = clock.elapsed_ms();
    clock.advance_to(stopped_ms + 1_000_000);
    control.resume();
    let Some(LiveEvent::Closed { candle, .. }) = live.next().await.unwrap() else { panic!("no candle") };
    assert_eq!(candle, whole.candle(1));
    let gap_ms = (whole.candle(1).open_time.ms() - whole.candle(0).open_time.ms()) as u64;
    let waited_ms = clock.elapsed_ms() - stopped_ms - 1_000_000;
    assert!(waited_ms.abs_diff(gap_ms / 60) <= 2, "market time stood still: {waited_ms} ms for {gap_ms}");
    control.set_speed(0.0);
    let mut rest = 0;
    while live.next().await.unwrap().is_some() {
        rest += 1;
    }
    assert_eq!(rest, 48);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() {
    let recipe = find("replay").unwrap().build(&json!({})).unwrap();
    assert!(matches!(recipe.connect(&Setting::default()), Err(ExchangeError::NoFiles)));
    let gone = Setting { files: vec![PathBuf::from("/nowhere/BTCUSDT-1m.csv")], ..Setting::default() };
    let error = recipe.connect(&gone).unwrap_err().to_string();
    assert!(error.contains("/nowhere/BTCUSDT-1m.csv"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let (_, exchange) = play(vec![write(folder.path(), &series("BTCUSDT", 5, 20))], &json!({}), None);
    let other = key("binance", "ETHUSDT", Interval::M1);
    let error = exchange.klines(&other, TimeRange::ALL).await.unwrap_err().to_string();
    assert!(error.contains("binance:BTCUSDT:1m"), "{error}");
}
