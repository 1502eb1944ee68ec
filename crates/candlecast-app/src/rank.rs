//! `features rank`: what each feature tells about the return ahead, on the training part only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use candlecast_core::{FeatureSet, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_features::{
    AgainstChance, Classes, Engine, Ranks, circular_shifts, correlation_filter, equal_count_bins, mutual_information,
};
use candlecast_learn::walk_forward::Hooks;
use candlecast_learn::{
    Contender, Dataset, FitObserver, FitSummary, FittedPipeline, Fold, Market, Panel, Parts, Progress, SampleId, Samples,
    Stop, TrainState, split,
};
use candlecast_models::permutation_importance;
use rayon::prelude::*;
use serde::Serialize;

use crate::audit::with_all;
use crate::contender::{Common, ModelRequest, Stable, check_memory};
use crate::error::file_error;
use crate::evaluation::plan_config;
use crate::{App, AppError, RunHooks, Watch, catalog};

/// How features are ranked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankOptions {
    /// Of two features with a higher absolute rank correlation than this (0 to 1), one is redundant.
    pub max_correlation: f64,
    /// Circular shifts behind each chance level, at most 10,000.
    pub shifts: usize,
    /// Shuffles of each feature, from 1 to 1,000.
    pub repeats: usize,
}

impl Default for RankOptions {
    fn default() -> Self {
        Self { max_correlation: 0.95, shifts: 50, repeats: 5 }
    }
}

/// A part of the data that a ranking used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankedPart {
    /// From the first origin's open to the last one's close.
    pub range: TimeRange,
    /// Origins that the model was fitted or stopped on.
    pub origins: usize,
    /// Origins that the figures were computed on: as many, or evenly spread ones of a long part.
    pub used: usize,
}

/// Features in order of use.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Series.
    pub key: SeriesKey,
    /// Id of the model whose importances these are.
    pub model: String,
    /// Steps ahead.
    pub horizon: usize,
    /// Part that the model was fitted on and that mutual information and correlations were computed on.
    pub train: RankedPart,
    /// Part that stopped the fit and that permutation importance was computed on.
    pub valid: RankedPart,
    /// How the fit went.
    pub fit: FitSummary,
    /// Equal-count bins a variable in the mutual information.
    pub bins: usize,
    /// As asked.
    pub options: RankOptions,
    /// Most important first: by permutation importance, then by mutual information with the return.
    pub features: Vec<RankedFeature>,
    /// Features left out before ranking, and the share of the window's candles on which each has a value.
    pub left_out: Vec<(String, f64)>,
}

/// One feature.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedFeature {
    /// Id.
    pub feature: String,
    /// Permutation importance: rise of the squared error relative to the naive forecast's when the feature is shuffled;
    /// `None` where the model does not see it, as it is constant over the training part.
    pub permutation: Option<Permutation>,
    /// The model's own measure (gain for trees, |weight| for linear models), as a share; `None` where it has none.
    pub own: Option<f64>,
    /// Mutual information in nats with the return over the horizon, its sign and size together.
    pub information: AgainstChance,
    /// Mutual information in nats with the return's sign alone, at most ln 2 where no return is zero.
    pub sign_information: AgainstChance,
    /// Spearman's correlation with the return, -1 to 1; `None` for a constant.
    pub spearman: Option<f64>,
    /// Its absolute value beside chance.
    pub abs_spearman: Option<AgainstChance>,
    /// The more informative feature that it repeats, and their rank correlation.
    pub repeats: Option<(String, f64)>,
}

/// A permutation importance over several shuffles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permutation {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of one shuffle (n - 1); `None` with a single one.
    pub deviation: Option<f64>,
}

/// Origins behind mutual information and correlations, at most: beyond, precision gains nothing.
const MAX_ORIGINS: usize = 50_000;
/// Origins behind permutation importance, at most, as every shuffle of every feature is predicted.
const MAX_PERMUTED: usize = 5_000;
/// A feature with a value on a smaller share of the window's candles is left out: it would take origins from all.
const MIN_DEFINED: f64 = 0.75;

impl App {
    /// Ranks the features of `common` (the model's own where it names none) over the window that a training of
    /// `request` on `range` would use, split as it would be. What lies after `range` is not looked at, so a test part
    /// that begins there stays untouched by a choice of features.
    pub async fn rank_features(
        &self,
        key: &SeriesKey,
        request: ModelRequest,
        mut common: Common,
        range: TimeRange,
        options: RankOptions,
        watch: Arc<dyn Watch>,
    ) -> Result<Ranking, AppError> {
        check(options)?;
        common.check()?;
        let wanted = inputs(&request, &common)?;
        let market = self.market(key, common.max_fill).await?;
        let run = Run { hooks: self.hooks(Arc::clone(&watch)), watch, seed: self.seed, threads: self.threads(), options };
        let max_memory = self.settings.max_memory;
        self.compute(move || {
            let plan = plan_config(&common);
            // Refuses what a training on this range would refuse.
            plan.training(&market, range)?;
            let fold = plan.final_fold(&market, range)?;
            let mut stable = Stable::new(Arc::clone(&market));
            let (kept, left_out) = defined(&stable.panel(&wanted)?, &fold)?;
            common.features = Some(kept);
            let contender = stable.contender(&request, &common)?;
            check_memory(std::slice::from_ref(&contender), 1, max_memory)?;
            run.rank(&market, &contender, &fold, left_out)
        })
        .await
    }
}

