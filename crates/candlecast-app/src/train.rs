//! `train`: a forward chain that says how far the model can be trusted, then the fit that is saved.

mod save;
mod warm;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_config::Settings;
use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, SeriesKey, TimeRange};
use candlecast_files::Note;
use candlecast_host::{Checkpoints, Host, blocking, models_folder};
use candlecast_jobs::{Attempt, JobKind, Subject, steps};
use candlecast_learn::{FitSummary, Labels, Market, Report, Task};
use candlecast_monitor::{family, identity, load_serving};
use candlecast_pipeline::{
    Fitted, LoadedModel, PipelineOptions, SavedModel, Serving, Training, TrainingRequest, WarmStart, catalog,
    check_confidence_threshold, run_fingerprint,
};
use candlecast_registry::{Activate, Loaded, ModelManifest, Slot};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::defaults::with_model_defaults;
use crate::doc::TrainDoc;
use crate::memory::{Fits, reserve};
use crate::pool::{markets_of, with_pool};
use crate::records::{RunRecord, RunRecorder, clear, recorder};
use crate::text;
use crate::train::save::{Saving, save};
use crate::train::warm::warm_start;

/// A finished training.
#[derive(Debug)]
pub struct Trained {
    /// The saved model of each series, in the order of the request.
    pub models: Vec<TrainedModel>,
    /// How the saved fit went.
    pub fit: FitSummary,
    /// Folder of models that holds them, where hosts with folders of their own share the records.
    pub folder: Option<String>,
}

/// The saved model of one series.
#[derive(Debug)]
pub struct TrainedModel {
    /// As saved.
    pub manifest: ModelManifest,
    /// The forward chain's scores in this series, the baselines beside the model.
    pub report: Report,
    /// Why it did not become active, if it did not.
    pub candidate_because: Option<String>,
    /// Why it became active, if it did.
    pub active_because: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
}

impl TrainedModel {
    /// The series it was saved for.
    pub fn series(&self) -> SeriesKey {
        self.manifest.key()
    }
}

/// Trains `request` on the candles of its series within its range, saves the model for each of them, and puts on record
/// what was tried. With `warm_start` the fit that is saved begins with the weights of the serving version; the forward
/// chain does not, since that version has seen what the chain is scored on. An interrupted training is gone on with.
pub async fn train(host: &Host, request: TrainJob, watch: Arc<dyn ProgressSink>) -> Result<Trained, Problem> {
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
    request.check()?;
    train_recorded(host, request, watch, &recorder(host, attempt).await?).await
}

