//! Jobs that are asked for: done here, or queued for a worker.

use std::sync::Arc;

use candlecast_core::{Problem, ProgressSink, Seed};
use candlecast_host::{Host, Owner, all_cores, content_hash, job_id, models_folder, system_time};
use candlecast_meta::{Job, JobLimits, NewJob, QueueStore, Retry};

use crate::doc::JobDoc;
use crate::kind::{JobCatalog, JobKind, JobOutput};
use crate::queries::find_job;
use crate::runner::Runner;
use crate::stop::StopSwitch;
use crate::{FOREGROUND_PATIENCE_MS, LEASE_MS, MAX_ATTEMPTS};

/// How long a user waits for a busy database before being told, ms.
const BEGIN_BUDGET_MS: u64 = 10_000;

/// How a job is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobOptions {
    /// Higher goes first; 0 by default.
    pub priority: i32,
    /// Longest run of one attempt, ms.
    pub max_run_ms: Option<u64>,
    /// True to leave a queued job to workers that save to this folder of models, where the queue has others, too.
    pub here: bool,
}

/// A job that waits for a worker.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The job.
    pub job: JobDoc,
    /// False when an equal one was queued or running already, which is this one.
    pub is_new: bool,
}

/// Does `request` here, on record as a job from beginning to end. Setting [`Host::cancel`] cancels it; when the
/// process dies, the job is listed as interrupted and can be retried.
pub async fn run_job<K: JobKind>(
    host: &Host,
    catalog: &'static JobCatalog,
    request: &K,
    options: &JobOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<K::Output, Problem> {
    refuse_switched_off(host, K::TRAINS)?;
    let request = &request.clone().with_defaults(&host.settings);
    request.check()?;
    let store = queue(host).await?;
    // Whoever waits for it here sees it fail, so one attempt is all it gets.
    let limits = JobLimits { max_attempts: 1, max_run_ms: options.max_run_ms, threads: None };
    let new = NewJob { limits, ..new_job(request, options)? };
    let task = Owner::task();
    let owner = task.to_string();
    let begun = patient(&new.id).run(|| store.begin_job(&new, &owner, LEASE_MS, system_time())).await?;
    let output = do_here(host, catalog, store, begun.job, watch).await?;
    Ok(output.into_output::<K>().expect("the job is of the kind of its request"))
}

/// Queues `request` for a worker. An equal request that waits or is worked on already is not queued twice. What takes
/// what stored models know is done beside the models that are here.
pub async fn queue_job<K: JobKind>(
    host: &Host,
    catalog: &'static JobCatalog,
    request: &K,
    options: &JobOptions,
) -> Result<Queued, Problem> {
    refuse_switched_off(host, K::TRAINS)?;
    let request = &request.clone().with_defaults(&host.settings);
    request.check()?;
    let store = host.metadata().await?;
    let new = new_job(request, options)?;
    let threads = (host.threads() < all_cores()).then(|| u32::try_from(host.threads()).unwrap_or(u32::MAX));
    let limits = JobLimits { max_attempts: MAX_ATTEMPTS, max_run_ms: options.max_run_ms, threads };
    let folder = if options.here || request.is_about_models() { models_folder(host).await? } else { String::new() };
    let folder = (!folder.is_empty()).then_some(folder);
    let beside = folder.as_ref().map_or_else(String::new, |folder| format!("@{folder}"));
    let dedupe_key = Some(format!("{}:{}{beside}", K::KIND, content_hash(&new.payload)));
    let new = NewJob { limits, dedupe_key, folder, ..new };
    let queued = patient(&new.id).run(|| store.enqueue(&new, system_time())).await?;
    Ok(Queued { job: JobDoc::new(catalog, &queued.job, system_time()), is_new: queued.is_new })
}

/// Takes a job that waits, or that failed, was cancelled or interrupted, and does it here. It goes on from what an
/// earlier attempt left in this data folder. Of several calls at once, in one process or many, one gets it; the others
/// are told that it is running.
pub async fn retry_job_here(
    host: &Host,
    catalog: &'static JobCatalog,
    id: &str,
    watch: Arc<dyn ProgressSink>,
) -> Result<JobOutput, Problem> {
    let job = find_job(host, id).await?;
    refuse_switched_off(host, catalog.find(&job.kind)?.trains)?;
    catalog.read(&job)?;
    let store = queue(host).await?;
    let task = Owner::task();
    let owner = task.to_string();
    let taken = patient(&job.id).run(|| store.lease_this(&job.id, &owner, LEASE_MS, system_time())).await?;
    do_here(host, catalog, store, taken, watch).await
}

/// The jobs on record.
pub(crate) async fn queue(host: &Host) -> Result<Arc<dyn QueueStore>, Problem> {
    Ok(Arc::clone(host.metadata().await?) as Arc<dyn QueueStore>)
}

/// Does a job that the caller holds; the process's own cancellation cancels it.
async fn do_here(
    host: &Host,
    catalog: &'static JobCatalog,
    store: Arc<dyn QueueStore>,
    job: Job,
    watch: Arc<dyn ProgressSink>,
) -> Result<JobOutput, Problem> {
    let stop = StopSwitch::new(Arc::clone(host.cancel()));
    // Whoever asked for it is told at once what it failed by.
    let (host, backoff) = (host.clone(), None);
    let runner = Runner { host, catalog, store, watch, patience_ms: FOREGROUND_PATIENCE_MS, backoff };
    runner.run(job, stop).await.result
}

/// Refuses trainings where they are switched off.
fn refuse_switched_off(host: &Host, trains: bool) -> Result<(), Problem> {
    if trains && !host.settings.training_enabled {
        return Err(Problem::data(
            "training-disabled",
            "training is switched off by ML_TRAINING_ENABLED=false: set it to true, or train elsewhere",
        ));
    }
    Ok(())
}

/// The job of a request, its limits left open.
pub fn new_job<K: JobKind>(request: &K, options: &JobOptions) -> Result<NewJob, Problem> {
    let payload = serde_json::to_value(request)
        .map_err(|e| Problem::data("bad-job", format!("the request cannot be put on record: {e}")))?;
    let new = NewJob::new(format!("{}{}", K::ID_PREFIX, job_id(system_time())), K::KIND, payload);
    Ok(NewJob { priority: options.priority, payload_version: K::VERSION, ..new })
}

/// For calls that a user waits for.
fn patient(id: &str) -> Retry {
    Retry { budget_ms: BEGIN_BUDGET_MS, seed: Seed::default().derive(id, 0), ..Retry::default() }
}
