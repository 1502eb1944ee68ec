//! Learners made for tests.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candlecast_core::FeatureSet;
use candlecast_learn::{
    Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
    Samples, ScalerKind, Stop, Task, Tensor,
};
use serde_json::json;

/// What learners and their models were asked to do.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// First and last training row of each fit.
    pub(crate) fits: Mutex<Vec<(usize, usize)>>,
    /// Rows forecast from.
    pub(crate) origins: Mutex<Vec<usize>>,
}

impl Heard {
    pub(crate) fn n_fits(&self) -> usize {
        self.fits.lock().unwrap().len()
    }
}

/// Forecasts the number of the last row that it was trained on, so that a forecast tells which fit made it.
#[derive(Debug, Clone)]
pub(crate) struct LastRow {
    heard: Arc<Heard>,
}

impl LastRow {
    pub(crate) fn heard_by(heard: &Arc<Heard>) -> Box<dyn Learner> {
        Box::new(Self { heard: Arc::clone(heard) })
    }
}

#[derive(Debug)]
struct FittedLastRow {
    row: usize,
    heard: Arc<Heard>,
}

impl Learner for LastRow {
    fn supports(&self, _: &Task) -> bool {
        true
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let rows = (row_of(train, 0), row_of(train, train.len() - 1));
        self.heard.fits.lock().unwrap().push(rows);
        let model = Box::new(FittedLastRow { row: rows.1, heard: Arc::clone(&self.heard) });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedLastRow { row: state.fact("row")?, heard: Arc::clone(&self.heard) }))
    }
}

impl Fitted for FittedLastRow {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        out.mean.fill(self.row as f64);
        self.heard.origins.lock().unwrap().extend((0..x.len()).map(|i| row_of(x, i)));
    }
    fn state(&self) -> ModelState {
        ModelState { facts: json!({ "row": self.row }), ..ModelState::default() }
    }
}

/// Row of sample `i`.
pub(crate) fn row_of(samples: &Samples<'_>, i: usize) -> usize {
    samples.ids()[i].row as usize
}

/// The forecast of sample `i` for step `h`, counted from 0.
type Rule = dyn Fn(&Samples<'_>, usize, usize) -> f64 + Send + Sync;

/// Forecasts by a rule, whatever it is trained on.
#[derive(Clone)]
struct ByRule {
    lookback: usize,
    rule: Arc<Rule>,
}

/// A learner without features that forecasts by `rule`.
pub(crate) fn by_rule(rule: impl Fn(&Samples<'_>, usize, usize) -> f64 + Send + Sync + 'static) -> Box<dyn Learner> {
    by_rule_on(1, rule)
}

/// A learner with windows of `lookback` rows that forecasts by `rule`.
pub(crate) fn by_rule_on(
    lookback: usize,
    rule: impl Fn(&Samples<'_>, usize, usize) -> f64 + Send + Sync + 'static,
) -> Box<dyn Learner> {
    Box::new(ByRule { lookback, rule: Arc::new(rule) })
}

impl fmt::Debug for ByRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByRule").field("lookback", &self.lookback).finish_non_exhaustive()
    }
}

impl Learner for ByRule {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Price { .. })
    }
    fn lookback(&self) -> usize {
        self.lookback
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn fit(&self, _: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let model = Box::new(self.clone());
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Fitted for ByRule {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        for i in 0..x.len() {
            for (h, mean) in out.row_mut(i).iter_mut().enumerate() {
                *mean = (self.rule)(x, i, h);
            }
        }
    }
    fn state(&self) -> ModelState {
        ModelState::default()
    }
}

/// Fails in every fit. The fit whose last training row is `waits_at` waits until another one has failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failing {
    waits_at: Option<usize>,
    failed: Arc<AtomicUsize>,
}

impl Failing {
    /// One that counts failures together with this one, and waits.
    pub(crate) fn waiting_at(&self, row: usize) -> Self {
        Self { waits_at: Some(row), ..self.clone() }
    }
}

impl Learner for Failing {
    fn supports(&self, _: &Task) -> bool {
        true
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        if self.waits_at == Some(row_of(train, train.len() - 1)) {
            let patience = Instant::now() + Duration::from_secs(20);
            while self.failed.load(Ordering::SeqCst) == 0 && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let before = self.failed.fetch_add(1, Ordering::SeqCst);
        Err(FitError::Degenerate(format!("{before} failed before")))
    }
    fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Err(RestoreError::Missing { name: "a model that could be fitted".into() })
    }
}

/// Forecasts the mean variance of the training part at every origin: the best that can be said of the volatility without
/// looking at the market.
#[derive(Debug)]
pub(crate) struct MeanVariance;

#[derive(Debug)]
struct FittedMeanVariance {
    log_variance: f64,
}

impl Learner for MeanVariance {
    fn supports(&self, task: &Task) -> bool {
        matches!(task, Task::Volatility { .. })
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn uses_validation(&self, _: &Task) -> bool {
        false
    }
    fn fit(&self, train: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let sum: f64 = (0..train.len()).map(|i| train.log_variance(i).exp()).sum();
        let model = Box::new(FittedMeanVariance { log_variance: (sum / train.len() as f64).ln() });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedMeanVariance { log_variance: state.f64("logVariance", &[1])?[0] }))
    }
}

impl Fitted for FittedMeanVariance {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), 1);
        out.mean.fill(self.log_variance);
    }
    fn state(&self) -> ModelState {
        let tensor = Tensor::f64(&[1], vec![self.log_variance]);
        ModelState { tensors: [("logVariance".to_owned(), tensor)].into(), ..ModelState::default() }
    }
}
