//! Walking forward as `compare` does.

use std::sync::Arc;
use std::time::Instant;

use candlecast_core::{CandleSeries, FilledSeries, ModelRequest, Seed, TimeRange};
use candlecast_learn::walk_forward::Hooks;
use candlecast_learn::{Market, ModelReport, Plan, Report};
use candlecast_pipeline::{Method, PipelineOptions, PreparedEvaluation, plan_config};
use serde_json::Value;

use crate::Result;

/// The clock that fits are timed by.
#[derive(Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Shows 0 s now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Hooks for Clock {
    fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
    fn cancelled(&self) -> bool {
        false
    }
    fn fits_done(&self, _: usize, _: usize, _: &str) {}
}

/// The model called `id` with its defaults.
pub(crate) fn request(id: &str) -> ModelRequest {
    ModelRequest { id: id.into(), params: Value::Null }
}

/// `series` with the gaps filled that `options` fill.
pub(crate) fn market(series: &CandleSeries, options: &PipelineOptions) -> Arc<Market> {
    Arc::new(Market::new(FilledSeries::new(series, options.max_fill)))
}

/// What `compare` says of `models` and the baselines over the origins in `range`.
pub(crate) fn compared(
    market: &Arc<Market>,
    models: &[ModelRequest],
    options: &PipelineOptions,
    range: TimeRange,
) -> Result<Report> {
    let method = Method::walk_forward(range);
    let prepared = PreparedEvaluation::new(Arc::clone(market), models, options, method, Seed::default())?;
    Ok(prepared.run(&Clock::start())?.report)
}

/// How `compare` splits time over the origins of `market` in `range`.
pub(crate) fn plan(market: &Market, options: &PipelineOptions, range: TimeRange) -> Result<Plan> {
    Ok(plan_config(options).walk_forward(market, range)?)
}

/// Every origin of `plan` in `market`, ascending: those that calibrate before those that are scored.
pub(crate) fn origins(market: &Market, plan: &Plan, horizon: usize) -> Vec<usize> {
    let rows = plan.rows(market);
    (0..rows.folds.len()).flat_map(|fold| rows.origins(fold, market, horizon).0).collect()
}

/// Candles of `market` between refits.
pub(crate) fn refit(market: &Market, options: &PipelineOptions) -> usize {
    (f64::from(options.retrain_days) * market.series().key().interval.per_day()) as usize
}

/// The model that is not there as a baseline.
pub(crate) fn asked(report: &Report) -> Result<&ModelReport> {
    let asked = report.models.iter().find(|model| !model.baseline);
    asked.ok_or_else(|| "the model is a baseline, of which nothing is to be measured here".into())
}

/// What models are compared with.
pub(crate) fn reference(report: &Report) -> Result<&ModelReport> {
    let reference = report.models.iter().find(|model| model.name == report.reference);
    reference.ok_or_else(|| format!("{} is missing", report.reference).into())
}
