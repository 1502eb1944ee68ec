//! `compare` and `backtest`: models and baselines on the same origins.

use std::sync::Arc;

use candlecast_core::{CandleSeries, FilledSeries, Seed, SeriesKey, TimeRange};
use candlecast_learn::{Contender, Market, Plan, PlanConfig, Report, evaluate, walk_forward};

use crate::contender::{Common, ModelRequest, Stable, check_memory};
use crate::fingerprint::{fingerprint, run_fingerprint};
use crate::{App, AppError, Watch};

/// How the data are split in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Refits every `retrain_days` over the origins in the range.
    WalkForward {
        /// Origins.
        range: TimeRange,
    },
    /// One fit at the end of `train`, origins in `test`.
    Simple {
        /// Training part.
        train: TimeRange,
        /// Test part.
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
    /// Fits and scores `models` beside every baseline.
    pub async fn evaluate(
        &self,
        key: &SeriesKey,
        models: Vec<ModelRequest>,
        common: Common,
        method: Method,
        watch: Arc<dyn Watch>,
    ) -> Result<Evaluation, AppError> {
        common.check()?;
        let market = self.market(key, common.max_fill).await?;
        let mut hooks = self.hooks(watch);
        let checkpoints = self.checkpoints_dir();
        let (seed, threads, max_memory, key) = (self.seed, self.threads(), self.settings.max_memory, key.clone());
        self.compute(move || {
            let plan = plan(&market, &common, method)?;
            let mut stable = Stable::new(Arc::clone(&market));
            let (contenders, naive) = stable.with_baselines(&models, &common)?;
            check_memory(&contenders, threads, max_memory)?;
            let fingerprint = fingerprint(&market, &contenders, &format!("{method:?}"), seed);
            hooks.resume(&checkpoints, &run_fingerprint(&fingerprint, "evaluate"));
            let (tables, left_out) = walk_forward::run(&contenders, &plan, seed, &hooks)?;
            let report = evaluate(&contenders, tables, &plan, naive, left_out);
            hooks.done();
            let scored = scored_range(&report);
            Ok(Evaluation { key, method, report, market, contenders, fingerprint, scored })
        })
        .await
    }
}

/// A walk-forward over a series in memory: what [`App::evaluate`] does to a stored one, on the calling thread's pool.
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

fn scored_range(report: &Report) -> Option<TimeRange> {
    let forecasts = &report.models.first()?.forecasts;
    Some(TimeRange { from: forecasts.from?, to: forecasts.to? })
}