/// The model that ranks unless another is named: `gbdt`, which sees relations of any form, or `linear` without it.
pub fn default_rank_model() -> &'static str {
    catalog::models().map(|e| e.id).find(|id| *id == "gbdt").unwrap_or("linear")
}

/// Refuses an output file that would be refused after the work.
pub fn check_document_path(path: &Path) -> Result<(), AppError> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return Ok(());
    }
    Err(AppError::usage("bad-output", "output", format!("{}: end the file name in .json", path.display())))
}

/// Writes `doc` as JSON to `path`, whole or not at all.
pub fn write_document<T: Serialize>(doc: &T, path: &Path) -> Result<(), AppError> {
    check_document_path(path)?;
    let mut text = serde_json::to_vec_pretty(doc).map_err(|e| AppError::data("output-failed", e.to_string()))?;
    text.push(b'\n');
    let part = path.with_extension("json.part");
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        // The failure is what counts; a leftover part file is harmless.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(|e| file_error(path, &e))
}

fn check(options: RankOptions) -> Result<(), AppError> {
    if !(options.max_correlation > 0.0 && options.max_correlation <= 1.0) {
        return Err(AppError::usage(
            "bad-max-correlation",
            "max-correlation",
            format!("max-correlation {} is not above 0 and at most 1", options.max_correlation),
        ));
    }
    if options.shifts > 10_000 {
        return Err(AppError::usage("bad-shifts", "shifts", format!("shifts {} is above 10000", options.shifts)));
    }
    if !(1..=1_000).contains(&options.repeats) {
        return Err(AppError::usage("bad-repeats", "repeats", format!("repeats {} is not within 1 to 1000", options.repeats)));
    }
    Ok(())
}

/// The features asked for, or the model's own, each output once.
fn inputs(request: &ModelRequest, common: &Common) -> Result<FeatureSet, AppError> {
    let entry = catalog::find(&request.id)?;
    let own = entry.build(&request.params)?.inputs().features;
    if own.ids().is_empty() {
        return Err(AppError::usage(
            "closes-only",
            "model",
            format!("{} reads closing prices only and can rank no features: take {}", entry.id, default_rank_model()),
        ));
    }
    let wanted = with_all(common.features.as_ref().unwrap_or(&own));
    Ok(Engine::new(&wanted)?.expanded())
}

/// Splits the features of `panel` into those with values on enough of the fold's candles and the others.
fn defined(panel: &Panel, fold: &Fold) -> Result<(FeatureSet, Vec<(String, f64)>), AppError> {
    let rows = fold.window_start..fold.fit_row;
    let n = rows.len().max(1) as f64;
    let mut counts = vec![0_usize; panel.width()];
    for row in rows {
        for (count, value) in counts.iter_mut().zip(panel.row(row)) {
            *count += usize::from(value.is_finite());
        }
    }
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (name, count) in panel.names().iter().zip(counts) {
        let share = count as f64 / n;
        if share >= MIN_DEFINED { kept.push(name.clone()) } else { left_out.push((name.clone(), share)) }
    }
    if kept.is_empty() {
        return Err(AppError::data(
            "undefined-features",
            format!(
                "none of the {} features has a value on {:.0} % of the candles: choose others, or a longer range",
                left_out.len(),
                100.0 * MIN_DEFINED
            ),
        )
        .with_field("features"));
    }
    Ok((FeatureSet(kept), left_out))
}

/// What a ranking needs besides data.
struct Run {
    hooks: RunHooks,
    watch: Arc<dyn Watch>,
    seed: Seed,
    threads: usize,
    options: RankOptions,
}

/// A feature over the training part.
struct Column {
    information: AgainstChance,
    sign_information: AgainstChance,
    spearman: Option<f64>,
    abs_spearman: Option<AgainstChance>,
    ranks: Option<Ranks>,
}

/// The model's side of a feature.
#[derive(Clone, Default)]
struct Importance {
    permutation: Option<Permutation>,
    own: Option<f64>,
}

