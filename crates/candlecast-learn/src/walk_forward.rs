//! Out-of-sample forecasts: every forecaster fitted on every fold of a plan, in parallel, each fit on one thread.
//!
//! Pipelines are what is fitted. Those that several forecasters are made of are fitted once: the forecasts of an
//! ensemble are computed from those of its members.

mod assembly;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use candlecast_core::Seed;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpointed, recall_fit};
use crate::conformal::ForecastRow;
use crate::dataset::Panel;
use crate::ensemble::EnsembleFits;
use crate::evaluate::ModelForecasts;
use crate::forecaster::{FitSummary, FittedForecaster, Forecaster, Start};
use crate::learner::{FitError, FitObserver, Silent, Stop};
use crate::pipeline::default_scales;
use crate::residuals::Residuals;
use crate::split::{Fold, Plan, PlanRows};
use crate::task::Task;
use crate::tasks::Borders;

use assembly::{Leaf, assembled};

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
    /// Who watches the fit of fold `fold` of the pipeline called `id`, and may stop it: a search that prunes.
    fn observer(&self, _id: &str, _fold: usize) -> Option<Box<dyn FitObserver + '_>> {
        None
    }
}

/// No clock, no cancellation, nobody who is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn seconds(&self) -> f64 {
        0.0
    }
    fn cancelled(&self) -> bool {
        false
    }
    fn fits_done(&self, _: usize, _: usize, _: &str) {}
}

/// Seconds of a fit from which on its forecasts are worth keeping.
const WORTH_KEEPING: f64 = 0.5;

/// Forecasts of one model, one a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecasts {
    /// Values of a row.
    pub width: usize,
    /// Log returns, class probabilities or log variances, `[row, width]`.
    pub means: Vec<f64>,
    /// Scales of their errors, `[row, width]`.
    pub scales: Vec<f64>,
    /// Borders of the classes, `[row]` (direction task).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub borders: Vec<Borders>,
    /// Raw confidences of an ensemble, `[row, claim]`, on which its confidence is calibrated; empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confidences: Vec<f64>,
}

impl Forecasts {
    /// None yet, of `width` values each.
    pub fn empty(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.means.len() / self.width.max(1)
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.means.is_empty()
    }

    /// The first `width` values of each row, as of prices over fewer steps; raw confidences are left out.
    #[must_use]
    pub fn cut(self, width: usize) -> Self {
        if width >= self.width {
            return self;
        }
        let from = self.width;
        let cut =
            |values: &[f64]| -> Vec<f64> { values.chunks(from).flat_map(|row| row[..width].iter().copied()).collect() };
        Self { width, means: cut(&self.means), scales: cut(&self.scales), borders: self.borders, confidences: vec![] }
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> ForecastRow<'_> {
        let (values, claims) = (i * self.width..(i + 1) * self.width, self.claims());
        ForecastRow {
            means: &self.means[values.clone()],
            scales: &self.scales[values],
            borders: self.borders.get(i).copied(),
            confidences: &self.confidences[i * claims..(i + 1) * claims],
        }
    }

    /// Rows `range`.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        let (values, claims) = (range.start * self.width..range.end * self.width, self.claims());
        Self {
            width: self.width,
            means: self.means[values.clone()].to_vec(),
            scales: self.scales[values].to_vec(),
            // Only classes have borders.
            borders: self.borders.get(range.clone()).map(<[Borders]>::to_vec).unwrap_or_default(),
            confidences: self.confidences[range.start * claims..range.end * claims].to_vec(),
        }
    }

    /// Raw confidences of a row.
    fn claims(&self) -> usize {
        self.confidences.len().checked_div(self.len()).unwrap_or(0)
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        self.means.extend_from_slice(&other.means);
        self.scales.extend_from_slice(&other.scales);
        self.borders.extend_from_slice(&other.borders);
        self.confidences.extend_from_slice(&other.confidences);
    }

    /// True for `n` rows of finite numbers with scales above 0.
    fn is_whole(&self, n: usize, task: Task) -> bool {
        let borders = if matches!(task, Task::Direction { .. }) { n } else { 0 };
        self.width == task.width()
            && self.means.len() == n * self.width
            && self.scales.len() == self.means.len()
            && self.borders.len() == borders
    }

    /// The first row with a number that is not finite.
    fn broken(&self) -> Option<usize> {
        let value =
            self.means.iter().zip(&self.scales).position(|(m, s)| !m.is_finite() || !s.is_finite() || *s <= 0.0);
        value.map(|i| i / self.width)
    }
}

