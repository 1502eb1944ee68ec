//! [`NetworkExchange`]: one implementation of [`Exchange`] for every protocol.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use candlecast_core::{Candle, CandleSeries, Columns, Interval, SeriesKey, TimeRange, Timestamp, Venue};

use crate::address::{check_resolved, shown};
use crate::live::NetworkLive;
use crate::rest::{Rest, locked};
use crate::{Clock, Exchange, ExchangeError, Live, Page, Protocol, Setting, Subscription, Tuning, tls};

/// The exchange's time is asked again after so many ms: clocks drift by some ms in that time.
const TIME_VALID_MS: u64 = 600_000;
/// Our two clocks move against each other by less in that time, unless one was set or stood still in suspend.
const MAX_MOVE_MS: u64 = 1_000;
/// A message that was sent later than we believe to live by more than this proves us wrong: nothing comes before it is sent.
const MAX_EARLY_MS: i64 = 2_000;
/// One from further ahead than this is not believed by itself: the exchange is asked.
const MAX_CORRECTION_MS: i64 = 60_000;
/// It is asked no more often than this for that reason, in ms.
const DOUBT_PAUSE_MS: u64 = 10_000;

/// The exchange's time at one instant of our clocks.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    elapsed_ms: u64,
    wall_ms: Option<i64>,
    exchange: Timestamp,
}

impl Anchor {
    fn new(clock: &dyn Clock, exchange: Timestamp) -> Self {
        Self { elapsed_ms: clock.elapsed_ms(), wall_ms: clock.wall_ms(), exchange }
    }

    fn age_ms(&self, clock: &dyn Clock) -> u64 {
        clock.elapsed_ms().saturating_sub(self.elapsed_ms)
    }

    /// The exchange's time now; `None` when the anchor is too old or a clock was set or stood still.
    fn now(&self, clock: &dyn Clock) -> Option<Timestamp> {
        let age_ms = self.age_ms(clock);
        let moved_ms = match (self.wall_ms, clock.wall_ms()) {
            (Some(then), Some(now)) => now.saturating_sub(then).saturating_sub(age_ms as i64).unsigned_abs(),
            _ => 0,
        };
        (age_ms < TIME_VALID_MS && moved_ms <= MAX_MOVE_MS).then(|| self.exchange.plus_ms(age_ms as i64))
    }
}

/// What history and live streams share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) rest: Rest,
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tuning: Tuning,
    pub(crate) stream_url: Option<String>,
    anchor: Mutex<Option<Anchor>>,
    /// URLs whose names may turn out to be of a private network; empty once they were judged.
    unjudged: Mutex<Vec<String>>,
}

impl Core {
    pub(crate) fn new(protocol: Arc<dyn Protocol>, tuning: Tuning, setting: &Setting) -> Result<Self, ExchangeError> {
        let tls = tls::config()?;
        let rest = Rest::new(protocol.as_ref(), tuning, setting, &tls)?;
        let clock = Arc::clone(&setting.clock);
        let (stream_url, anchor) = (setting.stream_url.clone(), Mutex::new(None));
        let of_user = [&setting.rest_url, &setting.stream_url].into_iter().flatten().cloned();
        let unjudged = Mutex::new(if setting.public_only { of_user.collect() } else { Vec::new() });
        Ok(Self { protocol, rest, tls, clock, tuning, stream_url, anchor, unjudged })
    }

    /// The exchange's time, carried forward by our clock.
    ///
    /// Its answer is taken to have been written when it arrived, so that the estimate is late by at most the
    /// answer's way and no candle is thought closed too early.
    pub(crate) async fn now(&self) -> Result<Timestamp, ExchangeError> {
        let clock = self.clock.as_ref();
        let known = *locked(&self.anchor);
        if let Some(now) = known.and_then(|anchor| anchor.now(clock)) {
            return Ok(now);
        }
        self.judge_names().await?;
        let exchange = self.rest.get(&self.protocol.time(), |body| self.protocol.read_time(body)).await?;
        *locked(&self.anchor) = Some(Anchor::new(clock, exchange));
        Ok(exchange)
    }

