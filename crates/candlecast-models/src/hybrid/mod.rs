//! `hybrid`: a straight line for the trend and exponential smoothing of what is left, on the log closes.

mod damping;
mod window;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, ScalerKind, Stop, Task, Tensor,
};

use crate::checks;

/// Catalog id.
const ID: &str = "hybrid";
/// Factors that `fitSmoothing` chooses from.
const FACTORS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

candlecast_core::params! {
    /// Trend by linear regression plus exponential smoothing of its residuals.
    ///
    /// Through the last `lookbackWindow` log closes goes a least-squares line of slope `b` and residuals `e_t`; simple
    /// exponential smoothing of the residuals, `s_t = a e_t + (1 - a) s_(t-1)`, gives their level. The raw forecast of
    /// the log return over `h` steps from the last close is `b h + s - e`: the line goes on from where the smoothed
    /// level stands. It is multiplied by a damping factor for each step, fitted on the training part (least squares of
    /// the realised on the raw returns, times `max(0, 1 - 1 / t^2)`, within 0 and 1), so that noise is not
    /// extrapolated: where the raw forecast has no power the model forecasts the last price.
    #[derive(Copy)]
    pub struct HybridConfig {
        "lookbackWindow" => lookback_window: usize = 30, int(3..=1000), search(20, 30, 50),
            "closes that the trend line goes through";
        /// `a`, above 0.
        "smoothingFactor" => smoothing_factor: f64 = 0.2, float(0.01..=1.0), search(0.1, 0.2, 0.3),
            "weight of the newest residual in the smoothing";
        /// From 0.1, 0.2 .. 0.9 by the squared error of raw one-step forecasts, instead of taking the one given.
        "fitSmoothing" => fit_smoothing: bool = false, bool,
            "choose the smoothing factor by the one-step error on the training part";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &[],
    summary: "linear regression for the trend plus exponential smoothing of the rest, damped",
    params: HybridConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<HybridConfig>(ID, config)?)),
};

impl Learner for HybridConfig {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. })
    }

    fn lookback(&self) -> usize {
        self.lookback_window
    }

    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }

    fn uses_validation(&self, _: &Task) -> bool {
        false
    }

    fn memory_bytes(&self, n_samples: usize, _n_features: usize, task: &Task) -> usize {
        8 * (16 * n_samples + 4 * task.width())
    }

    fn fit(&self, train: &Samples<'_>, _cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if !self.supports(train.task()) {
            return Err(FitError::Unsupported { model: ID.into(), task: train.task().id().into() });
        }
        checks::enough(train.len(), self.min_samples())?;
        let smoothing = if self.fit_smoothing { self.best_smoothing(train) } else { self.smoothing_factor };
        let damping = damping::fit(train, self.lookback_window, smoothing)?;
        let model = FittedHybrid { lookback_window: self.lookback_window, smoothing, damping };
        Ok(FitOutcome { model: Box::new(model), stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }

    fn restore(&self, state: &ModelState, task: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedHybrid {
            lookback_window: state.fact("lookbackWindow")?,
            smoothing: state.fact("smoothingFactor")?,
            damping: state.f64("damping", &[task.horizon()])?.to_vec(),
        }))
    }
}

impl HybridConfig {
    /// The first of [`FACTORS`] with the least squared error of raw one-step forecasts.
    fn best_smoothing(&self, train: &Samples<'_>) -> f64 {
        let error = |factor: f64| -> f64 {
            let mut realised = [0.0];
            (0..train.len())
                .map(|i| {
                    train.returns_into(i, &mut realised);
                    let raw = window::decompose(train.log_closes(i, self.lookback_window), factor);
                    (realised[0] - raw.forecast(1)).powi(2)
                })
                .sum()
        };
        FACTORS
            .into_iter()
            .map(|f| (error(f), f))
            .fold((f64::INFINITY, FACTORS[0]), |a, b| if b.0 < a.0 { b } else { a })
            .1
    }
}

/// A fitted hybrid.
#[derive(Debug, Clone, PartialEq)]
struct FittedHybrid {
    lookback_window: usize,
    smoothing: f64,
    /// Factor on the raw forecast of each step, within 0 and 1, `[step]`.
    damping: Vec<f64>,
}

impl Fitted for FittedHybrid {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.damping.len());
        for i in 0..x.len() {
            let raw = window::decompose(x.log_closes(i, self.lookback_window), self.smoothing);
            for (step, (o, damping)) in out.row_mut(i).iter_mut().zip(&self.damping).enumerate() {
                *o = damping * raw.forecast(step + 1);
            }
        }
    }

    fn state(&self) -> ModelState {
        ModelState {
            facts: serde_json::json!({ "lookbackWindow": self.lookback_window, "smoothingFactor": self.smoothing }),
            tensors: [("damping".to_owned(), Tensor::f64(&[self.damping.len()], self.damping.clone()))].into(),
        }
    }
}
