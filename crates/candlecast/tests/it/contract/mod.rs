//! `--json` is a contract: one document on standard output, nothing on standard error, these fields of these types.

mod backtests;
mod data;
mod evaluation;
mod features;
mod models;
