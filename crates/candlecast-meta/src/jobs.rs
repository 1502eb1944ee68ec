//! Jobs: long work that waits in a queue, is leased to one worker at a time, reports progress, and survives a
//! restart.
//!
//! ```text
//!            lease              finish
//! queued ───────────▶ running ───────────▶ succeeded | failed | cancelled | interrupted
//!   ▲ │ cancel          │  ▲ heartbeat        │
//!   │ └──▶ cancelled    │  └──┘               │
//!   ├───────────────────┘ lease ran out (resumable), given back, or put off
//!   └──────────────────────────────────────────┘ retry (not after succeeded)
//! ```
//! Who works on a job where it was asked for begins it (`begin_job`, `lease_this`): it is running from the start, and
//! no worker can come in between.
//!
//! A lease is `(job, owner, attempt)`; the attempt counts up at every lease, so a worker that was thought dead
//! cannot speak for a job that another one has taken over. Every call may be repeated when its answer was lost.
//!
//! Leases and delays go by the clock of the database, never by that of a caller: processes whose clocks differ, or are
//! set, would else end each other's leases. The `now` of a call is what is put on record.

use async_trait::async_trait;
use candlecast_core::Timestamp;
use serde_json::Value;

use crate::named::named;
use crate::{MetaError, Page, PageRequest};

named! {
    /// Where a job stands.
    JobState, "state", "queued, running, succeeded, failed, cancelled, interrupted" {
        /// Waits for a worker.
        Queued = "queued",
        /// A worker holds it.
        Running = "running",
        /// Done, with a result.
        Succeeded = "succeeded",
        /// Done, with an error.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Its worker died or was stopped, and it cannot go on from where it was.
        Interrupted = "interrupted",
    }
}

impl JobState {
    /// True for the states that only [`JobStore::retry_job`] leaves.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

named! {
    /// How serious a log line is.
    LogLevel, "level", "error, warn, info, debug" {
        /// Something failed.
        Error = "error",
        /// Something is odd.
        Warn = "warn",
        /// What is going on.
        Info = "info",
        /// Details.
        Debug = "debug",
    }
}

/// Longest time that a job waits before it may be taken, ms: 366 days, the longest step of a schedule. What is to wait
/// for longer waits for so long; what lies farther ahead was set by a clock that was wrong, and does not wait.
pub const MAX_WAIT_MS: i64 = 366 * 86_400_000;

/// Bounds on the work of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// Leases before the job is given up, at least 1; a retry by hand starts the count anew.
    pub max_attempts: u32,
    /// Longest run of one attempt, ms; kept for the worker, who enforces it.
    pub max_run_ms: Option<u64>,
    /// Threads it may use; kept for the worker.
    pub threads: Option<u32>,
}

impl Default for JobLimits {
    /// Three attempts, no other bound.
    fn default() -> Self {
        Self { max_attempts: 3, max_run_ms: None, threads: None }
    }
}

/// A job to be queued.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Identity, given by the caller, so that queueing twice queues once.
    pub id: String,
    /// What is to be done, such as `train`; workers choose by it.
    pub kind: String,
    /// Higher goes first; equal ones in the order they were queued.
    pub priority: i32,
    /// What the worker needs to know.
    pub payload: Value,
    /// Form of the payload, from 1: workers that do not know it are not given the job.
    pub payload_version: u32,
    /// While a job with the same key is queued or running, this one is not added.
    pub dedupe_key: Option<String>,
    /// True when a new attempt can go on from a checkpoint or start over without harm.
    pub resumable: bool,
    /// Bounds.
    pub limits: JobLimits,
    /// Not before this instant of the database's clock, at most [`MAX_WAIT_MS`] from now; `None` for at once.
    pub run_after: Option<Timestamp>,
    /// Folder of models beside which alone it is to be done; `None` for any.
    pub folder: Option<String>,
}

impl NewJob {
    /// A resumable job of ordinary priority, whose payload has the first form.
    pub fn new(id: impl Into<String>, kind: impl Into<String>, payload: Value) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            priority: 0,
            payload,
            payload_version: 1,
            dedupe_key: None,
            resumable: true,
            limits: JobLimits::default(),
            run_after: None,
            folder: None,
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// Name of the stage, such as `walk-forward`.
    pub stage: String,
    /// Number of the stage, from 1, and how many there are.
    pub stage_of: Option<(u32, u32)>,
    /// Folds done and how many there are.
    pub fold_of: Option<(u32, u32)>,
    /// Share of the whole job that is done, 0 to 1.
    pub done_share: f64,
    /// Expected time to the end, ms.
    pub eta_ms: Option<u64>,
}

