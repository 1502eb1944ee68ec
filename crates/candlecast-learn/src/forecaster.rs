//! [`Forecaster`]: a recipe bound to data, which can be fitted; [`FittedForecaster`]: what a fit gives.
//!
//! A recipe is a pipeline (features, scaling, learner) or an ensemble of recipes. Both are fitted, compared, saved and
//! served alike. Members of an ensemble are forecasters of their own, with their own features, windows and scalers.

use candlecast_core::{FeatureSet, Forecast, Seed};
use serde::{Deserialize, Serialize};

use crate::Curve;
use crate::conformal::{CalibrationState, Calibrator};
use crate::dataset::{Dataset, Market, Panel};
use crate::ensemble::{Combine, EnsembleConfig, FittedEnsemble, Learnt, Mixing, Opinion};
use crate::learner::{FitError, FitObserver, Learner, RestoreError, Stop, TrainState};
use crate::pipeline::{FittedPipeline, Pipeline, PipelineConfig, PipelineState};
use crate::recipe::{Builder, Recipe};
use crate::residuals::{Residuals, smearing_of_mean};
use crate::smearing::Smearing;
use crate::split::Fold;
use crate::task::{Task, Thresholds};
use crate::tasks::{Borders, OutlookOrigin, borders_of};
use crate::walk_forward::Forecasts;

/// A recipe that can be fitted, bound to the features of its markets.
#[derive(Debug)]
pub struct Forecaster {
    /// Name in tables.
    pub name: String,
    /// True for the baselines.
    pub baseline: bool,
    id: String,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Pipeline(Box<Pipeline>),
    Ensemble { mixing: Mixing, members: Vec<Forecaster> },
}

/// What a fit begins with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// An earlier fit of the same features, scaling and task (warm start); of pipelines only.
    pub warm: Option<&'a PipelineState>,
    /// A checkpoint of this very fit: the result is that of the uninterrupted one, bit for bit.
    pub resume: Option<&'a TrainState>,
}

/// How a fit went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSummary {
    /// Why it ended.
    pub stopped: Stop,
    /// Steps behind the weights kept.
    pub steps: usize,
    /// Losses by step.
    pub curve: Curve,
    /// Training origins.
    pub n_train: usize,
    /// Validation origins.
    pub n_valid: usize,
    /// Features dropped as constant.
    pub dropped: Vec<String>,
}

impl FitSummary {
    /// Of an ensemble: the fits of its members together.
    fn joined(all: Vec<Self>) -> Self {
        let stopped = all.iter().map(|s| s.stopped).find(|s| !s.is_finished()).unwrap_or(Stop::Converged);
        let mut dropped: Vec<String> = all.iter().flat_map(|s| s.dropped.clone()).collect();
        dropped.sort();
        dropped.dedup();
        Self {
            stopped,
            steps: all.iter().map(|s| s.steps).sum(),
            curve: Curve::default(),
            n_train: all.iter().map(|s| s.n_train).max().unwrap_or(0),
            n_valid: all.iter().map(|s| s.n_valid).max().unwrap_or(0),
            dropped,
        }
    }
}

impl Forecaster {
    /// A pipeline of `config`, whose learner is `learner`, over `data`, one panel a market with the features of the
    /// configuration.
    pub fn pipeline(
        name: &str,
        baseline: bool,
        config: PipelineConfig,
        learner: Box<dyn Learner>,
        data: Dataset,
    ) -> Self {
        let id = identity(name, &Recipe::Pipeline(config.clone()));
        Self { name: name.into(), baseline, id, parts: Parts::Pipeline(Box::new(Pipeline::new(config, learner, data))) }
    }

    /// An ensemble of `members`, at least two, of one task and over the same markets. Members of a mean of logarithms
    /// are pipelines.
    pub fn ensemble(name: &str, combine: Combine, members: Vec<Self>) -> Result<Self, String> {
        let recipes: Vec<Recipe> = members.iter().map(Self::recipe).collect();
        let mixing = Mixing::new(combine.clone(), &recipes)?;
        if members.windows(2).any(|pair| pair[0].task() != pair[1].task()) {
            return Err("its members forecast different things: give all of them one task and horizon".into());
        }
        let id = identity(name, &Recipe::Ensemble(EnsembleConfig { combine, members: recipes }));
        Ok(Self { name: name.into(), baseline: false, id, parts: Parts::Ensemble { mixing, members } })
    }

