//! `linear`: ridge regression of log returns or of the log variance, or logistic regression of directions, on the
//! features at the origin.

mod logistic;
mod normal_equations;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::{
    CLASSES, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, ScalerKind, Smearing, Stop, Task, Tensor,
};

pub use logistic::{Logistic, logistic};
pub use normal_equations::{Ridge, ridge};

use logistic::Problem;

use crate::softmax::softmax;
use crate::{checks, holdout};

/// Catalog id.
const ID: &str = "linear";

candlecast_core::params! {
    /// Ridge regression: one solve for all steps of the horizon. Predictions are
    /// `drift + (x - mean of x)' b`, where `b` minimises `sum (y - mean of y - (x - mean of x)' b)^2 + alpha |b|^2`.
    /// Directions are forecast by multinomial logistic regression with the penalty `alpha / 2 |W|^2` on the sum of
    /// losses.
    #[derive(Copy)]
    pub struct LinearConfig {
        /// Scikit-learn's `alpha`, above 0. `None` chooses it by the loss on the validation part, or else on the newest
        /// 15 % of the training part, from `n * 10^k`, `k` = -3, -2.5 .. 4, and infinity (no feature is used). Losses
        /// of steps are weighed by the inverse mean square of their returns.
        "alpha" => alpha: Option<f64> = null, float(1e-6..=1e9, log), search(1.0..=1e8, log),
            "L2 penalty on the sum of squares; null: chosen on the validation part";
        /// The factor is the positive-part James-Stein `max(0, 1 - 1 / t^2)`, `t` being the t-value of the mean return
        /// (drift) over one step: on a random walk most of it vanishes. The drift is otherwise not penalised.
        "shrinkDrift" => shrink_drift: bool = true, bool,
            "shrink the mean return towards 0 as far as it is insignificant";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["ridge"],
    summary: "ridge regression on the features at the origin",
    params: LinearConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<LinearConfig>(ID, config)?)),
};

impl Learner for LinearConfig {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. } | Task::Direction { .. } | Task::Volatility { .. })
    }

    fn lookback(&self) -> usize {
        1
    }

    fn inputs(&self) -> Inputs {
        Inputs { features: FeatureSet::of(&["default"]), scaler: ScalerKind::Standard }
    }

    fn memory_bytes(&self, n_samples: usize, n_features: usize, task: &Task) -> usize {
        8 * (n_samples * (n_features + 2 * task.width()) + 3 * n_features * (n_features + task.width()))
    }

    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        checks::enough(train.len(), self.min_samples())?;
        checks::finite_inputs(train)?;
        if !self.supports(train.task()) {
            return Err(FitError::Unsupported { model: ID.into(), task: train.task().id().into() });
        }
        let model = match train.task() {
            Task::Price { .. } => self.fit_ridge(train, cx, self.shrink_drift)?,
            Task::Direction { .. } => self.fit_direction(train, cx)?,
            Task::Volatility { .. } => {
                // The mean is not shrunk: smearing makes up for any constant, so that without use of the features the
                // base remains, times a factor.
                let plain = self.fit_ridge(train, cx, false)?;
                let mut out = Prediction::default();
                plain.predict_into(train, &mut out);
                FittedLinear { output: Output::Variance(Smearing::fit(train, &out)?), ..plain }
            }
        };
        Ok(FitOutcome { model: Box::new(model), stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        let n_features: usize = state.fact("features")?;
        let width = task.width();
        Ok(Box::new(FittedLinear {
            alpha: state.fact("alpha")?,
            width,
            output: match task {
                Task::Price { .. } => Output::Returns,
                Task::Direction { .. } => Output::Classes,
                Task::Volatility { .. } => Output::Variance(Smearing::read(state)?),
            },
            weights: state.f64("weights", &[n_features, width])?.to_vec(),
            intercept: state.f64("intercept", &[width])?.to_vec(),
        }))
    }
}

impl LinearConfig {
    fn fit_ridge(&self, train: &Samples<'_>, cx: &FitContext<'_>, shrink: bool) -> Result<FittedLinear, FitError> {
        let chosen = match (self.alpha, cx.valid) {
            (Some(alpha), _) => Some(alpha),
            (None, Some(valid)) => normal_equations::choose_alpha(train, valid, shrink)?,
            (None, None) => match holdout::holdout(train) {
                // The best penalty a sample carries over to the whole training part.
                Some((fitted, held)) => normal_equations::choose_alpha(&fitted, &held, shrink)?
                    .map(|alpha| alpha * train.len() as f64 / fitted.len() as f64),
                None => Some(train.len() as f64),
            },
        };
        normal_equations::fit_samples(train, chosen, shrink)
    }

