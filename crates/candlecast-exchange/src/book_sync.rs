//! [`BookSync`]: a local order book kept in step with the exchange by its sequence numbers.

use std::collections::VecDeque;

use candlecast_core::{Symbol, Timestamp};

use crate::{Level, OrderBook};

/// Changes kept while a snapshot is on its way, and the memory they may take; beyond either the oldest go, and the snapshot
/// must be newer.
const MAX_WAITING: usize = 10_000;
const MAX_WAITING_BYTES: usize = 32 << 20;

/// A change of an order book.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthDiff {
    /// Trading pair.
    pub symbol: Symbol,
    /// When the book changed; when the exchange sent the message, where it says no more.
    pub time: Timestamp,
    /// Number of its first change (`U`).
    pub first_id: u64,
    /// Number of its last change (`u`).
    pub final_id: u64,
    /// Last number of the message before, where the exchange says it (`pu`).
    pub previous_id: Option<u64>,
    /// Changed bids.
    pub bids: Vec<Level>,
    /// Changed asks.
    pub asks: Vec<Level>,
}

/// A whole order book.
#[derive(Debug, Clone, PartialEq)]
pub struct DepthSnapshot {
    /// Number of the last change in it (`lastUpdateId`).
    pub last_id: u64,
    /// Bids.
    pub bids: Vec<Level>,
    /// Asks.
    pub asks: Vec<Level>,
}

/// How messages chain (Binance, "How to manage a local order book correctly").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookRule {
    /// Spot: the first message has `U <= lastUpdateId + 1 <= u`, each next `U = u + 1` of the one before.
    Consecutive,
    /// USD-M futures: the first message has `U <= lastUpdateId <= u`, each next `pu = u` of the one before. A
    /// first message with `pu = lastUpdateId` is taken too: it begins exactly where the snapshot ends.
    Linked,
}

impl BookRule {
    fn is_stale(self, diff: &DepthDiff, last_id: u64, bridged: bool) -> bool {
        match self {
            Self::Linked if !bridged => diff.final_id < last_id,
            _ => diff.final_id <= last_id,
        }
    }

    fn follows(self, diff: &DepthDiff, last_id: u64, bridged: bool) -> bool {
        match (self, bridged) {
            (Self::Consecutive, false) => diff.first_id <= last_id.saturating_add(1) && last_id < diff.final_id,
            (Self::Consecutive, true) => diff.first_id == last_id.saturating_add(1),
            (Self::Linked, false) => {
                let linked = diff.previous_id == Some(last_id);
                linked || (diff.first_id <= last_id && last_id <= diff.final_id)
            }
            (Self::Linked, true) => diff.previous_id == Some(last_id),
        }
    }
}

/// What a message did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookStep {
    /// The book has changed.
    Applied,
    /// Known already, left out.
    Stale,
    /// There is no book, or a message is missing: a snapshot must be asked for.
    NeedsSnapshot,
}

/// A local order book and the messages that wait for its snapshot.
#[derive(Debug, Clone)]
pub struct BookSync {
    rule: BookRule,
    book: Option<OrderBook>,
    /// True once a message has been applied over the snapshot.
    bridged: bool,
    waiting: VecDeque<DepthDiff>,
    waiting_bytes: usize,
}

impl BookSync {
    /// Without a book.
    pub fn new(rule: BookRule) -> Self {
        Self { rule, book: None, bridged: false, waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    /// The book, while it is in step.
    pub fn book(&self) -> Option<&OrderBook> {
        self.book.as_ref()
    }

    /// Forgets everything, as after a lost connection.
    pub fn reset(&mut self) {
        *self = Self::new(self.rule);
    }

    /// Takes a message of the stream.
    pub fn on_diff(&mut self, diff: DepthDiff) -> BookStep {
        if self.book.is_none() {
            self.wait(diff);
            return BookStep::NeedsSnapshot;
        }
        let step = self.advance(&diff);
        if step == BookStep::NeedsSnapshot {
            self.reset();
            self.wait(diff);
        }
        step
    }

    /// Takes a snapshot and lays the waiting messages over it. `NeedsSnapshot` when it is too old to meet them.
    pub fn on_snapshot(&mut self, snapshot: &DepthSnapshot) -> BookStep {
        let (mut waiting, bytes) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.waiting_bytes));
        waiting.make_contiguous().sort_by_key(|d| (d.first_id, d.final_id));
        self.book = Some(OrderBook::new(snapshot.last_id, &snapshot.bids, &snapshot.asks));
        self.bridged = false;
        if waiting.iter().all(|diff| self.advance(diff) != BookStep::NeedsSnapshot) {
            return BookStep::Applied;
        }
        self.reset();
        (self.waiting, self.waiting_bytes) = (waiting, bytes);
        BookStep::NeedsSnapshot
    }

