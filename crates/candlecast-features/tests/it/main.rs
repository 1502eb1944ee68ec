//! Integration tests of the features: laws of every catalog entry, golden values, the audit, real candles.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod audit;
mod degenerate;
mod engine;
mod golden;
mod laws;
mod market;
mod real;
mod reversal;
mod walks;
