//! The machine-readable documents of forecasts, evaluations, audits and rankings: camelCase; undefined values are null.

mod audit;
mod forecast;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use forecast::{
    DirectionOutlookDoc, ForecastStepDoc, OutlookDoc, PriceQuantileDoc, ProbabilitiesDoc, VolatilityOutlookDoc,
    VolatilityQuantileDoc,
};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{
    ClassMetricsDoc, CoverageByVolatilityDoc, DirectionDoc, EvaluationDoc, FitsDoc, MetricsDoc, ModelReportDoc, PriceMetricsDoc,
    ReliabilityBinDoc, ReliabilityDoc, ReportDoc, SignalDoc, StepDoc, TestDoc, VolatilityMetricsDoc, VsNaiveDoc,
    baselines_value, loss_key, metrics_value, scored_metrics_value,
};
