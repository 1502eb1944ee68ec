//! The store traits in SQL that SQLite and PostgreSQL share.

mod dump;
mod job_rows;
mod job_statements;
mod jobs;
mod lease_time;
mod ledger;
mod load;
mod models;
mod predictions;
mod restores;
mod runs;
mod select;
mod studies;
mod turns;

pub use load::Loaded;