    /// What tells it from every other: its name and a hash of its recipe. Two trials of one model never share it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The recipe.
    pub fn recipe(&self) -> Recipe {
        match &self.parts {
            Parts::Pipeline(pipeline) => Recipe::Pipeline(pipeline.config.clone()),
            Parts::Ensemble { mixing, members } => Recipe::Ensemble(EnsembleConfig {
                combine: mixing.combine.clone(),
                members: members.iter().map(Self::recipe).collect(),
            }),
        }
    }

    /// What it forecasts.
    pub fn task(&self) -> Task {
        self.first().config.task
    }

    /// Share of outcomes that intervals are to cover.
    pub fn level(&self) -> f64 {
        self.first().config.level
    }

    /// The pipeline, if it is one.
    pub fn as_pipeline(&self) -> Option<&Pipeline> {
        match &self.parts {
            Parts::Pipeline(pipeline) => Some(pipeline),
            Parts::Ensemble { .. } => None,
        }
    }

    /// The members of an ensemble; none of a pipeline.
    pub fn members(&self) -> &[Self] {
        match &self.parts {
            Parts::Pipeline(_) => &[],
            Parts::Ensemble { members, .. } => members,
        }
    }

    /// How an ensemble combines its members; `None` of a pipeline.
    pub(crate) fn mixing(&self) -> Option<&Mixing> {
        match &self.parts {
            Parts::Pipeline(_) => None,
            Parts::Ensemble { mixing, .. } => Some(mixing),
        }
    }

    /// True for an ensemble that is a mean of logarithms.
    pub(crate) fn is_mean_of_logarithms(&self) -> bool {
        self.mixing().is_some_and(|mixing| mixing.combine.is_of_logarithms())
    }

    /// The members of every mean of logarithms in it, by whose residuals the factor of that mean is found.
    pub(crate) fn with_residuals(&self) -> Vec<&Self> {
        if self.is_mean_of_logarithms() {
            return self.members().iter().collect();
        }
        self.members().iter().flat_map(Self::with_residuals).collect()
    }

    /// Residuals of `model`, a fit of this pipeline to volatilities, on the window of `fold`, by market.
    pub(crate) fn residuals(&self, model: &FittedForecaster, fold: &Fold) -> Vec<Residuals> {
        self.first().data.panels().iter().map(|panel| Residuals::of(model, panel, fold)).collect()
    }

    /// The factor of a mean of logarithms by the residuals of its members, `[member][market]`; of others 1.
    pub(crate) fn smearing(&self, residuals: &[&[Residuals]]) -> Result<Smearing, FitError> {
        match self.mixing() {
            Some(mixing) if mixing.combine.is_of_logarithms() => smearing_of_mean(&mixing.given, residuals),
            Some(_) | None => Ok(Smearing::NONE),
        }
    }

    /// Every pipeline that it is made of, in order.
    pub fn leaves(&self) -> Vec<&Self> {
        match &self.parts {
            Parts::Pipeline(_) => vec![self],
            Parts::Ensemble { members, .. } => members.iter().flat_map(Self::leaves).collect(),
        }
    }

    /// The market of panel `panel`.
    pub fn market(&self, panel: usize) -> &std::sync::Arc<Market> {
        self.first().data.panels()[panel].market()
    }

    /// Markets that it learns from.
    pub fn n_markets(&self) -> usize {
        self.first().data.panels().len()
    }

    /// Markets that it forecasts: the first of those that it learns from.
    pub fn n_forecast(&self) -> usize {
        self.first().n_forecast
    }

    /// Forecasts the first `n` markets only (at least 1); the others are learnt from.
    #[must_use]
    pub fn forecasting_first(mut self, n: usize) -> Self {
        self.forecast_first(n);
        self
    }

    fn forecast_first(&mut self, n: usize) {
        match &mut self.parts {
            Parts::Pipeline(pipeline) => pipeline.n_forecast = n.clamp(1, pipeline.data.panels().len()),
            Parts::Ensemble { members, .. } => members.iter_mut().for_each(|member| member.forecast_first(n)),
        }
    }

