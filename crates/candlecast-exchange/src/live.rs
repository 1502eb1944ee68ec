//! [`NetworkLive`]: a live stream that survives what networks do.

mod books;
mod candles;
mod silence;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use candlecast_core::{SeriesKey, Symbol};

use self::candles::Backfill;
use self::silence::Silence;
use crate::address::shown;
use crate::connection::{Connection, Heard};
use crate::network::{Core, on_grid};
use crate::shared_budget::SharedBudget;
use crate::track::Track;
use crate::{BookSync, ExchangeError, Live, LiveEvent, LiveProtocol, OrderBook, Subscription, Wire};

/// A stream is connected anew so long before the exchange would hang up.
const BEFORE_END_MS: u64 = 600_000;

/// A live stream over the network.
#[derive(Debug)]
pub(crate) struct NetworkLive {
    core: Arc<Core>,
    urls: Vec<String>,
    lifetime_ms: u64,
    connections: SharedBudget,
    connection: Option<Connection>,
    /// Connections lost or refused since the last message.
    failures: u32,
    feeds: BTreeMap<SeriesKey, Feed>,
    books: BTreeMap<Symbol, BookSync>,
    ready: VecDeque<LiveEvent>,
    /// Feeds that may lack what has closed, looked at one after another.
    behind: VecDeque<SeriesKey>,
    /// What is being fetched, a page at a time: no more than that waits to be taken.
    backfill: Option<Backfill>,
    silence: Silence,
    /// True while history is asked whether a feed is silent because nothing happens.
    doubted: bool,
    /// What it has of a doubted feed that the stream should have brought.
    unheard: Option<SeriesKey>,
}

/// A series of the subscription: where it begins, and its progress once that is known.
#[derive(Debug)]
enum Feed {
    FromNow,
    Under(Track),
}

impl NetworkLive {
    pub(crate) fn new(core: Arc<Core>, subscription: Subscription) -> Result<Self, ExchangeError> {
        let live = live_protocol(&core)?;
        let base = base_url(&core, live)?;
        if let Some(feed) = subscription.candles.iter().find(|f| f.key.venue != core.protocol.venue()) {
            return Err(core.other_venue(&feed.key));
        }
        let paths = live.stream_paths(&subscription)?;
        if paths.is_empty() {
            let (what, remedy) = ("stream of nothing".to_owned(), "name a series, a book or trades".to_owned());
            return Err(ExchangeError::Unsupported { venue: core.protocol.venue(), what, remedy });
        }
        let urls = paths.iter().map(|path| format!("{base}{path}")).collect();
        let (lifetime_ms, rule) = (live.lifetime_ms(), live.book_rule());
        let (venue, share) = (core.protocol.venue(), core.tuning.weight_share);
        let connections =
            SharedBudget::new("connections", &venue, &base, live.connections(), share, core.clock.as_ref());
        let silence = Silence::new(&subscription, core.tuning.idle_ms);
        let feeds = subscription.candles.into_iter().map(|feed| {
            let interval = feed.key.interval;
            let start = feed.since.map(|t| Feed::Under(Track::new(interval, on_grid(t, interval))));
            (feed.key, start.unwrap_or(Feed::FromNow))
        });
        Ok(Self {
            feeds: feeds.collect(),
            books: subscription.books.into_iter().map(|s| (s, BookSync::new(rule))).collect(),
            core,
            urls,
            lifetime_ms,
            connections,
            connection: None,
            failures: 0,
            ready: VecDeque::new(),
            behind: VecDeque::new(),
            backfill: None,
            silence,
            doubted: false,
            unheard: None,
        })
    }

