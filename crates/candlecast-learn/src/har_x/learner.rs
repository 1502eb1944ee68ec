//! The model `har-x` of the volatility task.

use candlecast_core::FeatureSet;
use candlecast_core::catalog::{Entry, read_config};

use super::fit::{Gram, RidgeFit};
use super::regressors::{REGRESSORS, WARM_UP};
use super::rows::{HarXRows, ROW_BYTES, WINDOWS};
use crate::dataset::RELATIVE_BOUND;
use crate::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, ScalerKind, Smearing, Stop, Task, Tensor,
};

const ID: &str = "har-x";

/// Penalty on the squared slopes of standardised regressors.
pub(super) const PENALTY: f64 = 0.03;

pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["harx"],
    summary: "ridge regression of the log variance on ranges at six lags, season, moves, volumes and jumps",
    params: HarXParams::PARAMS,
    build: |config| Ok(Box::new(HarX { penalty: read_config::<HarXParams>(ID, config)?.penalty })),
};

candlecast_core::params! {
    /// Parameters of `har-x`.
    #[derive(Copy)]
    struct HarXParams {
        "penalty" => penalty: f64 = 0.03, float(0.0001..=100.0, log), search(0.003..=3.0, log),
            "weight of the squared slopes of standardised regressors beside the mean squared error";
    }
}

/// `ln RV_h - lvl'` by ridge regression on the 31 regressors of the horizon `h`, the season being that of its `h`
/// candles. `RV_h` is the sum of the squared returns ahead, at least 1e-10 a candle, and `lvl'` the usual variance of
/// `h` candles by their ranges. The intercept holds the smearing factor (Duan 1983), so that the forecast is the
/// logarithm of the expected variance. What is learnt and what is forecast are bounded to within 8 of `lvl'`.
///
/// All training samples count alike, those of several markets together.
#[derive(Debug, Clone, Copy)]
struct HarX {
    penalty: f64,
}

#[derive(Debug, Clone, PartialEq)]
struct FittedHarX {
    fit: RidgeFit,
}

impl Learner for HarX {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Volatility { .. })
    }
    fn lookback(&self) -> usize {
        WARM_UP
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn windows(&self, _: &Task) -> &'static [u32] {
        WINDOWS
    }
    fn memory_bytes(&self, n_samples: usize, _: usize, _: &Task) -> usize {
        ROW_BYTES * n_samples
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if !self.supports(train.task()) {
            return Err(FitError::Unsupported { model: ID.into(), task: train.task().id().into() });
        }
        if train.len() < self.min_samples() {
            return Err(FitError::TooFewSamples { have: train.len(), need: self.min_samples() });
        }
        let rows = HarXRows::of(train);
        let mut gram = Gram::new(REGRESSORS, 1);
        for i in 0..train.len() {
            gram.add_row(&rows.regressors(i), &[rows.target(i)]);
        }
        let all: Vec<usize> = (0..REGRESSORS).collect();
        let mut fit = gram.solve(self.penalty, 0, &all)?;
        let residual = |i: usize| rows.target(i) - fit.value(&rows.regressors(i));
        let smearing = Smearing::of_residuals((0..train.len()).map(residual))?;
        fit.intercept += smearing.factor().ln();
        let model = Box::new(FittedHarX { fit });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        let intercept = state.f64("intercept", &[1])?[0];
        let beta = state.f64("beta", &[REGRESSORS])?.to_vec();
        Ok(Box::new(FittedHarX { fit: RidgeFit { beta, intercept } }))
    }
}

impl Fitted for FittedHarX {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        let rows = HarXRows::of(x);
        out.reset(x.len(), 1);
        for i in 0..x.len() {
            let relative = self.fit.value(&rows.regressors(i));
            out.row_mut(i)[0] = rows.base(i) + relative.clamp(-RELATIVE_BOUND, RELATIVE_BOUND);
        }
    }
    fn state(&self) -> ModelState {
        ModelState {
            facts: serde_json::Value::Null,
            tensors: [
                ("intercept".to_owned(), Tensor::f64(&[1], vec![self.fit.intercept])),
                ("beta".to_owned(), Tensor::f64(&[REGRESSORS], self.fit.beta.clone())),
            ]
            .into(),
        }
    }
}