    /// `fold` with the longest window that a part of it takes.
    pub fn reaching(&self, fold: &Fold) -> Fold {
        match &self.parts {
            Parts::Pipeline(pipeline) => pipeline.reaching(fold),
            Parts::Ensemble { members, .. } => {
                let of = |member: &Self| member.reaching(fold);
                members.iter().map(of).min_by_key(|fold| fold.learn_from).unwrap_or_else(|| fold.clone())
            }
        }
    }

    /// True if both learn from the same markets.
    pub(crate) fn has_same_markets(&self, other: &Self) -> bool {
        let same = |panel| std::sync::Arc::ptr_eq(self.market(panel), other.market(panel));
        self.n_markets() == other.n_markets() && (0..self.n_markets()).all(same)
    }

    /// True if a fit of one is a fit of the other.
    pub(crate) fn is_same_fit(&self, other: &Self) -> bool {
        self.id() == other.id() && self.has_same_markets(other)
    }

    fn first(&self) -> &Pipeline {
        match &self.parts {
            Parts::Pipeline(pipeline) => pipeline,
            Parts::Ensemble { members, .. } => members[0].first(),
        }
    }

    /// Fits on the window of `fold`. Scaler and thresholds see the training part only; the factor of a mean of
    /// logarithms is found on the window of the fold. What an ensemble learns from out-of-fold forecasts of its members a
    /// walk-forward brings ([`ForecasterState::with_learnt`]).
    pub fn fit(
        &self,
        fold: &Fold,
        seed: Seed,
        threads: usize,
        start: Start<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<(FittedForecaster, FitSummary), FitError> {
        match &self.parts {
            Parts::Pipeline(pipeline) => {
                let (fitted, summary) = pipeline.fit(fold, seed, threads, start, observer)?;
                Ok((FittedForecaster::Pipeline(fitted), summary))
            }
            Parts::Ensemble { mixing, members } => {
                let (mut fitted, mut summaries) = (Vec::new(), Vec::new());
                for (k, member) in members.iter().enumerate() {
                    let seed = seed.derive("member", k as u64);
                    // A checkpoint is of one fit; the members of an ensemble are checkpointed in the forward chain.
                    let (model, summary) = member.fit(fold, seed, threads, Start::default(), observer)?;
                    let ended = !summary.stopped.is_finished();
                    fitted.push(model);
                    summaries.push(summary);
                    if ended {
                        break;
                    }
                }
                let summary = FitSummary::joined(summaries);
                let smearing =
                    if summary.stopped.is_finished() { self.smearing_of(&fitted, fold)? } else { Smearing::NONE };
                let ensemble = FittedEnsemble { mixing: mixing.clone(), smearing, learnt: None, members: fitted };
                Ok((FittedForecaster::Ensemble(ensemble), summary))
            }
        }
    }

    /// The factor of a mean of logarithms of `fitted`, the fits of its members to `fold`; of other ensembles 1.
    fn smearing_of(&self, fitted: &[FittedForecaster], fold: &Fold) -> Result<Smearing, FitError> {
        if !self.is_mean_of_logarithms() {
            return Ok(Smearing::NONE);
        }
        let residuals: Vec<Vec<Residuals>> =
            self.members().iter().zip(fitted).map(|(member, model)| member.residuals(model, fold)).collect();
        self.smearing(&residuals.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}

fn identity(name: &str, recipe: &Recipe) -> String {
    let text = serde_json::to_string(recipe).unwrap_or_default();
    format!("{name}-{:016x}", Seed(0).derive(&text, 0).0)
}

/// A fitted recipe.
#[allow(clippy::large_enum_variant, reason = "there are few of them, and nearly all are pipelines")]
#[derive(Debug)]
pub enum FittedForecaster {
    /// Features, scaling and a fitted learner.
    Pipeline(FittedPipeline),
    /// Fitted members, whose forecasts are combined.
    Ensemble(FittedEnsemble),
}

impl FittedForecaster {
    /// The recipe that was fitted.
    pub fn recipe(&self) -> Recipe {
        match self {
            Self::Pipeline(pipeline) => Recipe::Pipeline(pipeline.config.clone()),
            Self::Ensemble(ensemble) => Recipe::Ensemble(EnsembleConfig {
                combine: ensemble.mixing.combine.clone(),
                members: ensemble.members.iter().map(Self::recipe).collect(),
            }),
        }
    }

    /// What it forecasts.
    pub fn task(&self) -> Task {
        match self {
            Self::Pipeline(pipeline) => pipeline.config.task,
            Self::Ensemble(ensemble) => ensemble.task(),
        }
    }

    /// Share of outcomes that intervals are to cover.
    pub fn level(&self) -> f64 {
        self.first().config.level
    }

    /// Longest gap that is filled, in candles.
    pub fn max_fill(&self) -> usize {
        self.first().config.max_fill
    }

    /// Rows in the longest input window.
    pub fn lookback(&self) -> usize {
        match self {
            Self::Pipeline(pipeline) => pipeline.lookback(),
            Self::Ensemble(ensemble) => ensemble.members.iter().map(Self::lookback).max().unwrap_or(1),
        }
    }

    /// Every feature that it reads, in order, each once.
    pub fn features(&self) -> FeatureSet {
        self.recipe().features()
    }

    /// The pipeline, if it is one.
    pub fn as_pipeline(&self) -> Option<&FittedPipeline> {
        match self {
            Self::Pipeline(pipeline) => Some(pipeline),
            Self::Ensemble(_) => None,
        }
    }

    /// The members of an ensemble with the weights that they were given, before anything was learnt of them; none of a
    /// pipeline.
    pub fn members(&self) -> Vec<(&Self, f64)> {
        match self {
            Self::Pipeline(_) => vec![],
            Self::Ensemble(ensemble) => ensemble.members.iter().zip(ensemble.mixing.given.iter().copied()).collect(),
        }
    }

    /// How an ensemble combines its members and what it has learnt of them; `None` of a pipeline.
    pub fn as_ensemble(&self) -> Option<&FittedEnsemble> {
        match self {
            Self::Pipeline(_) => None,
            Self::Ensemble(ensemble) => Some(ensemble),
        }
    }

    /// True for an ensemble that knows how sure its members are.
    pub(crate) fn has_raw_confidences(&self) -> bool {
        let has_direction = !matches!(self.task(), Task::Volatility { .. });
        has_direction && self.as_ensemble().is_some_and(|ensemble| ensemble.learnt.is_some())
    }

    fn first(&self) -> &FittedPipeline {
        match self {
            Self::Pipeline(pipeline) => pipeline,
            Self::Ensemble(ensemble) => ensemble.members[0].first(),
        }
    }

    /// Class thresholds (direction task); those of the first member of an ensemble, all having one training part.
    pub fn thresholds(&self) -> Option<Thresholds> {
        self.first().thresholds()
    }

    /// Forecasts from `rows` of `panel` (ascending origins), which has at least the features of the recipe, unscaled.
    pub fn predict(&self, panel: &Panel, rows: &[usize]) -> Forecasts {
        match self {
            Self::Pipeline(pipeline) => pipeline.predict(panel, rows),
            Self::Ensemble(ensemble) => ensemble.predict(panel, rows),
        }
    }

    /// What the members of an ensemble say beside each other from the origin `row` of `panel`; `None` of a pipeline.
    pub fn opinion(&self, panel: &Panel, row: usize) -> Option<Opinion> {
        self.as_ensemble().map(|ensemble| ensemble.opinion(panel, row))
    }

    /// Borders of the classes at the origin `row` (direction task).
    pub fn borders(&self, market: &Market, row: usize) -> Option<Borders> {
        let thresholds = self.thresholds()?;
        Some(borders_of(thresholds, market, row, self.task().horizon()))
    }

    /// True when a forecast can start at `row` of `panel`, which has the features of the recipe.
    pub fn is_origin(&self, panel: &Panel, row: usize) -> bool {
        panel.is_origin(row, self.lookback())
    }

    /// Brings `state`, learnt before row `from`, up to the close of `row`: forecasts every origin in between and learns
    /// from the outcomes known by then. A claim is learnt from if all candles up to its outcome are real candles of the
    /// origin's segment: what was learnt up to a missing candle stays learnt, as it does where candles come one by one
    /// ([`crate::LivePipeline`]). A pure function of the model and the candles.
    pub fn replay(&self, panel: &Panel, state: CalibrationState, from: usize, row: usize) -> Calibrator {
        let (task, market) = (self.task(), panel.market());
        let mut calibrator = Calibrator::new(task, state);
        let origins: Vec<usize> = (from..row).filter(|&r| self.is_origin(panel, r)).collect();
        let forecasts = self.predict(panel, &origins);
        for (i, &origin) in origins.iter().enumerate() {
            calibrator.advance(origin, market.log_close());
            let steps = learnable_steps(market, origin, task.horizon(), row);
            calibrator.issue_scoring(market.origin(origin), forecasts.row(i), steps);
        }
        calibrator.advance(row, market.log_close());
        calibrator
    }

    /// The forecast from `row` with intervals and confidence by `calibrator`, which has been brought up to it.
    /// [`Calibrator::quantiles`] and [`Calibrator::intervals`] then tell more of its distribution.
    pub fn forecast(&self, panel: &Panel, row: usize, calibrator: &mut Calibrator) -> Forecast {
        let series = panel.market().series();
        let forecasts = self.predict(panel, &[row]);
        let forecast = forecasts.row(0);
        let issued = calibrator.issue(panel.market().origin(row), forecast, false);
        let task = self.task();
        let origin = OutlookOrigin {
            time: series.close_time(row),
            step_ms: series.key().interval.ms(),
            price: series.columns().close[row],
            horizon: task.horizon(),
        };
        Forecast {
            key: series.key().clone(),
            origin: origin.time,
            origin_price: origin.price,
            level: calibrator.state().level(),
            outlook: task.kind().outlook(origin, forecast.means, &issued, forecast.borders),
            quantiles: None,
        }
    }

    /// As data.
    pub fn state(&self) -> ForecasterState {
        match self {
            Self::Pipeline(pipeline) => ForecasterState::Pipeline(Box::new(pipeline.state())),
            Self::Ensemble(ensemble) => ensemble.state(),
        }
    }

    /// From data; `builder` builds the learners that the recipes name.
    pub fn restore(state: ForecasterState, builder: &dyn Builder) -> Result<Self, RestoreError> {
        let bad = |reason: String| RestoreError::Fact { name: "recipe".into(), reason };
        match state {
            ForecasterState::Pipeline(state) => {
                let learner = builder.learner(&state.config.model, &state.config.params).map_err(bad)?;
                Ok(Self::Pipeline(FittedPipeline::restore(*state, learner.as_ref())?))
            }
            ForecasterState::Ensemble { combine, smearing, learnt, members } => {
                let members =
                    members.into_iter().map(|member| Self::restore(member, builder)).collect::<Result<Vec<_>, _>>()?;
                Ok(Self::Ensemble(FittedEnsemble::restored(combine, smearing, learnt, members).map_err(bad)?))
            }
        }
    }
}

/// Leading steps of a forecast from `origin` whose targets are real candles of its segment. Targets beyond `row` are not
/// known yet, are never read and count as real.
pub(crate) fn learnable_steps(market: &Market, origin: usize, horizon: usize, row: usize) -> usize {
    let series = market.series();
    let segment_end = series.segment_of(origin).end;
    let missing = |target: usize| target <= row && (target >= segment_end || series.filled()[target]);
    (origin + 1..=origin + horizon).position(missing).unwrap_or(horizon)
}

/// A fitted recipe as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ForecasterState {
    /// Of a pipeline.
    Pipeline(Box<PipelineState>),
    /// Of an ensemble.
    Ensemble {
        /// How forecasts are combined.
        combine: Combine,
        /// The factor of a mean of logarithms; none of others.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        smearing: Option<Smearing>,
        /// What it has learnt from out-of-fold forecasts of its members; nothing in files from before there was such a thing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        learnt: Option<Learnt>,
        /// The fitted members.
        members: Vec<ForecasterState>,
    },
}

impl ForecasterState {
    /// The recipe.
    pub fn recipe(&self) -> Recipe {
        match self {
            Self::Pipeline(state) => Recipe::Pipeline(state.config.clone()),
            Self::Ensemble { combine, members, .. } => Recipe::Ensemble(EnsembleConfig {
                combine: combine.clone(),
                members: members.iter().map(Self::recipe).collect(),
            }),
        }
    }

    /// The same with what an ensemble has learnt from out-of-fold forecasts of its members; a pipeline as it is.
    #[must_use]
    pub fn with_learnt(self, learnt: Option<Learnt>) -> Self {
        match self {
            Self::Pipeline(_) => self,
            Self::Ensemble { combine, smearing, members, .. } => Self::Ensemble { combine, smearing, learnt, members },
        }
    }
}
