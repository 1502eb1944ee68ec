//! [`SharedBudget`]: what this process may ask of one exchange, whoever asks.
//!
//! Exchanges count by address, and whatever runs in one process has one. So all that reach the same host for the same
//! exchange spend from one log, and a ban of one holds for all. Other processes are seen only where the exchange tells
//! what was used.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candlecast_core::Venue;
use reqwest::Url;

use crate::rest::locked;
use crate::{Budget, Clock, WeightBudget};

type Spender = Arc<Mutex<WeightBudget>>;

/// What was spent at each host; never removed, since a ban outlives whoever earned it.
static SPENDERS: Mutex<BTreeMap<String, Spender>> = Mutex::new(BTreeMap::new());

/// The part of one user in a budget that others may share.
#[derive(Debug, Clone)]
pub(crate) struct SharedBudget {
    spender: Spender,
    /// Weight in a window, of all users together, up to which this one spends.
    limit: u32,
}

impl SharedBudget {
    /// The budget of `what` (requests, connections) that `venue` takes at the host of `base`, of which `share` (0-1] is
    /// used. Who waits by a clock of their own has a budget of their own, since instants of two clocks say nothing of
    /// each other.
    pub(crate) fn new(what: &str, venue: &Venue, base: &str, all: Budget, share: f64, clock: &dyn Clock) -> Self {
        let limit = all.scaled(share).weight;
        let fresh = || Arc::new(Mutex::new(WeightBudget::new(all)));
        let spender = if clock.is_of_machine() {
            let name = format!("{what} {venue} {}", host(base));
            Arc::clone(locked(&SPENDERS).entry(name).or_insert_with(fresh))
        } else {
            fresh()
        };
        Self { spender, limit }
    }

    /// [`WeightBudget::reserve`].
    pub(crate) fn reserve(&self, now_ms: u64, weight: u32) -> u64 {
        locked(&self.spender).reserve_within(self.limit, now_ms, weight)
    }

    /// [`WeightBudget::observe`].
    pub(crate) fn observe(&self, now_ms: u64, used: u32) {
        locked(&self.spender).observe(now_ms, used);
    }

    /// Milliseconds from `now_ms` for which nobody may ask.
    pub(crate) fn blocked_ms(&self, now_ms: u64) -> u64 {
        locked(&self.spender).blocked_ms(now_ms)
    }

    /// Nobody asks before `until_ms`.
    pub(crate) fn block_until(&self, until_ms: u64) {
        locked(&self.spender).block_until(until_ms);
    }
}

/// Host and port of a base URL; all of it where it is none.
fn host(base: &str) -> String {
    let parsed = Url::parse(base).ok();
    let found = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    found.map_or_else(|| base.to_owned(), |(host, port)| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, VirtualClock};

    const LIMIT: Budget = Budget { weight: 10, window_ms: 60_000 };

    fn budget(venue: &Venue, base: &str, clock: &dyn Clock) -> SharedBudget {
        SharedBudget::new("requests", venue, base, LIMIT, 0.8, clock)
    }

    #[test]
    fn all_of_a_process_spend_from_one_budget_a_host() {
        let (clock, venue) = (SystemClock::new(), Venue::binance());
        let one = budget(&venue, "https://one-budget.example.com/a", &clock);
        let same = budget(&venue, "https://one-budget.example.com:443/b/", &clock);
        let other_host = budget(&venue, "https://other-budget.example.com", &clock);
        let other_venue = budget(&Venue::new("kraken").unwrap(), "https://one-budget.example.com", &clock);
        assert_eq!(one.reserve(1_000, 8), 0);
        assert_eq!(same.reserve(1_001, 1), 59_999);
        assert_eq!(other_host.reserve(1_001, 8), 0);
        assert_eq!(other_venue.reserve(1_001, 8), 0);
        same.block_until(200_000);
        assert_eq!((one.blocked_ms(150_000), other_host.blocked_ms(150_000)), (50_000, 0));
    }

    #[test]
    fn a_clock_of_its_own_has_a_budget_of_its_own() {
        let base = "https://own-budget.example.com";
        let (one, other) = (VirtualClock::new(), VirtualClock::new());
        let (a, b) = (budget(&Venue::binance(), base, &one), budget(&Venue::binance(), base, &other));
        assert_eq!((a.reserve(0, 8), b.reserve(0, 8)), (0, 0));
    }
}
