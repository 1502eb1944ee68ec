//! `train`: a forward chain that says how far the model can be trusted, then the fit that is saved.

use std::sync::Arc;

use candlecast_core::{SeriesKey, TimeRange, Timestamp};
use candlecast_learn::{
    CalibrationState, Checkpointed, FitObserver, FitSummary, ModelState, PipelineState, Progress, Report, Start, Stop,
    TrainState, evaluate, recall_fit, walk_forward,
};
use candlecast_registry::{Activate, FeatureVersion, Meta, NewModel, Slot};
use serde::{Deserialize, Serialize};

use crate::champion::Serving;
use crate::contender::{Common, ModelRequest, Stable, check_memory};
use crate::doc;
use crate::evaluation::plan_config;
use crate::fingerprint::{data_fingerprint, fingerprint, instruction_set, run_fingerprint};
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

struct Fitted {
    slot: Slot,
    saved: SavedModel,
    report: Report,
    model: usize,
    fit: FitSummary,
    features: Vec<(String, u32)>,
    data_range: TimeRange,
    data_fingerprint: String,
    n_candles: usize,
    seconds: f64,
    candidate_because: Option<String>,
}

impl App {
    /// Trains `request` on the candles of `key` within `range` and saves it. With `warm_start` the fit that is saved
    /// begins with the weights of the serving version; the forward chain does not, since that version has seen what
    /// the chain is scored on. An interrupted training is gone on with.
    pub async fn train(
        &self,
        key: &SeriesKey,
        request: ModelRequest,
        common: Common,
        range: TimeRange,
        warm_start: bool,
        watch: Arc<dyn Watch>,
    ) -> Result<Trained, AppError> {
        common.check()?;
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
        let market = self.market(key, common.max_fill).await?;
        let mut hooks = self.hooks(Arc::clone(&watch));
        let checkpoints = self.checkpoints_dir();
        let (seed, threads, max_memory) = (self.seed, self.threads(), self.settings.max_memory);
        let slot = Slot::new(key.clone(), entry.id, "price")?;
        // What cannot be loaded does not serve, so there is nothing to be no worse than.
        let serving = self.registry.load::<SavedModel>(&slot, None).ok().map(|l| (l.meta, l.payload));
        let warm_from = warm_start.then(|| warm_weights(serving.as_ref(), &request, entry.id)).transpose()?;
        let work = {
            let market = Arc::clone(&market);
            move || {
                let plan = plan_config(&common).training(&market, range)?;
                let mut stable = Stable::new(Arc::clone(&market));
                let (contenders, naive) = stable.with_baselines(std::slice::from_ref(&request), &common)?;
                check_memory(&contenders, threads, max_memory)?;
                let id = entry.id;
                let model = contenders.iter().position(|c| c.name == id).unwrap_or(naive);
                let started = walk_forward::Hooks::seconds(&hooks);
                let how = format!("{range:?} {:?}", warm_from.as_ref().map(|(meta, _)| meta.version));
                let run = run_fingerprint(&fingerprint(&market, &contenders, &how, seed), "train");
                hooks.resume(&checkpoints, &run);
                let (tables, left_out) = walk_forward::run(&contenders, &plan, seed, &hooks)?;
                let report = evaluate(&contenders, tables, &plan, naive, left_out);
                let fold = plan_config(&common).final_fold(&market, range)?;
                let contender = &contenders[model];
                let resume = recall_fit(&hooks, FINAL_FIT);
                let start = Start { warm: warm_from.as_ref().map(|(_, model)| model), resume: resume.as_ref() };
                let epochs = Epochs { watch: watch.as_ref(), name: id };
                let mut observer = Checkpointed::new(&hooks, FINAL_FIT, epochs);
                let (pipeline, fit) =
                    contender.fit_from(&fold, seed.derive(id, u64::MAX), threads, start, &mut observer)?;
                if fit.stopped == Stop::Cancelled {
                    return Err(walk_forward::WalkForwardError::Cancelled.into());
                }
                hooks.done();
                let features = if contender.config.features.ids().is_empty() {
                    vec![]
                } else {
                    candlecast_features::Engine::new(&contender.config.features)?.versions()
                };
                let saved = SavedModel {
                    pipeline: pipeline.state(),
                    calibration: report.models[model].calibration.clone(),
                    trained_to: market.series().close_time(fold.fit_row - 1),
                };
                let series = market.series();
                let data_range =
                    TimeRange { from: Timestamp(series.columns().open_time[fold.window_start]), to: saved.trained_to };
                let candidate_because = serving.and_then(|(meta, served)| {
                    Serving { meta, model: served, entry }.keeps_serving(&mut stable, &report.models[model], &saved)
                });
                Ok(Fitted {
                    slot,
                    saved,
                    report,
                    model,
                    fit,
                    features,
                    data_range,
                    data_fingerprint: data_fingerprint(&market),
                    n_candles: fold.fit_row - fold.window_start,
                    seconds: walk_forward::Hooks::seconds(&hooks) - started,
                    candidate_because,
                })
            }
        };
        let fitted = self.compute(work).await?;
        self.save(key, fitted)
    }

    /// Saves a fitted model: it becomes active unless there is a reason against it.
    fn save(&self, key: &SeriesKey, fitted: Fitted) -> Result<Trained, AppError> {
        let config = &fitted.saved.pipeline.config;
        let scores = &fitted.report.models[fitted.model];
        let json = |e: serde_json::Error| AppError::data("save-failed", e.to_string());
        let new = NewModel {
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
            program_version: concat!("candlecast ", env!("CARGO_PKG_VERSION")).into(),
            instruction_set: instruction_set().into(),
            metrics: doc::scored_metrics_value(scores, fitted.report.origins),
            baseline_metrics: doc::baselines_value(&fitted.report),
            feature_histograms: serde_json::Value::Null,
        };
        let activate = if fitted.candidate_because.is_none() { Activate::Always } else { Activate::Never };
        let meta = self.registry.save(&fitted.slot, new, &fitted.saved, activate, self.settings.keep_versions)?;
        let path = self.model_path(&fitted.slot.at(meta.version));
        Ok(Trained { meta, report: fitted.report, fit: fitted.fit, candidate_because: fitted.candidate_because, path })
    }
}

/// Version and weights of the serving model, if a fit of `request` can begin with them.
fn warm_weights(
    serving: Option<&(Meta, SavedModel)>,
    request: &ModelRequest,
    id: &str,
) -> Result<(Meta, ModelState), AppError> {
    let refused = |why: String| AppError::usage("bad-warm-start", "warm-start", format!("warm start of {id}: {why}"));
    let Some((meta, saved)) = serving else {
        return Err(refused("no version serves yet: train once without --warm-start".into()));
    };
    if saved.pipeline.config.params != request.params {
        return Err(refused(format!(
            "version {} was trained with the parameters {}: give the same ones, or leave out --warm-start",
            meta.version, saved.pipeline.config.params
        )));
    }
    Ok((meta.clone(), saved.pipeline.model.clone()))
}

/// What the checkpoint of the fit that is saved is called.
const FINAL_FIT: &str = "final";

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