    /// A message has come that the exchange sent at `sent`: where we believe to live before that we are wrong. By a little
    /// our time is set right, and still is late if anything; for more the exchange is asked when its time is needed next.
    pub(crate) fn heard(&self, sent: Timestamp) {
        let clock = self.clock.as_ref();
        let mut anchor = locked(&self.anchor);
        let Some(known) = *anchor else { return };
        // Where it is not valid any more it is asked anyway.
        let Some(now) = known.now(clock) else { return };
        match sent.ms().saturating_sub(now.ms()) {
            ..=MAX_EARLY_MS => {}
            early_ms if early_ms <= MAX_CORRECTION_MS => *anchor = Some(Anchor::new(clock, sent)),
            _ if known.age_ms(clock) >= DOUBT_PAUSE_MS => *anchor = None,
            _ => {}
        }
    }

    /// Refuses, before anything is sent, to connect where a URL of the user leads into a private network.
    pub(crate) async fn judge_names(&self) -> Result<(), ExchangeError> {
        let unjudged = locked(&self.unjudged).clone();
        for url in &unjudged {
            let judged = check_resolved(url).await;
            judged.map_err(|reason| ExchangeError::Url { venue: self.protocol.venue(), url: shown(url), reason })?;
        }
        locked(&self.unjudged).clear();
        Ok(())
    }

    /// Candles that open before this instant are closed and settled.
    pub(crate) async fn closed_before(&self, interval: Interval) -> Result<Timestamp, ExchangeError> {
        Ok(interval.floor(self.now().await?.plus_ms(-(self.tuning.settle_ms as i64))))
    }

    /// The error for a series of another venue.
    pub(crate) fn other_venue(&self, key: &SeriesKey) -> ExchangeError {
        let venue = self.protocol.venue();
        let remedy = format!("name series of venue {venue}");
        ExchangeError::Unsupported { venue, what: format!("series {key}"), remedy }
    }

    pub(crate) async fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Page, ExchangeError> {
        if key.venue != self.protocol.venue() {
            return Err(self.other_venue(key));
        }
        let interval = key.interval;
        let step = interval.ms();
        let closed_before = self.closed_before(interval).await?;
        let from = on_grid(range.from.max(self.protocol.first_day()), interval);
        let range = TimeRange { from, to: range.to.min(closed_before) };
        let nothing = Page { series: CandleSeries::empty(key.clone()), rejected: 0, next: None };
        if range.is_empty() {
            return Ok(nothing);
        }
        let page_end = from.plus_ms(self.protocol.page_candles() as i64 * step);
        let asked = TimeRange { from, to: range.to.min(page_end) };
        let request = self.protocol.klines(key, asked)?;
        let candles = self.rest.get(&request, |body| self.protocol.read_klines(body)).await?;
        let next = if self.protocol.skips_gaps() {
            let last = candles.iter().map(|c| c.open_time).max();
            last.map(|t| interval.floor(t).plus_ms(step).max(from.plus_ms(step)))
        } else {
            Some(asked.to)
        };
        let (series, rejected) = valid(key, range, &candles);
        Ok(Page { series, rejected, next: next.filter(|&t| t < range.to) })
    }
}

/// The first open time at or after `t`.
pub(crate) fn on_grid(t: Timestamp, interval: Interval) -> Timestamp {
    let floor = interval.floor(t);
    if floor == t { t } else { floor.plus_ms(interval.ms()) }
}

/// The valid candles of `range`, sorted, each open time once (the last wins), and how many were not valid.
fn valid(key: &SeriesKey, range: TimeRange, candles: &[Candle]) -> (CandleSeries, usize) {
    let mut columns = Columns::default();
    let mut rejected = 0;
    for candle in candles.iter().filter(|c| range.contains(c.open_time)) {
        match candle.check(key.interval) {
            Ok(()) => columns.push(candle),
            Err(_) => rejected += 1,
        }
    }
    let series = CandleSeries::from_unsorted(key.clone(), &columns).expect("every candle has passed its check");
    (series, rejected)
}

/// An exchange on the network.
#[derive(Debug)]
pub(crate) struct NetworkExchange {
    core: Arc<Core>,
}