impl Run {
    fn rank(
        &self,
        market: &Market,
        contender: &Contender,
        fold: &Fold,
        left_out: Vec<(String, f64)>,
    ) -> Result<Ranking, AppError> {
        let config = &contender.config;
        let horizon = config.task.horizon();
        let parts = split(fold, &contender.panel, contender.learner.lookback(), horizon, config.valid_share);
        let train_ids = spread(&parts.train, MAX_ORIGINS);
        let valid_ids = newest(&parts.valid, MAX_PERMUTED);
        let (Some(train), Some(valid)) = (part(market, &parts.train, train_ids.len()), part(market, &parts.valid, valid_ids.len()))
        else {
            return Err(no_origins(&parts));
        };
        let stride = parts.train.len().div_ceil(train_ids.len());
        let columns = self.columns(contender, &train_ids, horizon.div_ceil(stride))?;
        let (importances, fit) = self.importances(contender, fold, valid_ids)?;
        Ok(Ranking {
            key: market.series().key().clone(),
            model: config.model.clone(),
            horizon,
            train,
            valid,
            fit,
            bins: equal_count_bins(train_ids.len()),
            options: self.options,
            features: join(contender.panel.names(), columns, importances, self.options.max_correlation),
            left_out,
        })
    }

    /// Statistics of every feature over the origins `ids`, `[feature]`.
    fn columns(&self, contender: &Contender, ids: &[SampleId], overlap: usize) -> Result<Vec<Column>, AppError> {
        let data = Dataset::single(contender.panel.clone());
        let samples = Samples::new(&data, ids, contender.learner.lookback(), contender.config.task, None);
        let returns: Vec<f64> = (0..samples.len()).map(|i| samples.return_over_horizon(i)).collect();
        let mut rng = self.seed.derive("rank-shifts", 0).stream();
        let target = Target {
            bins: equal_count_bins(returns.len()),
            classes: Classes::equal_count(&returns, equal_count_bins(returns.len())),
            signs: Classes::signs(&returns),
            ranks: Ranks::of(&returns),
            // Beyond the overlap of returns, and far enough for slow features to have moved on.
            shifts: circular_shifts(returns.len(), self.options.shifts, (2 * overlap).max(returns.len() / 20), &mut rng),
        };
        let (done, n) = (AtomicU64::new(0), samples.width());
        (0..n)
            .into_par_iter()
            .with_max_len(1)
            .map(|j| {
                self.check_cancelled()?;
                let values: Vec<f64> = (0..samples.len()).map(|i| f64::from(samples.last(i)[j])).collect();
                let column = target.of(&values);
                self.watch.progress("mutual information", done.fetch_add(1, Ordering::Relaxed) + 1, n as u64);
                Ok(column)
            })
            .collect()
    }

    /// Importances by the model fitted on the fold, `[feature]`.
    fn importances(
        &self,
        contender: &Contender,
        fold: &Fold,
        valid: &[SampleId],
    ) -> Result<(Vec<Importance>, FitSummary), AppError> {
        // The seed of the fit that a training saves: what is ranked is that model.
        let seed = self.seed.derive(&contender.config.model, u64::MAX);
        let (pipeline, fit) = contender.fit(fold, seed, self.threads, &mut Steps(self))?;
        if fit.stopped == Stop::Cancelled {
            return Err(cancelled());
        }
        let state = pipeline.state();
        let mut importances = vec![Importance::default(); contender.panel.width()];
        let own = pipeline.model().importances();
        for (k, &j) in state.scaler.keep.iter().enumerate() {
            importances[j].own = own.as_ref().and_then(|own| own.get(k).copied());
        }
        let rises = self.permuted(contender, &pipeline, valid)?;
        for (k, &j) in state.scaler.keep.iter().enumerate() {
            let shuffles: Vec<f64> = rises.iter().filter_map(|r| r.get(k).copied()).collect();
            importances[j].permutation = Permutation::of(&shuffles);
        }
        Ok((importances, fit))
    }

    /// Rises of the loss, `[repeat][feature that is kept]`; repeats run in parallel.
    fn permuted(
        &self,
        contender: &Contender,
        pipeline: &FittedPipeline,
        valid: &[SampleId],
    ) -> Result<Vec<Vec<f64>>, AppError> {
        let (Some(first), Some(last)) = (valid.first(), valid.last()) else { return Ok(vec![]) };
        let state = pipeline.state();
        let rows = first.row as usize + 1 - pipeline.lookback()..last.row as usize + 1;
        let data = Dataset::single(state.scaler.apply_panel(&contender.panel, rows));
        let samples = Samples::new(&data, valid, pipeline.lookback(), contender.config.task, state.thresholds);
        let (done, n) = (AtomicU64::new(0), self.options.repeats);
        (0..n)
            .into_par_iter()
            .with_max_len(1)
            .map(|repeat| {
                self.check_cancelled()?;
                let seed = self.seed.derive("rank-permutation", repeat as u64);
                let rises = permutation_importance(pipeline.model(), &samples, seed, 1);
                self.watch.progress("permutation importance", done.fetch_add(1, Ordering::Relaxed) + 1, n as u64);
                Ok(rises)
            })
            .collect()
    }

