//! The machine-readable documents: what `--json` prints and the HTTP API answers. camelCase; undefined values
//! are null. The only place that defines wire JSON of results.

mod audit;
mod backup;
mod config;
mod data;
mod forecast;
mod job;
mod live;
mod model;
mod prediction;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use backup::{BackupDoc, RestoreDoc};
pub use config::{ConfigDoc, ScheduledDoc, SettingDoc, SourceDoc, VariableDoc};
pub use data::{CheckDoc, CoverageDoc, GapsDoc, ImportDoc, JumpDoc, RejectedRowDoc};
pub use forecast::{ForecastDoc, ForecastStepDoc};
pub use job::{JobDetailDoc, JobDoc, JobsDoc, LogLineDoc, ProgressDoc, WorkedDoc};
pub use live::{
    BookDoc, FetchDoc, LiveForecastDoc, LiveStepDoc, StreamDoc, StreamOpenedDoc, StreamSummaryDoc, StreamedCandleDoc,
};
pub use model::{DeletedDoc, DownloadDoc, IndexedDoc, ModelDoc, TrainDoc, ValidationDoc};
pub use prediction::{AccuracyDoc, PredictionDoc, PredictionsDoc, SettlementDoc};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{EvaluationDoc, MetricsDoc, ModelReportDoc, baselines_value, metrics_value, scored_metrics_value};
