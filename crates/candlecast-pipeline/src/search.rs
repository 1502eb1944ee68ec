//! [`Search`]: what a search over the configurations of a model computes: how good each is on the newest half of a range
//! of candles, in a few stretches that each one fit forecasts.

mod metric;
mod space;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candlecast_core::{ModelRequest, Problem, Seed, TimeRange};
use candlecast_learn::walk_forward::{ForecastTable, Hooks, Outcome, WalkForwardError, run_each};
use candlecast_learn::{
    Calibrated, Forecaster, Market, ModelForecasts, ModelReport, Plan, Question, Report, Task, evaluate,
};
use serde_json::{Map, Value};

use crate::catalog;
use crate::doc::metrics_value;
use crate::evaluation::plan_config;
use crate::fingerprint::Fingerprints;
use crate::frames::FeatureFrames;
use crate::options::PipelineOptions;

pub use metric::{SearchMetric, default_search_metric, search_metric};
pub use space::{configured, search_space};

/// Errors of prices that are told of the forecasts as a model gives them.
const OF_THE_MODEL: [&str; 13] = [
    "mae",
    "rmse",
    "mse",
    "mape",
    "smape",
    "r2",
    "r2Price",
    "meanError",
    "maxError",
    "minError",
    "mase",
    "skill",
    "skillScaled",
];

/// What a search is over.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The model, with the parameters that all trials share.
    pub model: ModelRequest,
    /// Horizon, window and the like, which trials share unless they are searched.
    pub common: PipelineOptions,
    /// Candles that trials may learn from and are scored on.
    pub range: TimeRange,
    /// Stretches that a trial is scored on.
    pub stretches: usize,
    /// Root of the randomness of every fit, the same for all trials.
    pub seed: Seed,
}

/// A search: the candles, the features that trials share, and what they have in common.
#[derive(Debug)]
pub struct Search {
    frames: Mutex<FeatureFrames>,
    request: SearchRequest,
}

/// One configuration, ready to be tried.
#[derive(Debug)]
pub struct Candidate {
    /// Its model with all parameters.
    pub model: ModelRequest,
    /// Its horizon, window and the like.
    pub common: PipelineOptions,
    /// The reference of the task, then the model.
    pub forecasters: [Forecaster; 2],
    /// What determines its scores.
    pub fingerprints: Fingerprints,
    /// How it is scored.
    pub plan: Plan,
    market: Arc<Market>,
    refit: usize,
    seed: Seed,
}

/// How a configuration fared.
#[derive(Debug)]
pub struct CandidateScores {
    /// The reference and the model, in this order.
    pub report: Report,
    /// Figures of the model: of prices the errors are those of its forecasts before their factor, which is 0 until there
    /// is evidence, so that a configuration is told from another before that.
    pub metrics: Value,
    /// The same of the reference.
    pub reference: Value,
}

/// Why a configuration was not scored.
#[derive(Debug, Clone, PartialEq)]
pub enum TrialStop {
    /// It was given up as unpromising.
    Pruned,
    /// The search was asked to stop.
    Cancelled,
    /// It could not be built, fitted or scored.
    Failed(Problem),
}

