//! `fetch` against a server with faults: what is stored equals the market, however often it is cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use candlecast_core::{
    CandleSeries, Interval, NoProgress, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp,
};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_host::Host;
use candlecast_live::{FetchRequest, Fetched};

use crate::scene::{Scene, key, seeds};
use crate::world::{store, world};

const RETRIES: u32 = 12;

/// A market whose candles are all history but the last.
fn past(key: SeriesKey, seed: u64, candles: usize) -> Market {
    Market::generated(key, Seed(seed), candles, candles, 0)
}

async fn scene(market: Market, plan: FaultPlan, retries: u32) -> Scene {
    let scene = Scene::new(market, plan, retries).await;
    scene.clock.advance_to(10_000);
    scene
}

fn btc() -> SeriesKey {
    key("binance", "BTCUSDT", Interval::M1)
}

fn from_first(whole: &CandleSeries) -> FetchRequest {
    FetchRequest { key: whole.key().clone(), since: Some(whole.candle(0).open_time), to: None, fill_gaps: false }
}

async fn fetch(
    app: &Host,
    scene: &Scene,
    request: &FetchRequest,
    watch: &dyn ProgressSink,
) -> Result<Fetched, Problem> {
    candlecast_live::fetch(app, scene.exchange.as_ref(), request, watch).await
}

/// Asks the work to stop once it has told of progress so often.
struct StopAfter {
    cancel: Arc<AtomicBool>,
    left: AtomicUsize,
}

impl StopAfter {
    fn new(cancel: &Arc<AtomicBool>, times: usize) -> Self {
        Self { cancel: Arc::clone(cancel), left: AtomicUsize::new(times) }
    }
}

