//! Integration tests of splitting, fitting, walking forward, going on after an interruption and scoring: golden runs
//! over real candles, and laws on made markets.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bits;
mod contenders;
mod digests;
mod evaluate;
mod golden;
mod golden_file;
mod hooks;
mod learners;
mod markets;
mod metrics;
mod pipeline;
mod pipelines;
mod real;
mod resume;
mod walk_forward;
