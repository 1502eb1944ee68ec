//! The traits every forecaster and classifier implements: [`Learner`] fits, [`Fitted`] predicts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candlecast_core::{FeatureSet, Interval, Seed};
use serde::{Deserialize, Serialize};

use crate::memo::Memo;
use crate::{Samples, ScalerKind, Task};

/// Something that can be fitted: a recipe that has been checked.
pub trait Learner: Send + Sync + std::fmt::Debug {
    /// True for tasks it can be fitted to.
    fn supports(&self, task: &Task) -> bool;
    /// Rows in an input window; at least 1.
    fn lookback(&self) -> usize;
    /// Features and scaler when the user names none.
    fn inputs(&self, asked: &Asked) -> Inputs;
    /// Fewest training samples a fit makes sense with.
    fn min_samples(&self) -> usize {
        50
    }
    /// True if a fit to `task` stops or selects on the validation part. Otherwise the whole window trains it.
    fn uses_validation(&self, _task: &Task) -> bool {
        true
    }
    /// Days of the windows that a fit to `task` learns from where nobody names one, shortest first; of several the
    /// forecast is the mean of fits over each ([`Extent`]).
    fn windows(&self, _task: &Task) -> &'static [u32] {
        &[DEFAULT_WINDOW]
    }
    /// True if a fit to `task` centres and scales its inputs by itself, so that unscaled ones need not be looked through
    /// for what is constant.
    fn scales_itself(&self, _task: &Task) -> bool {
        false
    }
    /// Bytes that a fit on `n_samples` windows of `n_features` needs at most, inputs not counted.
    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        n_samples * (n_features + task.width()) * 16
    }
    /// Learns from `train`; whatever is tuned or stopped on data uses `cx.valid` only.
    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError>;
    /// The fitted model that [`Fitted::state`] described.
    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError>;
}

/// A fitted model. There is no unfitted one, so prediction cannot fail for want of a fit.
pub trait Fitted: Send + Sync + std::fmt::Debug {
    /// Predicts every sample of `x` into `out`, which is resized to `[x.len(), task.width()]`.
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction);
    /// All that is needed to restore it, exactly.
    fn state(&self) -> ModelState;
    /// Importance of each input feature by the model's own measure (gain for trees, |weight| on scaled inputs for
    /// linear models), summing to 1; `None` where it has none.
    fn importances(&self) -> Option<Vec<f64>> {
        None
    }
}

/// Days of a training window by default.
pub const DEFAULT_WINDOW: u32 = 365;

/// What default inputs may depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// What is to be predicted.
    pub task: Task,
    /// Length of a candle.
    pub interval: Interval,
    /// Candles there are.
    pub candles: usize,
}

impl Asked {
    /// `task` on many hourly candles.
    pub fn hourly(task: Task) -> Self {
        let interval = Interval::from_ms(3_600_000).expect("an hour is an interval");
        Self { task, interval, candles: 100_000 }
    }
}

/// Which rows a fit learns from, and what it shares with others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent<'a> {
    /// Days of the windows to take the mean of fits over, shortest first; the samples reach back through the longest.
    /// Empty where all samples are one window.
    pub windows: &'a [u32],
    /// Sums over blocks of rows that successive fits on the same unscaled data share.
    pub memo: Option<&'a Memo>,
}

/// Default inputs of a learner.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Features; empty for learners that read closes only.
    pub features: FeatureSet,
    /// How they are scaled.
    pub scaler: ScalerKind,
}

/// What a fit may use besides its samples.
pub struct FitContext<'a> {
    /// Root of the fit's randomness.
    pub seed: Seed,
    /// Later samples of the same dataset for early stopping and selection. What they have chosen may then be fitted to
    /// them as well.
    pub valid: Option<&'a Samples<'a>>,
    /// Threads the fit may use; results must not depend on it.
    pub threads: usize,
    /// Weights to begin from (warm start).
    pub warm: Option<&'a ModelState>,
    /// A checkpoint to go on from, bit for bit.
    pub resume: Option<&'a TrainState>,
    /// Windows, and what is shared with other fits.
    pub extent: Extent<'a>,
    /// Hears of every step.
    pub observer: &'a mut dyn FitObserver,
}

