//! Integration tests of the candle stores.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod crash;
mod damage;
mod fixtures;
mod fsync_order;
mod lake_files;
mod laws;
mod real_data;
mod segments;
mod space;
