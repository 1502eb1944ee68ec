//! Jobs: long work that is on record before it begins, says how far it is, can be cancelled, and goes on after an
//! interruption.
//!
//! A kind of job is a [`JobKind`]: a request with everything that determines the result.
//! [`run_job`](crate::App::run_job) begins one and does it here, [`queue_job`](crate::App::queue_job) leaves it to a
//! worker, [`work`](crate::App::work) is the worker. Whoever does it holds a lease on it, renews the lease by
//! heartbeats, and hears that way of a cancellation. All writing to the database is done by one background task a job,
//! at most once a second, never by the threads that compute. The database may go away meanwhile: the work goes on, and
//! what it has to say is told when the database is back.
//!
//! Checkpoints are those of the run (`checkpoints`), addressed by content, so any attempt at the same work on the same
//! data folder goes on from them.

mod board;
mod desk;
mod foreground;
mod id;
mod keeper;
mod kind;
mod kinds;
mod owner;
mod runner;
pub(crate) mod span;
mod stop;
mod upkeep;
mod worker;

use std::time::Duration;

pub use candlecast_meta::{Cursor, Job, JobFilter, JobState, LogLevel, LogLine, MAX_PAGE, PageRequest};

pub use self::foreground::{JobOptions, Queued};
pub use self::kind::{JobKind, JobOutput, Subject};
pub use self::kinds::{EvaluateJob, TrainJob, kind_ids};
pub use self::worker::WorkerOptions;
pub use crate::records::Attempt;

pub(crate) use self::id::{job_id, set_id};
pub(crate) use self::kinds::read;
pub(crate) use self::owner::Owner;

/// How long a worker may be silent before its job is another's, ms.
const LEASE_MS: u64 = 30_000;
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
