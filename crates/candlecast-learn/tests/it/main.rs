//! Integration tests of splitting, fitting, walking forward, going on after an interruption and scoring: golden runs
//! over real candles, and laws on made markets.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod bits;
mod cross_validation;
mod differences;
mod digests;
mod ensembles;
mod evaluate;
mod forecasters;
mod gaps;
mod golden;
mod golden_file;
mod hooks;
mod learners;
mod live;
mod luck;
mod many_markets;
mod markets;
mod metrics;
mod mixtures;
mod origins;
mod pipeline;
mod pipelines;
mod real;
mod resume;
mod run_each;
mod tasks;
mod walk_forward;