    fn fit_direction(&self, train: &Samples<'_>, cx: &FitContext<'_>) -> Result<FittedLinear, FitError> {
        let class: Vec<usize> = (0..train.len()).map(|i| train.class(i)).collect();
        if class.iter().all(|&c| c == class[0]) {
            return Err(FitError::OneClass { class: class[0], samples: class.len() });
        }
        let problem = Problem::new(normal_equations::inputs(train), &class, CLASSES);
        let chosen = match (self.alpha, cx.valid, holdout::holdout(train)) {
            (Some(alpha), _, _) => Some(alpha),
            (None, Some(valid), _) => choose_alpha(&problem, valid)?,
            (None, None, Some((fitted, held))) => {
                let part = Problem::new(normal_equations::inputs(&fitted), &class[..fitted.len()], CLASSES);
                choose_alpha(&part, &held)?.map(|alpha| alpha * train.len() as f64 / fitted.len() as f64)
            }
            (None, None, None) => Some(train.len() as f64),
        };
        let weights = match chosen {
            Some(alpha) => problem.solve(alpha, logistic::EXACT, problem.start())?,
            None => problem.start(),
        };
        let Logistic { weights, intercept } = problem.logistic(&weights);
        Ok(FittedLinear { alpha: chosen, width: CLASSES, output: Output::Classes, weights, intercept })
    }
}

/// Penalties in a row, each half a decade below the one before, that may fail to lower the validation loss.
const PATIENCE: usize = 3;

/// The penalty with the least log loss on `valid`; `None` when no use of the features beats the class shares. Penalties
/// fall until [`PATIENCE`] of them in a row have not helped: what lies below fits the noise closer still, and is where
/// nearly all the time would go.
fn choose_alpha(problem: &Problem<'_>, valid: &Samples<'_>) -> Result<Option<f64>, FitError> {
    let mut weights = problem.start();
    let (mut best, mut without_gain) = ((logistic::log_loss(&problem.logistic(&weights), valid), None), 0);
    for alpha in normal_equations::penalties(problem.n_rows()) {
        weights = problem.solve(alpha, logistic::ROUGH, weights)?;
        let loss = logistic::log_loss(&problem.logistic(&weights), valid);
        if loss < best.0 {
            (best, without_gain) = ((loss, Some(alpha)), 0);
        } else if without_gain + 1 == PATIENCE {
            break;
        } else {
            without_gain += 1;
        }
    }
    Ok(best.1)
}

/// What the outputs of the linear map are.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Output {
    /// Log returns.
    Returns,
    /// Log odds of the classes.
    Classes,
    /// The log variance relative to its base.
    Variance(Smearing),
}

/// A fitted linear map from features.
#[derive(Debug, Clone, PartialEq)]
struct FittedLinear {
    /// Penalty; `None` when no feature is used.
    alpha: Option<f64>,
    width: usize,
    output: Output,
    /// `[feature, output]`.
    weights: Vec<f64>,
    /// `[output]`.
    intercept: Vec<f64>,
}

impl Fitted for FittedLinear {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.width);
        for i in 0..x.len() {
            let row = out.row_mut(i);
            self.scores(x.last(i), row);
            match self.output {
                Output::Returns => {}
                Output::Classes => softmax(row),
                Output::Variance(smearing) => row[0] = smearing.log_variance(x, i, row[0]),
            }
        }
    }

    fn state(&self) -> ModelState {
        let n_features = self.weights.len() / self.width;
        let mut state = ModelState {
            facts: serde_json::json!({ "alpha": self.alpha, "features": n_features }),
            tensors: [
                ("weights".to_owned(), Tensor::f64(&[n_features, self.width], self.weights.clone())),
                ("intercept".to_owned(), Tensor::f64(&[self.width], self.intercept.clone())),
            ]
            .into(),
        };
        if let Output::Variance(smearing) = self.output {
            smearing.write(&mut state);
        }
        state
    }

    fn importances(&self) -> Option<Vec<f64>> {
        let sums: Vec<f64> = self.weights.chunks_exact(self.width).map(|w| w.iter().map(|v| v.abs()).sum()).collect();
        let total: f64 = sums.iter().sum();
        (total > 0.0).then(|| sums.iter().map(|s| s / total).collect())
    }
}

impl FittedLinear {
    /// `intercept + x' weights`.
    fn scores(&self, x: &[f32], out: &mut [f64]) {
        out.copy_from_slice(&self.intercept);
        for (&v, w) in x.iter().zip(self.weights.chunks_exact(self.width)) {
            for (o, &w) in out.iter_mut().zip(w) {
                *o += f64::from(v) * w;
            }
        }
    }
}
