//! The command line as its users meet it: the program is run, its output and exit codes are looked at.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backup;
mod bad_input;
mod candle_files;
mod config;
mod contract;
mod demo;
mod determinism;
mod fsync_order;
mod hosts;
mod jobs;
mod kill;
mod live;
mod plots;
mod pool;
mod program;
mod real_data;
mod registry;
mod resume;
mod shape;
