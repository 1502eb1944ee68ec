//! `compare` and `backtest`: models and baselines on the same origins.

use std::path::Path;
use std::sync::Arc;

use candlecast_core::{CandleSeries, FilledSeries, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_learn::{Contender, Market, Plan, PlanConfig, Report, evaluate, walk_forward};
use serde::{Deserialize, Serialize};

use crate::contender::{Common, ModelRequest, Stable, check_memory};
use crate::fingerprint::{Fingerprints, run_fingerprint};
use crate::jobs::{EvaluateJob, JobKind};
use crate::records::{Attempt, RunFacts};
use crate::{App, AppError, RunHooks, Stage, Watch};

/// How the data are split in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Method {
    /// Refits every `retrain_days` over the origins in the range.
    WalkForward {
        /// Origins.
        #[serde(with = "crate::jobs::span")]
        range: TimeRange,
    },
    /// One fit at the end of `train`, origins in `test`.
    Simple {
        /// Training part.
        #[serde(with = "crate::jobs::span")]
        train: TimeRange,
        /// Test part.
        #[serde(with = "crate::jobs::span")]
        test: TimeRange,
    },
}

/// A finished evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// What was evaluated.
    pub key: SeriesKey,
    /// How.
    pub method: Method,
    /// Scores.
    pub report: Report,
    /// The market, for plots.
    pub market: Arc<Market>,
    /// The contenders, for saving.
    pub contenders: Vec<Contender>,
    /// Hash of data, configuration and seed: equal fingerprints give equal results on one instruction set.
    pub fingerprint: String,
    /// From the first to the last scored origin.
    pub scored: Option<TimeRange>,
}

impl App {
    /// Fits and scores `models` beside every baseline, and puts on record what was tried.
    pub async fn evaluate(
        &self,
        key: &SeriesKey,
        models: Vec<ModelRequest>,
        common: Common,
        method: Method,
        watch: Arc<dyn Watch>,
    ) -> Result<Evaluation, AppError> {
        let request = EvaluateJob { series: key.clone(), models, common, method, seed: self.seed };
        let request = request.with_defaults(&self.settings);
        self.evaluate_on_record(&request, watch, Attempt::alone(self.now())).await
    }

    /// [`evaluate`](Self::evaluate) as one attempt of a job.
    pub(crate) async fn evaluate_on_record(
        &self,
        request: &EvaluateJob,
        watch: Arc<dyn Watch>,
        attempt: Attempt,
    ) -> Result<Evaluation, AppError> {
        request.common.check()?;
        let recorder = self.recorder(attempt).await?;
        let (seed, started_at) = (request.seed, self.now());
        let market = self.market(&request.series, request.common.max_fill).await?;
        let (threads, max_memory, asked) = (self.threads(), self.settings.max_memory, request.clone());
        let (prepared, facts) = self
            .compute(move || {
                let prepared = Prepared::new(market, asked)?;
                check_memory(&prepared.contenders, threads, max_memory)?;
                let facts = prepared.facts();
                Ok((prepared, facts.begun(seed, started_at)))
            })
            .await?;
        watch.stage(&prepared.stage());
        let (hooks, checkpoints) = (self.hooks(watch), self.checkpoints_dir());
        let (evaluation, hooks) = match self.compute(move || prepared.run(hooks, &checkpoints)).await {
            Ok(done) => done,
            Err(error) => {
                recorder.failed(&facts, &error, self.now()).await;
                return Err(error);
            }
        };
        recorder.succeeded(&facts, &evaluation.report, None, self.now()).await;
        hooks.done();
        Ok(evaluation)
    }
}

/// An evaluation about to begin.
struct Prepared {
    request: EvaluateJob,
    market: Arc<Market>,
    contenders: Vec<Contender>,
    naive: usize,
    plan: Plan,
    fingerprints: Fingerprints,
}

