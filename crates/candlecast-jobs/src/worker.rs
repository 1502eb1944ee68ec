//! [`work`]: takes jobs until it is asked to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlecast_core::{Problem, ProgressSink};
use candlecast_host::{Host, Owner, system_time};
use candlecast_meta::{Job, JobState, Lease, MetaError, Outcome};
use tokio::task::{Id, JoinError, JoinSet};

use crate::doc::WorkedDoc;
use crate::kind::JobCatalog;
use crate::queries::end_leases;
use crate::runner::{Ended, Recorded, Runner};
use crate::stop::{StopReason, StopSwitch};
use crate::{LEASE_MS, WORKER_PATIENCE_MS};

/// Time between two looks at an empty queue.
const DAY_MS: i64 = 86_400_000;
/// Time between looks at the queue.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two looks at whether the worker is to end.
const STOP_EVERY: Duration = Duration::from_millis(100);
/// Time between two searches for jobs whose worker is gone.
const RECOVER_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks at what has come due by itself.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);
/// Time between two looks at jobs that ended long ago.
const FORGET_EVERY: Duration = Duration::from_secs(86_400);
/// After its start, and after the database was away, a worker gives others this long to be heard before it ends leases
/// that have run out: they may have waited for the same database.
const GRACE: Duration = Duration::from_secs(15);
/// Time that jobs have to keep what they finished once the worker is to end.
const DRAIN: Duration = Duration::from_secs(8);
/// Time to give back what did not end within [`DRAIN`].
const GIVE_BACK: Duration = Duration::from_millis(1_500);

/// What a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Jobs at once, at least 1. They share the threads and the memory that may be used.
    pub jobs: usize,
    /// True to end when no job waits.
    pub once: bool,
    /// Only these kinds; all for none.
    pub kinds: Vec<String>,
}

