//! [`NetworkExchange`]: one implementation of [`Exchange`] for every protocol.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use candlecast_core::{Candle, CandleSeries, Columns, Interval, SeriesKey, TimeRange, Timestamp, Venue};

use crate::live::NetworkLive;
use crate::rest::{Rest, locked};
use crate::{Clock, Exchange, ExchangeError, Live, Page, Protocol, Setting, Subscription, Tuning, tls};

/// The exchange's time is asked again after so many ms: clocks drift by some ms in that time.
const TIME_VALID_MS: u64 = 600_000;

/// The exchange's time at one instant of our clock.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    elapsed_ms: u64,
    exchange: Timestamp,
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
}

impl Core {
    /// The exchange's time, carried forward by our monotonic clock.
    ///
    /// Its answer is taken to have been written when it arrived, so that the estimate is late by at most the
    /// answer's way and no candle is thought closed too early.
    pub(crate) async fn now(&self) -> Result<Timestamp, ExchangeError> {
        let known = *locked(&self.anchor);
        let elapsed_ms = self.clock.elapsed_ms();
        if let Some(anchor) = known {
            let age_ms = elapsed_ms.saturating_sub(anchor.elapsed_ms);
            if age_ms < TIME_VALID_MS {
                return Ok(anchor.exchange.plus_ms(age_ms as i64));
            }
        }
        let exchange = self.rest.get(&self.protocol.time(), |body| self.protocol.read_time(body)).await?;
        let anchor = Anchor { elapsed_ms: self.clock.elapsed_ms(), exchange };
        *locked(&self.anchor) = Some(anchor);
        Ok(exchange)
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
        let tls = tls::config()?;
        let rest = Rest::new(protocol.as_ref(), tuning, setting, &tls)?;
        let clock = Arc::clone(&setting.clock);
        let (stream_url, anchor) = (setting.stream_url.clone(), Mutex::new(None));
        Ok(Self { core: Arc::new(Core { protocol, rest, tls, clock, tuning, stream_url, anchor }) })
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

    async fn live(&self, subscription: Subscription) -> Result<Box<dyn Live>, ExchangeError> {
        Ok(Box::new(NetworkLive::new(Arc::clone(&self.core), subscription)?))
    }
}
