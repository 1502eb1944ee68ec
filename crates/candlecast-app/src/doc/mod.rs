//! The machine-readable documents: what `--json` prints and the HTTP API answers. camelCase; undefined values
//! are null. The only place that defines wire JSON of results.

mod data;
mod forecast;
mod model;
mod report;

pub use data::{CheckDoc, CoverageDoc, GapsDoc, ImportDoc, JumpDoc, RejectedRowDoc};
pub use forecast::{ForecastDoc, ForecastStepDoc};
pub use model::{ModelDoc, TrainDoc};
pub use report::{EvaluationDoc, MetricsDoc, ModelReportDoc, baselines_value, metrics_value};
