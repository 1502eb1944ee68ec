//! [`Exchange`] and what it hands out.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use candlecast_core::{Candle, CandleSeries, SeriesKey, Symbol, TimeRange, Timestamp, Venue};

use crate::{ExchangeError, Level, OrderBook};

/// A source of history and of live data.
#[async_trait]
pub trait Exchange: Send + Sync + Debug {
    /// Whose candles these are.
    fn venue(&self) -> Venue;

    /// The exchange's own time, by which candles are closed.
    async fn now(&self) -> Result<Timestamp, ExchangeError>;

    /// One page of closed candles of `key` that open within `range`, from its beginning. Candles still open, or
    /// closed so recently that late trades may yet change them, are left out. [`crate::Fetch`] pages.
    async fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Page, ExchangeError>;

    /// How many of the newest candles the exchange hands out; `None` for its whole history.
    fn history_candles(&self) -> Option<usize> {
        None
    }

    /// Requests sent to the exchange so far, repeated ones included; 0 where none are needed.
    fn requests(&self) -> u64 {
        0
    }

    /// Waits by the clock that the exchange goes by, so that tests do not wait.
    async fn wait_ms(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }

    /// Opens a stream of live events.
    async fn live(&self, subscription: Subscription) -> Result<Box<dyn Live>, ExchangeError>;
}

/// A stream of live events.
#[async_trait]
pub trait Live: Send + Debug {
    /// The next event; `None` when there will be no more (a replay at its end). A stream over the network
    /// reconnects and fills gaps by itself; an error means that retries have not helped, and calling again tries
    /// anew without losing or repeating a closed candle. Dropping the future between events loses nothing that
    /// the next call does not fetch again.
    async fn next(&mut self) -> Result<Option<LiveEvent>, ExchangeError>;

    /// The order book of `symbol`, while it is known to be right.
    fn book(&self, symbol: &Symbol) -> Option<&OrderBook>;
}

/// Candles of one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Closed, valid candles.
    pub series: CandleSeries,
    /// Candles that the exchange sent but that are not valid, left out.
    pub rejected: usize,
    /// Where the next page begins; `None` when the range is through.
    pub next: Option<Timestamp>,
}

/// A series to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandleFeed {
    /// Which.
    pub key: SeriesKey,
    /// Open time of the first candle that the caller lacks; the stream begins with it, from history where it has
    /// to. `None` begins with the first candle that closes after the start. Long absences are better fetched.
    pub since: Option<Timestamp>,
}

/// What to stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscription {
    /// Candles.
    pub candles: Vec<CandleFeed>,
    /// Order books.
    pub books: Vec<Symbol>,
    /// Trades; what is missed while disconnected stays missing.
    pub trades: Vec<Symbol>,
}

/// How a closed candle came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// From the stream.
    Stream,
    /// From history, because the stream had missed it.
    Backfill,
}

/// Best prices after a change of an order book.
#[derive(Debug, Clone, PartialEq)]
pub struct BookTop {
    /// Trading pair.
    pub symbol: Symbol,
    /// When it changed, by the exchange; `None` for the state of a snapshot without a time.
    pub time: Option<Timestamp>,
    /// The exchange's number of the last change.
    pub update_id: u64,
    /// Highest bid.
    pub bid: Option<Level>,
    /// Lowest ask.
    pub ask: Option<Level>,
}

/// A trade.
#[derive(Debug, Clone, PartialEq)]
pub struct Trade {
    /// Trading pair.
    pub symbol: Symbol,
    /// When.
    pub time: Timestamp,
    /// In quote units.
    pub price: f64,
    /// In base units.
    pub quantity: f64,
    /// True where the taker bought.
    pub taker_bought: bool,
}

/// What happens on a live stream.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveEvent {
    /// A candle is final: exactly once each, in order of time within its series.
    Closed {
        /// Series.
        key: SeriesKey,
        /// Final.
        candle: Candle,
        /// How it came.
        origin: Origin,
    },
    /// The exchange's history has no candles that open within this range; they are not handed out later.
    Missing {
        /// Series.
        key: SeriesKey,
        /// First open time that is missing, and the first that is not.
        range: TimeRange,
    },
    /// The candle under way has changed; it is not final.
    Forming {
        /// Series.
        key: SeriesKey,
        /// As it stands.
        candle: Candle,
    },
    /// An order book has changed.
    Book(BookTop),
    /// A trade.
    Trade(Trade),
    /// The stream is connected.
    Connected,
    /// The stream was cut; it reconnects by itself.
    Disconnected {
        /// Why.
        reason: String,
    },
}
