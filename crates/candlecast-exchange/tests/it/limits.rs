//! What an exchange, or a firewall before it, demands: obeyed within bounds, and by all of the process.

use candlecast_core::{Interval, Seed, SeriesKey, TimeRange};
use candlecast_exchange::faults::{FaultPlan, FaultServer, Market};
use candlecast_exchange::{Exchange, ExchangeError, LiveEvent, Setting, VirtualClock, find};
use serde_json::json;
use std::sync::Arc;

use crate::scene::{Scene, key};
use crate::stream::{Heard, candles};

fn btc() -> SeriesKey {
    key("binance", "BTCUSDT", Interval::M1)
}

async fn scene(config: &serde_json::Value) -> Scene {
    Scene::with(Market::generated(btc(), Seed(7), 60, 60, 0), FaultPlan::none(), 6_000, config).await
}

/// Seconds for which requests are not taken.
fn blocked_s<T: std::fmt::Debug>(outcome: Result<T, ExchangeError>) -> u64 {
    match outcome {
        Err(ExchangeError::Blocked { wait_s, status: 418 | 429, .. }) => wait_s,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wait_of_thousands_of_years_is_an_hour() {
    let scene = scene(&json!({})).await;
    scene.server.answer_next("/time", 429, Some("99999999999"));
    assert_eq!(blocked_s(scene.exchange.now().await), 3_600);
    scene.clock.advance_to(1_000_000);
    assert_eq!(blocked_s(scene.exchange.now().await), 2_600, "it is an error at once, not a wait without a word");
    assert_eq!(scene.server.report().requests, 1, "and nothing is sent");
    scene.clock.advance_to(3_600_000);
    assert_eq!(scene.exchange.now().await.unwrap(), scene.server.now());
}

#[tokio::test]
async fn who_has_the_patience_waits_that_hour() {
    let scene = scene(&json!({"maxWaitMs": 86_400_000})).await;
    scene.server.answer_next("/time", 429, Some("18446744073709551616"));
    assert_eq!(scene.exchange.now().await.unwrap(), scene.server.now());
    assert!(scene.server.now() >= scene.server.market().start.plus_ms(3_600_000));
}

#[tokio::test]
async fn a_firewall_is_no_word_of_the_exchange() {
    let scene = scene(&json!({})).await;
    for status in [401, 403, 451] {
        scene.server.answer_next("/klines", status, None);
        let error = scene.exchange.klines(&btc(), TimeRange::ALL).await.unwrap_err();
        assert!(matches!(&error, ExchangeError::Denied { status: told, .. } if *told == status), "{error}");
        assert!(error.is_passing() && error.to_string().contains(&status.to_string()), "{error}");
    }
    for status in [400, 404] {
        scene.server.answer_next("/klines", status, None);
        let error = scene.exchange.klines(&btc(), TimeRange::ALL).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Refused { .. }) && !error.is_passing(), "{error}");
    }
    assert!(!scene.exchange.klines(&btc(), TimeRange::ALL).await.unwrap().series.is_empty());
}

#[tokio::test]
async fn a_ban_of_one_holds_for_all_of_the_process() {
    let market = Market::generated(btc(), Seed(7), 60, 60, 0);
    let server = FaultServer::start(market, FaultPlan::none(), Arc::new(VirtualClock::new()), 6_000).await.unwrap();
    let connect = || {
        let setting = Setting { rest_url: Some(server.rest_url()), ..Setting::default() };
        find("binance").unwrap().build(&json!({})).unwrap().connect(&setting).unwrap()
    };
    let (one, other): (Box<dyn Exchange>, Box<dyn Exchange>) = (connect(), connect());
    server.answer_next("/time", 418, Some("3000"));
    assert_eq!(blocked_s(one.now().await), 3_000);
    assert!((1..=3_000).contains(&blocked_s(other.now().await)));
    assert_eq!(server.report().requests, 1);
}

#[tokio::test]
async fn history_is_asked_for_as_it_is_taken() {
    let market = Market::generated(btc(), Seed(12), 12_100, 12_000, 0);
    let since = market.series.candle(0).open_time;
    let last = market.series.candle(2_999).open_time;
    let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
    let scene = Scene::new(market, FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&btc(), Some(since))).await.unwrap();
    let first = loop {
        if let Some(LiveEvent::Closed { candle, .. }) = live.next().await.unwrap() {
            break candle;
        }
    };
    let requests = scene.server.report().requests;
    assert!(requests <= 6, "{requests} requests for the first page of twelve");
    let heard = Heard::until(live.as_mut(), last).await;
    assert_eq!((first, heard.series(&btc())), (expected.candle(0), expected.between(from_second(&expected))));
}

fn from_second(series: &candlecast_core::CandleSeries) -> TimeRange {
    TimeRange { from: series.candle(1).open_time, ..TimeRange::ALL }
}
