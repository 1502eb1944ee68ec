//! History: what is fetched through faults equals what is fetched without.

use std::collections::BTreeMap;

use candlecast_core::{Candle, CandleSeries, Interval, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_exchange::{Clock, ExchangeError, Fetch, missing_ranges};
use serde_json::json;

use crate::scene::{Scene, key, seeds, told};

/// A market whose candles are all history but the last, ten seconds after that one has opened.
fn past(key: SeriesKey, seed: u64, candles: usize) -> Market {
    Market::generated(key, Seed(seed), candles, candles, 0)
}

fn before(market: &Market) -> TimeRange {
    TimeRange { from: TimeRange::ALL.from, to: market.start }
}

async fn all(scene: &Scene, key: &SeriesKey, ranges: &[TimeRange]) -> CandleSeries {
    scene.clock.advance_to(10_000);
    let mut fetch = Fetch::new(scene.exchange.as_ref(), key.clone(), ranges);
    let mut series = CandleSeries::empty(key.clone());
    while let Some(chunk) = fetch.next_chunk().await.unwrap() {
        assert!(!chunk.is_empty());
        assert!(series.range().is_none_or(|r| r.to <= chunk.range().unwrap().from), "chunks come in order");
        series = series.merged(&chunk).unwrap();
    }
    assert_eq!(fetch.rejected(), 0);
    series
}

#[tokio::test]
async fn history_through_faults_equals_history() {
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in seeds(24) {
        for venue in ["binance", "binance-usdm"] {
            let key = key(venue, "BTCUSDT", Interval::M1);
            let market = past(key.clone(), seed, 3_500);
            let (range, expected) = (before(&market), market.closed(market.start));
            let scene = Scene::new(market, FaultPlan::heavy(Seed(seed))).await;
            let fetched = all(&scene, &key, &[range]).await;
            assert_eq!(fetched, expected, "{venue}, seed {seed}");
            let report = scene.server.report();
            assert_eq!((report.too_early, report.overweight), (0, 0), "{venue}, seed {seed}");
            for (name, count) in report.faults {
                *faults.entry(name).or_default() += count;
            }
        }
    }
    println!("history from {} seeds; faults survived: {faults:?}", seeds(24).end);
    assert_eq!(faults.len(), 8, "every kind of fault should have happened: {faults:?}");
}

#[tokio::test]
async fn other_exchanges_through_faults() {
    let without_trades = |c: Candle| Candle { trades: None, taker_buy_base: None, ..c };
    let only_trades = |c: Candle| Candle { quote_volume: None, taker_buy_base: None, ..c };
    let prices_and_volume = |c: Candle| Candle { trades: None, ..only_trades(c) };
    for seed in seeds(8) {
        let strips: [(&str, &dyn Fn(Candle) -> Candle); 3] =
            [("bybit", &without_trades), ("kraken", &only_trades), ("coinbase", &prices_and_volume)];
        for (venue, strip) in strips {
            let key = key(venue, "BTCUSD", Interval::M5);
            let market = past(key.clone(), seed, 500);
            let range = TimeRange { from: market.series.candle(0).open_time, to: market.start };
            let expected = told(&market.closed(market.start), strip);
            let scene = Scene::new(market, FaultPlan::heavy(Seed(seed))).await;
            assert_eq!(all(&scene, &key, &[range]).await, expected, "{venue}, seed {seed}");
            assert_eq!(scene.server.report().too_early, 0, "{venue}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn what_an_exchange_no_longer_has_is_said() {
    let key = key("kraken", "BTCUSD", Interval::M5);
    let market = past(key.clone(), 1, 900);
    let range = TimeRange { from: market.series.candle(0).open_time, to: market.start };
    let expected = told(&market.closed(market.start), |c| Candle { quote_volume: None, taker_buy_base: None, ..c });
    let scene = Scene::new(market, FaultPlan::none()).await;
    scene.clock.advance_to(10_000);
    let mut fetch = Fetch::new(scene.exchange.as_ref(), key.clone(), &[range]);
    let mut series = CandleSeries::empty(key.clone());
    while let Some(chunk) = fetch.next_chunk().await.unwrap() {
        series = series.merged(&chunk).unwrap();
    }
    let oldest = range.to.plus_ms(-719 * key.interval.ms());
    assert_eq!(fetch.out_of_reach(), Some(TimeRange { from: range.from, to: oldest }));
    assert_eq!(series, expected.between(TimeRange { from: oldest, to: range.to }));
}

#[tokio::test]
async fn candles_still_open_are_never_final() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = Market::generated(key.clone(), Seed(5), 300, 100, 0);
    let (start, whole) = (market.start, market.series.clone());
    let scene = Scene::new(market, FaultPlan::none()).await;
    for ms in [0, 1_999, 2_000, 59_999, 61_999, 62_000, 400_000, 1_000_000] {
        scene.clock.advance_to(ms);
        let mut fetch = Fetch::new(scene.exchange.as_ref(), key.clone(), &[TimeRange::ALL]);
        let mut series = CandleSeries::empty(key.clone());
        while let Some(chunk) = fetch.next_chunk().await.unwrap() {
            series = series.merged(&chunk).unwrap();
        }
        let settled = start.plus_ms(ms as i64 - 2_000 - 60_000);
        assert_eq!(
            series,
            whole.between(TimeRange { from: TimeRange::ALL.from, to: settled.plus_ms(1) }),
            "at {ms} ms"
        );
    }
}

#[tokio::test]
async fn gaps_are_filled_and_only_gaps_asked_for() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = past(key.clone(), 8, 400);
    let (start, whole) = (market.start, market.closed(market.start));
    let holes = |lo: usize, hi: usize| TimeRange { from: whole.candle(lo).open_time, to: whole.candle(hi).open_time };
    let kept = [holes(0, 50), holes(60, 200), holes(201, 390)].map(|r| whole.between(r));
    let stored = kept[0].merged(&kept[1]).unwrap().merged(&kept[2]).unwrap();
    let scene = Scene::new(market, FaultPlan::heavy(Seed(8))).await;
    let got = all(&scene, &key, &missing_ranges(&stored)).await;
    assert_eq!(got.len(), 11, "ten candles of the first hole and one of the second; the market's own gaps stay");
    let filled = stored.merged(&got).unwrap();
    let tail = TimeRange { from: whole.candle(390).open_time, to: start };
    assert_eq!(filled.merged(&all(&scene, &key, &[tail]).await).unwrap(), whole);
}

#[tokio::test]
async fn an_error_loses_nothing() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = past(key.clone(), 3, 2_500);
    let (range, expected) = (before(&market), market.closed(market.start));
    let scene = Scene::with(market, FaultPlan::heavy(Seed(3)), 6_000, &json!({"timeoutMs": 250, "retries": 0})).await;
    scene.clock.advance_to(10_000);
    let mut fetch = Fetch::new(scene.exchange.as_ref(), key.clone(), &[range]);
    let (mut series, mut errors) = (CandleSeries::empty(key.clone()), 0);
    loop {
        match fetch.next_chunk().await {
            Ok(Some(chunk)) => series = series.merged(&chunk).unwrap(),
            Ok(None) => break,
            Err(ExchangeError::Unreachable { attempts: 1, .. }) => errors += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(errors < 100);
    }
    assert!(errors > 0, "this seed should fail at least once");
    assert_eq!(series, expected);
}

#[tokio::test]
async fn what_is_wrong_is_said_at_once() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let scene = Scene::with(past(key.clone(), 1, 50), FaultPlan::none(), 6_000, &json!({})).await;
    let other = SeriesKey { symbol: "NOSUCH".parse().unwrap(), ..key.clone() };
    let error = scene.exchange.klines(&other, TimeRange::ALL).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("Invalid symbol"), "{error}");
    assert_eq!(scene.server.report().requests, 2, "the time and one request, no more");
    let elsewhere = SeriesKey { venue: "kraken".parse().unwrap(), ..key };
    let error = scene.exchange.klines(&elsewhere, TimeRange::ALL).await.unwrap_err();
    assert!(error.to_string().contains("name series of venue binance"), "{error}");
}

