//! A local server that answers like an exchange, with faults from a seeded plan.
//!
//! It serves one [`Market`] over REST in the forms of Binance (spot and USD-M), Bybit, Kraken and Coinbase, told
//! apart by path, and over WebSocket in Binance's. Its time is that of a [`crate::VirtualClock`] shared with the
//! client, so that nobody waits; candles that have just ended are shown unfinished for a moment, as real ones are.
//! It keeps account of what a client must not do: come back before `Retry-After`, or exceed the weight limit.

mod answers;
mod feed;
mod http;
mod market;
mod messages;
mod plan;
mod server;

pub use market::{BookScript, Market};
pub use plan::FaultPlan;
pub use server::{FaultReport, FaultServer};
