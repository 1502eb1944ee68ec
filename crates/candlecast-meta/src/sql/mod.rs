//! The store traits in SQL that SQLite and PostgreSQL share.

mod dump;
mod job_rows;
mod job_statements;
mod jobs;
mod ledger;
mod load;
mod models;
mod predictions;
mod restores;
mod runs;
mod select;
mod studies;

pub use load::Loaded;
