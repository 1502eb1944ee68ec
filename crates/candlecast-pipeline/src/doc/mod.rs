//! The machine-readable documents of forecasts, evaluations, audits and rankings: camelCase; undefined values are null.

mod audit;
mod ensemble;
mod evaluation;
mod forecast;
mod hits;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use ensemble::{EnsembleDoc, FitWeightsDoc, MemberDoc, StateWeightsDoc, WeighingDoc};
pub use evaluation::EvaluationDoc;
pub use forecast::{
    DirectionOutlookDoc, ForecastStepDoc, OutlookDoc, PriceQuantileDoc, ProbabilitiesDoc, VolatilityOutlookDoc,
    VolatilityQuantileDoc,
};
pub use hits::{HitRateDoc, SelectedDoc, pass_share};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{
    ClassMetricsDoc, CoverageByVolatilityDoc, DirectionDoc, FitsDoc, MetricsDoc, ModelReportDoc, PriceMetricsDoc,
    ReliabilityBinDoc, ReliabilityDoc, ReportDoc, SignalDoc, StepDoc, TestDoc, VolatilityMetricsDoc, VsNaiveDoc,
    baselines_value, loss_key, metrics_value, scored_metrics_value,
};
