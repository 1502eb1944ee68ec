//! Streams of an exchange with faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use candlecast_core::{CandleSeries, Columns, Interval, NoProgress, Problem, Seed, TimeRange};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_host::Host;
use candlecast_live::{Ended, Listener, LogSteps, StreamEvent, StreamRequest, StreamSource, StreamSummary};

use super::{Recorder, minutes};
use crate::scene::{Scene, key, seeds};
use crate::world::{store, world};

pub(super) const RETRIES: u32 = 12;

pub(super) fn request(scene: &Scene, book: bool) -> StreamRequest {
    let key = scene.server.market().series.key().clone();
    StreamRequest {
        task: "price".into(),
        symbol: key.symbol,
        interval: key.interval,
        source: StreamSource::Exchange { exchange: Arc::clone(&scene.exchange), book },
        models: vec![],
        model_venue: None,
        predict_every: 1,
        log: LogSteps::All,
        duration: None,
    }
}

pub(super) async fn stream(
    app: &Host,
    request: StreamRequest,
    listener: &Arc<impl Listener + 'static>,
) -> Result<StreamSummary, Problem> {
    let listener = Arc::clone(listener);
    tokio::time::timeout(Duration::from_secs(120), candlecast_live::stream(app, request, listener, &NoProgress))
        .await
        .expect("the stream should have ended")
}

#[tokio::test]
async fn what_is_streamed_through_faults_is_the_market() {
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut disconnects = 0;
    for seed in seeds(4) {
        for venue in ["binance", "binance-usdm"] {
            let key = key(venue, "BTCUSDT", Interval::M1);
            let market = Market::generated(key.clone(), Seed(seed), 220, 60, 0);
            let whole = market.series.clone();
            let last = whole.candle(218).open_time;
            let world = world();
            let known = whole.between(TimeRange { to: whole.candle(40).open_time, ..TimeRange::ALL });
            store(&world.app, &known).await;
            let scene = Scene::new(market, FaultPlan::heavy(Seed(seed)), RETRIES).await;
            let recorder = Arc::new(Recorder::until(last, &world.cancel));
            let summary = stream(&world.app, request(&scene, false), &recorder).await.unwrap();
            let expected = whole.between(TimeRange { to: last.plus_ms(1), ..TimeRange::ALL });
            assert_eq!(world.app.series(&key).await.unwrap(), expected, "{venue}, seed {seed}");
            assert_eq!(summary.ended, Ended::Interrupted);
            assert_told_once(&recorder, &expected, &summary);
            disconnects += summary.disconnects;
            for (name, count) in scene.server.report().faults {
                *faults.entry(name).or_default() += count;
            }
        }
    }
    let n = seeds(4).end;
    println!("stored streams from {n} seeds; faults survived: {faults:?}; connections lost: {disconnects}");
    assert!(faults.len() >= 10 && disconnects > 0, "{faults:?}");
}

/// The candles told of are the newest that are stored, each once and in order.
fn assert_told_once(recorder: &Recorder, stored: &CandleSeries, summary: &StreamSummary) {
    let mut columns = Columns::default();
    let told = recorder.candles();
    told.iter().for_each(|c| columns.push(&c.candle));
    let first = told[0].candle.open_time;
    let series = CandleSeries::new(stored.key().clone(), columns).unwrap();
    assert_eq!(series, stored.between(TimeRange { from: first, ..TimeRange::ALL }));
    assert_eq!(summary.candles, told.len() as u64);
    assert_eq!(summary.backfilled, told.iter().filter(|c| c.backfilled).count() as u64);
    let lost = recorder.events().iter().filter(|e| matches!(e, StreamEvent::Disconnected { .. })).count();
    assert_eq!(summary.disconnects, lost as u64);
}

#[tokio::test]
async fn without_stored_candles_the_stream_begins_now() {
    let market = Market::generated(minutes(), Seed(9), 2_000, 20, 900);
    let (start, whole) = (market.start, market.series.clone());
    let (world, scene) = (world(), Scene::new(market, FaultPlan::none(), RETRIES).await);
    let recorder = Arc::new(Recorder::until(start.plus_ms(20 * 60_000), &world.cancel));
    stream(&world.app, request(&scene, true), &recorder).await.unwrap();
    let stored = world.app.series(&minutes()).await.unwrap();
    let range = stored.range().unwrap();
    assert!(range.from >= start.plus_ms(-60_000), "{range} begins before {start}");
    assert_eq!(stored, whole.between(range));
    let books = recorder.events().iter().filter(|e| matches!(e, StreamEvent::Book(_))).count();
    assert!(books > 0, "the order book was asked for");
}

#[tokio::test]
async fn a_stream_that_cannot_begin_says_why() {
    let market = Market::generated(minutes(), Seed(1), 50, 20, 0);
    let (world, scene) = (world(), Scene::new(market, FaultPlan::none(), RETRIES).await);
    let refused =
        async |request: StreamRequest| stream(&world.app, request, &Arc::new(Recorder::default())).await.unwrap_err();
    let untrained = refused(StreamRequest { models: vec!["linear".into()], ..request(&scene, false) }).await;
    assert_eq!(untrained.code, "model-not-trained");
    let unknown = refused(StreamRequest { models: vec!["liner".into()], ..request(&scene, false) }).await;
    assert!(unknown.detail.contains("did you mean `linear`"), "{}", unknown.detail);
    let none = refused(StreamRequest { models: vec!["all".into()], ..request(&scene, false) }).await;
    assert_eq!(none.code, "model-not-trained");
    let never = refused(StreamRequest { predict_every: 0, ..request(&scene, false) }).await;
    assert_eq!((never.code, never.exit_code()), ("bad-predict-every", 2));
    let nowhere = refused(StreamRequest { symbol: "NOSUCH".parse().unwrap(), ..request(&scene, false) }).await;
    assert!(nowhere.exit_code() == 1 && nowhere.detail.contains("Invalid symbol"), "{}", nowhere.detail);
    let silent = Market::generated(key("kraken", "BTCUSD", Interval::M5), Seed(1), 50, 20, 0);
    let kraken = Scene::new(silent, FaultPlan::none(), RETRIES).await;
    let no_stream = refused(request(&kraken, false)).await;
    assert_eq!((no_stream.code, no_stream.exit_code()), ("not-offered", 2));
    assert!(
        candlecast_app::data::coverage(&world.app).await.unwrap().is_empty() && !world.cancel.load(Ordering::Relaxed)
    );
}

#[tokio::test]
async fn a_stream_ends_when_its_time_is_over() {
    let market = Market::generated(minutes(), Seed(2), 100, 20, 0);
    let (world, scene) = (world(), Scene::new(market, FaultPlan::none(), RETRIES).await);
    let duration = Some(Duration::from_millis(400));
    let recorder = Arc::new(Recorder::default());
    let summary = stream(&world.app, StreamRequest { duration, ..request(&scene, false) }, &recorder).await.unwrap();
    assert_eq!(summary.ended, Ended::TimeOver);
    assert_eq!(summary.candles, recorder.candles().len() as u64);
    assert!(matches!(recorder.events().first(), Some(StreamEvent::Opened(_))));
}
