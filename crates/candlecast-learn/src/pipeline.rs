//! [`PipelineConfig`] and [`FittedPipeline`]: features, scaling, learner and calibration as one thing that is
//! trained, compared, saved and served.

use candlecast_core::{FeatureSet, Forecast, ForecastStep, Seed, SeriesKey, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Curve;
use crate::conformal::{Calibrated, CalibrationState, Calibrator};
use crate::dataset::{Dataset, Market, Panel, SampleId, Samples};
use crate::learner::{
    FitContext, FitError, FitObserver, Fitted, Learner, ModelState, Prediction, RestoreError, Stop, TrainState,
};
use crate::scaler::{FittedScaler, ScalerKind};
use crate::split::{Fold, TrainWindow, split};
use crate::task::{Task, Thresholds};

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
}

/// A pipeline that can be fitted: its configuration, its learner, and the features of the data.
#[derive(Debug)]
pub struct Contender {
    /// Name in tables.
    pub name: String,
    /// True for the naive forecasts.
    pub baseline: bool,
    /// Configuration.
    pub config: PipelineConfig,
    /// The learner that `config.model` names.
    pub learner: Box<dyn Learner>,
    /// Features over the whole series, unscaled.
    pub panel: Panel,
}

/// A fitted pipeline.
#[derive(Debug)]
pub struct FittedPipeline {
    /// Configuration.
    pub config: PipelineConfig,
    lookback: usize,
    scaler: FittedScaler,
    thresholds: Option<Thresholds>,
    model: Box<dyn Fitted>,
}

/// What a fit begins with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start<'a> {
    /// Weights of an earlier model of the same shape (warm start).
    pub warm: Option<&'a ModelState>,
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

impl Contender {
    /// Fits on the window of `fold`. Scaler and thresholds see the training part only.
    pub fn fit(
        &self,
        fold: &Fold,
        seed: Seed,
        threads: usize,
        observer: &mut dyn FitObserver,
    ) -> Result<(FittedPipeline, FitSummary), FitError> {
        self.fit_from(fold, seed, threads, Start::default(), observer)
    }

    /// As [`Contender::fit`], but not from nothing.
    pub fn fit_from(
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
        let valid_share = if self.learner.uses_validation() { self.config.valid_share } else { 0.0 };
        let parts = split(fold, &self.panel, lookback, task.horizon(), valid_share);
        if parts.train.len() < self.learner.min_samples() {
            return Err(FitError::TooFewSamples { have: parts.train.len(), need: self.learner.min_samples() });
        }
        let raw = Dataset::single(self.panel.clone());
        let scaler = self.config.scaler.fit(&raw, &parts.train, lookback, self.config.clip);
        if scaler.keep.is_empty() && self.panel.width() > 0 {
            return Err(FitError::Degenerate(format!(
                "all {} features are constant over the training part: the market did not move; choose another range or symbol",
                self.panel.width()
            )));
        }
        let first = parts.train.first().map_or(0, |id| id.row as usize + 1 - lookback);
        let last = parts.valid.last().or(parts.train.last()).map_or(0, |id| id.row as usize + 1);
        let data = Dataset::single(scaler.apply_panel(&self.panel, first..last));
        let thresholds = Samples::new(&data, &parts.train, lookback, task, None).fit_thresholds();
        let train = Samples::new(&data, &parts.train, lookback, task, thresholds);
        let valid = Samples::new(&data, &parts.valid, lookback, task, thresholds);
        let mut cx = FitContext {
            seed,
            valid: (!valid.is_empty()).then_some(&valid),
            threads,
            warm: start.warm,
            resume: start.resume,
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
        let pipeline =
            FittedPipeline { config: self.config.clone(), lookback, scaler, thresholds, model: outcome.model };
        Ok((pipeline, summary))
    }
}

/// Origins predicted at once: bounds the memory of scaled copies.
const PREDICT_ROWS: usize = 4_096;

impl FittedPipeline {
    /// Predicts from `rows` of `panel` (ascending origins, features as in the configuration, unscaled). Means are
    /// `[row, width]`; scales, where the model gives none, are volatility at the origin times the root of the step, or
    /// 1 for log variances, whose errors have no unit.
    pub fn predict(&self, panel: &Panel, rows: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let width = self.config.task.width();
        let (mut means, mut scales) = (Vec::with_capacity(rows.len() * width), Vec::with_capacity(rows.len() * width));
        let mut out = Prediction::default();
        for part in rows.chunks(PREDICT_ROWS) {
            let (first, last) = (part[0] + 1 - self.lookback, part[part.len() - 1] + 1);
            let data = Dataset::single(self.scaler.apply_panel(panel, first..last));
            let ids: Vec<SampleId> = part.iter().map(|&row| SampleId { panel: 0, row: row as u32 }).collect();
            let samples = Samples::new(&data, &ids, self.lookback, self.config.task, self.thresholds);
            self.model.predict_into(&samples, &mut out);
            means.extend_from_slice(&out.mean);
            match &out.scale {
                Some(scale) => scales.extend_from_slice(scale),
                None if matches!(self.config.task, Task::Volatility { .. }) => scales.resize(means.len(), 1.0),
                None => {
                    for i in 0..samples.len() {
                        let sigma = samples.volatility(i).max(MIN_VOLATILITY);
                        scales.extend((1..=width).map(|h| sigma * (h as f64).sqrt()));
                    }
                }
            }
        }
        (means, scales)
    }

