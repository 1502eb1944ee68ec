//! [`Protocol`]: what is particular to one exchange, without I/O.

use std::fmt::Debug;

use candlecast_core::{Candle, Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};

use crate::{BookRule, Budget, DepthDiff, DepthSnapshot, ExchangeError, Misread, Subscription, Trade};

/// A GET request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Path and query, from `/` on.
    pub path: String,
    /// What it costs of [`Protocol::budget`], by the exchange's documentation.
    pub weight: u32,
}

/// REST side of an exchange.
pub trait Protocol: Send + Sync + Debug {
    /// Whose candles these are.
    fn venue(&self) -> Venue;
    /// Base of the public address, without a slash at the end.
    fn rest_url(&self) -> &'static str;
    /// The documented rate limit of one address.
    fn budget(&self) -> Budget;
    /// Header in which the exchange says how much of its limit is used.
    fn used_weight_header(&self) -> Option<&'static str> {
        None
    }
    /// Most candles in one answer.
    fn page_candles(&self) -> usize;
    /// True where a request from a time without candles is answered with the next candles there are, so that
    /// gaps and the years before a listing cost one request.
    fn skips_gaps(&self) -> bool {
        false
    }
    /// How many of the newest candles there are at all; `None` where the whole history is kept.
    fn history_candles(&self) -> Option<usize> {
        None
    }
    /// No candle opens before.
    fn first_day(&self) -> Timestamp;
    /// Asks for the exchange's time.
    fn time(&self) -> Request;
    /// Reads its answer.
    fn read_time(&self, body: &str) -> Result<Timestamp, Misread>;
    /// Asks for the candles that open within `range`, at most [`Protocol::page_candles`].
    fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Request, ExchangeError>;
    /// Reads its answer, in any order, the unfinished candle included if the exchange sends it.
    fn read_klines(&self, body: &str) -> Result<Vec<Candle>, Misread>;
    /// The live side, where there is one.
    fn live(&self) -> Option<&dyn LiveProtocol> {
        None
    }
}

/// WebSocket side of an exchange.
pub trait LiveProtocol: Send + Sync + Debug {
    /// Base of the public address, without a slash at the end.
    fn stream_url(&self) -> &'static str;
    /// Paths that together carry `subscription`, one connection each.
    fn stream_paths(&self, subscription: &Subscription) -> Result<Vec<String>, ExchangeError>;
    /// How often one address may connect.
    fn connections(&self) -> Budget;
    /// After this many ms the exchange hangs up.
    fn lifetime_ms(&self) -> u64;
    /// Reads a message; `None` for what is neither candle, trade nor depth.
    fn read_message(&self, text: &str) -> Result<Option<Wire>, Misread>;
    /// Asks for an order book.
    fn depth(&self, symbol: &Symbol) -> Request;
    /// Reads its answer.
    fn read_depth(&self, body: &str) -> Result<DepthSnapshot, Misread>;
    /// How book updates chain.
    fn book_rule(&self) -> BookRule;
}

/// What a WebSocket message carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    /// A candle, finished or not.
    Kline {
        /// Trading pair.
        symbol: Symbol,
        /// Candle length.
        interval: Interval,
        /// As it stands.
        candle: Candle,
        /// True once it is final.
        closed: bool,
        /// When the exchange sent it, where it says so.
        sent: Option<Timestamp>,
    },
    /// A change of an order book.
    Depth(DepthDiff),
    /// A trade.
    Trade(Trade),
}