/// A job as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Identity.
    pub id: String,
    /// What is to be done.
    pub kind: String,
    /// Higher goes first.
    pub priority: i32,
    /// Where it stands.
    pub state: JobState,
    /// What the worker needs to know.
    pub payload: Value,
    /// Form of the payload.
    pub payload_version: u32,
    /// Key that keeps equal jobs from piling up.
    pub dedupe_key: Option<String>,
    /// True when an attempt may follow an interrupted one.
    pub resumable: bool,
    /// Bounds.
    pub limits: JobLimits,
    /// Folder of models beside which alone it is to be done; `None` for any.
    pub folder: Option<String>,
    /// Leases so far.
    pub attempt: u32,
    /// Leases left before it is given up.
    pub attempts_left: u32,
    /// True once cancelling was asked for.
    pub cancel_asked: bool,
    /// Who holds it, or held it last.
    pub owner: Option<String>,
    /// When the lease runs out, while running.
    pub lease_until: Option<Timestamp>,
    /// When it was queued.
    pub created_at: Timestamp,
    /// Not before this instant; when it was queued, where it need not wait.
    pub run_after: Timestamp,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How far it is, once a worker said so.
    pub progress: Option<Progress>,
    /// What came out.
    pub result: Option<Value>,
    /// What went wrong; of a waiting job, why it waits.
    pub error: Option<String>,
}

/// A kind of job that a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedKind {
    /// Its name.
    pub kind: String,
    /// Newest form of the payload that the worker can read.
    pub payload_version: u32,
    /// The worker's folder of models: jobs that are to be done beside another are left to others.
    pub folder: String,
    /// Jobs of the kind that are left to others: the worker could not read them, or lacks what they need.
    pub except: Vec<String>,
}

impl WantedKind {
    /// Every job of a kind whose payload has form `payload_version` or an older one, but for those that are to be done
    /// beside a certain folder of models.
    pub fn up_to(kind: impl Into<String>, payload_version: u32) -> Self {
        Self { kind: kind.into(), payload_version, folder: String::new(), except: Vec::new() }
    }

    /// The same, with those that are to be done beside `folder`.
    #[must_use]
    pub fn beside(self, folder: impl Into<String>) -> Self {
        Self { folder: folder.into(), ..self }
    }
}

/// The right to work on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: String,
    /// The worker.
    pub owner: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
}

impl Job {
    /// The lease of the attempt under way; `None` unless running.
    pub fn lease(&self) -> Option<Lease> {
        let owner = self.owner.clone().filter(|_| self.state == JobState::Running)?;
        Some(Lease { job_id: self.id.clone(), owner, attempt: self.attempt })
    }
}

/// What a worker is told when it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Go on.
    Continue,
    /// Stop at the next safe point and finish with [`Outcome::Cancelled`].
    Cancel,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// With a result; its checkpoint is dropped.
    Succeeded(Value),
    /// With an error that another attempt would meet again.
    Failed(String),
    /// On request.
    Cancelled,
    /// Stopped where it cannot go on from.
    Interrupted(String),
    /// Given back to the queue, as when the program shuts down; does not use up an attempt. A job that was asked
    /// to stop ends as cancelled instead.
    GivenBack,
    /// Given back in the same way by a worker that cannot do it, since it cannot read the payload or lacks what the work
    /// needs, with the reason. Others may.
    LeftToOthers(String),
    /// By an error that passes: back to the queue, not to be taken for a while. It uses up the attempt; without another
    /// one, or where the job is not resumable, the job has failed. A job that was asked to stop ends as cancelled.
    PutOff {
        /// What went wrong.
        error: String,
        /// Least time until the next attempt, ms; at most [`MAX_WAIT_MS`].
        delay_ms: u64,
    },
}

/// What cancelling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// The job was waiting and is cancelled.
    AtOnce,
    /// The job is running; its worker is told at its next report.
    Asked,
}

/// What queueing did.
#[derive(Debug, Clone, PartialEq)]
pub struct Enqueued {
    /// The job: the new one, or the one that was there already.
    pub job: Job,
    /// False when the same id or a living job with the same dedupe key was there.
    pub is_new: bool,
}

/// A line of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Attempt that wrote it.
    pub attempt: u32,
    /// Number within the attempt, counted by the worker; a repeated number is the same line.
    pub line: u64,
    /// When.
    pub at: Timestamp,
    /// How serious.
    pub level: LogLevel,
    /// What; cut at 64 KB.
    pub message: String,
}