impl NetworkExchange {
    pub(crate) fn new(protocol: Arc<dyn Protocol>, tuning: Tuning, setting: &Setting) -> Result<Self, ExchangeError> {
        Ok(Self { core: Arc::new(Core::new(protocol, tuning, setting)?) })
    }
}

#[async_trait]
impl Exchange for NetworkExchange {
    fn venue(&self) -> Venue {
        self.core.protocol.venue()
    }

    async fn now(&self) -> Result<Timestamp, ExchangeError> {
        self.core.now().await
    }

    async fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Page, ExchangeError> {
        self.core.klines(key, range).await
    }

    fn history_candles(&self) -> Option<usize> {
        self.core.protocol.history_candles()
    }

    fn requests(&self) -> u64 {
        self.core.rest.requests()
    }

    async fn wait_ms(&self, ms: u64) {
        self.core.clock.sleep_ms(ms).await;
    }

    async fn live(&self, subscription: Subscription) -> Result<Box<dyn Live>, ExchangeError> {
        Ok(Box::new(NetworkLive::new(Arc::clone(&self.core), subscription)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_machine::{Machine, TimeServer};

    const SUSPENDED_MS: i64 = 90_000;

    #[tokio::test]
    async fn after_a_suspend_the_time_is_asked_again() {
        let server = TimeServer::start();
        let machine = Machine::new(true);
        let core = server.core(&machine);
        let begin = server.now();
        assert_eq!(core.now().await.unwrap(), begin);
        server.pass(5_000);
        machine.run(5_000);
        assert_eq!(core.now().await.unwrap(), begin.plus_ms(5_000));
        assert_eq!(core.rest.requests(), 1, "it is carried forward");
        server.pass(SUSPENDED_MS);
        machine.suspend(SUSPENDED_MS);
        assert_eq!(core.now().await.unwrap(), begin.plus_ms(5_000 + SUSPENDED_MS));
        assert_eq!(core.rest.requests(), 2);
    }

    #[tokio::test]
    async fn without_a_wall_clock_messages_set_the_time_right() {
        let server = TimeServer::start();
        let machine = Machine::new(false);
        let core = server.core(&machine);
        core.now().await.unwrap();
        server.pass(30_000);
        assert_eq!(core.now().await.unwrap(), server.now().plus_ms(-30_000), "nobody can know");
        core.heard(server.now());
        assert_eq!(core.now().await.unwrap(), server.now());
        core.heard(server.now().plus_ms(-5_000));
        assert_eq!(core.now().await.unwrap(), server.now(), "a message may be late");
        assert_eq!(core.rest.requests(), 1, "and nobody has to be asked");
        server.pass(SUSPENDED_MS + 10_000);
        machine.run(10_000);
        core.heard(server.now());
        assert_eq!(core.now().await.unwrap(), server.now());
        assert_eq!(core.rest.requests(), 2, "so far ahead the exchange is asked");
    }

    #[tokio::test]
    async fn messages_of_the_far_future_are_not_believed() {
        let server = TimeServer::start();
        let machine = Machine::new(true);
        let core = server.core(&machine);
        core.now().await.unwrap();
        for _ in 0..50 {
            server.pass(1_000);
            machine.run(1_000);
            core.heard(server.now().plus_ms(86_400_000));
            assert_eq!(core.now().await.unwrap(), server.now());
        }
        assert!((2..=6).contains(&core.rest.requests()), "{} requests in 50 s", core.rest.requests());
    }

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_refused_before_anything_is_sent() {
        let setting = Setting {
            rest_url: Some("http://198.18.0.1:9".to_owned()),
            public_only: true,
            clock: Machine::new(false),
            ..Setting::default()
        };
        let core = Core::new(Arc::new(crate::Binance::Spot), Machine::tuning(), &setting).unwrap();
        let error = core.now().await.unwrap_err();
        assert!(matches!(error, ExchangeError::Url { .. }), "{error}");
        assert!(error.to_string().contains("--allow-url"), "{error}");
        assert_eq!(core.rest.requests(), 0);
    }
}
