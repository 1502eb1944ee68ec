//! The machine-readable documents of all use cases: what `--json` prints and the HTTP API answers. camelCase; undefined
//! values are null. Those of the crates below stand beside what they are of, and are listed here once more.

mod backtest;
mod data;
mod evidence;
mod forecast;
mod model;
mod search;

pub use candlecast_backup::doc::*;
pub use candlecast_config::doc::*;
pub use candlecast_jobs::doc::*;
pub use candlecast_live::doc::*;
pub use candlecast_monitor::doc::*;
pub use candlecast_pipeline::doc::*;

pub(crate) use backtest::backtest_id;
pub use backtest::{BacktestDoc, BacktestsDoc, RerunDoc, RerunModelDoc, RerunOutcome, ThenNow};
pub use data::{CheckDoc, CompactDoc, CoverageDoc, ImportDoc, JumpDoc, RejectedRowDoc};
pub use evidence::EvidenceDoc;
pub use forecast::ForecastDoc;
pub use model::{
    DeletedDoc, DownloadDoc, ElsewhereModelDoc, IndexedDoc, ModelDoc, ServingChangeDoc, TrainDoc, TrainedModelDoc,
    ValidationDoc,
};
pub use search::{
    CurveDoc, HoldOutDoc, ImportanceDoc, SavedDoc, SearchDoc, SearchRowDoc, SearchesDoc, StretchDoc, TrialDoc,
};
