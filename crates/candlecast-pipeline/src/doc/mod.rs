//! The machine-readable documents of evaluations, audits and rankings: camelCase; undefined values are null.

mod audit;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{EvaluationDoc, MetricsDoc, ModelReportDoc, baselines_value, metrics_value, scored_metrics_value};
