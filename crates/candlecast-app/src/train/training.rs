//! [`Training`]: everything of a training that is computed.

use std::path::Path;
use std::sync::Arc;

use candlecast_core::catalog::Entry;
use candlecast_core::{Seed, TimeRange, Timestamp};
use candlecast_learn::walk_forward::{self, Hooks, WalkForwardError};
use candlecast_learn::{
    Checkpointed, Contender, FitObserver, FitSummary, FittedPipeline, Fold, Learner, Market, Plan, Progress, Report,
    Start, Stop, TrainState, evaluate, recall_fit,
};
use candlecast_registry::{Meta, Slot};
use serde_json::json;

use super::SavedModel;
use super::warm::WarmStart;
use crate::champion::Serving;
use crate::contender::Stable;
use crate::evaluation::{n_folds, plan_config};
use crate::fingerprint::{Fingerprints, run_fingerprint};
use crate::jobs::{TrainJob, span};
use crate::records::RunFacts;
use crate::{AppError, RunHooks, Stage, Watch};

/// What the checkpoint of the fit that is saved is called.
const FINAL_FIT: &str = "final";

/// The model that serves.
pub(super) type Served = (Meta, SavedModel);

/// A training about to begin: a forward chain that says how far the model can be trusted, then the fit that is saved.
pub(super) struct Training {
    entry: &'static Entry<dyn Learner>,
    slot: Slot,
    stable: Stable,
    pub(super) contenders: Vec<Contender>,
    naive: usize,
    model: usize,
    plan: Plan,
    fold: Fold,
    serving: Option<Served>,
    warm_from: Option<WarmStart>,
    fingerprints: Fingerprints,
    seed: Seed,
    threads: usize,
}

/// What a training brought.
pub(super) struct Fitted {
    pub(super) slot: Slot,
    pub(super) saved: SavedModel,
    pub(super) report: Report,
    /// Index of the model in the report.
    pub(super) model: usize,
    pub(super) fit: FitSummary,
    /// Features with the versions of their definitions.
    pub(super) features: Vec<(String, u32)>,
    pub(super) data_range: TimeRange,
    pub(super) data_fingerprint: String,
    pub(super) n_candles: usize,
    pub(super) seconds: f64,
    /// Why it is not to serve, if there is a reason.
    pub(super) candidate_because: Option<String>,
}

impl Training {
    /// Prepares the training that `request` asks for. `warm_from` is what the saved fit begins with.
    pub(super) fn new(
        entry: &'static Entry<dyn Learner>,
        slot: Slot,
        market: &Arc<Market>,
        request: &TrainJob,
        serving: Option<Served>,
        warm_from: Option<WarmStart>,
        threads: usize,
    ) -> Result<Self, AppError> {
        let config = plan_config(&request.common);
        let plan = config.training(market, request.range)?;
        let fold = config.final_fold(market, request.range)?;
        let mut stable = Stable::new(Arc::clone(market));
        let (contenders, naive) = stable.with_baselines(std::slice::from_ref(&request.model), &request.common)?;
        let model = contenders.iter().position(|c| c.name == entry.id).unwrap_or(naive);
        let how = format!("{:?} {:?}", request.range, warm_from.as_ref().map(|warm| warm.version));
        Ok(Self {
            entry,
            slot,
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

    /// What goes on record of it.
    pub(super) fn facts(&self, request: &TrainJob) -> RunFacts {
        let how = json!({ "range": span::value(request.range), "warmStart": request.warm_start });
        let market = self.stable.market();
        RunFacts::new("train", market, &self.contenders, how, &self.fingerprints, Some(self.data_range()))
    }

    /// Candles that the saved fit learns from: the first one's open to the last one's close.
    fn data_range(&self) -> TimeRange {
        let series = self.stable.market().series();
        let from = Timestamp(series.columns().open_time[self.fold.window_start]);
        TimeRange { from, to: series.close_time(self.fold.fit_row - 1) }
    }

    /// Walks forward, then fits what is saved, going on from what an interrupted run left in `checkpoints`.
    pub(super) fn run(
        mut self,
        mut hooks: RunHooks,
        checkpoints: &Path,
        watch: &dyn Watch,
    ) -> Result<(Fitted, RunHooks), AppError> {
        let started = hooks.seconds();
        hooks.resume(checkpoints, &run_fingerprint(&self.fingerprints.run, "train"));
        let [chain, last] = self.stages();
        watch.stage(&chain);
        let (tables, left_out) = walk_forward::run(&self.contenders, &self.plan, self.seed, &hooks)?;
        let report = evaluate(&self.contenders, tables, &self.plan, self.naive, left_out);
        watch.stage(&last);
        let (pipeline, fit) = self.final_fit(&hooks, watch)?;
        let saved = SavedModel {
            pipeline: pipeline.state(),
            calibration: report.models[self.model].calibration.clone(),
            trained_to: self.data_range().to,
        };
        let (entry, scores) = (self.entry, &report.models[self.model]);
        let candidate_because = self
            .serving
            .take()
            .and_then(|(meta, model)| Serving { meta, model, entry }.keeps_serving(&mut self.stable, scores, &saved));
        let fitted = Fitted {
            features: self.feature_versions()?,
            data_range: self.data_range(),
            data_fingerprint: self.fingerprints.data.clone(),
            n_candles: self.fold.fit_row - self.fold.window_start,
            seconds: hooks.seconds() - started,
            slot: self.slot,
            saved,
            report,
            model: self.model,
            fit,
            candidate_because,
        };
        Ok((fitted, hooks))
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

    fn final_fit(&self, hooks: &RunHooks, watch: &dyn Watch) -> Result<(FittedPipeline, FitSummary), AppError> {
        let id = self.entry.id;
        let resume = recall_fit(hooks, FINAL_FIT);
        let start = Start { warm: self.warm_from.as_ref().map(|warm| &warm.weights), resume: resume.as_ref() };
        let mut observer = Checkpointed::new(hooks, FINAL_FIT, Epochs { watch, name: id });
        let seed = self.seed.derive(id, u64::MAX);
        let contender = &self.contenders[self.model];
        let (pipeline, fit) = contender.fit_from(&self.fold, seed, self.threads, start, &mut observer)?;
        if fit.stopped == Stop::Cancelled {
            return Err(WalkForwardError::Cancelled.into());
        }
        Ok((pipeline, fit))
    }

    fn feature_versions(&self) -> Result<Vec<(String, u32)>, AppError> {
        let features = &self.contenders[self.model].config.features;
        if features.ids().is_empty() {
            return Ok(vec![]);
        }
        Ok(candlecast_features::Engine::new(features)?.versions())
    }
}

/// Reports the epochs of the saved fit.
struct Epochs<'a> {
    watch: &'a dyn Watch,
    name: &'static str,
}

impl FitObserver for Epochs<'_> {
    fn on_step(&mut self, p: &Progress, _: &dyn Fn() -> TrainState) -> std::ops::ControlFlow<Stop> {
        let loss = p.valid_loss.or(p.train_loss).map_or_else(String::new, |l| format!(", loss {l:.5}"));
        self.watch.progress(&format!("{} final fit{loss}", self.name), p.step as u64, p.of as u64);
        std::ops::ControlFlow::Continue(())
    }
}
