//! Models older than their time to live: they go on serving, and are trained again with the configuration they have.

use candlecast_core::{ModelRequest, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::find;
use candlecast_host::Host;
use candlecast_jobs::QueuedTrainings;
use candlecast_learn::{PipelineConfig, TrainWindow};
use candlecast_meta::NewJob;
use candlecast_pipeline::{PipelineOptions, common_of};
use candlecast_registry::{Meta, Slot};

/// A serving model that is older than its time to live, with what a training of the same configuration takes:
/// [`Host::train`] with `key`, `request`, `common` and `range`.
#[derive(Debug, Clone)]
pub struct StaleModel {
    /// The version that serves.
    pub model_id: String,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// Its series.
    pub key: SeriesKey,
    /// The model and its parameters.
    pub request: ModelRequest,
    /// Horizon, window and the rest.
    pub common: PipelineOptions,
    /// Candles to learn from: all, or, with an expanding window, those from where the saved one began.
    pub range: TimeRange,
}

/// The serving models that are older than their time to live at `now`. Models that cannot be read, or that this
/// program does not know, are left out: `models list` and `doctor` name them.
pub fn stale_models(host: &Host, now: Timestamp) -> Result<Vec<StaleModel>, Problem> {
    let mut stale = Vec::new();
    for slot in host.registry.serving_slots()? {
        let Some(meta) = serving_meta(host, &slot)? else { continue };
        if is_stale(host, &meta, now) {
            stale.extend(StaleModel::of(&slot, &meta));
        }
    }
    Ok(stale)
}

/// Queues a training for every stale model, if `auto_retrain` is on; `job` makes it. A model that cannot
/// be queued is a problem of its own, the others are queued all the same. Each model is queued at most once in a time to live, whether the training succeeds, fails or
/// yields only a candidate: otherwise a model that cannot be beaten would be trained without end.
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
    for stale in stale_models(host, now)? {
        match queue_stale(host, &stale, job(&stale), now).await {
            Ok(id) => outcome.jobs.extend(id),
            Err(e) => outcome.problems.push(e.context(format!("training {} again", stale.model_id))),
        }
    }
    Ok(outcome)
}

/// Queues `job` for `stale`; its id if it is new.
async fn queue_stale(
    host: &Host,
    stale: &StaleModel,
    job: Result<NewJob, Problem>,
    now: Timestamp,
) -> Result<Option<String>, Problem> {
    let id = stale.job_id(now, host.settings.model_ttl_s);
    let job = NewJob { dedupe_key: Some(format!("retrain:{}", stale.model_id)), id, ..job? };
    let enqueued = host.metadata().await?.enqueue(&job, now).await?;
    Ok(enqueued.is_new.then_some(enqueued.job.id))
}

/// True when `meta` is older than its time to live at `now`.
pub fn is_stale(host: &Host, meta: &Meta, now: Timestamp) -> bool {
    (now.ms() - meta.trained_at.ms()) / 1000 > host.settings.model_ttl_s
}

/// The meta of the active version, if it can be read.
fn serving_meta(host: &Host, slot: &Slot) -> Result<Option<Meta>, Problem> {
    let Some(version) = host.registry.active(slot)? else { return Ok(None) };
    Ok(host.registry.meta(slot, version).ok())
}

impl StaleModel {
    fn of(slot: &Slot, meta: &Meta) -> Option<Self> {
        let config: PipelineConfig = serde_json::from_value(meta.config.clone()).ok()?;
        let entry = find(slot.model()).ok()?;
        let from = match config.window {
            TrainWindow::Expanding => meta.data_range.from,
            TrainWindow::Rolling { .. } => TimeRange::ALL.from,
        };
        Some(Self {
            model_id: meta.id.clone(),
            trained_at: meta.trained_at,
            key: slot.key().clone(),
            request: ModelRequest { id: entry.id.into(), params: config.params.clone() },
            common: common_of(&config),
            range: TimeRange { from, ..TimeRange::ALL },
        })
    }

    /// One id a model and time to live, so that queueing twice queues once.
    fn job_id(&self, now: Timestamp, ttl_s: i64) -> String {
        let period = now.ms().div_euclid(ttl_s.max(1).saturating_mul(1000));
        format!("retrain-{}-{period}", self.model_id)
    }
}