impl std::fmt::Debug for FitContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FitContext").field("seed", &self.seed).field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// Hears of progress; can stop a fit and take checkpoints.
pub trait FitObserver {
    /// Called after every epoch, round or other step. `snapshot` makes a checkpoint and costs only when called.
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop>;
}

impl FitObserver for Box<dyn FitObserver + '_> {
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        self.as_mut().on_step(progress, snapshot)
    }
}

/// An observer that lets everything pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl FitObserver for Silent {
    fn on_step(&mut self, _: &Progress, _: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        ControlFlow::Continue(())
    }
}

/// Where a fit stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps (epochs, rounds) done.
    pub step: usize,
    /// Steps there will be at most.
    pub of: usize,
    /// Training loss, where computed.
    pub train_loss: Option<f64>,
    /// Validation loss, where computed.
    pub valid_loss: Option<f64>,
    /// Learning rate, where there is one.
    pub learning_rate: Option<f64>,
}

/// Why a fit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Solved exactly.
    Converged,
    /// The validation loss stopped falling; the best weights were kept.
    Early,
    /// All steps done.
    Budget,
    /// Asked to stop; the best weights so far were kept.
    Cancelled,
    /// Stopped as hopeless by a search.
    Pruned,
}

impl Stop {
    /// True where the fit went to its end, so that its model is what a fit should give.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Converged | Self::Early | Self::Budget)
    }
}

/// Losses by step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Curve {
    /// Training loss after each step.
    pub train: Vec<f64>,
    /// Validation loss after each step; empty without a validation part.
    pub valid: Vec<f64>,
}

/// A fitted model and how it came about.
#[derive(Debug)]
pub struct FitOutcome {
    /// The model, with the best weights seen.
    pub model: Box<dyn Fitted>,
    /// Why the fit ended.
    pub stopped: Stop,
    /// Steps that the model's weights have behind them: what a refit without validation part should use.
    pub steps: usize,
    /// Losses by step; empty where the fit is exact.
    pub curve: Curve,
}

/// Predictions, row-major `[sample, width]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction {
    /// Width of a row.
    pub width: usize,
    /// Log returns (price), class probabilities (direction), log of the expected variance (volatility).
    pub mean: Vec<f64>,
    /// Scale of the error of each mean, in its unit, where the model has an opinion; feeds the interval.
    pub scale: Option<Vec<f64>>,
}

impl Prediction {
    /// Makes room for `n` rows of `width` zeros, without scales.
    pub fn reset(&mut self, n: usize, width: usize) {
        self.width = width;
        self.mean.clear();
        self.mean.resize(n * width, 0.0);
        self.scale = None;
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.mean[i * self.width..(i + 1) * self.width]
    }

    /// Row `i`, to be written.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.mean[i * self.width..(i + 1) * self.width]
    }
}

/// Values of a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "dtype", content = "values")]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Double precision.
    F64(Vec<f64>),
}

/// A named block of weights, row-major.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Extent of each dimension.
    pub shape: Vec<usize>,
    /// Values, as many as the product of `shape`.
    #[serde(flatten)]
    pub values: Values,
}

impl Tensor {
    /// A double-precision tensor.
    pub fn f64(shape: &[usize], values: Vec<f64>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "shape and values must agree");
        Self { shape: shape.to_vec(), values: Values::F64(values) }
    }

    /// A single-precision tensor.
    pub fn f32(shape: &[usize], values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "shape and values must agree");
        Self { shape: shape.to_vec(), values: Values::F32(values) }
    }
}