    /// Connects, with growing waits between attempts.
    async fn connect(&mut self) -> Result<(), ExchangeError> {
        self.core.judge_names().await?;
        loop {
            if self.failures > 0 {
                self.core.clock.sleep_ms(self.core.rest.backoff_ms(self.failures - 1)).await;
            }
            self.wait_for_connection().await;
            let now_ms = self.core.clock.elapsed_ms();
            match Connection::open(&self.urls, &self.core.tls, self.core.tuning.timeout_ms, now_ms).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.behind = self.feeds.keys().cloned().collect();
                    self.backfill = None;
                    (self.doubted, self.unheard) = (false, None);
                    self.silence.begin();
                    self.books.values_mut().for_each(BookSync::reset);
                    self.ready.push_back(LiveEvent::Connected);
                    return Ok(());
                }
                Err(cause) => self.give_up_at_last(cause)?,
            }
        }
    }

    async fn wait_for_connection(&mut self) {
        loop {
            let wait_ms = self.connections.reserve(self.core.clock.elapsed_ms(), self.urls.len() as u32);
            if wait_ms == 0 {
                return;
            }
            self.core.clock.sleep_ms(wait_ms).await;
        }
    }

    /// Counts a failure; an error once there are too many in a row, after which counting begins anew.
    fn give_up_at_last(&mut self, cause: String) -> Result<(), ExchangeError> {
        self.failures += 1;
        if self.failures <= self.core.tuning.retries {
            return Ok(());
        }
        let attempts = std::mem::take(&mut self.failures);
        let (venue, what) = (self.core.protocol.venue(), "the live stream".to_owned());
        Err(ExchangeError::Unreachable { venue, what, attempts, cause })
    }

    fn disconnect(&mut self, reason: String) -> Result<(), ExchangeError> {
        tracing::info!(venue = %self.core.protocol.venue(), reason, "live stream cut");
        self.connection = None;
        self.ready.push_back(LiveEvent::Disconnected { reason: reason.clone() });
        self.give_up_at_last(reason)
    }

    async fn on_message(&mut self, text: &str) -> Result<(), ExchangeError> {
        let wire = match live_protocol(&self.core)?.read_message(text) {
            Ok(wire) => wire,
            Err(misread) => {
                // What it would have said is found missing by the next message and fetched.
                tracing::debug!(venue = %self.core.protocol.venue(), reason = %misread, "message left out");
                return Ok(());
            }
        };
        match wire {
            Some(Wire::Kline { symbol, interval, candle, closed, sent }) => {
                // A candle is not told of before it opens.
                self.core.heard(sent.unwrap_or(candle.open_time));
                self.on_kline(symbol, interval, candle, closed).await
            }
            Some(Wire::Depth(diff)) => {
                self.core.heard(diff.time);
                self.on_depth(diff).await
            }
            Some(Wire::Trade(trade)) => {
                self.core.heard(trade.time);
                self.ready.push_back(LiveEvent::Trade(trade));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Does one thing that may lead to events.
    async fn work(&mut self) -> Result<(), ExchangeError> {
        if self.connection.is_none() {
            return self.connect().await;
        }
        if self.backfill.is_some() {
            return self.fill().await;
        }
        if let Some(key) = self.behind.front().cloned() {
            return self.catch_up(key).await;
        }
        if std::mem::take(&mut self.doubted)
            && let Some(key) = self.unheard.take()
        {
            return self.disconnect(format!("nothing of {key} came, though it was traded"));
        }
        self.listen().await
    }

    async fn listen(&mut self) -> Result<(), ExchangeError> {
        let idle_ms = self.core.tuning.idle_ms;
        let before_ms = self.core.clock.elapsed_ms();
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let (heard, line) = connection.hear(idle_ms).await;
        let now_ms = self.core.clock.elapsed_ms();
        // Only the time that was spent listening: what waits to be heard is no silence.
        self.silence.lasts(now_ms.saturating_sub(before_ms));
        match heard {
            Heard::Dead(reason) => self.disconnect(reason),
            Heard::Noise => self.keep_up(line, now_ms),
            Heard::Text(text) => {
                self.failures = 0;
                self.on_message(&text).await?;
                self.keep_up(line, now_ms)
            }
        }
    }

    /// Lets go of a connection that is dead on one line, says nothing of what it was opened for, or is about to be closed
    /// by the exchange. Pings are no life of a subscription.
    fn keep_up(&mut self, line: usize, now_ms: u64) -> Result<(), ExchangeError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if connection.note(line, now_ms, self.core.tuning.idle_ms) {
            return self.disconnect(format!("one line silent for {} ms", self.core.tuning.idle_ms));
        }
        if connection.age_ms(now_ms) >= self.lifetime_ms.saturating_sub(BEFORE_END_MS) {
            self.renew("renewed before the exchange ends it".to_owned());
        } else if let Some(reason) = self.silence.never_heard() {
            self.renew(reason);
        } else {
            let silent = self.silence.fallen_silent();
            self.doubted |= !silent.is_empty();
            self.behind.extend(silent);
        }
        Ok(())
    }

    /// Ends a connection that is no failure.
    fn renew(&mut self, reason: String) {
        tracing::info!(venue = %self.core.protocol.venue(), reason, "live stream renewed");
        self.connection = None;
        self.ready.push_back(LiveEvent::Disconnected { reason });
    }
}

#[async_trait]
impl Live for NetworkLive {
    async fn next(&mut self) -> Result<Option<LiveEvent>, ExchangeError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            self.work().await?;
        }
    }

    fn book(&self, symbol: &Symbol) -> Option<&OrderBook> {
        self.books.get(symbol)?.book()
    }
}

