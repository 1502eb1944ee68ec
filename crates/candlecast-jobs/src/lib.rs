//! Jobs: long work that is on record before it begins, says how far it is, can be cancelled, and goes on after an
//! interruption.
//!
//! A kind of job is a [`JobKind`]: a request with everything that determines the result. [`run_job`] begins one and
//! does it here, [`queue_job`] leaves it to a worker, [`work`] is the worker. Whoever does it holds a lease on it,
//! renews the lease by heartbeats, and hears that way of a cancellation. Leases go by the clock of the database; before
//! anything is saved of a job, it is asked whether the lease still holds ([`Attempt::check_held`]). All writing to the
//! database is done by one background task a job, at most once a second, never by the threads that compute. The
//! database may go away meanwhile: the work goes on, and what it has to say is told when the database is back.
//!
//! Checkpoints are those of the run (`checkpoints`), addressed by content, so any attempt at the same work on the same
//! data folder goes on from them.

pub mod doc;

mod attempt;
mod backoff;
mod clock_watch;
#[cfg(test)]
mod faulty_store;
mod fence;
mod kind;
mod lease_keeper;
mod progress_tracker;
mod queries;
mod runner;
mod stop;
mod submit;
mod worker;

use std::time::Duration;

pub use candlecast_meta::{Cursor, Job, JobFilter, JobState, LogLevel, LogLine, MAX_PAGE, PageRequest};

pub use self::attempt::Attempt;
pub use self::kind::{JobCatalog, JobKind, JobOutput, Kind, QueuedTrainings, Subject, steps};
pub use self::queries::{cancel_job, find_job, job_log, list_jobs, requeue_job, show_job};
pub use self::submit::{JobOptions, Queued, new_job, queue_job, retry_job_here, run_job};
pub use self::worker::{WorkerOptions, work};

/// How long a worker may be silent before its job is another's, ms.
const LEASE_MS: u64 = 30_000;
/// How long after the end of its lease a job is left to a process that is certainly there, ms: ten leases after the
/// last heartbeat. It stood still, or a clock was set; only what hangs for good loses its job.
const ALIVE_SILENCE_MS: u64 = 9 * LEASE_MS;
/// Time between heartbeats: several may be lost before a lease is.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Least time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Longest that the end of a job that was done here on request is tried to be recorded, ms; then its result is shown
/// all the same.
const FOREGROUND_PATIENCE_MS: u64 = 120_000;
/// Longest that a worker tries to record the end of a job, ms.
const WORKER_PATIENCE_MS: u64 = 3_600_000;
/// Leases that a queued job gets before it is given up.
const MAX_ATTEMPTS: u32 = 3;
