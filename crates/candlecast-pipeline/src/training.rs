//! [`Training`]: everything of a training that is computed.

use std::sync::Arc;

use candlecast_core::catalog::Entry;
use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, Stage, TimeRange, Timestamp};
use candlecast_learn::walk_forward::{Hooks, WalkForwardError};
use candlecast_learn::{
    Checkpointed, Contender, FitObserver, FitSummary, FittedPipeline, Fold, Learner, Market, ModelState, Plan,
    Progress, Report, Start, Stop, TrainState, evaluate, recall_fit, walk_forward,
};

use crate::evaluation::{n_folds, plan_config};
use crate::fingerprint::Fingerprints;
use crate::frames::{FeatureFrames, PipelineOptions};
use crate::promotion_gate::Serving;
use crate::saved_model::SavedModel;

/// What the checkpoint of the fit that is saved is called.
const FINAL_FIT: &str = "final";

/// What a training is asked for.
#[derive(Debug, Clone)]
pub struct TrainingRequest {
    /// Model and parameters.
    pub model: ModelRequest,
    /// Horizon, window and the like.
    pub common: PipelineOptions,
    /// Candles that may be learnt from.
    pub range: TimeRange,
    /// Version whose weights the saved fit begins with, if any: part of what determines the result.
    pub warm_version: Option<String>,
    /// Root of all randomness.
    pub seed: Seed,
}

/// A training about to begin: a forward chain that says how far the model can be trusted, then the fit that is saved.
pub struct Training {
    entry: &'static Entry<dyn Learner>,
    stable: FeatureFrames,
    pub contenders: Vec<Contender>,
    naive: usize,
    model: usize,
    plan: Plan,
    fold: Fold,
    serving: Option<Serving>,
    warm_from: Option<ModelState>,
    /// What determines the result.
    pub fingerprints: Fingerprints,
    seed: Seed,
    threads: usize,
}

/// What a training brought.
pub struct Fitted {
    pub saved: SavedModel,
    pub report: Report,
    /// Index of the model in the report.
    pub model: usize,
    pub fit: FitSummary,
    /// Features with the versions of their definitions.
    pub features: Vec<(String, u32)>,
    pub data_range: TimeRange,
    pub data_fingerprint: String,
    pub n_candles: usize,
    pub seconds: f64,
    /// Why it is not to serve, if there is a reason.
    pub candidate_because: Option<String>,
}

impl Training {
    /// Prepares the training that `request` asks for. `warm_from` is what the saved fit begins with.
    pub fn new(
        entry: &'static Entry<dyn Learner>,
        market: &Arc<Market>,
        request: &TrainingRequest,
        serving: Option<Serving>,
        warm_from: Option<ModelState>,
        threads: usize,
    ) -> Result<Self, Problem> {
        let config = plan_config(&request.common);
        let plan = config.training(market, request.range)?;
        let fold = config.final_fold(market, request.range)?;
        let mut stable = FeatureFrames::new(Arc::clone(market));
        let (contenders, naive) = stable.with_baselines(std::slice::from_ref(&request.model), &request.common)?;
        let model = contenders.iter().position(|c| c.name == entry.id).unwrap_or(naive);
        let how = format!("{:?} {:?}", request.range, request.warm_version);
        Ok(Self {
            entry,
            fingerprints: Fingerprints::of(market, &contenders, &how, request.seed),
            stable,
            contenders,
            naive,
            model,
            plan,
            fold,
            serving,
            warm_from,
            seed: request.seed,
            threads,
        })
    }

    /// Candles that the saved fit learns from: the first one's open to the last one's close.
    pub fn data_range(&self) -> TimeRange {
        let series = self.stable.market().series();
        let from = Timestamp(series.columns().open_time[self.fold.window_start]);
        TimeRange { from, to: series.close_time(self.fold.fit_row - 1) }
    }

    /// The market.
    pub fn market(&self) -> &Arc<Market> {
        self.stable.market()
    }

    /// Walks forward, then fits what is saved.
    pub fn run(mut self, hooks: &dyn Hooks, watch: &dyn ProgressSink) -> Result<Fitted, Problem> {
        let started = hooks.seconds();
        let [chain, last] = self.stages();
        watch.stage(&chain);
        let (tables, left_out) = walk_forward::run(&self.contenders, &self.plan, self.seed, hooks)?;
        let report = evaluate(&self.contenders, tables, &self.plan, self.naive, left_out);
        watch.stage(&last);
        let (pipeline, fit) = self.final_fit(hooks, watch)?;
        let saved = SavedModel {
            pipeline: pipeline.state(),
            calibration: report.models[self.model].calibration.clone(),
            trained_to: self.data_range().to,
        };
        let scores = &report.models[self.model];
        let candidate_because =
            self.serving.take().and_then(|serving| serving.keeps_serving(&mut self.stable, scores, &saved));
        Ok(Fitted {
            features: self.feature_versions()?,
            data_range: self.data_range(),
            data_fingerprint: self.fingerprints.data.clone(),
            n_candles: self.fold.fit_row - self.fold.window_start,
            seconds: hooks.seconds() - started,
            saved,
            report,
            model: self.model,
            fit,
            candidate_because,
        })
    }

    /// The stages, weighed by their fits of the model: one a fold, then the one that is saved.
    fn stages(&self) -> [Stage; 2] {
        let folds = n_folds(&self.plan);
        let border = f64::from(folds) / f64::from(folds.saturating_add(1));
        [
            Stage { name: "forward chain", no: (1, 2), shares: (0.0, border), folds: Some(folds) },
            Stage { name: "final fit", no: (2, 2), shares: (border, 1.0), folds: None },
        ]
    }

    fn final_fit(&self, hooks: &dyn Hooks, watch: &dyn ProgressSink) -> Result<(FittedPipeline, FitSummary), Problem> {
        let id = self.entry.id;
        let resume = recall_fit(hooks, FINAL_FIT);
        let start = Start { warm: self.warm_from.as_ref(), resume: resume.as_ref() };
        let mut observer = Checkpointed::new(hooks, FINAL_FIT, Epochs { watch, name: id });
        let seed = self.seed.derive(id, u64::MAX);
        let contender = &self.contenders[self.model];
        let (pipeline, fit) = contender.fit_from(&self.fold, seed, self.threads, start, &mut observer)?;
        if fit.stopped == Stop::Cancelled {
            return Err(WalkForwardError::Cancelled.into());
        }
        Ok((pipeline, fit))
    }

    fn feature_versions(&self) -> Result<Vec<(String, u32)>, Problem> {
        let features = &self.contenders[self.model].config.features;
        if features.ids().is_empty() {
            return Ok(vec![]);
        }
        Ok(candlecast_features::Engine::new(features)?.versions())
    }
}

/// Reports the epochs of the saved fit.
struct Epochs<'a> {
    watch: &'a dyn ProgressSink,
    name: &'static str,
}

impl FitObserver for Epochs<'_> {
    fn on_step(&mut self, p: &Progress, _: &dyn Fn() -> TrainState) -> std::ops::ControlFlow<Stop> {
        let loss = p.valid_loss.or(p.train_loss).map_or_else(String::new, |l| format!(", loss {l:.5}"));
        self.watch.progress(&format!("{} final fit{loss}", self.name), p.step as u64, p.of as u64);
        std::ops::ControlFlow::Continue(())
    }
}