fn live_protocol(core: &Core) -> Result<&dyn LiveProtocol, ExchangeError> {
    core.protocol.live().ok_or_else(|| ExchangeError::Unsupported {
        venue: core.protocol.venue(),
        what: "live stream here".to_owned(),
        remedy: "fetch its history again and again, or stream from binance or binance-usdm".to_owned(),
    })
}

fn base_url(core: &Core, live: &dyn LiveProtocol) -> Result<String, ExchangeError> {
    let url = core.stream_url.as_deref().unwrap_or_else(|| live.stream_url());
    if url.starts_with("wss://") || url.starts_with("ws://") {
        return Ok(url.trim_end_matches('/').to_owned());
    }
    let reason = "it begins with neither wss:// nor ws://".to_owned();
    Err(ExchangeError::Url { venue: core.protocol.venue(), url: shown(url), reason })
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Timestamp, Venue};
    use serde_json::json;

    use super::*;
    use crate::CandleFeed;
    use crate::test_machine::{Machine, TimeServer};

    /// A message of a closed candle of one minute.
    fn closed(open: Timestamp) -> String {
        let candle = json!({
            "t": open.ms(), "s": "BTCUSDT", "i": "1m", "o": "1", "c": "1", "h": "1", "l": "1", "v": "1", "n": 1,
            "x": true, "q": "1", "V": "1",
        });
        json!({ "e": "kline", "E": open.plus_ms(60_000).ms(), "s": "BTCUSDT", "k": candle }).to_string()
    }

    #[tokio::test]
    async fn the_next_candle_after_a_suspend_is_taken() {
        for has_wall in [true, false] {
            let (server, machine) = (TimeServer::start(), Machine::new(has_wall));
            let begin = server.now();
            let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::M1);
            let candles = vec![CandleFeed { key, since: Some(begin) }];
            let subscription = Subscription { candles, ..Subscription::default() };
            let mut live = NetworkLive::new(Arc::new(server.core(&machine)), subscription).unwrap();
            live.core.now().await.unwrap();
            server.pass(60_000);
            machine.run(60_000);
            live.on_message(&closed(begin)).await.unwrap();
            assert!(matches!(live.ready.pop_front(), Some(LiveEvent::Closed { .. })));

            // While the machine slept two candles closed, and here is the third.
            server.pass(180_000);
            machine.suspend(180_000);
            live.on_message(&closed(begin.plus_ms(180_000))).await.unwrap();
            assert!(live.backfill.is_some(), "what was missed is fetched, and the candle comes after");
            assert_eq!(live.core.now().await.unwrap(), server.now(), "forecasts are late, and said to be");
        }
    }

    #[tokio::test]
    async fn a_candle_of_the_far_future_is_left_out() {
        let (server, machine) = (TimeServer::start(), Machine::new(true));
        let begin = server.now();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::M1);
        let candles = vec![CandleFeed { key, since: Some(begin) }];
        let subscription = Subscription { candles, ..Subscription::default() };
        let mut live = NetworkLive::new(Arc::new(server.core(&machine)), subscription).unwrap();
        for _ in 0..3 {
            machine.run(20_000);
            server.pass(20_000);
            live.on_message(&closed(begin.plus_ms(86_400_000))).await.unwrap();
            assert!(live.backfill.is_none() && live.ready.is_empty());
        }
    }
}