/// Forecasts of one forecaster from every origin of a plan in one market: out-of-fold forecasts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ForecastTable {
    /// Rows of the origins, ascending; those with a missing candle ahead are among them, and are not scored
    /// ([`PlanRows::scores`]).
    pub rows: Vec<usize>,
    /// The forecasts, one an origin.
    pub forecasts: Forecasts,
    /// Scored origins from which it could not forecast: it says there what is known without any model.
    pub abstained: usize,
    /// All rows from which it could not, ascending; what is said there is not learnt from.
    pub stand_ins: Vec<usize>,
    /// Scored rows that are no origins.
    pub left_out: usize,
    /// Time spent in fits.
    pub fit_seconds: f64,
    /// How each fold's fit went.
    pub fits: Vec<FitSummary>,
    /// Of an ensemble, what each fold weighed its members by.
    pub ensemble: Option<EnsembleFits>,
}

impl ForecastTable {
    /// The forecast from origin `i`.
    pub fn row(&self, i: usize) -> ForecastRow<'_> {
        self.forecasts.row(i)
    }
}

/// Why an evaluation failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WalkForwardError {
    /// A fit failed.
    #[error("{model}, fit of {at}: {source}")]
    Fit {
        /// Name of the forecaster.
        model: String,
        /// When the fold was fitted.
        at: candlecast_core::Timestamp,
        /// Why.
        source: FitError,
    },
    /// A forecast was not a number.
    #[error("{model}: the forecast from row {row} is not a finite number; report this with the data and the seed")]
    NotFinite {
        /// Name of the forecaster.
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
    /// A search stopped a fit as hopeless: there is no forecast of it.
    #[error("{model}: stopped as hopeless")]
    Pruned {
        /// Name of the forecaster.
        model: String,
    },
    /// Asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// Forecasts of all forecasters, each of its first market, as [`crate::evaluate`] takes them; the first failure is that
/// of all.
pub fn run(
    forecasters: &[Forecaster],
    plan: &Plan,
    seed: Seed,
    hooks: &dyn Hooks,
) -> Result<Vec<ModelForecasts>, WalkForwardError> {
    let results = run_each(forecasters, plan, seed, hooks);
    // Of several errors the one is told whose fit comes first, whichever thread failed first.
    if let Some((_, error)) = results.iter().filter_map(|result| result.as_ref().err()).min_by_key(|(order, _)| *order)
    {
        return Err(error.clone());
    }
    let table = |result: Outcome| result.ok().and_then(|tables| tables.into_iter().next()).unwrap_or_default();
    Ok(forecasters
        .iter()
        .zip(results)
        .map(|(f, result)| ModelForecasts {
            name: f.name.clone(),
            baseline: f.baseline,
            table: table(result),
            issued: None,
        })
        .collect())
}

/// Forecasts of one forecaster in each of its markets, or the first of its failures with the number of its fit.
pub type Outcome = Result<Vec<ForecastTable>, (usize, WalkForwardError)>;

/// Forecasts of every forecaster in each of its markets. One that fails ends alone; a cancellation ends all.
pub fn run_each(forecasters: &[Forecaster], plan: &Plan, seed: Seed, hooks: &dyn Hooks) -> Vec<Outcome> {
    let bound = distinct_leaves(forecasters, plan);
    let jobs: Vec<(usize, usize)> = (0..plan.folds.len())
        .flat_map(|fold| (0..bound.len()).map(move |leaf| (leaf, fold)))
        .filter(|&(leaf, fold)| bound[leaf].problem.is_none() && bound[leaf].has_origins(fold))
        .collect();
    let done = AtomicUsize::new(0);
    let pieces: Vec<Result<Piece, WalkForwardError>> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(leaf, fold)| {
            let piece = bound[leaf].fit_and_forecast(&plan.folds[fold], fold, seed, hooks)?;
            let n = done.fetch_add(1, Ordering::Relaxed) + 1;
            hooks.fits_done(n, jobs.len(), &bound[leaf].forecaster.name);
            Ok(piece)
        })
        .collect();
    let mut tables: Vec<Outcome> = bound.iter().map(Bound::tables).collect();
    let mut residuals: Vec<Vec<Vec<Residuals>>> = vec![Vec::new(); bound.len()];
    for (order, ((leaf, fold), piece)) in jobs.iter().zip(pieces).enumerate() {
        let Ok(so_far) = &mut tables[*leaf] else { continue };
        match piece {
            Ok(mut piece) => {
                residuals[*leaf].push(std::mem::take(&mut piece.residuals));
                bound[*leaf].add(so_far, *fold, piece);
            }
            Err(error) => tables[*leaf] = Err((order, error)),
        }
    }
    for (bound, table) in bound.iter().zip(&mut tables) {
        if let Ok(whole) = table
            && let Some(error) = bound.without_forecasts(whole)
        {
            *table = Err((jobs.len(), error));
        }
    }
    let leaves: Vec<Leaf<'_>> = bound
        .iter()
        .zip(&tables)
        .zip(&residuals)
        .map(|((bound, outcome), residuals)| Leaf { bound, outcome, residuals })
        .collect();
    forecasters.iter().map(|forecaster| assembled(forecaster, &leaves, plan)).collect()
}