impl ProgressSink for StopAfter {
    fn progress(&self, _: &str, done: u64, of: u64) {
        assert!(done <= of, "{done} of {of}");
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn what_is_fetched_through_faults_is_the_market() {
    for seed in seeds(4) {
        let venue = if seed % 2 == 0 { "binance" } else { "binance-usdm" };
        let market = past(key(venue, "BTCUSDT", Interval::M1), seed, 3_500);
        let whole = market.closed(market.start);
        let (world, scene) = (world(), scene(market, FaultPlan::heavy(Seed(seed)), RETRIES).await);
        // Waiting takes time, in which further candles may close.
        let request = FetchRequest { to: whole.range().map(|range| range.to), ..from_first(&whole) };
        let fetched = fetch(&world.app, &scene, &request, &NoProgress).await.unwrap();
        assert!(world.app.series(whole.key()).await.unwrap() == whole, "seed {seed}");
        assert_eq!((fetched.received, fetched.added, fetched.rejected), (whole.len(), whole.len(), 0));
        assert_eq!((fetched.rows, fetched.stored, fetched.changed), (whole.len(), whole.range(), whole.range()));
        assert_eq!(fetched.requests, scene.server.report().requests);
        assert!(fetched.gaps.count > 0, "the market has gaps of its own");

        let again = fetch(&world.app, &scene, &request, &NoProgress).await.unwrap();
        assert_eq!((again.received, again.added, again.changed), (0, 0, None));
        assert_eq!(again.rows, whole.len());
    }
    println!("stored history from {} seeds", seeds(4).end);
}

#[tokio::test]
async fn a_fetch_that_is_interrupted_goes_on_where_it_was() {
    let market = past(btc(), 5, 3_500);
    let whole = market.closed(market.start);
    let (world, scene) = (world(), scene(market, FaultPlan::none(), RETRIES).await);
    let request = from_first(&whole);
    let stop = StopAfter::new(&world.cancel, 2);
    let error = fetch(&world.app, &scene, &request, &stop).await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("cancelled", 130));
    assert!(error.detail.contains("2000 candles") && error.detail.contains("goes on from there"), "{}", error.detail);
    let kept = world.app.series(whole.key()).await.unwrap();
    assert_eq!(kept, whole.between(TimeRange { to: whole.candle(2_000).open_time, ..TimeRange::ALL }));

    world.cancel.store(false, Ordering::Relaxed);
    let rest = fetch(&world.app, &scene, &request, &NoProgress).await.unwrap();
    assert_eq!(rest.received, whole.len() - 2_000);
    assert_eq!(world.app.series(whole.key()).await.unwrap(), whole);
}

#[tokio::test]
async fn errors_on_the_way_lose_nothing() {
    let market = past(btc(), 3, 2_500);
    let whole = market.closed(market.start);
    let (world, scene) = (world(), scene(market, FaultPlan::heavy(Seed(3)), 0).await);
    let request = FetchRequest { since: Some(whole.candle(0).open_time), ..from_first(&whole) };
    let mut errors = 0;
    while let Err(error) = fetch(&world.app, &scene, &request, &NoProgress).await {
        assert_eq!((error.code, error.exit_code()), ("exchange-failed", 1), "{}", error.detail);
        errors += 1;
        assert!(errors < 100);
    }
    assert!(errors > 0, "this seed should fail at least once");
    assert_eq!(world.app.series(whole.key()).await.unwrap(), whole);
}

#[tokio::test]
async fn what_lies_before_the_stored_candles_is_fetched_without_a_hole() {
    let market = past(btc(), 6, 110_000);
    let whole = market.closed(market.start);
    let (world, scene) = (world(), scene(market, FaultPlan::none(), RETRIES).await);
    let newest = whole.between(TimeRange { from: whole.candle(109_000).open_time, ..TimeRange::ALL });
    store(&world.app, &newest).await;
    let request = from_first(&whole);
    let stop = StopAfter::new(&world.cancel, 70);
    let error = fetch(&world.app, &scene, &request, &stop).await.unwrap_err();
    assert_eq!(error.code, "cancelled");
    let kept = world.app.series(whole.key()).await.unwrap();
    assert!(kept.len() > newest.len() && kept.len() < whole.len(), "{} candles", kept.len());
    assert_eq!(kept, whole.between(kept.range().unwrap()), "nothing but the market's own gaps is missing");

    world.cancel.store(false, Ordering::Relaxed);
    let rest = fetch(&world.app, &scene, &request, &NoProgress).await.unwrap();
    assert_eq!(rest.received, whole.len() - kept.len());
    assert_eq!(world.app.series(whole.key()).await.unwrap(), whole);
}

#[tokio::test]
async fn gaps_are_asked_for_again_only_when_that_is_wanted() {
    let market = past(btc(), 8, 400);
    let whole = market.closed(market.start);
    let range = |lo: usize, hi: usize| TimeRange { from: whole.candle(lo).open_time, to: whole.candle(hi).open_time };
    let (world, scene) = (world(), scene(market, FaultPlan::heavy(Seed(8)), RETRIES).await);
    for part in [range(0, 50), range(60, 200), range(201, 390)] {
        store(&world.app, &whole.between(part)).await;
    }
    let onward = FetchRequest { key: btc(), since: None, to: None, fill_gaps: false };
    let tail = fetch(&world.app, &scene, &onward, &NoProgress).await.unwrap();
    assert_eq!((tail.received, tail.rows), (whole.len() - 390, whole.len() - 11));

    let filled = fetch(&world.app, &scene, &FetchRequest { fill_gaps: true, ..onward }, &NoProgress).await.unwrap();
    assert_eq!((filled.received, filled.added), (11, 11), "ten candles of one hole and one of the other");
    assert_eq!(world.app.series(&btc()).await.unwrap(), whole);
    assert!(filled.gaps.count > 0, "the market's own gaps stay");
}

#[tokio::test]
async fn what_an_exchange_no_longer_has_is_said() {
    let market = past(key("kraken", "BTCUSD", Interval::M5), 1, 900);
    let whole = market.closed(market.start);
    let (world, scene) = (world(), scene(market, FaultPlan::none(), RETRIES).await);
    let request = from_first(&whole);
    let fetched = fetch(&world.app, &scene, &request, &NoProgress).await.unwrap();
    let lost = fetched.out_of_reach.unwrap();
    assert_eq!(Some(lost.from), request.since);
    assert_eq!(
        fetched.stored.unwrap().from,
        whole.between(TimeRange { from: lost.to, ..TimeRange::ALL }).candle(0).open_time
    );
    assert!(fetched.received > 600 && fetched.received <= 720, "{}", fetched.received);
}

#[tokio::test]
async fn what_cannot_be_fetched_is_said_at_once() {
    let market = past(btc(), 1, 50);
    let start = market.series.candle(0).open_time;
    let (world, scene) = (world(), scene(market, FaultPlan::none(), RETRIES).await);
    let request = |key: SeriesKey, since: Option<Timestamp>| FetchRequest { key, since, to: None, fill_gaps: false };
    let refused = async |request: FetchRequest| fetch(&world.app, &scene, &request, &NoProgress).await.unwrap_err();
    let without = refused(request(btc(), None)).await;
    assert_eq!((without.code, without.field.as_deref()), ("since-needed", Some("since")));
    let future = refused(request(btc(), Some(scene.server.now().plus_ms(60_000)))).await;
    assert_eq!((future.code, future.exit_code()), ("bad-range", 2));
    let unknown = refused(request(key("binance", "NOSUCH", Interval::M1), Some(start))).await;
    assert!(unknown.exit_code() == 1 && unknown.detail.contains("Invalid symbol"), "{}", unknown.detail);
    let elsewhere = refused(request(key("kraken", "BTCUSDT", Interval::M1), Some(start))).await;
    assert_eq!((elsewhere.code, elsewhere.exit_code()), ("not-offered", 2));
    assert!(candlecast_app::data::coverage(&world.app).await.unwrap().is_empty());
}