#[tokio::test]
async fn a_long_ban_is_an_error_with_its_end() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let plan = FaultPlan { rest_rate: 1.0, stream_rate: 0.0, seed: Seed(4) };
    let scene =
        Scene::with(past(key.clone(), 4, 50), plan, 6_000, &json!({"timeoutMs": 250, "maxWaitMs": 0, "retries": 100}))
            .await;
    let mut blocked = None;
    for _ in 0..50 {
        if let Err(ExchangeError::Blocked { wait_s, status, .. }) = scene.exchange.klines(&key, TimeRange::ALL).await {
            blocked = Some((status, wait_s));
            break;
        }
    }
    let (status, wait_s) = blocked.expect("with every answer a fault, a limit comes soon");
    assert!(matches!(status, 418 | 429) && wait_s >= 1, "{status} {wait_s}");
}

#[tokio::test]
async fn the_weight_limit_is_kept_by_waiting() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = past(key.clone(), 2, 70_000);
    let (range, expected) = (before(&market), market.closed(market.start));
    let scene = Scene::with(market, FaultPlan::none(), 60, &json!({"weightShare": 0.01})).await;
    assert_eq!(all(&scene, &key, &[range]).await, expected);
    let report = scene.server.report();
    assert_eq!(report.overweight, 0);
    assert!(report.requests >= 70 && scene.clock.elapsed_ms() >= 120_000, "{report:?}");
}

#[tokio::test]
async fn nothing_listens() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let mut scene = Scene::with(past(key.clone(), 1, 10), FaultPlan::none(), 6_000, &json!({"retries": 3})).await;
    let setting = candlecast_exchange::Setting {
        rest_url: Some("http://127.0.0.1:1".to_owned()),
        clock: scene.clock.clone(),
        ..candlecast_exchange::Setting::default()
    };
    let recipe = candlecast_exchange::find("binance").unwrap().build(&json!({"retries": 3})).unwrap();
    scene.exchange = recipe.connect(&setting).unwrap();
    match scene.exchange.klines(&key, TimeRange { from: Timestamp(1_704_067_200_000), ..TimeRange::ALL }).await {
        Err(ExchangeError::Unreachable { attempts: 4, cause, .. }) => assert!(cause.contains("refused"), "{cause}"),
        other => panic!("{other:?}"),
    }
}