/// Every pipeline that `forecasters` are made of, once: told apart by recipe and by what it learns from.
fn distinct_leaves<'a>(forecasters: &'a [Forecaster], plan: &Plan) -> Vec<Bound<'a>> {
    let (mut leaves, mut sources): (Vec<(&Forecaster, usize)>, Vec<&Forecaster>) = (Vec::new(), Vec::new());
    for leaf in forecasters.iter().flat_map(Forecaster::leaves) {
        if leaves.iter().any(|(known, _)| known.is_same_fit(leaf)) {
            continue;
        }
        let source = sources.iter().position(|known| known.has_same_markets(leaf)).unwrap_or_else(|| {
            sources.push(leaf);
            sources.len() - 1
        });
        leaves.push((leaf, source));
    }
    let with_residuals: Vec<&Forecaster> = forecasters.iter().flat_map(Forecaster::with_residuals).collect();
    let bound = |(leaf, source): (&'a Forecaster, usize)| Bound {
        with_residuals: with_residuals.iter().any(|member| member.is_same_fit(leaf)),
        ..Bound::new(leaf, source, plan)
    };
    leaves.into_iter().map(bound).collect()
}

/// What one fit brought.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece {
    /// By market.
    markets: Vec<Forecasts>,
    /// Rows from which it could not forecast, by market.
    stand_ins: Vec<Vec<usize>>,
    /// Residuals on what was learnt from, by market that was; none where nobody asks for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    residuals: Vec<Residuals>,
    seconds: f64,
    summary: FitSummary,
}

/// A pipeline with the rows of the plan in each of its markets.
struct Bound<'a> {
    forecaster: &'a Forecaster,
    /// Number of its set of markets among those of the run.
    source: usize,
    plans: Vec<PlanRows>,
    /// `[market][fold]`.
    origins: Vec<Vec<Vec<usize>>>,
    left_out: Vec<usize>,
    problem: Option<WalkForwardError>,
    /// It is a member of a mean of logarithms.
    with_residuals: bool,
}

