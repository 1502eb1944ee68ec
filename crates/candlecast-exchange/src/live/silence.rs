//! [`Silence`]: for how long nothing was heard of what was subscribed to.
//!
//! A connection may live, with pings, while the exchange ignores what it was opened for. A market may also just be quiet.
//! So a subscription of which nothing was ever heard is renewed, after waits that grow; and of one that has fallen silent
//! history is asked.

use std::collections::BTreeMap;

use candlecast_core::{SeriesKey, Symbol};

use crate::Subscription;

/// Longest wait for the first message, in ms.
const MAX_FIRST_MS: u64 = 3_600_000;

/// Time listened to a connection since the last message of one thing.
#[derive(Debug, Clone, Copy, Default)]
struct Quiet {
    ms: u64,
    /// True once there was a message on this connection.
    heard: bool,
}

/// The silence of everything subscribed to. Trades are left out: there may be none for as long as one likes.
#[derive(Debug)]
pub(super) struct Silence {
    feeds: BTreeMap<SeriesKey, Quiet>,
    books: BTreeMap<Symbol, Quiet>,
    /// After so long a feed that was heard counts as silent.
    idle_ms: u64,
    /// Longest wait for the first message; doubles with each that was in vain.
    first_ms: u64,
}

impl Silence {
    pub(super) fn new(subscription: &Subscription, idle_ms: u64) -> Self {
        Self {
            feeds: subscription.candles.iter().map(|feed| (feed.key.clone(), Quiet::default())).collect(),
            books: subscription.books.iter().map(|symbol| (symbol.clone(), Quiet::default())).collect(),
            idle_ms,
            first_ms: idle_ms,
        }
    }

    /// A new connection is listened to.
    pub(super) fn begin(&mut self) {
        self.all_mut().for_each(|quiet| *quiet = Quiet::default());
    }

    /// For `ms` there was nothing.
    pub(super) fn lasts(&mut self, ms: u64) {
        self.all_mut().for_each(|quiet| quiet.ms = quiet.ms.saturating_add(ms));
    }

    /// A candle of `key` was heard of.
    pub(super) fn broken_by_feed(&mut self, key: &SeriesKey) {
        if let Some(quiet) = self.feeds.get_mut(key) {
            *quiet = Quiet { ms: 0, heard: true };
            self.rest();
        }
    }

    /// A change of the book of `symbol` was heard of.
    pub(super) fn broken_by_book(&mut self, symbol: &Symbol) {
        if let Some(quiet) = self.books.get_mut(symbol) {
            *quiet = Quiet { ms: 0, heard: true };
            self.rest();
        }
    }

    /// Why the connection should be renewed: something was never heard of on it.
    pub(super) fn never_heard(&mut self) -> Option<String> {
        let waited = self.first_ms;
        let is_late = |quiet: &Quiet| !quiet.heard && quiet.ms >= waited;
        let feed = self.feeds.iter().find(|&(_, quiet)| is_late(quiet)).map(|(key, _)| key.to_string());
        let book =
            || self.books.iter().find(|&(_, quiet)| is_late(quiet)).map(|(symbol, _)| format!("the book of {symbol}"));
        let what = feed.or_else(book)?;
        self.first_ms = waited.saturating_mul(2).min(MAX_FIRST_MS.max(self.idle_ms));
        Some(format!("nothing of {what} came within {waited} ms"))
    }

    /// Feeds that were heard and have fallen silent; each is named once in `idle_ms`.
    pub(super) fn fallen_silent(&mut self) -> Vec<SeriesKey> {
        let idle_ms = self.idle_ms;
        let silent = self.feeds.iter_mut().filter(|(_, quiet)| quiet.heard && quiet.ms >= idle_ms);
        silent
            .map(|(key, quiet)| {
                quiet.ms = 0;
                key.clone()
            })
            .collect()
    }

    /// Waits for first messages are short again once all have come.
    fn rest(&mut self) {
        if self.feeds.values().chain(self.books.values()).all(|quiet| quiet.heard) {
            self.first_ms = self.idle_ms;
        }
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Quiet> {
        self.feeds.values_mut().chain(self.books.values_mut())
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Venue};

    use super::*;
    use crate::CandleFeed;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    fn key(name: &str) -> SeriesKey {
        SeriesKey::new(Venue::binance(), symbol(name), Interval::M1)
    }

    fn silence(feeds: &[&str], books: &[&str]) -> Silence {
        let candles = feeds.iter().map(|name| CandleFeed { key: key(name), since: None }).collect();
        let books = books.iter().map(|name| symbol(name)).collect();
        Silence::new(&Subscription { candles, books, trades: vec![] }, 1_000)
    }

    #[test]
    fn waits_for_a_first_message_grow_until_it_comes() {
        let mut silence = silence(&["BTCUSDT"], &["BTCUSDT"]);
        for waited in [1_000, 2_000, 4_000] {
            silence.begin();
            silence.lasts(waited - 1);
            assert_eq!(silence.never_heard(), None);
            silence.broken_by_feed(&key("BTCUSDT"));
            silence.broken_by_feed(&key("ETHUSDT"));
            silence.lasts(1);
            let reason = silence.never_heard().unwrap();
            assert_eq!(reason, format!("nothing of the book of BTCUSDT came within {waited} ms"));
        }
        silence.begin();
        silence.broken_by_book(&symbol("BTCUSDT"));
        silence.lasts(8_000);
        assert!(silence.never_heard().unwrap().contains("binance:BTCUSDT:1m came within 8000 ms"));
        silence.begin();
        silence.broken_by_book(&symbol("BTCUSDT"));
        silence.broken_by_feed(&key("BTCUSDT"));
        silence.begin();
        silence.lasts(1_000);
        assert!(silence.never_heard().unwrap().contains("within 1000 ms"), "the wait is short again");
    }

    #[test]
    fn the_longest_wait_is_an_hour() {
        let mut silence = silence(&["BTCUSDT"], &[]);
        for _ in 0..40 {
            silence.lasts(MAX_FIRST_MS);
            assert!(silence.never_heard().is_some());
        }
        assert_eq!(silence.first_ms, MAX_FIRST_MS);
    }

    #[test]
    fn a_feed_that_falls_silent_is_named_once_in_a_while() {
        let mut silence = silence(&["BTCUSDT", "ETHUSDT"], &[]);
        silence.broken_by_feed(&key("BTCUSDT"));
        silence.lasts(999);
        assert!(silence.fallen_silent().is_empty());
        silence.lasts(1);
        assert_eq!(silence.fallen_silent(), [key("BTCUSDT")], "the other was never heard");
        assert!(silence.fallen_silent().is_empty());
        silence.lasts(1_000);
        assert_eq!(silence.fallen_silent(), [key("BTCUSDT")]);
    }
}
