//! `train`: a forward chain that says how far the model can be trusted, then the fit that is saved.

mod warm;

use std::sync::Arc;

use candlecast_config::Settings;
use candlecast_core::catalog::Entry;
use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_host::{Host, PROGRAM, program_identity};
use candlecast_jobs::{Attempt, JobKind, Subject, steps};
use candlecast_learn::{FitSummary, Learner, Report};
use candlecast_monitor::identity;
use candlecast_pipeline::{
    Fitted, LoadedModel, PipelineOptions, SavedModel, SavedScores, Serving, Training, TrainingRequest, catalog,
    check_memory, instruction_set, run_fingerprint,
};
use candlecast_registry::{Activate, FeatureVersion, Loaded, Meta, NewModel, Slot, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::defaults::with_model_defaults;
use crate::doc;
use crate::doc::TrainDoc;
use crate::kinds::check_model;
use crate::models::model_path;
use crate::records::{RunRecord, recorder};
use crate::train::warm::warm_start;

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

/// Trains `request` on the candles of `key` within `range`, saves it, and puts on record what was tried. With
/// `warm_start` the fit that is saved begins with the weights of the serving version; the forward chain does not,
/// since that version has seen what the chain is scored on. An interrupted training is gone on with.
pub async fn train(
    host: &Host,
    key: &SeriesKey,
    request: ModelRequest,
    common: PipelineOptions,
    range: TimeRange,
    warm_start: bool,
    watch: Arc<dyn ProgressSink>,
) -> Result<Trained, Problem> {
    let request = TrainJob { series: key.clone(), model: request, common, range, warm_start, seed: host.seed };
    let request = request.with_defaults(&host.settings);
    train_on_record(host, &request, watch, Attempt::alone(host.now())).await
}

/// [`train`] as one attempt of a job.
pub(crate) async fn train_on_record(
    host: &Host,
    request: &TrainJob,
    watch: Arc<dyn ProgressSink>,
    attempt: Attempt,
) -> Result<Trained, Problem> {
    request.common.check()?;
    let entry = trainable(&request.model)?;
    let recorder = recorder(host, attempt).await?;
    let slot = Slot::new(request.series.clone(), entry.id, "price")?;
    let active = host.registry.active(&slot).ok().flatten();
    let served = host.registry.load::<SavedModel>(&slot, None).ok();
    let takes_over = active.map_or(Activate::IfNothingServes, Activate::InPlaceOf);
    let begin = || warm_start(host, recorder.attempt(), served.as_ref(), &request.model, entry.id);
    let warm = request.warm_start.then(begin).transpose()?;
    let (_seed, started_at) = (request.seed, host.now());
    let market = host.market(&request.series, request.common.max_fill).await?;
    let (threads, max_memory, asked) = (host.threads(), host.settings.max_memory, request.clone());
    let (training, record) = host
        .compute(move || {
            // What cannot be restored does not serve, so there is nothing to be no worse than.
            let serving = served.and_then(serving_model);
            let (warm_version, warm_weights) = warm.map(|w| (w.version.to_string(), w.weights)).unzip();
            let (range, warm_start) = (asked.range, asked.warm_start);
            let TrainJob { model, common, seed, .. } = asked;
            let request = TrainingRequest { model, common, range, warm_version, seed };
            let training = Training::new(entry, &market, &request, serving, warm_weights, threads)?;
            check_memory(&training.contenders, threads, max_memory)?;
            let record = RunRecord::of_training(&training, range, warm_start);
            Ok((training, record.begun(seed, started_at)))
        })
        .await?;
    let mut hooks = host.hooks(Arc::clone(&watch));
    let checkpoints = host.checkpoints_dir();
    let fitted = host
        .compute(move || {
            hooks.resume(&checkpoints, &run_fingerprint(&training.fingerprints.run, "train", &program_identity()));
            Ok((training.run(&hooks, watch.as_ref())?, hooks))
        })
        .await;
    let saved = fitted.and_then(|(fitted, hooks)| {
        let trained = save(host, &request.series, &slot, fitted, takes_over, recorder.attempt())?;
        Ok((trained, hooks))
    });
    let (trained, hooks) = match saved {
        Ok(saved) => saved,
        Err(error) => {
            recorder.failed(&record, &error, host.now()).await;
            return Err(error);
        }
    };
    recorder.succeeded(&record, &trained.report, Some(&trained.meta), host.now()).await;
    recorder.indexed(host, &slot, &trained.meta).await;
    hooks.done();
    Ok(trained)
}

/// Saves a fitted model: it becomes active, as `takes_over` says, unless there is a reason against it.
fn save(
    host: &Host,
    key: &SeriesKey,
    slot: &Slot,
    fitted: Fitted,
    takes_over: Activate,
    attempt: &Attempt,
) -> Result<Trained, Problem> {
    let meta = if let Some(meta) = saved_before(host, slot, &fitted, attempt) {
        meta
    } else {
        let new = new_model(host, key, &fitted)?;
        let activate = if fitted.candidate_because.is_none() { takes_over } else { Activate::Never };
        host.registry.save(slot, new, &fitted.saved, activate, host.settings.keep_versions)?
    };
    let path = model_path(host, &slot.at(meta.version));
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
fn saved_before(host: &Host, slot: &Slot, fitted: &Fitted, attempt: &Attempt) -> Option<Meta> {
    if !attempt.is_repeated() {
        return None;
    }
    let newest = host.registry.list_slot(slot).ok()?.pop()?.name.version;
    let stored = host.registry.load::<SavedModel>(slot, Some(newest)).ok()?;
    let same = serde_json::to_vec(&stored.payload).ok()? == serde_json::to_vec(&fitted.saved).ok()?;
    same.then_some(stored.meta)
}

/// What goes with a fitted model.
fn new_model(host: &Host, key: &SeriesKey, fitted: &Fitted) -> Result<NewModel, Problem> {
    let config = &fitted.saved.pipeline.config;
    let scores = &fitted.report.models[fitted.model];
    let json = |e: serde_json::Error| Problem::data("save-failed", e.to_string());
    Ok(NewModel {
        name: Some(format!("{} {}", config.model, key.label())),
        trained_at: host.now(),
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
        seed: host.seed.0,
        program_version: PROGRAM.into(),
        instruction_set: instruction_set().into(),
        metrics: doc::scored_metrics_value(scores, fitted.report.origins),
        baseline_metrics: doc::baselines_value(&fitted.report),
        feature_histograms: serde_json::Value::Null,
    })
}

/// The model that serves, if it can be restored.
fn serving_model(loaded: Loaded<SavedModel>) -> Option<Serving> {
    let scores = saved_scores(&loaded.meta);
    let model = LoadedModel::restore(loaded.payload, &identity(&loaded.meta)).ok()?;
    Some(Serving { model, scores })
}

/// The scores in a model's manifest.
fn saved_scores(meta: &Meta) -> SavedScores {
    let time = |name: &str| meta.metrics.get(name).and_then(serde_json::Value::as_i64).map(Timestamp);
    let scored = time("scoredFrom").zip(time("scoredTo")).map(|(from, to)| TimeRange { from, to });
    SavedScores { mae: meta.metrics.get("mae").and_then(serde_json::Value::as_f64), scored }
}

/// The learner that `request` names, if it learns anything.
pub(crate) fn trainable(request: &ModelRequest) -> Result<&'static Entry<dyn Learner>, Problem> {
    let entry = catalog::find(&request.id)?;
    if catalog::is_baseline(entry.id) {
        return Err(Problem::usage(
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

/// A training that is to be saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainJob {
    /// Series.
    pub series: SeriesKey,
    /// Model and parameters.
    pub model: ModelRequest,
    /// Horizon, window and the like.
    pub common: PipelineOptions,
    /// Candles that may be learnt from.
    #[serde(with = "candlecast_core::open_range")]
    pub range: TimeRange,
    /// True to begin the saved fit with the weights of the version that serves.
    #[serde(default)]
    pub warm_start: bool,
    /// Root of all randomness.
    pub seed: Seed,
}

impl JobKind for TrainJob {
    const KIND: &'static str = "train";
    const TRAINS: bool = true;
    type Output = Trained;

    fn subject(&self) -> Subject {
        Subject {
            series: vec![self.series.clone()],
            models: vec![self.model.id.clone()],
            detail: steps(self.common.horizon),
            range: self.range,
        }
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn with_defaults(self, settings: &Settings) -> Self {
        let model = with_model_defaults(&settings, self.model);
        Self { model, ..self }
    }

    fn check(&self) -> Result<(), Problem> {
        self.common.check()?;
        trainable(&self.model)?;
        check_model(&self.model)
    }

    async fn run(&self, app: &Host, watch: Arc<dyn ProgressSink>, attempt: Attempt) -> Result<Trained, Problem> {
        train_on_record(&app, self, watch, attempt).await
    }

    fn document(&self, output: &Trained) -> Result<Value, Problem> {
        serde_json::to_value(TrainDoc::from(output)).map_err(|e| Problem::data("no-document", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{FeatureSet, Interval, Symbol, Timestamp, Venue};
    use candlecast_learn::{ScalerKind, TrainWindow};
    use serde_json::json;

    use super::*;

    fn request() -> TrainJob {
        TrainJob {
            series: SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            model: ModelRequest { id: "gbdt".into(), params: json!({ "rounds": 20, "learningRate": 0.1 }) },
            common: PipelineOptions {
                level: 0.95,
                window: TrainWindow::Expanding,
                features: Some(FeatureSet::of(&["rsi_14"])),
                scaler: Some(ScalerKind::Robust),
                ..PipelineOptions::new(24)
            },
            range: TimeRange { from: Timestamp::year_start(2023), ..TimeRange::ALL },
            warm_start: true,
            seed: Seed(u64::MAX),
        }
    }

    #[test]
    fn a_request_comes_back_from_its_payload_as_it_was() {
        let payload = serde_json::to_value(request()).unwrap();
        let text = payload.to_string();
        assert_eq!(serde_json::from_str::<TrainJob>(&text).unwrap(), request());
        assert_eq!(payload["common"]["minCandles"], 1_000);
        assert_eq!(payload["range"], json!({ "from": "2023-01-01T00:00:00Z" }));
        assert_eq!(request().subject().to_string(), "BTCUSDT 1h gbdt, 24 steps, from 2023-01-01T00:00:00Z on");
    }

    #[test]
    fn unknown_fields_are_refused_at_every_depth() {
        for pointer in ["", "/model", "/common", "/range"] {
            let mut payload = serde_json::to_value(request()).unwrap();
            payload.pointer_mut(pointer).unwrap()["surprise"] = json!(1);
            let error = serde_json::from_value::<TrainJob>(payload).unwrap_err();
            assert!(error.to_string().contains("surprise"), "{pointer}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_as_written_is_refused_before_there_is_a_job() {
        let with = |id: &str, params: Value| TrainJob { model: ModelRequest { id: id.into(), params }, ..request() };
        assert_eq!(request().check(), Ok(()));
        let code = |request: &TrainJob| request.check().unwrap_err().code;
        assert_eq!(code(&with("naive", Value::Null)), "baseline");
        assert_eq!(code(&with("gdbt", Value::Null)), "unknown-model");
        assert_eq!(code(&with("gbdt", json!({ "rounds": -1 }))), "bad-parameter");
        assert_eq!(
            code(&TrainJob { common: PipelineOptions { level: 2.0, ..PipelineOptions::new(24) }, ..request() }),
            "bad-level"
        );
    }
}
