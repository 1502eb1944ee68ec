//! An exchange of the catalog connected to a local server with faults; nobody waits, since their clock jumps.

use std::sync::Arc;

use candlecast_core::{Interval, Seed, SeriesKey, Symbol, Venue};
use candlecast_exchange::faults::{FaultPlan, FaultServer, Market};
use candlecast_exchange::{Exchange, Setting, VirtualClock, find};
use serde_json::json;

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
    pub(crate) exchange: Arc<dyn Exchange>,
}

impl Scene {
    /// `retries` are attempts after the first; twelve outlast every run of faults.
    pub(crate) async fn new(market: Market, plan: FaultPlan, retries: u32) -> Self {
        let clock = Arc::new(VirtualClock::new());
        let venue = market.series.key().venue.to_string();
        let server = FaultServer::start(market, plan, Arc::clone(&clock), 6_000).await.unwrap();
        let setting = Setting {
            rest_url: Some(server.rest_url()),
            stream_url: Some(server.stream_url()),
            clock: Arc::<VirtualClock>::clone(&clock),
            seed: Seed(plan.seed.0 + 1),
            ..Setting::default()
        };
        let config = json!({ "timeoutMs": 250, "retries": retries });
        let exchange = find(&venue).unwrap().build(&config).unwrap().connect(&setting).unwrap();
        Self { server, clock, exchange: Arc::from(exchange) }
    }
}
