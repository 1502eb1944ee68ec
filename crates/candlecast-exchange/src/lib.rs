//! Exchanges: history over REST, live candles, trades and order books over WebSocket, and files replayed as if
//! they were live. Stores nothing.
//!
//! Two layers. A [`Protocol`] is what is particular to one exchange: paths, weights, the form of its answers. It
//! does no I/O. [`Exchange`] is what the rest of candlecast sees; one implementation drives every protocol over
//! the network (rate limits, retries, reconnects, back-fill, order-book checks), [`Replay`] is the other. Each
//! exchange is a file in `exchanges/` and a line in its list.
//!
//! Time: whether a candle is closed is judged by the exchange's clock, carried forward by one that never goes back and,
//! where the system has such a clock, goes on in suspend ([`Clock`]). What the wall clock of this machine shows never
//! matters, so that its skew cannot; that it moves against the other one says that either was set or stood still, and the
//! exchange is asked again. All waits go through [`Clock`] as well.
//!
//! Which type goes where: [`Misread`] is a protocol's verdict on one answer, [`ExchangeError`] what a caller sees
//! once retries have not helped.

mod address;
mod backoff;
mod book;
mod book_sync;
mod budget;
mod clock;
mod connection;
mod error;
mod exchange;
mod exchanges;
mod fetch;
mod fields;
mod live;
mod network;
mod protocol;
mod recipe;
mod rest;
mod shared_budget;
mod tls;
mod track;

#[cfg(feature = "faults")]
pub mod faults;
#[cfg(test)]
mod test_machine;

pub use address::check_address;
pub use book::{Level, OrderBook};
pub use book_sync::{BookRule, BookStep, BookSync, DepthDiff, DepthSnapshot};
pub use budget::{Budget, WeightBudget};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use error::{ExchangeError, Misread};
pub use exchange::{BookTop, CandleFeed, Exchange, Live, LiveEvent, Origin, Page, Subscription, Trade};
pub use exchanges::{Binance, Bybit, Coinbase, Kraken, Replay, ReplayControl, catalog, find};
pub use fetch::{Fetch, missing_ranges};
pub use protocol::{LiveProtocol, Protocol, Request, Wire};
pub use recipe::{ExchangeRecipe, Setting, Tuning};
