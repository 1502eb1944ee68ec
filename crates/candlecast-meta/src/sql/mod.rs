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
mod roll_up;
mod runs;
mod select;
mod studies;
mod turns;
mod upkeep;

pub use load::Loaded;
