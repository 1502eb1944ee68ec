//! The use cases of candlecast, one file each: free functions over a [`Host`](candlecast_host::Host). The command line
//! and the HTTP API reach everything through this crate and the crates that it is made of, so both do the same thing and
//! answer with the same documents ([`doc`]) and problems ([`Problem`](candlecast_core::Problem)).

pub mod audit;
pub mod data;
pub mod doc;
pub mod export;
pub mod models;
pub mod predict;
pub mod rank;
pub mod text;

mod backtests;
mod catch_up;
mod defaults;
mod document_file;
mod evaluate;
mod import;
mod kinds;
mod memory;
mod pool;
mod records;
mod retention;
mod schedule;
mod search;
mod train;
mod upkeep;

pub use backtests::{BacktestFilter, RERUN_TOLERANCE, ShownBacktest, backtest, backtests_page, rerun_backtest};
pub use catch_up::catch_up;
pub use defaults::{MODEL_CATALOG, with_model_defaults};
pub use document_file::{check_document_path, write_document};
pub use evaluate::{EvaluateJob, evaluate};
pub use import::{CHUNK_ROWS, Imported, import_file};
pub use kinds::{JOBS, kind_ids};
pub use pool::pool_of;
pub use retention::{Forgotten, forget_old_records, with_upkeep};
pub use search::{
    MAX_TRIALS, SearchDates, SearchJob, export_search, find_search, list_searches, search_dates, show_search,
};
pub use train::{TrainJob, Trained, TrainedModel, train};
pub use upkeep::queue_upkeep;
