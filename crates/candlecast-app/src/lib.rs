//! The use cases of candlecast. The command line and the HTTP API reach everything through this crate, so both
//! do the same thing and answer with the same documents ([`doc`]) and problems ([`AppError`]).

pub mod catalog;
pub mod data;
pub mod doc;
pub mod export;
pub mod jobs;
pub mod models;
pub mod predictions;

mod app;
mod audit;
mod backup;
mod champion;
mod checkpoints;
mod contender;
mod error;
mod evaluation;
mod fetch;
mod fingerprint;
mod import;
mod live;
mod predict;
mod rank;
mod records;
mod schedule;
mod settings;
mod train;

pub use app::{App, AppClock, AppOptions, RunHooks, Stage, Unwatched, Wanted, Watch};
pub use audit::{AuditFinding, AuditOptions, Audited, with_all};
pub use backup::{BackedUp, BackupOptions, RestoreOptions, Restored, restore};
pub use contender::{Common, MAX_FILL, MIN_CANDLES, ModelRequest, Stable};
pub use error::{AppError, Blame};
pub use evaluation::{Evaluation, Method, evaluate_series};
pub use fetch::{FetchRequest, Fetched};
pub use fingerprint::instruction_set;
pub use import::{CHUNK_ROWS, Imported};
pub use live::{
    Ended, ExchangeOptions, Listener, LiveForecast, LiveForecaster, LiveModel, LogSteps, ModelLabel, REPLAY_PREFIX,
    ReplayRequest, StreamEvent, StreamOpened, StreamRequest, StreamSource, StreamSummary, StreamedCandle,
};
pub use predict::Predicted;
pub use rank::{
    Permutation, RankOptions, RankedFeature, RankedPart, Ranking, check_document_path, default_rank_model,
    write_document,
};
pub use schedule::{QueuedTrainings, ScheduledTraining, When};
pub use settings::{Environment, Flags, Settings};
pub use train::{SavedModel, Trained};
