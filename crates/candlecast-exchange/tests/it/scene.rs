//! An exchange of the catalog connected to a server with faults.

use std::sync::Arc;

use candlecast_core::{Candle, CandleSeries, Columns, Interval, Seed, SeriesKey, Symbol, Venue};
use candlecast_exchange::faults::{FaultPlan, FaultServer, Market};
use candlecast_exchange::{Exchange, Setting, VirtualClock, find};
use serde_json::{Value, json};

pub(crate) fn key(venue: &str, symbol: &str, interval: Interval) -> SeriesKey {
    SeriesKey::new(Venue::new(venue).unwrap(), Symbol::new(symbol).unwrap(), interval)
}

/// Seeds of a test that needs `fewest` to show what it shows; `CANDLECAST_FAULT_SEEDS` may ask for more.
pub(crate) fn seeds(fewest: u64) -> std::ops::Range<u64> {
    let asked = std::env::var("CANDLECAST_FAULT_SEEDS").ok();
    let asked = asked.map_or(0, |text| text.parse::<u64>().expect("CANDLECAST_FAULT_SEEDS is a whole number"));
    0..fewest.max(asked)
}

/// A server, its clock, and an exchange that talks to it.
pub(crate) struct Scene {
    pub(crate) server: FaultServer,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) exchange: Box<dyn Exchange>,
}

impl Scene {
    pub(crate) async fn new(market: Market, plan: FaultPlan) -> Self {
        let config = json!({"timeoutMs": 250, "retries": 12});
        Self::with(market, plan, 6_000, &config).await
    }

    pub(crate) async fn with(market: Market, plan: FaultPlan, weight_limit: u32, config: &Value) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let venue = market.series.key().venue.to_string();
        let server = FaultServer::start(market, plan, Arc::clone(&clock), weight_limit).await.unwrap();
        let setting = Setting {
            rest_url: Some(server.rest_url()),
            stream_url: Some(server.stream_url()),
            clock: Arc::<VirtualClock>::clone(&clock),
            seed: Seed(plan.seed.0 + 1),
            ..Setting::default()
        };
        let exchange = find(&venue).unwrap().build(config).unwrap().connect(&setting).unwrap();
        Self { server, clock, exchange }
    }
}

/// The candles of `series` with only what the exchange in question tells.
pub(crate) fn told(series: &CandleSeries, strip: impl Fn(Candle) -> Candle) -> CandleSeries {
    let mut columns = Columns::default();
    for i in 0..series.len() {
        columns.push(&strip(series.candle(i)));
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}
