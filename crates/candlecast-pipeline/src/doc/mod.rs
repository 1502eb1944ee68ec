//! The machine-readable documents of forecasts, evaluations, audits and rankings: camelCase; undefined values are null.

mod audit;
mod cross;
mod ensemble;
mod evaluation;
mod forecast;
mod hits;
mod luck;
mod rank;
mod report;

pub use audit::{AuditDoc, AuditFindingDoc, leak_name};
pub use cross::{CrossDoc, CrossModelDoc, PathDoc, PathModelDoc, SpreadDoc};
pub use ensemble::{EnsembleDoc, FitWeightsDoc, MemberDoc, StateWeightsDoc, WeighingDoc};
pub use evaluation::{EvaluationDoc, ForecastDigestDoc};
pub use forecast::{
    DirectionOutlookDoc, ForecastStepDoc, OutlookDoc, PriceQuantileDoc, ProbabilitiesDoc, VolatilityOutlookDoc,
    VolatilityQuantileDoc,
};
pub use hits::{HitRateDoc, SelectedDoc, pass_share};
pub use luck::{ConfidenceSetDoc, DegradationDoc, DifferenceDoc, OverfittingDoc};
pub use rank::{RankedFeatureDoc, RankingDoc};
pub use report::{
    ClassMetricsDoc, CoverageByVolatilityDoc, DirectionDoc, FitsDoc, MetricsDoc, ModelReportDoc, PriceMetricsDoc,
    ReliabilityBinDoc, ReliabilityDoc, ReportDoc, SignalDoc, StepDoc, TestDoc, VolatilityMetricsDoc, VsNaiveDoc,
    baselines_value, loss_key, metrics_value, scored_metrics_value,
};