    fn advance(&mut self, diff: &DepthDiff) -> BookStep {
        let Some(book) = &mut self.book else { return BookStep::NeedsSnapshot };
        let last_id = book.update_id();
        if self.rule.is_stale(diff, last_id, self.bridged) {
            return BookStep::Stale;
        }
        if !self.rule.follows(diff, last_id, self.bridged) {
            return BookStep::NeedsSnapshot;
        }
        book.apply(diff.final_id, diff.time, &diff.bids, &diff.asks);
        self.bridged = true;
        BookStep::Applied
    }

    fn wait(&mut self, diff: DepthDiff) {
        self.waiting_bytes += bytes(&diff);
        self.waiting.push_back(diff);
        while self.waiting.len() > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES {
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= bytes(&oldest);
        }
    }
}

/// Memory that a change takes.
fn bytes(diff: &DepthDiff) -> usize {
    size_of::<DepthDiff>() + (diff.bids.len() + diff.asks.len()) * size_of::<Level>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(first: u64, last: u64, previous: u64, bid: f64) -> DepthDiff {
        DepthDiff {
            symbol: Symbol::new("BTCUSDT").unwrap(),
            time: Timestamp(last as i64),
            first_id: first,
            final_id: last,
            previous_id: Some(previous),
            bids: vec![Level::new(bid, 1.0).unwrap()],
            asks: vec![],
        }
    }

    fn snapshot(last_id: u64) -> DepthSnapshot {
        DepthSnapshot { last_id, bids: vec![Level::new(1.0, 1.0).unwrap()], asks: vec![] }
    }

    fn best(sync: &BookSync) -> Option<f64> {
        sync.book().and_then(OrderBook::best_bid).map(|l| l.price)
    }

    #[test]
    fn spot_messages_must_be_consecutive() {
        let mut sync = BookSync::new(BookRule::Consecutive);
        assert_eq!(sync.on_diff(diff(1, 5, 0, 2.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_diff(diff(6, 9, 5, 3.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_snapshot(&snapshot(5)), BookStep::Applied);
        assert_eq!(best(&sync), Some(3.0), "the message up to 5 is in the snapshot, that from 6 is laid over it");
        assert_eq!(sync.on_diff(diff(6, 9, 5, 99.0)), BookStep::Stale);
        assert_eq!(sync.on_diff(diff(10, 12, 9, 4.0)), BookStep::Applied);
        assert_eq!(sync.on_diff(diff(14, 15, 12, 5.0)), BookStep::NeedsSnapshot);
        assert_eq!(best(&sync), None, "a book out of step is not shown");
        assert_eq!(sync.on_snapshot(&snapshot(12)), BookStep::NeedsSnapshot, "13 is missing still");
        assert_eq!(sync.on_snapshot(&snapshot(13)), BookStep::Applied);
        assert_eq!(best(&sync), Some(5.0));
    }

    #[test]
    fn futures_messages_must_link() {
        let mut sync = BookSync::new(BookRule::Linked);
        assert_eq!(sync.on_diff(diff(10, 20, 8, 2.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_diff(diff(25, 30, 20, 3.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_snapshot(&snapshot(9)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_snapshot(&snapshot(20)), BookStep::Applied, "u = lastUpdateId still bridges");
        assert_eq!(best(&sync), Some(3.0));
        assert_eq!(sync.on_diff(diff(25, 30, 20, 9.0)), BookStep::Stale);
        assert_eq!(sync.on_diff(diff(40, 50, 31, 4.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_snapshot(&snapshot(60)), BookStep::Applied);
        assert_eq!(best(&sync), Some(1.0), "all waiting messages are in the snapshot");
        assert_eq!(sync.on_diff(diff(61, 70, 60, 5.0)), BookStep::Applied, "begins where the snapshot ends");
        assert_eq!(sync.on_diff(diff(81, 90, 80, 6.0)), BookStep::NeedsSnapshot);
        assert_eq!(sync.on_snapshot(&snapshot(75)), BookStep::NeedsSnapshot, "76 to 80 are missing");
    }

    #[test]
    fn what_waits_is_bounded_by_number_and_by_memory() {
        let mut sync = BookSync::new(BookRule::Consecutive);
        for k in 0..MAX_WAITING as u64 + 5 {
            sync.on_diff(diff(k + 1, k + 1, k, 2.0));
        }
        assert_eq!((sync.waiting.len(), sync.waiting[0].first_id), (MAX_WAITING, 6), "the oldest five are gone");
        let mut sync = BookSync::new(BookRule::Consecutive);
        let level = Level::new(1.0, 1.0).unwrap();
        for k in 0..5 {
            let bids = vec![level; MAX_WAITING_BYTES / 4 / size_of::<Level>()];
            sync.on_diff(DepthDiff { bids, ..diff(k + 1, k + 1, k, 2.0) });
        }
        assert_eq!((sync.waiting.len(), sync.waiting[0].first_id), (3, 3), "the structs themselves count, too");
        let counted: usize = sync.waiting.iter().map(bytes).sum();
        assert_eq!(sync.waiting_bytes, counted);
        assert_eq!(sync.on_snapshot(&snapshot(2)), BookStep::Applied);
        assert_eq!((sync.waiting.len(), sync.waiting_bytes), (0, 0));
    }
}
