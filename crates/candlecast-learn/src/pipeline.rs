//! [`PipelineConfig`], [`Pipeline`] and [`FittedPipeline`]: features, scaling and a learner as one thing.

use std::collections::BTreeMap;

use candlecast_core::{FeatureSet, Seed};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{block_length, resampled};
use crate::dataset::{Dataset, Market, Panel, SampleId, Samples};
use crate::forecaster::{FitSummary, Start};
use crate::har_x::scale::{ScaleFits, VolatilityScale};
use crate::learner::{
    DEFAULT_WINDOW, Extent, FitContext, FitError, FitObserver, Fitted, Learner, ModelState, Prediction, RestoreError,
};
use crate::memo::Memo;
use crate::scaler::{FittedScaler, ScalerKind};
use crate::split::{Fold, Parts, TrainWindow, split};
use crate::task::{Task, Thresholds};
use crate::tasks::borders_of;
use crate::walk_forward::Forecasts;

/// Everything that determines a pipeline besides data and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineConfig {
    /// Id of the learner in the catalog.
    pub model: String,
    /// The learner's parameters, only those that differ from the defaults.
    pub params: serde_json::Value,
    /// Features, in order.
    pub features: FeatureSet,
    /// How features are scaled.
    pub scaler: ScalerKind,
    /// Bound on |scaled value|.
    pub clip: Option<f64>,
    /// Longest gap that is filled, in candles.
    pub max_fill: usize,
    /// What is predicted.
    pub task: Task,
    /// Share of outcomes that intervals cover.
    pub level: f64,
    /// How far back training data reaches.
    pub window: TrainWindow,
    /// Days between refits.
    pub retrain_days: u32,
    /// Share of a training window, its end, that early stopping and selection use.
    pub valid_share: f64,
    /// Fewest candles a fit may have.
    pub min_candles: usize,
    /// Number of a bootstrap draw of the training part that is learnt from in its place: a member of a bagged model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bag: Option<u32>,
}

/// A pipeline that can be fitted: its configuration, its learner, and the features of its markets.
#[derive(Debug)]
pub struct Pipeline {
    /// Configuration.
    pub config: PipelineConfig,
    /// The learner that `config.model` names.
    pub learner: Box<dyn Learner>,
    /// Features over whole series, unscaled, one panel a market.
    pub data: Dataset,
    /// Panels whose markets are forecast: the first of them.
    pub(crate) n_forecast: usize,
    memo: Memo,
}

/// A fitted pipeline.
#[derive(Debug)]
pub struct FittedPipeline {
    /// Configuration.
    pub config: PipelineConfig,
    lookback: usize,
    scaler: FittedScaler,
    thresholds: Option<Thresholds>,
    /// Scale of the errors of prices in each market, by the market's key.
    scales: BTreeMap<String, ScaleFits>,
    model: Box<dyn Fitted>,
}

impl Pipeline {
    /// A pipeline over `data`, which has the features of `config`; `learner` is what `config.model` and its parameters
    /// build.
    pub fn new(config: PipelineConfig, learner: Box<dyn Learner>, data: Dataset) -> Self {
        Self { config, learner, n_forecast: data.panels().len(), data, memo: Memo::default() }
    }

