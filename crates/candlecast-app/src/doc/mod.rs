//! The machine-readable documents: what `--json` prints and the HTTP API answers. camelCase; undefined values
//! are null. The only place that defines wire JSON of results.

mod audit;
mod data;
mod forecast;
mod model;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use data::{CheckDoc, CoverageDoc, GapsDoc, ImportDoc, JumpDoc, RejectedRowDoc};
pub use forecast::{ForecastDoc, ForecastStepDoc};
pub use model::{ModelDoc, TrainDoc};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{EvaluationDoc, MetricsDoc, ModelReportDoc, baselines_value, metrics_value, scored_metrics_value};
