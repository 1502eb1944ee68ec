//! Connections that live while the exchange ignores what they were opened for.

use candlecast_core::{CandleSeries, Columns, Interval, Seed, SeriesKey, TimeRange};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_exchange::{ExchangeError, Live, LiveEvent, Subscription};

use crate::scene::{Scene, key};
use crate::stream::{Heard, candles};

fn btc() -> SeriesKey {
    key("binance", "BTCUSDT", Interval::M1)
}

/// Candles that close until the stream is cut, and why it is.
async fn until_cut(live: &mut dyn Live) -> (Columns, String) {
    let mut columns = Columns::default();
    loop {
        match live.next().await.unwrap() {
            Some(LiveEvent::Closed { candle, .. }) => columns.push(&candle),
            Some(LiveEvent::Disconnected { reason }) => return (columns, reason),
            Some(_) => {}
            None => panic!("a stream over the network has no end"),
        }
    }
}

fn joined(first: Columns, rest: Heard) -> CandleSeries {
    CandleSeries::new(btc(), first).unwrap().merged(&rest.series(&btc())).unwrap()
}

#[tokio::test]
async fn a_subscription_that_is_ignored_is_renewed() {
    let market = Market::generated(btc(), Seed(5), 220, 60, 0);
    let (since, last) = (market.series.candle(40).open_time, market.series.candle(218).open_time);
    let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
    let scene = Scene::new(market, FaultPlan::none()).await;
    scene.server.set_mute(true);
    let mut live = scene.exchange.live(candles(&btc(), Some(since))).await.unwrap();
    let (first, reason) = until_cut(live.as_mut()).await;
    assert_eq!(reason, "nothing of binance:BTCUSDT:1m came within 60000 ms", "pings are no life");
    scene.server.set_mute(false);
    let rest = Heard::until(live.as_mut(), last).await;
    assert_eq!(joined(first, rest), expected);
    assert!(scene.server.report().connections >= 2);
}

#[tokio::test]
async fn a_subscription_that_falls_silent_is_found_out() {
    let market = Market::generated(btc(), Seed(6), 400, 60, 0);
    let (since, last) = (market.series.candle(40).open_time, market.series.candle(398).open_time);
    let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
    let scene = Scene::new(market, FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&btc(), Some(since))).await.unwrap();
    // Something of this connection has been heard.
    while !matches!(live.next().await.unwrap(), Some(LiveEvent::Forming { .. })) {}
    scene.server.set_mute(true);
    let (first, reason) = until_cut(live.as_mut()).await;
    assert_eq!(reason, "nothing of binance:BTCUSDT:1m came, though it was traded");
    scene.server.set_mute(false);
    let rest = Heard::until(live.as_mut(), last).await;
    let whole = joined(first, rest);
    let from = whole.candle(0).open_time;
    assert_eq!(whole, expected.between(TimeRange { from, ..TimeRange::ALL }), "those before were not kept here");
}

#[tokio::test]
async fn a_book_that_does_not_come_is_asked_for_again() {
    let market = Market::generated(btc(), Seed(5), 60, 30, 900);
    let scene = Scene::new(market, FaultPlan::none()).await;
    scene.server.set_mute(true);
    let subscription = Subscription { books: vec![btc().symbol], ..Subscription::default() };
    let mut live = scene.exchange.live(subscription).await.unwrap();
    let (_, reason) = until_cut(live.as_mut()).await;
    assert_eq!(reason, "nothing of the book of BTCUSDT came within 60000 ms");
    scene.server.set_mute(false);
    while !matches!(live.next().await.unwrap(), Some(LiveEvent::Book(_))) {}
}

#[tokio::test]
async fn a_symbol_that_does_not_exist_is_said_at_once() {
    let scene = Scene::new(Market::generated(btc(), Seed(1), 60, 30, 0), FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&key("binance", "NOSUCH", Interval::M1), None)).await.unwrap();
    assert_eq!(live.next().await.unwrap(), Some(LiveEvent::Connected));
    let error = live.next().await.unwrap_err();
    assert!(matches!(error, ExchangeError::Refused { .. }) && !error.is_passing(), "{error}");
    assert!(error.to_string().contains("Invalid symbol"), "{error}");
}

#[tokio::test]
async fn what_history_does_not_have_is_told() {
    let market = Market::generated(btc(), Seed(9), 400, 60, 0);
    let (since, last) = (market.series.candle(0).open_time, market.series.candle(398).open_time);
    let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
    let scene = Scene::new(market, FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&btc(), Some(since))).await.unwrap();
    let (mut next, mut missing) = (since, 0);
    while next <= last {
        match live.next().await.unwrap() {
            Some(LiveEvent::Missing { range, .. }) => {
                assert_eq!(range.from, next, "it is told before the candle that comes after");
                missing += (range.to.ms() - range.from.ms()) / 60_000;
                next = range.to;
            }
            Some(LiveEvent::Closed { candle, .. }) => {
                assert_eq!(candle.open_time, next);
                next = next.plus_ms(60_000);
            }
            Some(_) => {}
            None => panic!("a stream over the network has no end"),
        }
    }
    let slots = (last.ms() - since.ms()) / 60_000 + 1;
    assert_eq!(missing, slots - expected.len() as i64);
    assert!(missing > 0, "the market has gaps of its own");
}
