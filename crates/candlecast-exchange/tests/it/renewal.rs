//! Exchanges hang up after a day; the stream does so first and loses nothing.

use candlecast_core::{Interval, Seed, TimeRange};
use candlecast_exchange::faults::{FaultPlan, Market};

use crate::scene::{Scene, key};
use crate::stream::{Heard, candles};

#[tokio::test]
async fn a_connection_is_renewed_before_the_day_is_over() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = Market::generated(key.clone(), Seed(11), 1_700, 10, 0);
    let (since, last) = (market.start, market.series.candle(1_698).open_time);
    let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
    let scene = Scene::new(market, FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&key, Some(since))).await.unwrap();
    let heard = Heard::until(live.as_mut(), last).await;
    assert_eq!(heard.cuts, ["renewed before the exchange ends it"]);
    assert_eq!(heard.series(&key), expected);
    assert_eq!(scene.server.report().connections, 2);
}