impl<'a> Bound<'a> {
    fn new(forecaster: &'a Forecaster, source: usize, plan: &Plan) -> Self {
        let horizon = forecaster.task().horizon();
        let plans: Vec<PlanRows> = (0..forecaster.n_forecast()).map(|m| plan.rows(forecaster.market(m))).collect();
        let (mut origins, mut left_out) = (Vec::new(), Vec::new());
        let mut problem = None;
        for (m, rows) in plans.iter().enumerate() {
            let market = forecaster.market(m);
            let by_fold: Vec<(Vec<usize>, usize)> =
                (0..plan.folds.len()).map(|fold| plan.origins(rows, fold, market, horizon)).collect();
            let out: usize = by_fold.iter().map(|(_, out)| out).sum();
            if !by_fold.iter().flat_map(|(origins, _)| origins).any(|&row| rows.scores(market, row, horizon)) {
                problem.get_or_insert(WalkForwardError::NoOrigins { left_out: out });
            }
            left_out.push(out);
            origins.push(by_fold.into_iter().map(|(rows, _)| rows).collect());
        }
        Self { forecaster, source, plans, origins, left_out, problem, with_residuals: false }
    }

    /// True when the forecast from the origin `row` of market `m` is scored.
    fn is_scored(&self, m: usize, row: usize) -> bool {
        self.plans[m].scores(self.forecaster.market(m), row, self.forecaster.task().horizon())
    }

    fn has_origins(&self, fold: usize) -> bool {
        self.origins.iter().any(|folds| !folds[fold].is_empty())
    }

    /// Empty tables, or why there will be none.
    fn tables(&self) -> Outcome {
        if let Some(problem) = &self.problem {
            return Err((0, problem.clone()));
        }
        let width = self.forecaster.task().width();
        let table = |&left_out: &usize| ForecastTable {
            forecasts: Forecasts::empty(width),
            left_out,
            ..ForecastTable::default()
        };
        Ok(self.left_out.iter().map(table).collect())
    }

    fn add(&self, tables: &mut [ForecastTable], fold: usize, piece: Piece) {
        for (m, table) in tables.iter_mut().enumerate() {
            table.rows.extend_from_slice(&self.origins[m][fold]);
            table.forecasts.extend(&piece.markets[m]);
            table.abstained += piece.stand_ins[m].iter().filter(|&&row| self.is_scored(m, row)).count();
            table.stand_ins.extend_from_slice(&piece.stand_ins[m]);
            table.fit_seconds += piece.seconds;
            table.fits.push(piece.summary.clone());
        }
    }

    /// The error of a model that could forecast from no scored origin of a market at all.
    fn without_forecasts(&self, tables: &[ForecastTable]) -> Option<WalkForwardError> {
        tables.iter().enumerate().find_map(|(m, table)| {
            let scored = table.rows.iter().filter(|&&row| self.is_scored(m, row)).count();
            let left_out = table.left_out + table.abstained;
            (table.abstained == scored).then_some(WalkForwardError::NoOrigins { left_out })
        })
    }