impl Prepared {
    fn new(market: Arc<Market>, request: EvaluateJob) -> Result<Self, AppError> {
        let plan = plan(&market, &request.common, request.method)?;
        let mut stable = Stable::new(Arc::clone(&market));
        let (contenders, naive) = stable.with_baselines(&request.models, &request.common)?;
        let fingerprints = Fingerprints::of(&market, &contenders, &format!("{:?}", request.method), request.seed);
        Ok(Self { request, market, contenders, naive, plan, fingerprints })
    }

    fn facts(&self) -> RunFacts {
        let how = serde_json::to_value(self.request.method).unwrap_or_default();
        RunFacts::new("evaluate", &self.market, &self.contenders, how, &self.fingerprints, whole_range(&self.market))
    }

    fn stage(&self) -> Stage {
        let name = match self.request.method {
            Method::WalkForward { .. } => "walk-forward",
            Method::Simple { .. } => "train and test",
        };
        Stage { name, no: (1, 1), shares: (0.0, 1.0), folds: Some(n_folds(&self.plan)) }
    }

    fn run(self, mut hooks: RunHooks, checkpoints: &Path) -> Result<(Evaluation, RunHooks), AppError> {
        hooks.resume(checkpoints, &run_fingerprint(&self.fingerprints.run, "evaluate"));
        let (tables, left_out) = walk_forward::run(&self.contenders, &self.plan, self.request.seed, &hooks)?;
        let report = evaluate(&self.contenders, tables, &self.plan, self.naive, left_out);
        let evaluation = Evaluation {
            key: self.request.series,
            method: self.request.method,
            scored: scored_range(&report),
            report,
            market: self.market,
            contenders: self.contenders,
            fingerprint: self.fingerprints.run,
        };
        Ok((evaluation, hooks))
    }
}

/// A walk-forward over a series in memory: what [`App::evaluate`] does to a stored one, on the calling thread's pool,
/// and without a record.
pub fn evaluate_series(
    series: &CandleSeries,
    models: &[ModelRequest],
    common: &Common,
    range: TimeRange,
    seed: Seed,
) -> Result<Report, AppError> {
    common.check()?;
    let market = Arc::new(Market::new(FilledSeries::new(series, common.max_fill)));
    let plan = plan(&market, common, Method::WalkForward { range })?;
    let (contenders, naive) = Stable::new(Arc::clone(&market)).with_baselines(models, common)?;
    let (tables, left_out) = walk_forward::run(&contenders, &plan, seed, &Alone)?;
    Ok(evaluate(&contenders, tables, &plan, naive, left_out))
}

/// Nobody watches, nobody cancels, time does not matter.
struct Alone;

impl walk_forward::Hooks for Alone {
    fn seconds(&self) -> f64 {
        0.0
    }
    fn cancelled(&self) -> bool {
        false
    }
    fn fits_done(&self, _: usize, _: usize, _: &str) {}
}

fn plan(market: &Market, common: &Common, method: Method) -> Result<Plan, AppError> {
    let config = plan_config(common);
    Ok(match method {
        Method::WalkForward { range } => config.walk_forward(market, range)?,
        Method::Simple { train, test } => config.simple(market, train, test)?,
    })
}

pub(crate) fn plan_config(common: &Common) -> PlanConfig {
    PlanConfig {
        horizon: common.horizon,
        window: common.window,
        retrain_days: common.retrain_days,
        min_candles: common.min_candles,
    }
}

/// Folds of a plan.
pub(crate) fn n_folds(plan: &Plan) -> u32 {
    u32::try_from(plan.folds.len()).unwrap_or(u32::MAX)
}

/// From the first scored origin's open to the last one's close.
pub(crate) fn scored_range(report: &Report) -> Option<TimeRange> {
    let forecasts = &report.models.first()?.forecasts;
    Some(TimeRange { from: forecasts.from?, to: forecasts.to? })
}

/// From the first candle's open to the last one's close.
fn whole_range(market: &Market) -> Option<TimeRange> {
    let series = market.series();
    let from = Timestamp(*series.columns().open_time.first()?);
    Some(TimeRange { from, to: series.close_time(series.len() - 1) })
}
