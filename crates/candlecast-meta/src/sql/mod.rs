//! The store traits in SQL that SQLite and PostgreSQL share.

mod job_rows;
mod job_statements;
mod jobs;
mod ledger;
mod models;
mod predictions;
mod runs;
mod select;
mod studies;