    /// Days of the windows that a fit takes the mean over, where nobody named one.
    fn windows(&self) -> &'static [u32] {
        if self.config.window == TrainWindow::Own { self.learner.windows(&self.config.task) } else { &[] }
    }

    /// `fold` with the window of this model.
    pub(crate) fn reaching(&self, fold: &Fold) -> Fold {
        let longest = self.windows().last().copied().filter(|&days| days != DEFAULT_WINDOW);
        let own = longest.map(|days| fold.fit_at.plus_ms(-i64::from(days) * DAY_MS).max(fold.earliest));
        Fold { learn_from: own.unwrap_or(fold.learn_from).min(fold.learn_from), ..fold.clone() }
    }

    /// Fits on the window of `fold`. Scaler and thresholds see the training part only.
    pub(crate) fn fit(
        &self,
        fold: &Fold,
        seed: Seed,
        threads: usize,
        start: Start<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<(FittedPipeline, FitSummary), FitError> {
        let (lookback, task) = (self.learner.lookback(), self.config.task);
        if !self.learner.supports(&task) {
            return Err(FitError::Unsupported { model: self.config.model.clone(), task: task.id().into() });
        }
        let fold = &self.reaching(fold);
        let valid_share = if self.learner.uses_validation(&task) { self.config.valid_share } else { 0.0 };
        let mut parts = split(fold, &self.data, lookback, task.horizon(), valid_share);
        if parts.train.len() < self.learner.min_samples() {
            return Err(FitError::TooFewSamples { have: parts.train.len(), need: self.learner.min_samples() });
        }
        let seed = self.config.bag.map_or(seed, |bag| seed.derive("bag", u64::from(bag)));
        if self.config.bag.is_some() {
            parts.train = self.bagged(&parts.train, seed);
        }
        let plain = self.config.scaler == ScalerKind::None && self.learner.scales_itself(&task);
        let scaler = if plain {
            FittedScaler::identity(self.data.width())
        } else {
            self.config.scaler.fit(&self.data, &parts.train, lookback, self.config.clip)
        };
        if scaler.keep.is_empty() && self.data.width() > 0 {
            return Err(FitError::Degenerate(format!(
                "all {} features are constant over the training part: the market did not move; choose another range or symbol",
                self.data.width()
            )));
        }
        let warm = start.warm.map(|state| self.weights(state, &scaler)).transpose()?;
        let data = if plain { self.data.clone() } else { self.scaled(&scaler, &parts, lookback) };
        let thresholds = self.thresholds(fold);
        if thresholds.is_none() && matches!(task, Task::Direction { .. }) {
            return Err(FitError::TooFewSamples { have: parts.train.len(), need: 2 * task.horizon() + 2 });
        }
        let train = Samples::new(&data, &parts.train, lookback, task, thresholds);
        let valid = Samples::new(&data, &parts.valid, lookback, task, thresholds);
        // Sums over blocks of rows are those of all their origins, each once: not where some are set apart or drawn.
        let whole = fold.apart.is_empty() && self.config.bag.is_none();
        let memo = (plain && whole).then_some(&self.memo);
        let mut cx = FitContext {
            seed,
            valid: (!valid.is_empty()).then_some(&valid),
            threads,
            warm,
            resume: start.resume,
            extent: Extent { windows: self.windows(), memo },
            observer,
        };
        let outcome = self.learner.fit(&train, &mut cx)?;
        let summary = FitSummary {
            stopped: outcome.stopped,
            steps: outcome.steps,
            curve: outcome.curve,
            n_train: parts.train.len(),
            n_valid: parts.valid.len(),
            dropped: scaler.dropped.clone(),
        };
        let scales = self.scales(fold);
        let pipeline =
            FittedPipeline { config: self.config.clone(), lookback, scaler, thresholds, scales, model: outcome.model };
        Ok((pipeline, summary))
    }

    /// A bootstrap draw of the training origins `ids`.
    fn bagged(&self, ids: &[SampleId], seed: Seed) -> Vec<SampleId> {
        let panels = self.data.panels();
        let per_day = panels.first().map_or(1.0, |panel| panel.market().series().key().interval.per_day());
        let block = block_length(ids.len(), self.config.task.horizon(), panels.len(), per_day);
        resampled(ids, block, seed.derive("bootstrap", 0))
    }

    /// The weights in `state`, if they are of the features that `scaler` keeps. A weight is of a feature by its place, so
    /// that others of the same number would pass for them.
    fn weights<'s>(&self, state: &'s PipelineState, scaler: &FittedScaler) -> Result<&'s ModelState, FitError> {
        let kept = |ids: &[String], keep: &[usize]| -> Vec<String> {
            keep.iter().filter_map(|&j| ids.get(j).cloned()).collect()
        };
        let given = kept(state.config.features.ids(), &state.scaler.keep);
        let own = kept(self.config.features.ids(), &scaler.keep);
        let longer = if given.len() > own.len() { &given } else { &own };
        match (0..longer.len()).find(|&k| given.get(k) != own.get(k)) {
            None => Ok(&state.model),
            Some(k) => Err(FitError::OtherFeatures { feature: longer[k].clone() }),
        }
    }

    /// The rows that the samples of `parts` cover, scaled.
    fn scaled(&self, scaler: &FittedScaler, parts: &Parts, lookback: usize) -> Dataset {
        let rows_of = |panel: u32| {
            let mut ids =
                parts.train.iter().chain(&parts.valid).filter(|id| id.panel == panel).map(|id| id.row as usize);
            let first = ids.next()?;
            Some(first + 1 - lookback..ids.next_back().unwrap_or(first) + 1)
        };
        let scale = |(k, panel): (usize, &Panel)| scaler.apply_panel(panel, rows_of(k as u32).unwrap_or(0..0));
        Dataset::new(self.data.panels().iter().enumerate().map(scale).collect())
    }

    /// What is known of the scale of errors where `fold` is fitted. It is of the market and not of the model, and learns
    /// from up to 1,820 days before the fit, whatever range the model learns from. Of a cross-validation there is none, as
    /// it would learn from what is tested: then the scale is the volatility at the origin.
    fn scales(&self, fold: &Fold) -> BTreeMap<String, ScaleFits> {
        let Task::Price { horizon } = self.config.task else { return BTreeMap::new() };
        if !fold.apart.is_empty() {
            return BTreeMap::new();
        }
        let of = |panel: &Panel| {
            let market = panel.market();
            (market.series().key().to_string(), market.scale_before(horizon, fold.fit_at))
        };
        // What is only learnt from gets no intervals.
        self.data.panels().iter().take(self.n_forecast).map(of).collect()
    }

    /// Class thresholds of the direction task. They are of the fold and not of the model: of the training part that a
    /// model without features and windows has in the markets that are forecast, so that all models of a comparison are
    /// asked for the same classes, whatever else they learn from.
    fn thresholds(&self, fold: &Fold) -> Option<Thresholds> {
        let task = self.config.task;
        if !matches!(task, Task::Direction { .. }) {
            return None;
        }
        let closes = |panel: &Panel| Panel::closes(std::sync::Arc::clone(panel.market()));
        let data = Dataset::new(self.data.panels().iter().take(self.n_forecast).map(closes).collect());
        let parts = split(fold, &data, 1, task.horizon(), self.config.valid_share);
        Samples::new(&data, &parts.train, 1, task, None).fit_thresholds()
    }
}