    /// Brings `state`, learnt before row `from`, up to the close of `row`: forecasts every origin in between and
    /// learns from the outcomes known by then. A step is learnt from if its target and all before it are real candles
    /// of the origin's segment: what was learnt up to a missing candle stays learnt, as it does where candles come one
    /// by one ([`crate::LivePipeline`]). A pure function of the model and the candles.
    pub fn replay(&self, panel: &Panel, state: CalibrationState, from: usize, row: usize) -> Calibrator {
        let mut calibrator = Calibrator::new(state);
        let market = panel.market();
        let horizon = self.config.task.horizon();
        let origins: Vec<usize> = (from..row).filter(|&r| panel.is_origin(r, self.lookback)).collect();
        let (means, scales) = self.predict(panel, &origins);
        for (i, &origin) in origins.iter().enumerate() {
            calibrator.advance(origin, market.log_close());
            let steps = i * horizon..(i + 1) * horizon;
            let scored = learnable_steps(market, origin, horizon, row);
            calibrator.issue_scoring(origin, &means[steps.clone()], &scales[steps], scored);
        }
        calibrator.advance(row, market.log_close());
        calibrator
    }

    /// The forecast from `row` with intervals and confidence by `calibrator`, which has been brought up to it.
    pub fn forecast(&self, panel: &Panel, row: usize, calibrator: &mut Calibrator) -> Forecast {
        let series = panel.market().series();
        let (means, scales) = self.predict(panel, &[row]);
        let issued = calibrator.issue(row, &means, &scales, false);
        let level = calibrator.state().level();
        in_prices(series.key(), series.close_time(row), series.columns().close[row], level, &means, &issued)
    }

    /// Rows in an input window.
    pub fn lookback(&self) -> usize {
        self.lookback
    }

    /// The fitted model.
    pub fn model(&self) -> &dyn Fitted {
        self.model.as_ref()
    }

    /// Ids of the features that reach the model, constant ones left out.
    pub fn kept_features(&self, panel: &Panel) -> Vec<String> {
        self.scaler.keep.iter().map(|&j| panel.names()[j].clone()).collect()
    }

    /// As data.
    pub fn state(&self) -> PipelineState {
        PipelineState {
            config: self.config.clone(),
            lookback: self.lookback,
            scaler: self.scaler.clone(),
            thresholds: self.thresholds,
            model: self.model.state(),
        }
    }

    /// From data; `learner` is what `state.config.model` and its parameters build.
    pub fn restore(state: PipelineState, learner: &dyn Learner) -> Result<Self, RestoreError> {
        let fact = |name: &str, reason: &str| RestoreError::Fact { name: name.into(), reason: reason.into() };
        let s = &state.scaler;
        if s.center.len() != s.keep.len() || s.scale.len() != s.keep.len() || s.scale.iter().any(|&x| x <= 0.0) {
            return Err(fact("scaler", "its lists disagree or a scale is not above 0"));
        }
        if state.lookback != learner.lookback() || state.lookback == 0 {
            return Err(fact("lookback", "it is not what the model's parameters give"));
        }
        let model = learner.restore(&state.model, &state.config.task)?;
        Ok(Self {
            config: state.config,
            lookback: state.lookback,
            scaler: state.scaler,
            thresholds: state.thresholds,
            model,
        })
    }
}

/// Leading steps of a forecast from `origin` whose targets are real candles of its segment. Targets beyond `row` are not
/// known yet, are never read and count as real.
fn learnable_steps(market: &Market, origin: usize, horizon: usize, row: usize) -> usize {
    let series = market.series();
    let segment_end = series.segment_of(origin).end;
    let missing = |target: usize| target <= row && (target >= segment_end || series.filled()[target]);
    (origin + 1..=origin + horizon).position(missing).unwrap_or(horizon)
}

/// Log returns from `origin` and what calibration issued for them, as prices.
pub(crate) fn in_prices(
    key: &SeriesKey,
    origin: Timestamp,
    origin_price: f64,
    level: f64,
    means: &[f64],
    issued: &[Calibrated],
) -> Forecast {
    let step_ms = key.interval.ms();
    let steps = issued
        .iter()
        .zip(means)
        .enumerate()
        .map(|(h, (c, &mean))| ForecastStep {
            step: h + 1,
            target_time: origin.plus_ms((h as i64 + 1) * step_ms),
            price: origin_price * mean.exp(),
            lower: origin_price * (mean - c.half_width).exp(),
            upper: origin_price * (mean + c.half_width).exp(),
            confidence: c.confidence,
            calibrated: c.calibrated,
        })
        .collect();
    Forecast { key: key.clone(), origin, origin_price, level, steps }
}

/// Floor of the volatility that scales intervals, for markets that stand still.
const MIN_VOLATILITY: f64 = 1e-8;

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
    /// The model's weights.
    pub model: ModelState,
}