impl From<WalkForwardError> for TrialStop {
    fn from(error: WalkForwardError) -> Self {
        match error {
            WalkForwardError::Pruned { .. } => Self::Pruned,
            WalkForwardError::Cancelled => Self::Cancelled,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<Problem> for TrialStop {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

impl Search {
    /// A search over `market`, whose trials learn from the markets of `pool` too.
    pub fn new(market: Arc<Market>, pool: Vec<Arc<Market>>, request: SearchRequest) -> Self {
        let frames = FeatureFrames::over(std::iter::once(market).chain(pool).collect());
        Self { frames: Mutex::new(frames), request }
    }

    fn frames(&self) -> MutexGuard<'_, FeatureFrames> {
        // Panels are whole or not there, whatever panics.
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is over.
    pub fn request(&self) -> &SearchRequest {
        &self.request
    }

    /// The configuration at the point `params` of its space. Features that an earlier one had are not computed again.
    pub fn candidate(&self, params: &Map<String, Value>) -> Result<Candidate, Problem> {
        let SearchRequest { model, common, range, stretches, seed } = &self.request;
        let (model, common) = configured(model, common, params)?;
        common.check()?;
        catalog::check(&model.id, &model.params)?;
        catalog::check_task(&model.id, &model.params, &common.task()?)?;
        // A copy, since a thread that waits for others while it computes features may take up another trial meanwhile,
        // which would wait for it. Panels are shared; of two trials that need new ones at once both compute them.
        let mut frames = self.frames().clone();
        let market = Arc::clone(frames.market());
        let refits = params.contains_key(space::RETRAIN);
        let plan = plan_config(&common).stretches(&market, *range, *stretches, refits)?;
        let (mut forecasters, reference) = frames.with_baselines(std::slice::from_ref(&model), &common)?;
        *self.frames() = frames.clone();
        let no_model = || Problem::data("no-reference", "the model or its reference is missing");
        let own = forecasters.pop().ok_or_else(no_model)?;
        let reference = forecasters.into_iter().nth(reference).ok_or_else(no_model)?;
        let forecasters = [reference, own].map(|forecaster| forecaster.forecasting_first(1));
        let how = format!("stretches {range:?} {stretches} {refits}");
        let fingerprints = Fingerprints::of(frames.markets(), &forecasters, &how, *seed);
        let longest = plan.rows(&market).folds.iter().map(|fold| fold.test.len()).max();
        let refit = longest.unwrap_or(0);
        Ok(Candidate { model, common, forecasters, fingerprints, plan, market, refit, seed: *seed })
    }
}

impl Candidate {
    /// Identity of its pipeline, by which an observer knows whose fit it watches.
    pub fn pipeline_id(&self) -> &str {
        self.forecasters[1].id()
    }

    /// The market that it is scored in.
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// Fits that its scores take.
    pub fn n_fits(&self) -> usize {
        self.plan.folds.len()
    }

    /// The first fit alone, for whoever watches it to give the trial up. [`Candidate::score`] fits it once more unless
    /// the hooks have kept it.
    pub fn fit_first(&self, hooks: &dyn Hooks) -> Result<(), TrialStop> {
        let plan = Plan { folds: self.plan.folds[..1].to_vec(), ..self.plan.clone() };
        table(run_each(&self.forecasters[1..], &plan, self.seed, hooks).pop()).map(drop)
    }

    /// Its figures on the origins of fit `fit` alone, after all fits up to that.
    pub fn score_fit(&self, fit: usize, hooks: &dyn Hooks) -> Result<Value, TrialStop> {
        let folds = self.plan.folds[..=fit].to_vec();
        let scored = self.plan.folds[fit].test;
        Ok(self.scores(&Plan { folds, scored, ..self.plan.clone() }, hooks)?.metrics)
    }

    /// Its figures over all stretches.
    pub fn score(&self, hooks: &dyn Hooks) -> Result<CandidateScores, TrialStop> {
        self.scores(&self.plan, hooks)
    }

    fn scores(&self, plan: &Plan, hooks: &dyn Hooks) -> Result<CandidateScores, TrialStop> {
        let mut outcomes = run_each(&self.forecasters, plan, self.seed, hooks);
        let own = table(outcomes.pop())?;
        let reference = table(outcomes.pop())?;
        let report = self.evaluated(plan, &reference, &own, None);
        let (of_reference, of_model) = (&report.models[0], &report.models[1]);
        let metrics = match as_given(self.forecasters[1].task(), &own) {
            Some(issued) => with_errors_of(of_model, &self.evaluated(plan, &reference, &own, Some(issued)).models[1]),
            None => metrics_value(of_model),
        };
        Ok(CandidateScores { metrics, reference: metrics_value(of_reference), report })
    }

    fn evaluated(
        &self,
        plan: &Plan,
        reference: &ForecastTable,
        own: &ForecastTable,
        issued: Option<Vec<Vec<Calibrated>>>,
    ) -> Report {
        let question = Question {
            market: &self.market,
            task: self.forecasters[0].task(),
            level: self.forecasters[0].level(),
            plan,
            reference: 0,
            left_out: reference.left_out,
            refit: self.refit,
            tries: 0,
            confidence_threshold: None,
        };
        let named = |forecaster: &Forecaster, table: &ForecastTable, issued| ModelForecasts {
            name: forecaster.name.clone(),
            baseline: forecaster.baseline,
            table: table.clone(),
            issued,
        };
        let models = vec![named(&self.forecasters[0], reference, None), named(&self.forecasters[1], own, issued)];
        evaluate(&question, models)
    }
}

/// The forecasts of a forecaster of one market.
fn table(outcome: Option<Outcome>) -> Result<ForecastTable, TrialStop> {
    let missing = || TrialStop::Failed(Problem::data("no-forecasts", "a forecaster has no forecasts"));
    let tables = outcome.ok_or_else(missing)?.map_err(|(_, error)| TrialStop::from(error))?;
    tables.into_iter().next().ok_or_else(missing)
}

/// Means of prices as the model gives them, with no factor; `None` for other tasks, whose forecasts have none.
fn as_given(task: Task, table: &ForecastTable) -> Option<Vec<Vec<Calibrated>>> {
    let Task::Price { .. } = task else { return None };
    let told =
        |&mean: &f64| Calibrated { mean, factor: 1.0, lower: mean, upper: mean, confidence: 0.5, calibrated: false };
    Some((0..table.rows.len()).map(|i| table.row(i).means.iter().map(told).collect()).collect())
}

/// The figures of `told`, its errors replaced by those of the same forecasts as the model gives them.
fn with_errors_of(told: &ModelReport, given: &ModelReport) -> Value {
    let (mut metrics, given) = (metrics_value(told), metrics_value(given));
    for name in OF_THE_MODEL {
        if let (Some(fields), Some(value)) = (metrics.as_object_mut(), given.get(name)) {
            fields.insert(name.into(), value.clone());
        }
    }
    metrics
}

#[cfg(test)]
mod tests;
