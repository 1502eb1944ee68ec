//! `train`: a forward chain that says how far the model can be trusted, then the fit that is saved.

mod training;
mod warm;

use std::sync::Arc;

use candlecast_core::catalog::Entry;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};
use candlecast_learn::{CalibrationState, FitSummary, Learner, PipelineState, Report};
use candlecast_registry::{Activate, FeatureVersion, Meta, NewModel, Slot, Status};
use serde::{Deserialize, Serialize};

use self::training::{Fitted, Training};
use crate::contender::{Common, ModelRequest, check_memory};
use crate::doc;
use crate::fingerprint::instruction_set;
use crate::jobs::{JobKind, TrainJob};
use crate::records::{Attempt, PROGRAM};
use crate::{App, AppError, Watch};

/// What a model file holds besides its frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedModel {
    /// The fitted pipeline.
    pub pipeline: PipelineState,
    /// What calibration had learnt from the forward chain, never from residuals of data the fit saw.
    pub calibration: CalibrationState,
    /// Close of the last candle the fit saw; outcomes after it are learnt from by replay.
    pub trained_to: Timestamp,
}

/// A finished training.
#[derive(Debug)]
pub struct Trained {
    /// As saved.
    pub meta: Meta,
    /// The forward chain's scores, the baselines beside the model.
    pub report: Report,
    /// How the saved fit went.
    pub fit: FitSummary,
    /// Why it did not become active, if it did not.
    pub candidate_because: Option<String>,
    /// Where it lies.
    pub path: std::path::PathBuf,
}

impl Trained {
    /// The series it was trained on.
    pub fn series(&self) -> SeriesKey {
        SeriesKey::new(self.meta.venue.clone(), self.meta.symbol.clone(), self.meta.interval)
    }
}

impl App {
    /// Trains `request` on the candles of `key` within `range`, saves it, and puts on record what was tried. With
    /// `warm_start` the fit that is saved begins with the weights of the serving version; the forward chain does not,
    /// since that version has seen what the chain is scored on. An interrupted training is gone on with.
    pub async fn train(
        &self,
        key: &SeriesKey,
        request: ModelRequest,
        common: Common,
        range: TimeRange,
        warm_start: bool,
        watch: Arc<dyn Watch>,
    ) -> Result<Trained, AppError> {
        let request = TrainJob { series: key.clone(), model: request, common, range, warm_start, seed: self.seed };
        let request = request.with_defaults(&self.settings);
        self.train_on_record(&request, watch, Attempt::alone(self.now())).await
    }

    /// [`train`](Self::train) as one attempt of a job.
    pub(crate) async fn train_on_record(
        &self,
        request: &TrainJob,
        watch: Arc<dyn Watch>,
        attempt: Attempt,
    ) -> Result<Trained, AppError> {
        request.common.check()?;
        let entry = trainable(&request.model)?;
        let recorder = self.recorder(attempt).await?;
        let slot = Slot::new(request.series.clone(), entry.id, "price")?;
        // What cannot be loaded does not serve, so there is nothing to be no worse than.
        let active = self.registry.active(&slot).ok().flatten();
        let serving = self.registry.load::<SavedModel>(&slot, None).ok().map(|l| (l.meta, l.payload));
        let takes_over = active.map_or(Activate::IfNothingServes, Activate::InPlaceOf);
        let warm_start = || self.warm_start(recorder.attempt(), serving.as_ref(), &request.model, entry.id);
        let warm_from = request.warm_start.then(warm_start).transpose()?;
        let (seed, started_at) = (request.seed, self.now());
        let market = self.market(&request.series, request.common.max_fill).await?;
        let (threads, max_memory) = (self.threads(), self.settings.max_memory);
        let (asked, of_slot) = (request.clone(), slot.clone());
        let (training, facts) = self
            .compute(move || {
                let training = Training::new(entry, of_slot, &market, &asked, serving, warm_from, threads)?;
                check_memory(&training.contenders, threads, max_memory)?;
                let facts = training.facts(&asked);
                Ok((training, facts.begun(seed, started_at)))
            })
            .await?;
        let (hooks, checkpoints) = (self.hooks(Arc::clone(&watch)), self.checkpoints_dir());
        let fitted = self.compute(move || training.run(hooks, &checkpoints, watch.as_ref())).await;
        let saved = fitted.and_then(|(fitted, hooks)| {
            let trained = self.save(&request.series, fitted, takes_over, recorder.attempt())?;
            Ok((trained, hooks))
        });
        let (trained, hooks) = match saved {
            Ok(saved) => saved,
            Err(error) => {
                recorder.failed(&facts, &error, self.now()).await;
                return Err(error);
            }
        };
        recorder.succeeded(&facts, &trained.report, Some(&trained.meta), self.now()).await;
        recorder.indexed(self, &slot, &trained.meta).await;
        hooks.done();
        Ok(trained)
    }