const DAY_MS: i64 = 86_400_000;

/// Origins predicted at once: bounds the memory of scaled copies.
const PREDICT_ROWS: usize = 4_096;

impl FittedPipeline {
    /// Predicts from `rows` of `panel` (ascending origins, which has at least the features of the configuration,
    /// unscaled). Scales, where the model gives none, are those of [`VolatilityScale`] by the fit known when the model was
    /// fitted, without one the volatility at the origin times the root of the step, or 1 for
    /// log variances and classes, whose errors have no unit.
    pub(crate) fn predict(&self, panel: &Panel, rows: &[usize]) -> Forecasts {
        let task = self.config.task;
        let scaler = self.scaler.over(panel, self.config.features.ids());
        let mut forecasts = Forecasts::empty(task.width());
        let mut out = Prediction::default();
        for part in rows.chunks(PREDICT_ROWS) {
            let (first, last) = (part[0] + 1 - self.lookback, part[part.len() - 1] + 1);
            let data = Dataset::single(scaler.apply_panel(panel, first..last));
            let ids: Vec<SampleId> = part.iter().map(|&row| SampleId { panel: 0, row: row as u32 }).collect();
            let samples = Samples::new(&data, &ids, self.lookback, task, self.thresholds);
            self.model.predict_into(&samples, &mut out);
            forecasts.means.extend_from_slice(&out.mean);
            match &out.scale {
                Some(scale) => forecasts.scales.extend_from_slice(scale),
                None => self.push_scales(panel.market(), part, &mut forecasts.scales),
            }
        }
        if let Some(thresholds) = self.thresholds {
            let borders = |&row: &usize| borders_of(thresholds, panel.market(), row, task.horizon());
            forecasts.borders = rows.iter().map(borders).collect();
        }
        forecasts
    }

