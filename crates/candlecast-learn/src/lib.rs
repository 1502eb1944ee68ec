//! From features to honest forecasts: samples, splits, scaling, pipelines, walk-forward evaluation, conformal
//! intervals, calibrated confidence and significance.
//!
//! This is the only crate that splits and scales data, so leakage has one address. No I/O, no clock.

pub mod baselines;
pub mod significance;
pub mod walk_forward;

mod checkpoint;
mod confidence;
mod conformal;
mod dataset;
mod evaluate;
mod learner;
mod live;
#[cfg(test)]
mod made;
mod metrics;
mod pipeline;
mod problem;
mod scaler;
mod smearing;
mod split;
mod task;
mod volatility;

pub use checkpoint::{CHECKPOINT_SECONDS, Checkpointed, recall_fit};
pub use confidence::{ConfidenceMap, MIN_OUTCOMES, Reliability, ReliabilityAccumulator};
pub use conformal::{Calibrated, CalibrationState, Calibrator};
pub use dataset::{Dataset, Market, Panel, SampleId, Samples};
pub use evaluate::{Comparison, DirectionTest, ModelReport, Report, ScoredForecasts, StepReport, evaluate};
pub use learner::{
    Curve, FitContext, FitError, FitObserver, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, Progress,
    RestoreError, Silent, Stop, Tensor, TrainState, Values,
};
pub use live::{LivePipeline, LiveRow};
pub use metrics::{
    Accumulator, ClassAccumulator, ClassMetrics, Metrics, Outcome, VolatilityAccumulator, VolatilityMetrics,
    VolatilityOutcome, roc_auc,
};
pub use pipeline::{Contender, FitSummary, FittedPipeline, PipelineConfig, PipelineState, Start};
pub use scaler::{FittedScaler, ScalerKind};
pub use smearing::Smearing;
pub use split::{CALIBRATION_OUTCOMES, Fold, Parts, Plan, PlanConfig, PlanError, TrainWindow, fold_origins, split};
pub use task::{CLASSES, Labels, Task, ThresholdUnit, Thresholds};