/// State to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Attempt that saved it.
    pub attempt: u32,
    /// When.
    pub saved_at: Timestamp,
    /// The worker's own bytes.
    pub body: Vec<u8>,
}

/// Which jobs are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// In one of these states; empty for any.
    pub states: Vec<JobState>,
    /// Of one of these kinds; empty for any.
    pub kinds: Vec<String>,
}

/// A queue of jobs that several workers, on one host or many, take from.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Queues a job, or returns the one that is there: same id, or same dedupe key and not ended.
    async fn enqueue(&self, job: &NewJob, now: Timestamp) -> Result<Enqueued, MetaError>;

    /// Queues a job and takes it for `lease_ms` in one step, whatever else waits. When the id, or a living job with
    /// the dedupe key, was there already, that job is returned as it is; whose answer was lost finds its own lease in it.
    async fn begin_job(&self, job: &NewJob, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Enqueued, MetaError>;

    /// Takes this very job for `lease_ms`, whatever waits before it and whenever it was to run: one that waits, or
    /// one that failed, was cancelled or interrupted, which is thereby retried. Conflict when it runs elsewhere or has
    /// succeeded.
    async fn lease_this(&self, job_id: &str, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Job, MetaError>;

    /// Takes the first waiting job of one of `kinds` (empty: any) for `lease_ms`. Two workers never get the same. Once
    /// a newer program has changed the schema, nothing is given and that is the error.
    async fn lease_job(
        &self,
        owner: &str,
        kinds: &[WantedKind],
        lease_ms: u64,
        now: Timestamp,
    ) -> Result<Option<Job>, MetaError>;

    /// Says that the worker is alive; the lease then runs for `lease_ms` from now on.
    async fn heartbeat(&self, lease: &Lease, lease_ms: u64, now: Timestamp) -> Result<Signal, MetaError>;

    /// Says how far the job is.
    async fn report_progress(&self, lease: &Lease, progress: &Progress, now: Timestamp) -> Result<Signal, MetaError>;

    /// Saves the state to go on from, in place of the last one.
    async fn save_checkpoint(&self, lease: &Lease, body: Vec<u8>, now: Timestamp) -> Result<(), MetaError>;

    /// The state to go on from, if one was saved.
    async fn checkpoint(&self, job_id: &str) -> Result<Option<Checkpoint>, MetaError>;

    /// Ends the attempt. Repeating the same end is no error.
    async fn finish_job(&self, lease: &Lease, outcome: &Outcome, now: Timestamp) -> Result<(), MetaError>;

    /// Cancels: a waiting job at once, a running one through its worker. Repeating is no error.
    async fn cancel_job(&self, job_id: &str, now: Timestamp) -> Result<Cancelled, MetaError>;

    /// Queues a failed, cancelled or interrupted job again; it goes on from its checkpoint.
    async fn retry_job(&self, job_id: &str, now: Timestamp) -> Result<Job, MetaError>;

    /// Ends every lease that ran out `silence_ms` ago or earlier, but for those of the owners in `spared`: back to the
    /// queue if resumable and attempts are left, cancelled if that was asked for, else interrupted. Returns these jobs.
    async fn expire_leases(&self, silence_ms: u64, spared: &[String], now: Timestamp) -> Result<Vec<Job>, MetaError>;

    /// Ends this very lease in the same way, whether it ran out or not: its holder has ended. Returns the job; `None`
    /// where the lease does not hold any more.
    async fn end_lease(&self, lease: &Lease, now: Timestamp) -> Result<Option<Job>, MetaError>;

    /// A job by its identity.
    async fn job(&self, job_id: &str) -> Result<Job, MetaError>;

    /// Jobs whose identity begins with `prefix`, by identity, at most `limit` (1 to 1000).
    async fn jobs_named(&self, prefix: &str, limit: u32) -> Result<Vec<Job>, MetaError>;

    /// Jobs, newest first.
    async fn jobs(&self, filter: &JobFilter, page: PageRequest) -> Result<Page<Job>, MetaError>;

    /// Adds lines to a job's log.
    async fn append_log(&self, job_id: &str, lines: &[LogLine]) -> Result<(), MetaError>;

    /// Lines of a job's log in the order they were written, after `(attempt, line)`, at most `limit` (1 to 1000).
    async fn job_log(&self, job_id: &str, after: Option<(u32, u64)>, limit: u32) -> Result<Vec<LogLine>, MetaError>;

    /// Forgets jobs that ended before `before`, with their logs and checkpoints; returns how many.
    async fn forget_jobs(&self, before: Timestamp) -> Result<u64, MetaError>;
}