    /// Appends the scales of the errors from `rows`, which are not empty and ascend.
    fn push_scales(&self, market: &Market, rows: &[usize], out: &mut Vec<f64>) {
        let task = self.config.task;
        let fits = self.scales.get(&market.series().key().to_string()).filter(|fits| fits.has_fits());
        match (task, fits) {
            (Task::Price { horizon }, Some(fits)) => {
                let scale = VolatilityScale::by(fits.clone(), market, rows[0]..rows[rows.len() - 1] + 1);
                let mut row_scales = vec![0.0; horizon];
                for &row in rows {
                    scale.scales_into(row, &mut row_scales);
                    out.extend_from_slice(&row_scales);
                }
            }
            _ => rows.iter().for_each(|&row| out.extend(default_scales(task, market, row))),
        }
    }

    /// Rows in an input window.
    pub fn lookback(&self) -> usize {
        self.lookback
    }

    /// The fitted model.
    pub fn model(&self) -> &dyn Fitted {
        self.model.as_ref()
    }

    /// Class thresholds (direction task).
    pub fn thresholds(&self) -> Option<Thresholds> {
        self.thresholds
    }

    /// As data.
    pub fn state(&self) -> PipelineState {
        PipelineState {
            config: self.config.clone(),
            lookback: self.lookback,
            scaler: self.scaler.clone(),
            thresholds: self.thresholds,
            scales: self.scales.clone(),
            model: self.model.state(),
        }
    }

    /// From data; `learner` is what `state.config.model` and its parameters build.
    pub fn restore(state: PipelineState, learner: &dyn Learner) -> Result<Self, RestoreError> {
        let fact = |name: &str, reason: &str| RestoreError::Fact { name: name.into(), reason: reason.into() };
        state.scaler.check(state.config.features.ids().len()).map_err(|reason| fact("scaler", reason))?;
        if state.config.task.horizon() == 0 {
            return Err(fact("task", "its horizon is 0 steps"));
        }
        if matches!(state.config.task, Task::Direction { .. }) && state.thresholds.is_none() {
            return Err(fact("thresholds", "a model of directions needs them"));
        }
        if state.thresholds.is_some_and(|t| !(t.sell.is_finite() && t.buy.is_finite() && t.sell <= t.buy)) {
            return Err(fact("thresholds", "they are not finite, or SELL begins above BUY"));
        }
        if state.lookback != learner.lookback() || state.lookback == 0 {
            return Err(fact("lookback", "it is not what the model's parameters give"));
        }
        let horizon = state.config.task.horizon();
        if state.scales.values().any(|fits| !fits.is_sound() || fits.horizon() != horizon) {
            return Err(fact("scales", "they are no fits of the task's steps"));
        }
        let model = learner.restore(&state.model, &state.config.task)?;
        Ok(Self {
            config: state.config,
            lookback: state.lookback,
            scaler: state.scaler,
            thresholds: state.thresholds,
            scales: state.scales,
            model,
        })
    }
}

/// Floor of the volatility that scales intervals, for markets that stand still.
const MIN_VOLATILITY: f64 = 1e-8;

/// Scales of the errors of a model that gives none, at the origin `row`.
pub(crate) fn default_scales(task: Task, market: &Market, row: usize) -> Vec<f64> {
    match task {
        Task::Price { horizon } => {
            let sigma = market.volatility()[row].max(MIN_VOLATILITY);
            (1..=horizon).map(|h| sigma * (h as f64).sqrt()).collect()
        }
        Task::Direction { .. } | Task::Volatility { .. } => vec![1.0; task.width()],
    }
}

/// A fitted pipeline as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineState {
    /// Configuration.
    pub config: PipelineConfig,
    /// Rows in an input window.
    pub lookback: usize,
    /// The scaler.
    pub scaler: FittedScaler,
    /// Class thresholds (direction task).
    pub thresholds: Option<Thresholds>,
    /// Scale of the errors of prices in each market, by the market's key; none in models saved before there was one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scales: BTreeMap<String, ScaleFits>,
    /// The model's weights.
    pub model: ModelState,
}
