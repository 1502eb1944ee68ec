//! Documents of `jobs` and `worker`.

use candlecast_core::Timestamp;
use candlecast_meta::{Job, JobState, LogLevel, LogLine, Progress};
use serde::Serialize;
use serde_json::Value;

use crate::kind::JobCatalog;

/// How far a job is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProgressDoc {
    /// Name of the stage.
    pub stage: String,
    /// Number of the stage, from 1.
    pub stage_no: Option<u32>,
    /// How many stages there are.
    pub stages: Option<u32>,
    /// Folds done.
    pub fold: Option<u32>,
    /// How many folds there are.
    pub folds: Option<u32>,
    /// Share of the whole job that is done, 0 to 1.
    pub done_share: f64,
    /// Expected time to the end, ms; while it runs.
    pub eta_ms: Option<u64>,
}

impl From<&Progress> for ProgressDoc {
    fn from(p: &Progress) -> Self {
        Self {
            stage: p.stage.clone(),
            stage_no: p.stage_of.map(|(no, _)| no),
            stages: p.stage_of.map(|(_, of)| of),
            fold: p.fold_of.map(|(no, _)| no),
            folds: p.fold_of.map(|(_, of)| of),
            done_share: p.done_share,
            eta_ms: p.eta_ms,
        }
    }
}

/// A job in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDoc {
    /// Identity.
    pub id: String,
    /// What is done, such as `train`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// Symbol, models, horizon and range in words; null where the request cannot be read by this program.
    pub what: Option<String>,
    /// Venue of the first series.
    pub venue: Option<String>,
    /// Symbol of the first series.
    pub symbol: Option<String>,
    /// Interval of the first series.
    pub interval: Option<String>,
    /// Symbols of all series.
    pub symbols: Vec<String>,
    /// Ids of the models.
    pub models: Vec<String>,
    /// Higher goes first.
    pub priority: i32,
    /// How far it is, or was when it ended; null while it waits.
    pub progress: Option<ProgressDoc>,
    /// Attempts so far.
    pub attempt: u32,
    /// True once cancelling was asked for.
    pub cancel_asked: bool,
    /// Process that holds it, or held it last.
    pub owner: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Time since it was asked for, ms.
    pub age_ms: i64,
    /// Time that the last attempt took, or takes so far, ms.
    pub duration_ms: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
}

impl JobDoc {
    /// The document of `job`, seen at `now`.
    pub fn new(catalog: &JobCatalog, job: &Job, now: Timestamp) -> Self {
        let subject = catalog.read(job).ok().map(|request| request.subject());
        let key = subject.as_ref().and_then(|s| s.series.first());
        let begun = job.started_at.filter(|_| job.state != JobState::Queued);
        // Of a job that was cancelled while it waited again, the end lies after the attempt's.
        let ended = if job.state == JobState::Running { Some(now) } else { job.finished_at };
        Self {
            id: job.id.clone(),
            kind: job.kind.clone(),
            state: job.state,
            what: subject.as_ref().map(ToString::to_string),
            venue: key.map(|key| key.venue.to_string()),
            symbol: key.map(|key| key.symbol.to_string()),
            interval: key.map(|key| key.interval.to_string()),
            symbols: subject.iter().flat_map(|s| &s.series).map(|key| key.symbol.to_string()).collect(),
            models: subject.map(|s| s.models).unwrap_or_default(),
            priority: job.priority,
            progress: job.progress.as_ref().filter(|_| job.state != JobState::Queued).map(Into::into),
            attempt: job.attempt,
            cancel_asked: job.cancel_asked,
            owner: job.owner.clone(),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            age_ms: (now.ms() - job.created_at.ms()).max(0),
            duration_ms: begun.zip(ended).map(|(from, to)| (to.ms() - from.ms()).max(0)),
            error: job.error.clone(),
        }
    }
}

/// A page of jobs, newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobsDoc {
    /// The jobs.
    pub jobs: Vec<JobDoc>,
    /// What to pass as `--after` for the next page; null on the last.
    pub next: Option<String>,
}

/// Everything about one job.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetailDoc {
    /// As in lists.
    #[serde(flatten)]
    pub job: JobDoc,
    /// Everything that determines the result besides the candles and the program.
    pub request: Value,
    /// Attempts left before it is given up.
    pub attempts_left: u32,
    /// Attempts that it gets.
    pub max_attempts: u32,
    /// Longest run of one attempt, ms.
    pub max_run_ms: Option<u64>,
    /// Threads it may use; null for all of its worker's.
    pub threads: Option<u32>,
    /// Folder of models whose workers alone do it; null for any.
    pub folder: Option<String>,
    /// When its worker counts as gone unless it is heard of before.
    pub lease_until: Option<Timestamp>,
    /// Not before this instant.
    pub run_after: Timestamp,
    /// What came out: the document that the command prints with `--json`.
    pub result: Option<Value>,
}

impl JobDetailDoc {
    /// The document of `job`, seen at `now`.
    pub fn new(catalog: &JobCatalog, job: &Job, now: Timestamp) -> Self {
        Self {
            job: JobDoc::new(catalog, job, now),
            request: job.payload.clone(),
            attempts_left: job.attempts_left,
            max_attempts: job.limits.max_attempts,
            max_run_ms: job.limits.max_run_ms,
            threads: job.limits.threads,
            folder: job.folder.clone(),
            lease_until: job.lease_until,
            run_after: job.run_after,
            result: job.result.clone(),
        }
    }
}

/// A line of a job's log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLineDoc {
    /// Attempt that wrote it.
    pub attempt: u32,
    /// Number within the attempt, from 0.
    pub line: u64,
    /// When.
    pub at: Timestamp,
    /// How serious: `error`, `warn`, `info`, `debug`.
    pub level: LogLevel,
    /// What.
    pub message: String,
}

impl From<&LogLine> for LogLineDoc {
    fn from(l: &LogLine) -> Self {
        Self { attempt: l.attempt, line: l.line, at: l.at, level: l.level, message: l.message.clone() }
    }
}

/// What a worker did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkedDoc {
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that went back to the queue when the worker ended.
    pub given_back: u64,
    /// Attempts that failed for something that passes: their jobs wait for another one.
    pub put_off: u64,
    /// Jobs whose end could not be recorded, or that were in other hands by then.
    pub lost: u64,
    /// Jobs given back that still compute in this process: it must end for them to stop.
    pub computing: u64,
}