/// [`train`], put on record by `recorder`.
pub(crate) async fn train_recorded(
    host: &Host,
    request: &TrainJob,
    watch: Arc<dyn ProgressSink>,
    recorder: &RunRecorder,
) -> Result<Trained, Problem> {
    // The notes are kept to the end, so that nobody takes away what the attempts at this job have to agree on.
    let (Served { slots, takes_over, served }, warm, _notes) = begin(host, request, recorder.attempt()).await?;
    let (seed, started_at, threads) = (request.seed, host.now(), host.threads());
    let TrainJob { series, pool, model, common, .. } = request;
    let fits = Fits { series, pool, models: std::slice::from_ref(model), common, at_once: threads };
    let memory = reserve(host, fits, watch.as_ref()).await?;
    let markets = markets_of(host, series, common.max_fill).await?;
    let pool = markets_of(host, pool, common.max_fill).await?;
    let (held, asked) = (memory.clone(), request.clone());
    let (training, record) = host
        .compute_long(watch.as_ref(), move || {
            let _held = held;
            let training = prepared(markets, pool, &asked, served, warm, threads)?;
            let record = RunRecord::of_training(&training, asked.range, asked.warm_start);
            Ok((training, record.begun(seed, started_at)))
        })
        .await?;
    let tries = recorder.earlier_tries(&record, training.scored()).await;
    let earlier = recorder.earlier_days(&record, training.scored()).await;
    let training = training.after_tries(&tries).beside_earlier(earlier);
    let mut hooks = host.hooks(Arc::clone(&watch));
    let (checkpoints, held, told) = (host.checkpoints_dir(), memory.clone(), Arc::clone(&watch));
    let fitted = host
        .compute_long(watch.as_ref(), move || {
            let _held = held;
            hooks.resume(&checkpoints, &run_fingerprint(&training.fingerprints.run, "train"));
            Ok((training.run(&hooks, told.as_ref())?, hooks))
        })
        .await;
    let fitted = match fitted {
        Ok(fitted) => recorder.attempt().check_held().await.map(|()| fitted),
        Err(error) => Err(error),
    };
    let saved = match fitted {
        Ok((fitted, hooks)) => {
            let saved = save_fitted(host, request, recorder, &record, &slots, &takes_over, fitted).await;
            saved.map(|(trained, note)| (trained, note, hooks))
        }
        Err(error) => Err(error),
    };
    let (trained, note, hooks) = match saved {
        Ok(saved) => saved,
        Err(error) => {
            recorder.failed(&record, &error, host.now()).await;
            return Err(error);
        }
    };
    let reports: Vec<&Report> = trained.models.iter().map(|model| &model.report).collect();
    let manifests: Vec<&ModelManifest> = trained.models.iter().map(|model| &model.manifest).collect();
    recorder.succeeded(host, &record, &reports, &manifests, note).await;
    for (slot, manifest) in slots.iter().zip(manifests) {
        recorder.indexed(host, &slot.family, manifest).await;
    }
    clear(host, hooks).await;
    let folder = models_folder(host).await.ok().filter(|folder| !folder.is_empty());
    Ok(Trained { folder, ..trained })
}

/// What serves when a training begins, where a warm fit begins, and the job's notes of that.
async fn begin(
    host: &Host,
    request: &TrainJob,
    attempt: &Attempt,
) -> Result<(Served, Option<WarmStart>, Option<Checkpoints>), Problem> {
    let (request, attempt) = (request.clone(), attempt.clone());
    blocking(host, move |host| {
        let served = Served::of(host, &request, &attempt.actor())?;
        let notes = attempt.job_id().map(|id| Checkpoints::of_job(&host.checkpoints_dir(), id));
        let begin = || warm_start(notes.as_ref(), served.served[0].as_ref(), &served.slots[0]);
        let warm = request.warm_start.then(begin).transpose()?;
        Ok((served, warm, notes))
    })
    .await
}

/// Saves what was fitted, once what was tried is on record. Where the record cannot be reached the note is returned by
/// which it will be: no model serves without it.
async fn save_fitted(
    host: &Host,
    request: &TrainJob,
    recorder: &RunRecorder,
    record: &RunRecord,
    slots: &[Slot],
    takes_over: &[Activate],
    fitted: Fitted,
) -> Result<(Trained, Option<Note>), Problem> {
    let reports: Vec<&Report> = fitted.markets.iter().map(|market| &market.report).collect();
    let (tries, note) = recorder.tried(host, record, &reports).await?;
    // The ledger may have taken a while.
    recorder.attempt().check_held().await?;
    let (request, attempt) = (request.clone(), recorder.attempt().clone());
    let (slots, takes_over) = (slots.to_vec(), takes_over.to_vec());
    let saved = blocking(host, move |host| {
        let (request, attempt, slots) = (&request, &attempt, slots.as_slice());
        save(&Saving { host, request, attempt, slots, takes_over: &takes_over, tries: &tries }, fitted)
    });
    Ok((saved.await?, note))
}

fn prepared(
    markets: Vec<Arc<Market>>,
    pool: Vec<Arc<Market>>,
    request: &TrainJob,
    served: Vec<Option<Loaded<SavedModel>>>,
    warm: Option<WarmStart>,
    threads: usize,
) -> Result<Training, Problem> {
    // What cannot be restored does not serve, so there is nothing to be no worse than.
    let serving = served.into_iter().map(|loaded| loaded.and_then(serving_model)).collect();
    let TrainJob { model, common, range, seed, confidence_threshold, .. } = request.clone();
    let request = TrainingRequest { model, common, range, seed };
    let training = Training::pooled(markets, pool, &request, serving, warm, threads)?;
    Ok(training.with_confidence_threshold(confidence_threshold))
}

