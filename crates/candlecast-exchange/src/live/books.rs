//! The order books of a live stream: kept in step by sequence numbers, begun anew from a snapshot where they are not.

use candlecast_core::Symbol;

use super::{NetworkLive, live_protocol};
use crate::{BookStep, BookSync, BookTop, DepthDiff, ExchangeError, LiveEvent};

/// A snapshot older than the waiting messages is asked for again after this wait, so many times.
const SNAPSHOT_PAUSE_MS: u64 = 500;
const SNAPSHOT_TRIES: usize = 4;

impl NetworkLive {
    pub(super) async fn on_depth(&mut self, diff: DepthDiff) -> Result<(), ExchangeError> {
        let symbol = diff.symbol.clone();
        let Some(sync) = self.books.get_mut(&symbol) else { return Ok(()) };
        self.silence.broken_by_book(&symbol);
        match sync.on_diff(diff) {
            BookStep::Applied => self.show_book(&symbol),
            BookStep::Stale => {}
            BookStep::NeedsSnapshot => self.take_snapshot(&symbol).await?,
        }
        Ok(())
    }

    async fn take_snapshot(&mut self, symbol: &Symbol) -> Result<(), ExchangeError> {
        for attempt in 0..SNAPSHOT_TRIES {
            if attempt > 0 {
                self.core.clock.sleep_ms(SNAPSHOT_PAUSE_MS).await;
            }
            let live = live_protocol(&self.core)?;
            let snapshot = self.core.rest.get(&live.depth(symbol), |body| live.read_depth(body)).await?;
            let Some(sync) = self.books.get_mut(symbol) else { return Ok(()) };
            if sync.on_snapshot(&snapshot) == BookStep::Applied {
                self.show_book(symbol);
                return Ok(());
            }
        }
        Ok(())
    }

    fn show_book(&mut self, symbol: &Symbol) {
        let Some(book) = self.books.get(symbol).and_then(BookSync::book) else { return };
        let top = BookTop {
            symbol: symbol.clone(),
            time: book.time(),
            update_id: book.update_id(),
            bid: book.best_bid(),
            ask: book.best_ask(),
        };
        self.ready.push_back(LiveEvent::Book(top));
    }
}
