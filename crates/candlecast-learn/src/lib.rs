//! From features to honest forecasts: samples, splits, scaling, pipelines, walk-forward evaluation, conformal
//! intervals, calibrated confidence and significance.
//!
//! This is the only crate that decides which candles train, validate and test, and that fits scalers. No I/O, no clock.

pub mod baselines;
pub mod har_x;
pub mod significance;
pub mod walk_forward;

mod bootstrap;
mod checkpoint;
mod confidence;
mod conformal;
mod cross_validation;
mod dataset;
mod ensemble;
mod evaluate;
mod forecaster;
mod learner;
mod live;
#[cfg(test)]
mod made;
mod memo;
mod metrics;
mod pipeline;
mod problem;
mod recipe;
mod rescore;
mod residuals;
mod scaler;
mod smearing;
mod split;
mod state;
mod target;
mod task;
mod tasks;
mod trend;
mod volatility;

pub use checkpoint::{CHECKPOINT_SECONDS, Checkpointed, recall_fit};
pub use confidence::{ConfidenceMap, MIN_OUTCOMES, Reliability, ReliabilityAccumulator};
pub use conformal::{Calibrated, CalibrationState, Calibrator, Distribution, ForecastRow, FrozenCalibration, Origin};
pub use cross_validation::{CrossConfig, CrossForecasts, CrossPath, CrossValidation};
pub use dataset::{Dataset, Market, Panel, SampleId, Samples};
pub use ensemble::{
    ClaimOpinion, Combine, CommonOrigins, EnsembleConfig, EnsembleFits, FitWeights, FittedEnsemble, Learnt, Opinion,
    Votes, Weighing,
};
pub use evaluate::{
    Comparison, ConfidenceSet, DailyLosses, Difference, DirectionTest, Facts, Hindsight, Losses, ModelForecasts,
    ModelReport, Question, Report, ScoredForecasts, Scorer, Selected, Signal, Spread, StepReport, TaskMetrics,
    TaskScores, Told, evaluate, pass_share,
};
pub use forecaster::{FitSummary, FittedForecaster, Forecaster, ForecasterState, Start};
pub use learner::{
    Asked, Curve, DEFAULT_WINDOW, Extent, FitContext, FitError, FitObserver, FitOutcome, Fitted, Inputs, Learner,
    ModelState, Prediction, Progress, RestoreError, Silent, Stop, Tensor, TrainState, Values,
};
pub use live::{LivePipeline, LiveRow};
pub use memo::Memo;
pub use metrics::{
    Accumulator, Bounds, ClassAccumulator, ClassMetrics, HIT_RATE_LEVEL, HitRate, Metrics, OriginHits, Outcome,
    VolatilityAccumulator, VolatilityMetrics, VolatilityOutcome, roc_auc,
};
pub use pipeline::{FittedPipeline, Pipeline, PipelineConfig, PipelineState};
pub use recipe::{Builder, Recipe};
pub use rescore::{Rescore, rescore};
pub use scaler::{FittedScaler, ScalerKind};
pub use smearing::Smearing;
pub use split::{
    CALIBRATION_OUTCOMES, Fold, FoldRows, Parts, Plan, PlanConfig, PlanError, PlanRows, TrainWindow, split,
};
pub use state::MARKET_BYTES_PER_CANDLE;
pub use target::{PriceTarget, TargetKind};
pub use task::{CLASSES, Labels, Task, ThresholdUnit, Thresholds};
pub use tasks::{Borders, Claim, Known, OutlookOrigin, TaskKind, task_kind, task_kinds};