/// What serves when a training begins, by series. What serves at another horizon is neither compared with nor replaced.
struct Served {
    slots: Vec<Slot>,
    takes_over: Vec<Activate>,
    served: Vec<Option<Loaded<SavedModel>>>,
}

impl Served {
    fn of(host: &Host, request: &TrainJob, by: &str) -> Result<Self, Problem> {
        let TrainJob { model, common, .. } = request;
        let slot = |key| Ok(family(key, &model.id, &common.task)?.slot(common.horizon));
        let slots = request.series.iter().map(slot).collect::<Result<Vec<Slot>, Problem>>()?;
        let active = |slot| host.registry.active(slot).ok().flatten();
        Ok(Self {
            takes_over: slots
                .iter()
                .map(|slot| active(slot).map_or(Activate::IfNothingServes, Activate::InPlaceOf))
                .collect(),
            served: slots.iter().map(|slot| load_serving(host, slot, by).ok()).collect(),
            slots,
        })
    }
}

/// The model that serves, if it can be restored.
fn serving_model(loaded: Loaded<SavedModel>) -> Option<Serving> {
    let pooled = !loaded.manifest.pool.is_empty();
    LoadedModel::restore(loaded.payload, &identity(&loaded.manifest)).ok().map(|model| Serving { model, pooled })
}

/// A training that is to be saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainJob {
    /// Series that one model learns from and is saved for; of one interval.
    #[serde(deserialize_with = "one_or_several")]
    pub series: Vec<SeriesKey>,
    /// Other series of that interval that it learns from too; nothing is scored or saved for them. None in jobs of
    /// programs that knew of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<SeriesKey>,
    /// Model and parameters.
    pub model: ModelRequest,
    /// Task, horizon, window and the like.
    pub common: PipelineOptions,
    /// Candles that may be learnt from.
    #[serde(with = "candlecast_core::open_range")]
    pub range: TimeRange,
    /// True to begin the saved fit with the weights of the version that serves.
    #[serde(default)]
    pub warm_start: bool,
    /// Confidence, 0.5 to 0.99, of which the report tells how many forecasts reach it and how often they are right; by
    /// default that of the surest tenth. Nothing else depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_threshold: Option<f64>,
    /// Root of all randomness.
    pub seed: Seed,
}

impl TrainJob {
    /// One model on all candles of `series` and no others, begun from nothing.
    pub fn new(series: Vec<SeriesKey>, model: ModelRequest, common: PipelineOptions, seed: Seed) -> Self {
        Self {
            series,
            pool: vec![],
            model,
            common,
            range: TimeRange::ALL,
            warm_start: false,
            confidence_threshold: None,
            seed,
        }
    }
}

/// Payloads of format 1 have one series, not a list.
fn one_or_several<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<SeriesKey>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Series {
        One(SeriesKey),
        Several(Vec<SeriesKey>),
    }
    Ok(match Series::deserialize(reader)? {
        Series::One(key) => vec![key],
        Series::Several(keys) => keys,
    })
}

impl JobKind for TrainJob {
    const KIND: &'static str = "train";
    const TRAINS: bool = true;
    type Output = Trained;

    fn subject(&self) -> Subject {
        let (task, horizon) = (&self.common.task, steps(self.common.horizon));
        let what = if task == "price" { horizon } else { format!("{task}, {horizon}") };
        Subject {
            series: self.series.clone(),
            models: vec![self.model.id.clone()],
            detail: with_pool(what, &self.pool),
            range: self.range,
        }
    }

    fn series(&self) -> Vec<SeriesKey> {
        self.series.iter().chain(&self.pool).cloned().collect()
    }

