//! Out-of-sample forecasts: every contender fitted on every fold of a plan, in parallel, each fit on one thread.

use candlecast_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpointed, recall_fit};
use crate::learner::{FitError, Silent, Stop};
use crate::pipeline::{Contender, FitSummary, Start};
use crate::split::{Plan, fold_origins};

/// What an evaluation needs from outside: a clock, a way to be cancelled, somebody to tell.
pub trait Hooks: Sync {
    /// Seconds on a clock that never goes back.
    fn seconds(&self) -> f64;
    /// True once the work should stop.
    fn cancelled(&self) -> bool;
    /// Called after each fit with the number done and the number there will be.
    fn fits_done(&self, done: usize, of: usize, model: &str);
    /// What an interrupted run of the very same work kept under `name`: same data, configuration, seed and program.
    fn recall(&self, _name: &str) -> Option<Vec<u8>> {
        None
    }
    /// Keeps `content` under `name` until the work is done.
    fn keep(&self, _name: &str, _content: &[u8]) {}
}

/// Seconds of a fit from which on its forecasts are worth keeping.
const WORTH_KEEPING: f64 = 0.5;

/// Forecasts of one contender from every origin of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastTable {
    /// Rows of the origins, ascending.
    pub rows: Vec<usize>,
    /// Steps.
    pub horizon: usize,
    /// Log returns, `[origin, step]`.
    pub means: Vec<f64>,
    /// Scales of the errors in log returns, `[origin, step]`.
    pub scales: Vec<f64>,
    /// Time spent in fits.
    pub fit_seconds: f64,
    /// How each fold's fit went.
    pub fits: Vec<FitSummary>,
}

/// Why an evaluation failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WalkForwardError {
    /// A fit failed.
    #[error("{model}, fit of {at}: {source}")]
    Fit {
        /// Name of the contender.
        model: String,
        /// When the fold was fitted.
        at: candlecast_core::Timestamp,
        /// Why.
        source: FitError,
    },
    /// A forecast was not a number.
    #[error("{model}: the forecast from row {row} is not a finite number; report this with the data and the seed")]
    NotFinite {
        /// Name of the contender.
        model: String,
        /// Origin.
        row: usize,
    },
    /// No origin is left to score.
    #[error(
        "no candle of the range can be an origin: all {left_out} were left out because a candle there or ahead is missing or a feature has no value (a price that does not move leaves many without one), or the range is shorter than warm-up and horizon; choose a longer range, a shorter horizon or other features"
    )]
    NoOrigins {
        /// Rows left out.
        left_out: usize,
    },
    /// Asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Forecasts of all contenders from the same origins, and how many rows of the scored range were left out.
pub fn run(
    contenders: &[Contender],
    plan: &Plan,
    seed: Seed,
    hooks: &dyn Hooks,
) -> Result<(Vec<ForecastTable>, usize), WalkForwardError> {
    let horizon = contenders.first().map_or(1, |c| c.config.task.horizon());
    let panels: Vec<_> = contenders.iter().map(|c| (&c.panel, c.learner.lookback())).collect();
    let mut left_out = 0;
    let origins: Vec<Vec<usize>> = plan
        .folds
        .iter()
        .map(|fold| {
            let (rows, out) = fold_origins(fold, plan, &panels, horizon);
            left_out += out;
            rows
        })
        .collect();
    let n_scored = origins.iter().flatten().filter(|row| plan.scored.contains(row)).count();
    if n_scored == 0 {
        return Err(WalkForwardError::NoOrigins { left_out });
    }
    let jobs: Vec<(usize, usize)> = (0..plan.folds.len())
        .flat_map(|fold| (0..contenders.len()).map(move |c| (c, fold)))
        .filter(|&(_, fold)| !origins[fold].is_empty())
        .collect();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let pieces: Vec<Result<Piece, WalkForwardError>> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(c, fold)| {
            let piece = fit_and_forecast(&contenders[c], plan, fold, &origins[fold], seed, hooks)?;
            let n = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            hooks.fits_done(n, jobs.len(), &contenders[c].name);
            Ok(piece)
        })
        .collect();
    // Of several errors the first job's is told, whichever thread failed first.
    let pieces = pieces.into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut tables: Vec<ForecastTable> = contenders
        .iter()
        .map(|_| ForecastTable { rows: vec![], horizon, means: vec![], scales: vec![], fit_seconds: 0.0, fits: vec![] })
        .collect();
    for ((c, fold), piece) in jobs.iter().zip(pieces) {
        let table = &mut tables[*c];
        table.rows.extend_from_slice(&origins[*fold]);
        table.means.extend(piece.means);
        table.scales.extend(piece.scales);
        table.fit_seconds += piece.seconds;
        table.fits.push(piece.summary);
    }
    Ok((tables, left_out))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    means: Vec<f64>,
    scales: Vec<f64>,
    seconds: f64,
    summary: FitSummary,
}

fn fit_and_forecast(
    contender: &Contender,
    plan: &Plan,
    fold_index: usize,
    origins: &[usize],
    seed: Seed,
    hooks: &dyn Hooks,
) -> Result<Piece, WalkForwardError> {
    if hooks.cancelled() {
        return Err(WalkForwardError::Cancelled);
    }
    let name = format!("{}-{fold_index}", contender.name);
    let piece = format!("{name}.piece");
    if let Some(kept) = hooks.recall(&piece).and_then(|bytes| serde_json::from_slice::<Piece>(&bytes).ok())
        && kept.means.len() == origins.len() * contender.config.task.width()
        && kept.scales.len() == kept.means.len()
    {
        return Ok(kept);
    }
    let fold = &plan.folds[fold_index];
    let started = hooks.seconds();
    let seed = seed.derive(&contender.name, fold_index as u64);
    let resume = recall_fit(hooks, &name);
    let start = Start { resume: resume.as_ref(), warm: None };
    let mut observer = Checkpointed::new(hooks, &name, Silent);
    let (pipeline, summary) = contender.fit_from(fold, seed, 1, start, &mut observer).map_err(|source| {
        let series = contender.panel.market().series();
        let at = series.close_time(fold.fit_row.saturating_sub(1));
        WalkForwardError::Fit { model: contender.name.clone(), at, source }
    })?;
    let seconds = hooks.seconds() - started;
    if summary.stopped == Stop::Cancelled {
        return Err(WalkForwardError::Cancelled);
    }
    let (means, scales) = pipeline.predict(&contender.panel, origins);
    if let Some(i) = means.iter().zip(&scales).position(|(m, s)| !m.is_finite() || !s.is_finite() || *s <= 0.0) {
        let row = origins[i / contender.config.task.width()];
        return Err(WalkForwardError::NotFinite { model: contender.name.clone(), row });
    }
    let done = Piece { means, scales, seconds, summary };
    if seconds >= WORTH_KEEPING
        && let Ok(bytes) = serde_json::to_vec(&done)
    {
        hooks.keep(&piece, &bytes);
    }
    Ok(done)
}
