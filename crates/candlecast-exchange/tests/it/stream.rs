//! Live candles: each closed one exactly once, in order, whatever happens to the stream.

use std::collections::BTreeMap;
use std::time::Duration;

use candlecast_core::{CandleSeries, Columns, Interval, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::faults::{FaultPlan, Market};
use candlecast_exchange::{CandleFeed, Live, LiveEvent, Origin, Subscription};

use crate::scene::{Scene, key, seeds};

pub(crate) fn candles(key: &SeriesKey, since: Option<Timestamp>) -> Subscription {
    Subscription { candles: vec![CandleFeed { key: key.clone(), since }], ..Subscription::default() }
}

/// What a stream has said until the candle that opens at `last` was closed.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) columns: Columns,
    pub(crate) origins: BTreeMap<Origin, usize>,
    pub(crate) forming: usize,
    pub(crate) cuts: Vec<String>,
}

impl Heard {
    pub(crate) async fn until(live: &mut dyn Live, last: Timestamp) -> Self {
        let mut heard = Self::default();
        while heard.columns.open_time.last() != Some(&last.ms()) {
            let event = tokio::time::timeout(Duration::from_secs(60), live.next()).await;
            match event.expect("the stream should go on").unwrap() {
                Some(LiveEvent::Closed { candle, origin, .. }) => {
                    heard.columns.push(&candle);
                    *heard.origins.entry(origin).or_default() += 1;
                }
                Some(LiveEvent::Forming { candle, .. }) => {
                    heard.forming += 1;
                    let newest = heard.columns.open_time.last().copied().unwrap_or(i64::MIN);
                    assert!(candle.open_time.ms() > newest, "what is under way comes after what is closed");
                }
                Some(LiveEvent::Disconnected { reason }) => heard.cuts.push(reason),
                Some(_) => {}
                None => panic!("a stream over the network has no end"),
            }
        }
        heard
    }

    /// The closed candles; that they are in order and each there once is part of what makes them a series.
    pub(crate) fn series(self, key: &SeriesKey) -> CandleSeries {
        CandleSeries::new(key.clone(), self.columns).unwrap()
    }
}

#[tokio::test]
async fn candles_through_faults_equal_the_market() {
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut origins: BTreeMap<Origin, usize> = BTreeMap::new();
    for seed in seeds(20) {
        for venue in ["binance", "binance-usdm"] {
            let key = key(venue, "BTCUSDT", Interval::M1);
            let market = Market::generated(key.clone(), Seed(seed), 220, 60, 0);
            let (since, last) = (market.series.candle(40).open_time, market.series.candle(218).open_time);
            let expected = market.series.between(TimeRange { from: since, to: last.plus_ms(1) });
            let scene = Scene::new(market, FaultPlan::heavy(Seed(seed))).await;
            let mut live = scene.exchange.live(candles(&key, Some(since))).await.unwrap();
            let heard = Heard::until(live.as_mut(), last).await;
            for (&origin, count) in &heard.origins {
                *origins.entry(origin).or_default() += count;
            }
            assert_eq!(heard.series(&key), expected, "{venue}, seed {seed}");
            let report = scene.server.report();
            assert_eq!((report.too_early, report.overweight), (0, 0), "{venue}, seed {seed}");
            for (name, count) in report.faults {
                *faults.entry(name).or_default() += count;
            }
        }
    }
    println!("streams from {} seeds; faults survived: {faults:?}; candles by origin: {origins:?}", seeds(20).end);
    assert!(faults.len() >= 14, "every kind of fault should have happened: {faults:?}");
    assert!(origins.len() == 2, "both ways should have been used: {origins:?}");
}

#[tokio::test]
async fn without_a_beginning_the_stream_begins_now() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let market = Market::generated(key.clone(), Seed(9), 4_000, 20, 0);
    let (series, earliest) = (market.series.clone(), market.start.plus_ms(-key.interval.ms()));
    let scene = Scene::new(market, FaultPlan::none()).await;
    let mut live = scene.exchange.live(candles(&key, None)).await.unwrap();
    let mut columns = Columns::default();
    while columns.len() < 20 {
        match live.next().await.unwrap() {
            Some(LiveEvent::Closed { candle, .. }) => columns.push(&candle),
            Some(LiveEvent::Disconnected { reason }) => panic!("nothing should cut this stream: {reason}"),
            Some(_) => {}
            None => panic!("a stream over the network has no end"),
        }
    }
    let got = CandleSeries::new(key.clone(), columns).unwrap();
    let (first, last) = (got.candle(0).open_time, got.candle(19).open_time);
    assert!(first >= earliest, "{first} lies before the beginning");
    assert_eq!(got, series.between(TimeRange { from: first, to: last.plus_ms(1) }));
}

#[tokio::test]
async fn a_subscription_to_nothing_is_refused() {
    let key = key("binance", "BTCUSDT", Interval::M1);
    let scene = Scene::new(Market::generated(key, Seed(1), 10, 5, 0), FaultPlan::none()).await;
    let error = scene.exchange.live(Subscription::default()).await.unwrap_err();
    assert!(error.to_string().contains("name a series"), "{error}");
}