    fn check_cancelled(&self) -> Result<(), AppError> {
        if self.hooks.cancelled() { Err(cancelled()) } else { Ok(()) }
    }
}

/// What features are held against.
struct Target {
    bins: usize,
    classes: Classes,
    signs: Classes,
    ranks: Option<Ranks>,
    shifts: Vec<usize>,
}

impl Target {
    fn of(&self, values: &[f64]) -> Column {
        let classes = Classes::equal_count(values, self.bins);
        let against = |y: &Classes| AgainstChance::of(&self.shifts, |shift| mutual_information(&classes, y, shift));
        let ranks = Ranks::of(values);
        let both = ranks.as_ref().zip(self.ranks.as_ref());
        Column {
            information: against(&self.classes),
            sign_information: against(&self.signs),
            spearman: both.map(|(x, y)| x.correlation(y, 0)),
            abs_spearman: both.map(|(x, y)| AgainstChance::of(&self.shifts, |shift| x.correlation(y, shift).abs())),
            ranks,
        }
    }
}

impl Permutation {
    /// Mean and deviation of single shuffles; `None` without any.
    fn of(shuffles: &[f64]) -> Option<Self> {
        let n = shuffles.len() as f64;
        if shuffles.is_empty() {
            return None;
        }
        let mean = shuffles.iter().sum::<f64>() / n;
        let squares: f64 = shuffles.iter().map(|v| (v - mean).powi(2)).sum();
        Some(Self { mean, deviation: (n > 1.0).then(|| (squares / (n - 1.0)).sqrt()) })
    }
}

/// Reports the steps of the fit and cancels it when asked.
struct Steps<'a>(&'a Run);

impl FitObserver for Steps<'_> {
    fn on_step(&mut self, p: &Progress, _: &dyn Fn() -> TrainState) -> std::ops::ControlFlow<Stop> {
        if self.0.hooks.cancelled() {
            return std::ops::ControlFlow::Break(Stop::Cancelled);
        }
        self.0.watch.progress("fit", p.step as u64, p.of as u64);
        std::ops::ControlFlow::Continue(())
    }
}

/// Both sides of every feature, the most important first.
fn join(names: &[String], columns: Vec<Column>, importances: Vec<Importance>, max_correlation: f64) -> Vec<RankedFeature> {
    let scores: Vec<f64> = columns.iter().map(|c| c.information.value).collect();
    let (columns, ranks): (Vec<_>, Vec<Option<Ranks>>) = columns
        .into_iter()
        .map(|c| ((c.information, c.sign_information, c.spearman, c.abs_spearman), c.ranks))
        .unzip();
    let redundant = correlation_filter(&ranks, &scores, max_correlation);
    let mut features: Vec<RankedFeature> = columns
        .into_iter()
        .zip(importances)
        .enumerate()
        .map(|(j, ((information, sign_information, spearman, abs_spearman), importance))| RankedFeature {
            feature: names[j].clone(),
            permutation: importance.permutation,
            own: importance.own,
            information,
            sign_information,
            spearman,
            abs_spearman,
            repeats: redundant.iter().find(|r| r.dropped == j).map(|r| (names[r.kept].clone(), r.correlation)),
        })
        .collect();
    let importance = |f: &RankedFeature| f.permutation.map_or(f64::NEG_INFINITY, |p| p.mean);
    features.sort_by(|a, b| {
        importance(b).total_cmp(&importance(a)).then(b.information.value.total_cmp(&a.information.value))
    });
    features
}

/// At most `most` of `ids`, evenly spread.
fn spread(ids: &[SampleId], most: usize) -> Vec<SampleId> {
    ids.iter().step_by(ids.len().div_ceil(most).max(1)).copied().collect()
}

fn newest(ids: &[SampleId], most: usize) -> &[SampleId] {
    &ids[ids.len().saturating_sub(most)..]
}

/// `None` without origins.
fn part(market: &Market, ids: &[SampleId], used: usize) -> Option<RankedPart> {
    let (first, last) = (ids.first()?.row as usize, ids.last()?.row as usize);
    let from = Timestamp(market.series().columns().open_time[first]);
    Some(RankedPart { range: TimeRange { from, to: market.series().close_time(last) }, origins: ids.len(), used })
}

fn no_origins(parts: &Parts) -> AppError {
    AppError::new(
        "too-few-candles",
        422,
        crate::Blame::Data,
        format!(
            "{} origins to learn from and {} to validate on are left after warm-up and gaps: choose a longer range or fewer features",
            parts.train.len(),
            parts.valid.len()
        ),
    )
}

fn cancelled() -> AppError {
    AppError::new("cancelled", 499, crate::Blame::Cancelled, "cancelled")
}
