//! Integration tests of the use cases, over a store in a folder of their own and the generated market.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod audit_rank;
mod backtests;
mod degenerate;
mod ensembles;
mod fetch;
mod format1;
mod format2;
mod honesty;
mod jobs;
mod kept_pieces;
mod live;
mod looking_back;
mod lost_jobs;
mod pooled;
mod prediction_tasks;
mod predictions;
mod promotion;
mod registry;
mod reopening;
mod resume;
mod retention;
mod scene;
mod search;
mod sharing;
mod waiting;
mod world;
