//! From features to honest forecasts: samples, splits, scaling, pipelines, walk-forward evaluation, conformal
//! intervals, calibrated confidence and significance.
//!
//! This is the only crate that splits and scales data, so leakage has one address. No I/O, no clock.

mod dataset;
mod learner;
mod scaler;
mod task;

pub use dataset::{Dataset, Market, Panel, SampleId, Samples};
pub use learner::{
    Curve, FitContext, FitError, FitObserver, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, Progress,
    RestoreError, Silent, Stop, Tensor, TrainState, Values,
};
pub use scaler::{FittedScaler, ScalerKind};
pub use task::{CLASSES, Labels, Task, Thresholds};