    /// Saves a fitted model: it becomes active, as `takes_over` says, unless there is a reason against it.
    fn save(
        &self,
        key: &SeriesKey,
        fitted: Fitted,
        takes_over: Activate,
        attempt: &Attempt,
    ) -> Result<Trained, AppError> {
        let meta = if let Some(meta) = self.saved_before(&fitted, attempt) {
            meta
        } else {
            let new = self.new_model(key, &fitted)?;
            let activate = if fitted.candidate_because.is_none() { takes_over } else { Activate::Never };
            self.registry.save(&fitted.slot, new, &fitted.saved, activate, self.settings.keep_versions)?
        };
        let path = self.model_path(&fitted.slot.at(meta.version));
        // Trainings of one slot may run side by side, and people promote.
        let overtaken = (meta.status == Status::Candidate).then(|| {
            "what serves has changed since this training began, so they were not compared: `candlecast models promote` decides"
                .to_owned()
        });
        let candidate_because = fitted.candidate_because.or(overtaken);
        Ok(Trained { meta, report: fitted.report, fit: fitted.fit, candidate_because, path })
    }

    /// The newest version, if this is a repeated attempt and the one before was stopped right after it had saved this
    /// very model.
    fn saved_before(&self, fitted: &Fitted, attempt: &Attempt) -> Option<Meta> {
        if !attempt.is_repeated() {
            return None;
        }
        let newest = self.registry.list_slot(&fitted.slot).ok()?.pop()?.name.version;
        let stored = self.registry.load::<SavedModel>(&fitted.slot, Some(newest)).ok()?;
        let same = serde_json::to_vec(&stored.payload).ok()? == serde_json::to_vec(&fitted.saved).ok()?;
        same.then_some(stored.meta)
    }

    /// What goes with a fitted model.
    fn new_model(&self, key: &SeriesKey, fitted: &Fitted) -> Result<NewModel, AppError> {
        let config = &fitted.saved.pipeline.config;
        let scores = &fitted.report.models[fitted.model];
        let json = |e: serde_json::Error| AppError::data("save-failed", e.to_string());
        Ok(NewModel {
            name: Some(format!("{} {}", config.model, crate::catalog::series_label(key))),
            trained_at: self.now(),
            accuracy: scores.metrics.directional_accuracy,
            training_duration_ms: (fitted.seconds * 1000.0) as u64,
            data_points: fitted.n_candles as u64,
            config: serde_json::to_value(config).map_err(json)?,
            horizon_steps: config.task.horizon(),
            features: fitted
                .features
                .iter()
                .map(|(id, version)| FeatureVersion { id: id.clone(), version: *version })
                .collect(),
            data_range: fitted.data_range.into(),
            data_fingerprint: fitted.data_fingerprint.clone(),
            seed: self.seed.0,
            program_version: PROGRAM.into(),
            instruction_set: instruction_set().into(),
            metrics: doc::scored_metrics_value(scores, fitted.report.origins),
            baseline_metrics: doc::baselines_value(&fitted.report),
            feature_histograms: serde_json::Value::Null,
        })
    }
}

/// The learner that `request` names, if it learns anything.
pub(crate) fn trainable(request: &ModelRequest) -> Result<&'static Entry<dyn Learner>, AppError> {
    let entry = crate::catalog::find(&request.id)?;
    if crate::catalog::is_baseline(entry.id) {
        return Err(AppError::usage(
            "baseline",
            "model",
            format!(
                "{} is a naive forecast, which needs no training: every `candlecast compare` shows it beside the models",
                entry.id
            ),
        ));
    }
    Ok(entry)
}
