//! Integration tests of the metadata database: the same laws on SQLite and on PostgreSQL.
//!
//! PostgreSQL takes part when `CANDLECAST_TEST_POSTGRES` names a server (`postgres://user@host/database`); every
//! test keeps to a schema of its own there. A second server that a test may stop is told of by the program that
//! `CANDLECAST_TEST_POSTGRES_CTL` names (`url`, `stop`, `start`). A third one takes encrypted connections only:
//! `CANDLECAST_TEST_POSTGRES_TLS` is its URL, `CANDLECAST_TEST_POSTGRES_TLS_CERTIFICATES` a folder of authorities.
//! `cargo xtask test` starts all three.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod backends;
mod commits;
mod deadlines;
mod dump_laws;
mod encryption;
mod fixtures;
mod job_laws;
mod job_model;
mod ledger_laws;
mod migrations;
mod model_laws;
mod outage;
mod prediction_laws;
mod proxy;
mod roll_up_laws;
mod run_laws;
mod study_laws;
mod upkeep_laws;
mod workers;