/// A fitted model as data: small facts and named tensors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelState {
    /// Facts that are no tensors (numbers of layers, step anchors, tree structure).
    pub facts: serde_json::Value,
    /// Weights by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl ModelState {
    /// The double-precision tensor `name` if its shape is `shape` and all values are finite.
    pub fn f64(&self, name: &str, shape: &[usize]) -> Result<&[f64], RestoreError> {
        match self.checked(name, shape)? {
            Values::F64(v) if v.iter().all(|x| x.is_finite()) => Ok(v),
            Values::F64(_) => Err(RestoreError::NotFinite { tensor: name.into() }),
            Values::F32(_) => Err(RestoreError::Type { tensor: name.into() }),
        }
    }

    /// The single-precision tensor `name` if its shape is `shape` and all values are finite.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<&[f32], RestoreError> {
        match self.checked(name, shape)? {
            Values::F32(v) if v.iter().all(|x| x.is_finite()) => Ok(v),
            Values::F32(_) => Err(RestoreError::NotFinite { tensor: name.into() }),
            Values::F64(_) => Err(RestoreError::Type { tensor: name.into() }),
        }
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<&Values, RestoreError> {
        let tensor = self.tensors.get(name).ok_or_else(|| RestoreError::Missing { name: name.into() })?;
        let len = match &tensor.values {
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
        };
        if tensor.shape == shape && len == shape.iter().product::<usize>() {
            return Ok(&tensor.values);
        }
        Err(RestoreError::Shape { tensor: name.into(), found: tensor.shape.clone(), expected: shape.to_vec() })
    }

    /// The fact `name` as a `T`.
    pub fn fact<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, RestoreError> {
        let value = self.facts.get(name).ok_or_else(|| RestoreError::Missing { name: name.into() })?;
        serde_json::from_value(value.clone())
            .map_err(|e| RestoreError::Fact { name: name.into(), reason: e.to_string() })
    }
}

/// A checkpoint: the model so far, the best model, and whatever else the fit needs to go on bit for bit
/// (optimiser moments, position of the random stream, best loss).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainState {
    /// Steps done.
    pub step: usize,
    /// Everything else.
    pub state: ModelState,
}

/// Why a fit failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Not enough samples.
    #[error(
        "{have} training samples are too few, at least {need} are needed: import more candles, take a longer training window, or features that are defined there"
    )]
    TooFewSamples {
        /// There are.
        have: usize,
        /// Needed.
        need: usize,
    },
    /// NaN or infinity turned up.
    #[error("{what} became {value} at step {step}: {remedy}")]
    NotFinite {
        /// Loss, gradient, input or target.
        what: String,
        /// The value.
        value: f64,
        /// Step of the fit.
        step: usize,
        /// What to do.
        remedy: String,
    },
    /// Nothing to learn from.
    #[error("{0}")]
    Degenerate(String),
    /// All training samples are of one class.
    #[error(
        "all {samples} training samples are of class {class}: widen the training range or take other label thresholds"
    )]
    OneClass {
        /// The class.
        class: usize,
        /// Samples.
        samples: usize,
    },
    /// The learner cannot do this task.
    #[error("model {model} cannot be fitted to the {task} task")]
    Unsupported {
        /// Model id.
        model: String,
        /// Task id.
        task: String,
    },
    /// A checkpoint or warm start does not fit.
    #[error("cannot begin from the given weights: {0}")]
    Restore(#[from] RestoreError),
    /// The weights of a warm start are of other features than those that are not constant here.
    #[error(
        "cannot begin from the given weights: {feature} is constant over one of the two training parts, and was dropped there; begin anew, without a warm start"
    )]
    OtherFeatures {
        /// The first feature that only one of them has.
        feature: String,
    },
    /// Stopped before there was anything to keep.
    #[error("cancelled before the first step was done")]
    Cancelled,
}

/// Why a stored state is no model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// A tensor or fact is not there.
    #[error("`{name}` is missing")]
    Missing {
        /// Tensor or fact.
        name: String,
    },
    /// A tensor has another shape.
    #[error("tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Tensor.
        tensor: String,
        /// As stored.
        found: Vec<usize>,
        /// As the configuration says.
        expected: Vec<usize>,
    },
    /// A tensor has another type.
    #[error("tensor `{tensor}` has the wrong number type")]
    Type {
        /// Tensor.
        tensor: String,
    },
    /// A tensor holds NaN or infinity.
    #[error("tensor `{tensor}` holds numbers that are not finite")]
    NotFinite {
        /// Tensor.
        tensor: String,
    },
    /// A fact cannot be read.
    #[error("fact `{name}` is not readable: {reason}")]
    Fact {
        /// Fact.
        name: String,
        /// Why.
        reason: String,
    },
}