/// Takes jobs and does them until [`Host::cancel`] is set; then those under way are stopped at their next safe point
/// and given back, within ten seconds. While the database is away, work goes on and no job is taken.
pub async fn work(
    host: &Host,
    catalog: &'static JobCatalog,
    options: &WorkerOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<WorkedDoc, Problem> {
    let kinds = kinds_to_take(host, catalog, &options.kinds)?;
    let store = Arc::clone(host.metadata().await?);
    if !options.once {
        watch.note("waiting for jobs; an interrupt ends the worker");
    }
    let at_once = options.jobs.max(1);
    let mut host_share = host.clone();
    host_share.settings.max_memory /= at_once as u64;
    let runner = Runner { host: host_share, catalog, store, watch, patience_ms: WORKER_PATIENCE_MS };
    let mut worker = Worker {
        runner,
        interrupted: Arc::clone(host.cancel()),
        owner: Owner::this().to_string(),
        kinds,
        at_once,
        once: options.once,
        running: JoinSet::new(),
        held: BTreeMap::new(),
        recovered: None,
        kept_up: None,
        forgotten: None,
        told: String::new(),
        trouble: None,
        began: Instant::now(),
        worked: WorkedDoc::default(),
    };
    let served = worker.serve().await;
    worker.drain().await;
    served.map(|()| worker.worked)
}

/// The chosen kinds, all of them for none; none that is switched off.
fn kinds_to_take(host: &Host, catalog: &'static JobCatalog, chosen: &[String]) -> Result<Vec<String>, Problem> {
    let enabled = host.settings.training_enabled;
    for id in chosen {
        if catalog.find(id)?.trains && !enabled {
            return Err(Problem::data(
                "training-disabled",
                format!("jobs of the kind `{id}` are switched off by ML_TRAINING_ENABLED=false: set it to true"),
            ));
        }
    }
    let takes = |id: &str| chosen.is_empty() || chosen.iter().any(|c| c == id);
    Ok(catalog.workable(enabled).filter(|kind| takes(kind.id)).map(|kind| kind.id.to_owned()).collect())
}

/// A job under way.
struct Held {
    lease: Lease,
    stop: StopSwitch,
    task: Id,
}

struct Worker {
    runner: Runner,
    interrupted: Arc<AtomicBool>,
    owner: String,
    /// Never empty: for none, the queue would give jobs of kinds that this program does not know.
    kinds: Vec<String>,
    at_once: usize,
    once: bool,
    running: JoinSet<Ended>,
    /// The jobs under way.
    held: BTreeMap<String, Held>,
    recovered: Option<Instant>,
    kept_up: Option<Instant>,
    forgotten: Option<Instant>,
    /// The last problem of what is queued by itself, told once.
    told: String,
    /// When the database last failed.
    trouble: Option<Instant>,
    began: Instant,
    worked: WorkedDoc,
}

impl Worker {
    /// Until interrupted, or, once, until nothing waits.
    async fn serve(&mut self) -> Result<(), Problem> {
        while !self.is_interrupted() {
            self.recover().await?;
            self.keep_up().await;
            self.forget().await;
            let is_free = self.held.len() < self.at_once;
            if is_free && self.take().await? {
                continue;
            }
            let is_idle = self.held.is_empty() && self.trouble.is_none();
            if self.once && is_idle {
                return Ok(());
            }
            self.wait().await;
        }
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Takes a job, if one waits.
    async fn take(&mut self) -> Result<bool, Problem> {
        let store = &self.runner.store;
        let taken = store.lease_job(&self.owner, &self.kinds, LEASE_MS, system_time()).await;
        match self.passing(taken)?.flatten() {
            Some(job) => {
                self.start(job);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn start(&mut self, job: Job) {
        let Some(lease) = job.lease() else { return };
        let what = self.runner.catalog.read(&job).map_or_else(|e| e.detail, |request| request.subject().to_string());
        self.runner.watch.note(&format!("job {} started: {} {what}", job.id, job.kind));
        let stop = StopSwitch::new(Arc::new(AtomicBool::new(false)));
        let task = self.running.spawn(self.runner.clone().run(job, stop.clone())).id();
        self.held.insert(lease.job_id.clone(), Held { lease, stop, task });
    }

    /// Until a job ends, the next look at the queue is due, or the worker is to end.
    async fn wait(&mut self) {
        let until = Instant::now() + LOOK_EVERY;
        while !self.is_interrupted() && Instant::now() < until {
            tokio::select! {
                Some(ended) = self.running.join_next() => {
                    self.count(ended);
                    return;
                }
                () = tokio::time::sleep(STOP_EVERY) => {}
            }
        }
    }

    /// Looks for jobs whose worker is gone, when it is time to.
    async fn recover(&mut self) -> Result<(), Problem> {
        let is_due = self.recovered.is_none_or(|at| at.elapsed() >= RECOVER_EVERY);
        if !is_due || self.trouble.is_some_and(|at| at.elapsed() < GRACE) {
            return Ok(());
        }
        // A worker that ends when nothing waits may not live for the grace: it ends what has been silent for that long.
        let is_fresh = self.began.elapsed() < GRACE;
        let silence = if is_fresh { self.once.then_some(GRACE) } else { Some(Duration::ZERO) };
        let found = end_leases(self.runner.store.as_ref(), silence).await;
        if let Some(jobs) = self.passing(found)? {
            self.recovered = Some(Instant::now());
            for job in jobs {
                self.runner.watch.note(&format!("job {} lost its worker and is {}", job.id, job.state));
            }
        }
        Ok(())
    }

    /// Queues what has come due by itself, when it is time to look.
    async fn keep_up(&mut self) {
        if self.kept_up.is_some_and(|at| at.elapsed() < UPKEEP_EVERY) || self.trouble.is_some() {
            return;
        }
        self.kept_up = Some(Instant::now());
        let (queued, problems) = match (self.runner.catalog.upkeep)(&self.runner.host).await {
            Ok(queued) => (queued.jobs, queued.problems),
            Err(error) => (vec![], vec![error]),
        };
        for id in queued {
            self.runner.watch.note(&format!("job {id} has come due and is queued"));
        }
        let problems = problems.iter().map(|e| e.detail.as_str()).collect::<Vec<_>>().join("; ");
        if !problems.is_empty() && problems != self.told {
            self.runner.watch.note(&format!("not queued: {problems}"));
        }
        self.told = problems;
    }

    /// Forgets jobs that ended long ago, once a day.
    async fn forget(&mut self) {
        if self.forgotten.is_some_and(|at| at.elapsed() < FORGET_EVERY) || self.trouble.is_some() {
            return;
        }
        self.forgotten = Some(Instant::now());
        match forget_old_jobs(&self.runner.host).await {
            Ok(0) => {}
            Ok(n) => self.runner.watch.note(&format!("jobs that ended long ago are forgotten ({n})")),
            Err(error) => tracing::warn!(%error, "jobs that ended long ago are kept until tomorrow"),
        }
    }

    /// `None` for what passes by itself or once there is space again.
    fn passing<T>(&mut self, answer: Result<T, MetaError>) -> Result<Option<T>, Problem> {
        match answer {
            Ok(value) => {
                self.trouble = self.trouble.filter(|at| at.elapsed() < GRACE);
                Ok(Some(value))
            }
            Err(error) if error.is_transient() || matches!(error, MetaError::DiskFull { .. }) => {
                if self.trouble.is_none() {
                    tracing::warn!(%error, "no jobs are taken until the database answers");
                }
                self.trouble = Some(Instant::now());
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn count(&mut self, ended: Result<Ended, JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // A panic outside of the computation: the lease runs out, and another attempt is made.
                tracing::error!(%error, "a job ended abnormally");
                self.worked.lost += 1;
                self.held.retain(|_, held| held.task != error.id());
                return;
            }
        };
        self.held.remove(&ended.job_id);
        let (counter, how) = match ended.recorded {
            Recorded::As(JobState::Succeeded) => (&mut self.worked.succeeded, "succeeded".to_owned()),
            Recorded::As(JobState::Cancelled) => (&mut self.worked.cancelled, "was cancelled".to_owned()),
            Recorded::As(JobState::Queued) => (&mut self.worked.given_back, "was given back".to_owned()),
            Recorded::As(_) => (&mut self.worked.failed, "failed".to_owned()),
            Recorded::Elsewhere => (&mut self.worked.lost, "is in other hands".to_owned()),
            Recorded::Nowhere => (&mut self.worked.lost, "ended, which could not be recorded".to_owned()),
        };
        *counter += 1;
        let why = ended.result.err().map_or_else(String::new, |e| format!(": {}", e.detail));
        self.runner.watch.note(&format!("job {} {how}{why}", ended.job_id));
    }

    /// Stops what is under way and gives it back.
    async fn drain(&mut self) {
        if self.running.is_empty() {
            return;
        }
        for held in self.held.values() {
            held.stop.stop(StopReason::GivenBack);
        }
        self.runner.watch.note(&format!("ending: jobs under way are given back ({})", self.running.len()));
        let until = Instant::now() + DRAIN;
        while !self.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(Some(ended)) = tokio::time::timeout(left, self.running.join_next()).await else { break };
            self.count(ended);
        }
        self.give_back_the_rest().await;
    }

    /// Gives back jobs that did not come to a safe point in time. What they compute from here on is lost; what they
    /// kept is not.
    async fn give_back_the_rest(&mut self) {
        let until = Instant::now() + GIVE_BACK;
        for (id, Held { lease, .. }) in std::mem::take(&mut self.held) {
            let left = until.saturating_duration_since(Instant::now());
            let given = self.runner.store.finish_job(&lease, &Outcome::GivenBack, system_time());
            match tokio::time::timeout(left, given).await {
                Ok(Ok(())) => self.worked.given_back += 1,
                Ok(Err(_)) | Err(_) => self.worked.lost += 1,
            }
            self.worked.computing += 1;
            self.runner.watch.note(&format!("job {id} was given back while it computes"));
        }
    }
}

/// Forgets jobs that ended longer ago than they are kept, with their logs; returns how many. The runs, the ledger and
/// the models that came of them stay.
async fn forget_old_jobs(host: &Host) -> Result<u64, Problem> {
    let kept_ms = i64::from(host.settings.keep_jobs_days) * DAY_MS;
    Ok(host.metadata().await?.forget_jobs(system_time().plus_ms(-kept_ms)).await?)
}