    fn is_about_models(&self) -> bool {
        self.warm_start
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn with_defaults(self, settings: &Settings) -> Self {
        let model = with_model_defaults(settings, self.model);
        Self { model, ..self }
    }

    fn check(&self) -> Result<(), Problem> {
        self.common.check()?;
        check_series(&self.series, &self.pool)?;
        trainable(&self.model)?;
        catalog::check(&self.model.id, &self.model.params)?;
        let task = self.common.task()?;
        catalog::check_task(&self.model.id, &self.model.params, &task)?;
        check_confidence_threshold(self.confidence_threshold, &task)?;
        check_labels(&self.common, self.series.len())
    }

    async fn run(&self, host: &Host, watch: Arc<dyn ProgressSink>, attempt: Attempt) -> Result<Trained, Problem> {
        train_on_record(host, self, watch, attempt).await
    }

    fn document(&self, output: &Trained) -> Result<Value, Problem> {
        serde_json::to_value(TrainDoc::from(output)).map_err(|e| Problem::data("no-document", e.to_string()))
    }

    fn text(&self, output: &Trained) -> String {
        text::trained(&TrainDoc::from(output))
    }
}

/// Adaptive thresholds are those of what is learnt from: a model of several series and the baselines of one would be
/// asked for different classes.
fn check_labels(common: &PipelineOptions, n_series: usize) -> Result<(), Problem> {
    if n_series > 1 && matches!(common.task()?, Task::Direction { labels: Labels::Adaptive { .. }, .. }) {
        return Err(Problem::usage(
            "bad-labels",
            "labels",
            "one model of several series needs classes that mean the same in all of them: take fixed labels, for example --labels fixed:0.01",
        ));
    }
    Ok(())
}

fn check_series(series: &[SeriesKey], pool: &[SeriesKey]) -> Result<(), Problem> {
    let wrong = |why: String| Err(Problem::usage("bad-series", "symbols", why));
    let Some(first) = series.first() else {
        return wrong("no series to train on: name a symbol or more".into());
    };
    if let Some(other) = series.iter().chain(pool).find(|key| key.interval != first.interval) {
        return wrong(format!("{first} and {other} have candles of different lengths: choose one with --interval"));
    }
    let distinct: BTreeSet<&SeriesKey> = series.iter().chain(pool).collect();
    if distinct.len() < series.len() + pool.len() {
        return wrong("a series is named twice: name each once".into());
    }
    Ok(())
}

/// Refuses a model that learns nothing.
fn trainable(request: &ModelRequest) -> Result<(), Problem> {
    let id = catalog::canonical(&request.id)?;
    if catalog::is_baseline(id) {
        return Err(Problem::usage(
            "baseline",
            "model",
            format!(
                "{id} is a naive forecast, which needs no training: every `candlecast compare` shows it beside the models"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candlecast_core::{FeatureSet, Interval, Symbol, Timestamp, Venue};
    use candlecast_learn::{ScalerKind, TrainWindow};
    use serde_json::json;

    use super::*;

    fn request() -> TrainJob {
        TrainJob {
            series: vec![SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)],
            pool: vec![],
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
            confidence_threshold: None,
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
        assert!(payload.get("confidenceThreshold").is_none(), "it was not asked for");
        let strict = TrainJob { confidence_threshold: Some(0.6), ..request() };
        let payload = serde_json::to_value(&strict).unwrap();
        assert_eq!(serde_json::from_value::<TrainJob>(payload).unwrap(), strict);
        assert_eq!(request().subject().to_string(), "BTCUSDT 1h gbdt, 24 steps, from 2023-01-01T00:00:00Z on");
    }

    #[test]
    fn a_pool_is_a_field_only_where_there_is_one_and_holds_no_series_twice() {
        assert!(serde_json::to_value(request()).unwrap().get("pool").is_none());
        let key = |symbol: &str, interval| SeriesKey::new(Venue::binance(), Symbol::new(symbol).unwrap(), interval);
        let with = |pool: Vec<SeriesKey>| TrainJob { pool, ..request() };
        let (eth, bnb) = (key("ETHUSDT", Interval::H1), key("BNBUSDT", Interval::H1));
        let pooled = with(vec![eth.clone(), bnb.clone()]);
        let payload = serde_json::to_value(&pooled).unwrap();
        assert_eq!(payload["pool"], json!([eth, bnb]));
        assert_eq!(serde_json::from_value::<TrainJob>(payload).unwrap(), pooled);
        assert!(pooled.subject().to_string().contains("24 steps, pool of 2, from 2023"), "{}", pooled.subject());
        assert_eq!(pooled.check(), Ok(()));
        let code = |pool: Vec<SeriesKey>| with(pool).check().unwrap_err().code;
        assert_eq!(code(vec![eth.clone(), eth]), "bad-series");
        assert_eq!(code(request().series), "bad-series", "a series is no pool of itself");
        assert_eq!(code(vec![key("ETHUSDT", Interval::M1)]), "bad-series");
        // Classes are those of the series, whatever else is learnt from.
        let direction = PipelineOptions { task: "direction".into(), ..PipelineOptions::new(24) };
        assert_eq!(TrainJob { common: direction, ..with(vec![bnb]) }.check(), Ok(()));
    }

    #[test]
    fn payloads_with_one_series_and_without_a_task_are_read() {
        let mut payload = serde_json::to_value(request()).unwrap();
        payload["series"] = payload["series"][0].clone();
        for added in ["task", "labels", "validShare"] {
            payload["common"].as_object_mut().unwrap().remove(added);
        }
        assert_eq!(serde_json::from_value::<TrainJob>(payload).unwrap(), request());
    }

    #[test]
    fn series_are_of_one_length_and_named_once() {
        let key = |symbol: &str, interval| SeriesKey::new(Venue::binance(), Symbol::new(symbol).unwrap(), interval);
        let code = |series: Vec<SeriesKey>| TrainJob { series, ..request() }.check().map_err(|e| e.code);
        let (btc, eth) = (key("BTCUSDT", Interval::H1), key("ETHUSDT", Interval::H1));
        assert_eq!(code(vec![btc.clone(), eth.clone()]), Ok(()));
        let direction = PipelineOptions { task: "direction".into(), ..PipelineOptions::new(24) };
        let of_classes =
            |series| TrainJob { series, common: direction.clone(), ..request() }.check().map_err(|e| e.code);
        assert_eq!(of_classes(vec![btc.clone()]), Ok(()));
        assert_eq!(of_classes(vec![btc.clone(), eth.clone()]), Err("bad-labels"));
        assert_eq!(code(vec![]), Err("bad-series"));
        assert_eq!(code(vec![btc.clone(), btc.clone()]), Err("bad-series"));
        assert_eq!(code(vec![btc, key("ETHUSDT", Interval::M1)]), Err("bad-series"));
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
        let direction = PipelineOptions { task: "direction".into(), ..PipelineOptions::new(24) };
        let hybrid = TrainJob { common: direction.clone(), ..with("hybrid", json!({})) };
        assert_eq!(code(&hybrid), "unsupported-task");
        let members = TrainJob { common: direction, ..with("ensemble", json!({ "members": "gbdt,hybrid" })) };
        assert_eq!(code(&members), "unsupported-task");
        // Parameters that are of volatilities only.
        assert_eq!(code(&with("gbdt", json!({ "inputs": "har-x" }))), "unsupported-task");
        let mean =
            json!({ "members": ["har-x", { "id": "gbdt", "params": { "inputs": "har-x" } }], "mean": "logarithmic" });
        assert_eq!(code(&with("ensemble", mean.clone())), "unsupported-task");
        let of_prices = with("ensemble", json!({ "members": "gbdt,linear", "mean": "logarithmic" }));
        assert_eq!(of_prices.check().unwrap_err().field.as_deref(), Some("mean"));
        let common = PipelineOptions { task: "volatility".into(), ..PipelineOptions::new(24) };
        let of_variances = TrainJob { common, warm_start: false, ..with("ensemble", mean) };
        assert_eq!(of_variances.check(), Ok(()));
        assert_eq!(code(&TrainJob { confidence_threshold: Some(1.0), ..request() }), "bad-confidence-threshold");
        assert_eq!(
            code(&TrainJob { common: PipelineOptions { level: 2.0, ..PipelineOptions::new(24) }, ..request() }),
            "bad-level"
        );
    }
}
