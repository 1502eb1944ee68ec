//! The candles of a live stream: what is missing is fetched, what comes twice is left out.

use candlecast_core::{Candle, Interval, SeriesKey, Symbol, TimeRange, Timestamp};

use super::{Feed, NetworkLive};
use crate::track::{Place, Track};
use crate::{ExchangeError, LiveEvent, Origin};

/// Candles that history lacks are asked for a second time after this wait; then they are taken not to exist.
const SECOND_LOOK_MS: u64 = 1_000;
const LOOKS: u32 = 2;
/// A message from further in the future than this is not believed.
const MAX_AHEAD_MS: i64 = 60_000;

/// Candles that are being fetched from history. It goes on page by page, so that an error loses nothing and no more than
/// a page waits to be taken.
#[derive(Debug)]
pub(super) struct Backfill {
    key: SeriesKey,
    /// Where it ends.
    to: Timestamp,
    /// Where the next page begins; `None` where the next look has not begun.
    from: Option<Timestamp>,
    /// Looks that are through.
    looks: u32,
    /// The message that showed that something is missing, and whether it is of a closed candle: it comes after.
    then: Option<(Candle, bool)>,
}

impl Backfill {
    fn new(key: SeriesKey, to: Timestamp, then: Option<(Candle, bool)>) -> Self {
        Self { key, to, from: None, looks: 0, then }
    }
}

impl NetworkLive {
    /// Sees to it that what closed before the exchange's present time and has not been handed out will be.
    pub(super) async fn catch_up(&mut self, key: SeriesKey) -> Result<(), ExchangeError> {
        let now = self.core.closed_before(key.interval).await?;
        match self.track(&key).map(|track| track.next()) {
            Some(next) if next < now => self.backfill = Some(Backfill::new(key, now, None)),
            Some(_) => {}
            None => {
                // Streams of symbols that do not exist stay silent; history says that there is none.
                let newest = TimeRange { from: now.plus_ms(-key.interval.ms()), to: now };
                self.core.klines(&key, newest).await?;
                let track = Track::new(key.interval, now);
                self.feeds.insert(key, Feed::Under(track));
            }
        }
        self.behind.pop_front();
        Ok(())
    }

    /// Takes the next page of the back-fill from history and hands it out.
    pub(super) async fn fill(&mut self) -> Result<(), ExchangeError> {
        let Some(backfill) = &self.backfill else { return Ok(()) };
        let (key, to, begun, looks) = (backfill.key.clone(), backfill.to, backfill.from, backfill.looks);
        let from = if let Some(from) = begun {
            from
        } else {
            if looks > 0 {
                self.core.clock.sleep_ms(SECOND_LOOK_MS).await;
            }
            self.settled(to).await?;
            self.track(&key).map_or(to, |track| track.next())
        };
        let mut next = to;
        if from < to {
            let page = self.core.klines(&key, TimeRange { from, to }).await?;
            for i in 0..page.series.len() {
                self.hand_out(&key, page.series.candle(i), Origin::Backfill);
            }
            next = page.next.filter(|&next| next > from).unwrap_or(to);
        }
        let is_complete = self.track(&key).is_none_or(|track| track.next() >= to);
        let Some(backfill) = &mut self.backfill else { return Ok(()) };
        if next < to {
            backfill.from = Some(next);
            return Ok(());
        }
        (backfill.from, backfill.looks) = (None, looks + 1);
        if is_complete || backfill.looks >= LOOKS {
            self.end_backfill();
        }
        Ok(())
    }

    /// What the looks have not brought is missing; then comes what waited.
    fn end_backfill(&mut self) {
        let Some(Backfill { key, to, then, .. }) = self.backfill.take() else { return };
        if let Some(track) = self.track(&key) {
            let from = track.next();
            track.skip_to(to);
            self.note_missing(&key, TimeRange { from, to });
        }
        if let Some((candle, closed)) = then {
            self.deliver(key, candle, closed);
        }
    }

    /// Waits until a candle that ends at `end` is final.
    async fn settled(&mut self, end: Timestamp) -> Result<(), ExchangeError> {
        let ready = end.plus_ms(self.core.tuning.settle_ms as i64);
        let now = self.core.now().await?;
        if now < ready {
            self.core.clock.sleep_ms((ready.ms() - now.ms()) as u64 + 1).await;
        }
        Ok(())
    }

    fn track(&mut self, key: &SeriesKey) -> Option<&mut Track> {
        match self.feeds.get_mut(key) {
            Some(Feed::Under(track)) => Some(track),
            _ => None,
        }
    }

    fn hand_out(&mut self, key: &SeriesKey, candle: Candle, origin: Origin) {
        let Some(track) = self.track(key) else { return };
        let from = track.next();
        if !track.pass(candle.open_time) {
            return;
        }
        self.note_missing(key, TimeRange { from, to: candle.open_time });
        if self.doubted && origin == Origin::Backfill && candle.volume > 0.0 {
            self.unheard = Some(key.clone());
        }
        self.ready.push_back(LiveEvent::Closed { key: key.clone(), candle, origin });
    }

    fn note_missing(&mut self, key: &SeriesKey, range: TimeRange) {
        if !range.is_empty() {
            self.ready.push_back(LiveEvent::Missing { key: key.clone(), range });
        }
    }

    fn deliver(&mut self, key: SeriesKey, candle: Candle, closed: bool) {
        if closed {
            self.hand_out(&key, candle, Origin::Stream);
        } else {
            self.ready.push_back(LiveEvent::Forming { key, candle });
        }
    }

    pub(super) async fn on_kline(
        &mut self,
        symbol: Symbol,
        interval: Interval,
        candle: Candle,
        closed: bool,
    ) -> Result<(), ExchangeError> {
        let key = SeriesKey::new(self.core.protocol.venue(), symbol, interval);
        if candle.check(interval).is_err() {
            return Ok(());
        }
        let Some(place) = self.track(&key).map(|t| t.place(candle.open_time)) else { return Ok(()) };
        self.silence.broken_by_feed(&key);
        match place {
            Place::Past => {}
            Place::Next => self.deliver(key, candle, closed),
            Place::After(missing) => {
                if missing.to <= self.core.now().await?.plus_ms(MAX_AHEAD_MS) {
                    self.backfill = Some(Backfill::new(key, missing.to, Some((candle, closed))));
                }
            }
        }
        Ok(())
    }
}
