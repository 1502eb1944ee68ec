//! What candlecast remembers: runs, models, jobs, predictions, studies and the ledger of everything tried.
//!
//! [`MetadataStore`] joins one small trait for each concern; [`SqlStore`] is all of them over SQLite (the file
//! `candlecast.db` in the data folder) or PostgreSQL (`DATABASE_URL`). The SQL is one for both; where the dialects
//! differ the module says so.
//!
//! - Times come from the caller; nothing here reads a clock. Leases and turns alone go by the clock of the database, which
//!   all that share it agree on.
//! - Every call ends: a database that gives no answer in time is an error ([`CallLimits`]).
//! - Identities come from the caller, too, so that a call whose answer was lost may be repeated; [`Retry`] does so
//!   while [`MetaError::is_transient`].
//! - Lists are read newest first in pages ([`PageRequest`]); the hundredth page costs what the first does.
//! - The schema is a list of migrations that is only ever added to; a newer schema, or one with another history, is
//!   refused untouched.
//! - [`SqlStore::dump`] hands out every record as text that either database reads back.
//! - What is forgotten goes in batches, each in one transaction, with what is kept of it.

mod check;
mod db;
mod dump;
mod error;
mod jobs;
mod ledger;
mod limits;
mod models;
mod named;
mod page;
mod predictions;
mod retry;
mod roll_up;
mod runs;
mod sql;
mod sql_store;
mod studies;
mod turns;
mod upkeep;

pub use dump::{ColumnKind, Dump, DumpColumn, DumpPiece, DumpTable};
pub use error::{MetaError, Rule};
pub use jobs::{
    Cancelled, Checkpoint, Enqueued, Job, JobFilter, JobLimits, JobState, JobStore, Lease, LogLevel, LogLine,
    MAX_WAIT_MS, NewJob, Outcome, Progress, Signal, WantedKind,
};
pub use ledger::{DailyValues, Ledger, LedgerEntry, Tried, TriedDays, TryDays};
pub use limits::CallLimits;
pub use models::{FoundModel, Model, ModelFilter, ModelStatus, ModelStore, ModelsIn, SyncedModels};
pub use page::{Cursor, MAX_PAGE, Page, PageRequest};
pub use predictions::{
    ClassBorders, DIRECTION_TASK, LoggedPrediction, NewPrediction, PRICE_TASK, PredictionFilter, PredictionId,
    PredictionStatus, PredictionStore, PredictionsOf, PriceInterval, Settled, VOLATILITY_TASK, class_number,
};
pub use retry::Retry;
pub use roll_up::{PredictionDay, RollUpDue, RollUpStore, SumUp};
pub use runs::{NewRun, Run, RunFilter, RunState, RunStore};
pub use sql::Loaded;
pub use sql_store::{DATABASE_FILE, SqlStore};
pub use studies::{Fold, Goal, NewStudy, Study, StudyStore, Trial, TrialEnd, TrialState};
pub use turns::{MAX_TURN_MS, TurnStore};
pub use upkeep::UpkeepStore;

/// What workers need: jobs, and turns at what only one of them does.
pub trait QueueStore: JobStore + TurnStore + std::fmt::Debug {}

impl<S: JobStore + TurnStore + std::fmt::Debug> QueueStore for S {}

/// Everything candlecast remembers.
pub trait MetadataStore:
    RunStore + ModelStore + QueueStore + PredictionStore + RollUpStore + StudyStore + Ledger + UpkeepStore
{
}

impl<S: RunStore + ModelStore + QueueStore + PredictionStore + RollUpStore + StudyStore + Ledger + UpkeepStore>
    MetadataStore for S
{
}
