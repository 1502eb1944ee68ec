//! [`Feed`]: what the WebSocket side sends, step by step; all connections share it, so that what was sent over a
//! dead one is gone.

use candlecast_core::Timestamp;

use super::market::Market;
use super::messages;
use crate::OrderBook;

/// The last steps come without faults, so that a test can wait for the end.
const CALM_STEPS: usize = 24;

/// Kinds of streams that a connection carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) klines: bool,
    pub(super) depth: bool,
}

/// A message and when it is sent.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) at: Timestamp,
    pub(super) text: String,
    /// Near the end, where no fault may happen.
    pub(super) calm: bool,
}

/// Progress through the market.
#[derive(Debug)]
pub(super) struct Feed {
    /// Twice the row of the candle under way, plus one once it has been shown unfinished.
    kline: usize,
    diff: usize,
    /// The book after the changes sent so far.
    book: OrderBook,
}

impl Feed {
    pub(super) fn new(market: &Market) -> Self {
        let first = market.series.open_time().partition_point(|&t| t < market.start.ms());
        let book = market.book.as_ref().map(|script| {
            let s = &script.snapshot;
            OrderBook::new(s.last_id, &s.bids, &s.asks)
        });
        Self { kline: 2 * first, diff: 0, book: book.unwrap_or_default() }
    }

    pub(super) fn book(&self) -> &OrderBook {
        &self.book
    }

    /// The next message in order of time; `None` when all has been sent.
    pub(super) fn next(&mut self, market: &Market, asked: Asked) -> Option<Step> {
        let kline = self.kline_at(market).filter(|_| asked.klines);
        let diff = self.diff_at(market).filter(|_| asked.depth);
        match (kline, diff) {
            (Some(k), Some(d)) if d < k => self.take_diff(market),
            (Some(_), _) => self.take_kline(market),
            (None, Some(_)) => self.take_diff(market),
            (None, None) => None,
        }
    }

    /// The candle that stays under way, shown again and again at the end.
    pub(super) fn last_words(market: &Market, now: Timestamp) -> String {
        let last = market.series.candle(market.series.len() - 1);
        messages::kline(market.series.key(), &messages::unfinished(&last), now, false)
    }

    fn kline_at(&self, market: &Market) -> Option<Timestamp> {
        let (row, step) = (self.kline / 2, market.series.key().interval.ms());
        let open = *market.series.open_time()[..market.series.len() - 1].get(row)?;
        Some(Timestamp(if self.kline.is_multiple_of(2) { open + step / 2 } else { open + step }))
    }

    fn take_kline(&mut self, market: &Market) -> Option<Step> {
        let at = self.kline_at(market)?;
        let (candle, closed) = (market.series.candle(self.kline / 2), self.kline % 2 == 1);
        let shown = if closed { candle } else { messages::unfinished(&candle) };
        self.kline += 1;
        let left = 2 * (market.series.len() - 1) - self.kline;
        let text = messages::kline(market.series.key(), &shown, at, closed);
        Some(Step { at, text, calm: left < CALM_STEPS })
    }

    fn diff_at(&self, market: &Market) -> Option<Timestamp> {
        Some(market.book.as_ref()?.diffs.get(self.diff)?.time)
    }

    fn take_diff(&mut self, market: &Market) -> Option<Step> {
        let diffs = &market.book.as_ref()?.diffs;
        let diff = diffs.get(self.diff)?;
        self.book.apply(diff.final_id, diff.time, &diff.bids, &diff.asks);
        self.diff += 1;
        let calm = diffs.len() - self.diff < CALM_STEPS;
        Some(Step { at: diff.time, text: messages::depth(diff), calm })
    }
}
