//! Integration tests of the metadata database: the same laws on SQLite and on PostgreSQL.
//!
//! PostgreSQL takes part when `CANDLECAST_TEST_POSTGRES` names a server (`postgres://user@host/database`); every
//! test keeps to a schema of its own there. A second server that a test may stop is told of by the program that
//! `CANDLECAST_TEST_POSTGRES_CTL` names (`url`, `stop`, `start`). `cargo xtask test` starts both.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod backends;
mod dump_laws;
mod fixtures;
mod job_laws;
mod job_model;
mod ledger_laws;
mod migrations;
mod model_laws;
mod outage;
mod prediction_laws;
mod roll_up_laws;
mod run_laws;
mod study_laws;
mod upkeep_laws;
mod workers;