    fn fit_and_forecast(
        &self,
        fold: &Fold,
        index: usize,
        seed: Seed,
        hooks: &dyn Hooks,
    ) -> Result<Piece, WalkForwardError> {
        let forecaster = self.forecaster;
        if hooks.cancelled() {
            return Err(WalkForwardError::Cancelled);
        }
        let name = match self.source {
            0 => format!("{}-{index}", forecaster.id()),
            source => format!("{}-s{source}-{index}", forecaster.id()),
        };
        let kept = format!("{name}.piece");
        let recalled = hooks.recall(&kept).and_then(|bytes| serde_json::from_slice::<Piece>(&bytes).ok());
        if let Some(piece) = recalled.filter(|piece| self.fits(piece, index)) {
            return Ok(piece);
        }
        let started = hooks.seconds();
        let pipeline = forecaster.as_pipeline().expect("pipelines are what is fitted");
        // Not of the name in tables, which depends on what it is compared with.
        let seed = seed.derive(&pipeline.config.model, index as u64);
        let resume = recall_fit(hooks, &name);
        let start = Start { resume: resume.as_ref(), warm: None };
        let watcher = hooks.observer(forecaster.id(), index).unwrap_or_else(|| Box::new(Silent));
        let mut observer = Checkpointed::new(hooks, &name, watcher);
        let fitted = forecaster.fit(fold, seed, 1, start, &mut observer);
        let (model, summary) = fitted.map_err(|source| WalkForwardError::Fit {
            model: forecaster.name.clone(),
            at: fold.fit_at,
            source,
        })?;
        let seconds = hooks.seconds() - started;
        match summary.stopped {
            Stop::Cancelled => return Err(WalkForwardError::Cancelled),
            Stop::Pruned => return Err(WalkForwardError::Pruned { model: forecaster.name.clone() }),
            Stop::Converged | Stop::Early | Stop::Budget => {}
        }
        let (mut markets, mut stand_ins) = (Vec::new(), Vec::new());
        for (m, folds) in self.origins.iter().enumerate() {
            let (forecasts, without) = self.forecasts(&model, m, &folds[index])?;
            markets.push(forecasts);
            stand_ins.push(without);
        }
        let residuals = if self.with_residuals { forecaster.residuals(&model, fold) } else { vec![] };
        let piece = Piece { markets, stand_ins, residuals, seconds, summary };
        if seconds >= WORTH_KEEPING
            && let Ok(bytes) = serde_json::to_vec(&piece)
        {
            hooks.keep(&kept, &bytes);
        }
        Ok(piece)
    }

    fn fits(&self, piece: &Piece, fold: usize) -> bool {
        let task = self.forecaster.task();
        let n_residuals = if self.with_residuals { self.forecaster.n_markets() } else { 0 };
        piece.markets.len() == self.origins.len()
            && piece.stand_ins.len() == self.origins.len()
            && piece.residuals.len() == n_residuals
            && piece.residuals.iter().all(Residuals::is_whole)
            && piece.markets.iter().zip(&self.origins).all(|(f, folds)| f.is_whole(folds[fold].len(), task))
    }

    /// Forecasts from `rows` of market `m`, and from how many scored ones the model has none of its own.
    fn forecasts(
        &self,
        model: &FittedForecaster,
        m: usize,
        rows: &[usize],
    ) -> Result<(Forecasts, Vec<usize>), WalkForwardError> {
        let pipeline = self.forecaster.as_pipeline().expect("pipelines are what is fitted");
        let (forecasts, without) = forecasts_from(model, &pipeline.data.panels()[m], rows);
        if let Some(i) = forecasts.broken() {
            let model = self.forecaster.name.clone();
            return Err(WalkForwardError::NotFinite { model, row: rows[i] });
        }
        Ok((forecasts, without))
    }
}

/// Forecasts from `rows` of `panel`: of the model where it can, else what is known without any model; and the rows from
/// which it cannot.
pub(crate) fn forecasts_from(model: &FittedForecaster, panel: &Panel, rows: &[usize]) -> (Forecasts, Vec<usize>) {
    let (usable, without): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| model.is_origin(panel, row));
    let own = model.predict(panel, &usable);
    if without.is_empty() {
        return (own, without);
    }
    let (task, market) = (model.task(), panel.market());
    let claims = if model.has_raw_confidences() { task.claims() } else { 0 };
    let mut all = Forecasts::empty(own.width);
    for &row in rows {
        if let Ok(i) = usable.binary_search(&row) {
            let forecast = own.row(i);
            all.means.extend_from_slice(forecast.means);
            all.scales.extend_from_slice(forecast.scales);
            all.confidences.extend_from_slice(forecast.confidences);
        } else {
            all.means.extend(task.kind().neutral(market, row, task.horizon()));
            all.scales.extend(default_scales(task, market, row));
            all.confidences.extend(std::iter::repeat_n(task.kind().chance(), claims));
        }
        all.borders.extend(model.borders(market, row));
    }
    (all, without)
}
