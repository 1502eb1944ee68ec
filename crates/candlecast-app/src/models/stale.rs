//! Models older than their time to live: they go on serving, and are trained again with the configuration they have.

use candlecast_core::{ModelRequest, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_host::{Host, blocking, models_folder};
use candlecast_jobs::QueuedTrainings;
use candlecast_learn::TrainWindow;
use candlecast_meta::NewJob;
use candlecast_pipeline::{PipelineOptions, options_of};
use candlecast_registry::{ModelManifest, Slot};

use crate::models::configuration::{asked_test_share, recipe_and_params};
use crate::pool::pool_of;

/// A serving model that is older than its time to live, with what a training of the same configuration, its horizon
/// included, takes: [`train`](crate::train()) with `series`, `pool`, `request`, `common` and `range`.
#[derive(Debug, Clone)]
pub struct StaleModel {
    /// The version that serves.
    pub model_id: String,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The series that it learnt from and was saved for, its own among them.
    pub series: Vec<SeriesKey>,
    /// The series that it learnt from beside them. Where there are any, [`queue_retraining`] puts those in their place that
    /// are stored by then.
    pub pool: Vec<SeriesKey>,
    /// The model and its parameters.
    pub request: ModelRequest,
    /// Horizon, window and the rest.
    pub common: PipelineOptions,
    /// Candles to learn from: all, or, with an expanding window, those from where the saved one began.
    pub range: TimeRange,
}

/// The serving models of all slots that are older than their time to live at `now`, and of which no version was trained
/// within it. Models that cannot be read, or that this program does not know, are left out: `models list` and `doctor` name
/// them.
pub async fn stale_models(host: &Host, now: Timestamp) -> Result<Vec<StaleModel>, Problem> {
    blocking(host, move |host| stale_at(host, now)).await
}

fn stale_at(host: &Host, now: Timestamp) -> Result<Vec<StaleModel>, Problem> {
    let mut stale = Vec::new();
    for slot in host.registry.serving_slots()? {
        let Some(manifest) = serving_manifest(host, &slot)? else { continue };
        if !is_stale(host, &manifest, now) || was_tried(host, &slot, &manifest, now)? {
            continue;
        }
        // One training makes the models of all series that were learnt from.
        let model = StaleModel::of(&slot, &manifest);
        stale.extend(model.filter(|model| !stale.iter().any(|other: &StaleModel| other.is_same_training(model))));
    }
    Ok(stale)
}

/// Queues a training for every stale model, if `auto_retrain` is on; `job` makes it. What learnt from a pool does so
/// again, from what is stored by now. A model that cannot be queued is a problem of its own, the others are queued all
/// the same. Each model is queued at most once in a time to live, whether the training succeeds, fails or yields only a
/// candidate: otherwise a model that cannot be beaten would be trained without end. A training that yielded a candidate is
/// known by it ([`stale_models`]), also after its job was forgotten; one that failed is queued again then. Where several
/// folders of models share the queue, a model is trained again beside its own.
pub async fn queue_retraining(
    host: &Host,
    auto_retrain: bool,
    job: impl Fn(&StaleModel) -> Result<NewJob, Problem> + Send + Sync,
) -> Result<QueuedTrainings, Problem> {
    let mut outcome = QueuedTrainings::default();
    if !auto_retrain {
        return Ok(outcome);
    }
    let now = host.now();
    for stale in stale_models(host, now).await? {
        let model_id = stale.model_id.clone();
        let queued = match with_pool_of_now(host, stale).await {
            Ok(stale) => queue_stale(host, &stale, job(&stale), now).await,
            Err(e) => Err(e),
        };
        match queued {
            Ok(id) => outcome.jobs.extend(id),
            Err(e) => outcome.problems.push(e.context(format!("training {model_id} again"))),
        }
    }
    Ok(outcome)
}

/// `stale` with the pool that it would have if it was asked for now, if it had one.
async fn with_pool_of_now(host: &Host, stale: StaleModel) -> Result<StaleModel, Problem> {
    let pool = if stale.pool.is_empty() { vec![] } else { pool_of(host, &stale.series).await? };
    Ok(StaleModel { pool, ..stale })
}

/// Queues `job` for `stale`; its id if it is new.
async fn queue_stale(
    host: &Host,
    stale: &StaleModel,
    job: Result<NewJob, Problem>,
    now: Timestamp,
) -> Result<Option<String>, Problem> {
    let id = stale.job_id(now, host.settings.model_ttl_s);
    let (dedupe_key, folder) = (Some(format!("retrain:{}", stale.model_id)), models_folder(host).await?);
    let folder = (!folder.is_empty()).then_some(folder);
    let job = NewJob { dedupe_key, folder, id, ..job? };
    let enqueued = host.metadata().await?.enqueue(&job, now).await?;
    Ok(enqueued.is_new.then_some(enqueued.job.id))
}

/// True when the model of `manifest` is older than its time to live at `now`.
pub fn is_stale(host: &Host, manifest: &ModelManifest, now: Timestamp) -> bool {
    (now.ms() - manifest.trained_at.ms()) / 1000 > host.settings.model_ttl_s
}

/// True where a version of `slot` that is newer than the serving one was trained within the time to live: it was not
/// better, and the next one is not to be tried before the time is over again.
fn was_tried(host: &Host, slot: &Slot, serving: &ModelManifest, now: Timestamp) -> Result<bool, Problem> {
    let listed = host.registry.list_slot(slot)?;
    let others = listed.iter().filter_map(|entry| entry.manifest.as_ref());
    Ok(others.filter(|other| other.trained_at > serving.trained_at).any(|other| !is_stale(host, other, now)))
}

/// The manifest of the active version, if it can be read.
fn serving_manifest(host: &Host, slot: &Slot) -> Result<Option<ModelManifest>, Problem> {
    let Some(version) = host.registry.active(slot)? else { return Ok(None) };
    Ok(host.registry.manifest(&slot.family, version).ok())
}

impl StaleModel {
    fn of(slot: &Slot, manifest: &ModelManifest) -> Option<Self> {
        let (recipe, params) = recipe_and_params(manifest)?;
        let common = PipelineOptions { test_share: asked_test_share(manifest), ..options_of(&recipe)? };
        let from = match common.window {
            TrainWindow::Expanding => manifest.data_range.from,
            TrainWindow::Rolling { .. } | TrainWindow::Own => TimeRange::ALL.from,
        };
        Some(Self {
            model_id: manifest.id.clone(),
            trained_at: manifest.trained_at,
            series: learnt_from(slot, manifest),
            pool: manifest.pool.iter().filter_map(|text| text.parse().ok()).collect(),
            request: ModelRequest { id: slot.family.model().into(), params },
            common,
            range: TimeRange { from, ..TimeRange::ALL },
        })
    }

    /// True where one training makes both models.
    fn is_same_training(&self, other: &Self) -> bool {
        (&self.series, &self.pool, &self.request, &self.common)
            == (&other.series, &other.pool, &other.request, &other.common)
    }

    /// One id a model and time to live, so that queueing twice queues once. Versions count through all horizons of a
    /// family, so the models of two horizons have two ids.
    fn job_id(&self, now: Timestamp, ttl_s: i64) -> String {
        let period = now.ms().div_euclid(ttl_s.max(1).saturating_mul(1000));
        format!("retrain-{}-{period}", self.model_id)
    }
}

/// The series that a model learnt from and was saved for; its own alone where the manifest does not say.
fn learnt_from(slot: &Slot, manifest: &ModelManifest) -> Vec<SeriesKey> {
    let own = slot.family.key();
    let read: Option<Vec<SeriesKey>> = manifest.trained_on.iter().map(|text| text.parse().ok()).collect();
    read.filter(|series| series.contains(own)).unwrap_or_else(|| vec![own.clone()])
}
