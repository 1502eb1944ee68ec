//! The candles of a live stream: what is missing is fetched, what comes twice is left out.

use candlecast_core::{Candle, Interval, SeriesKey, Symbol, TimeRange, Timestamp};

use super::{Feed, NetworkLive};
use crate::track::{Place, Track};
use crate::{ExchangeError, LiveEvent, Origin};

/// Candles that history lacks are asked for a second time after this wait; then they are taken not to exist.
const SECOND_LOOK_MS: u64 = 1_000;
/// A message from further in the future than this is not believed.
const MAX_AHEAD_MS: i64 = 60_000;

impl NetworkLive {
    /// Hands out what closed before the exchange's present time and has not been handed out.
    pub(super) async fn catch_up(&mut self) -> Result<(), ExchangeError> {
        let keys: Vec<SeriesKey> = self.feeds.keys().cloned().collect();
        for key in keys {
            let now = self.core.closed_before(key.interval).await?;
            match self.track(&key).map(|t| t.next()) {
                Some(next) if next < now => self.backfill(&key, TimeRange { from: next, to: now }).await?,
                Some(_) => {}
                None => {
                    let track = Track::new(key.interval, now);
                    self.feeds.insert(key, Feed::Under(track));
                }
            }
        }
        self.behind = false;
        Ok(())
    }

    /// Gets the candles of `missing` from history and hands them out.
    async fn backfill(&mut self, key: &SeriesKey, missing: TimeRange) -> Result<(), ExchangeError> {
        self.settled(missing.to).await?;
        for look in 0..2 {
            if look > 0 {
                self.core.clock.sleep_ms(SECOND_LOOK_MS).await;
            }
            let mut from = self.track(key).map_or(missing.to, |t| t.next());
            while from < missing.to {
                let page = self.core.klines(key, TimeRange { from, to: missing.to }).await?;
                for i in 0..page.series.len() {
                    self.hand_out(key, page.series.candle(i), Origin::Backfill);
                }
                from = page.next.filter(|&next| next > from).unwrap_or(missing.to);
            }
            if self.track(key).is_none_or(|t| t.next() >= missing.to) {
                break;
            }
        }
        if let Some(track) = self.track(key) {
            track.skip_to(missing.to);
        }
        Ok(())
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
        if self.track(key).is_some_and(|t| t.pass(candle.open_time)) {
            self.ready.push_back(LiveEvent::Closed { key: key.clone(), candle, origin });
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
        match place {
            Place::Past => return Ok(()),
            Place::After(missing) => {
                if missing.to > self.core.now().await?.plus_ms(MAX_AHEAD_MS) {
                    return Ok(());
                }
                self.backfill(&key, missing).await?;
            }
            Place::Next => {}
        }
        if closed {
            self.hand_out(&key, candle, Origin::Stream);
        } else {
            self.ready.push_back(LiveEvent::Forming { key, candle });
        }
        Ok(())
    }
}
