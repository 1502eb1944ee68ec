//! Jobs and their log lines as rows.

use candlecast_core::Timestamp;

use crate::MetaError;
use crate::db::Record;
use crate::jobs::{Job, JobLimits, LogLine, Progress};

/// The columns of [`job`].
pub(crate) const JOB_COLUMNS: &str = "id, kind, priority, state, payload, dedupe_key, resumable, max_attempts, \
    attempts_left, max_run_ms, threads, attempt, cancel_asked, owner, lease_until, created_at, run_after, started_at, \
    updated_at, finished_at, stage, stage_no, stages, fold, folds, done_share, eta_ms, result, error, payload_version, \
    folder";

/// `run_after` of a job that need not wait: no clock says when, so none that is wrong can hold it back.
pub(crate) const AT_ONCE: Timestamp = Timestamp(0);

pub(crate) fn job(row: &Record) -> Result<Job, MetaError> {
    let (created_at, run_after) = (row.time("created_at")?, row.time("run_after")?);
    Ok(Job {
        id: row.text("id")?,
        kind: row.text("kind")?,
        priority: row.narrow("priority")?,
        state: row.parsed("state")?,
        payload: row.json("payload")?,
        payload_version: row.narrow("payload_version")?,
        dedupe_key: row.text_if_any("dedupe_key")?,
        resumable: row.flag("resumable")?,
        limits: JobLimits {
            max_attempts: row.narrow("max_attempts")?,
            max_run_ms: row.narrow_if_any("max_run_ms")?,
            threads: row.narrow_if_any("threads")?,
        },
        folder: row.text_if_any("folder")?,
        attempt: row.narrow("attempt")?,
        attempts_left: row.narrow("attempts_left")?,
        cancel_asked: row.flag("cancel_asked")?,
        owner: row.text_if_any("owner")?,
        lease_until: row.time_if_any("lease_until")?,
        created_at,
        run_after: if run_after == AT_ONCE { created_at } else { run_after },
        started_at: row.time_if_any("started_at")?,
        updated_at: row.time("updated_at")?,
        finished_at: row.time_if_any("finished_at")?,
        progress: progress(row)?,
        result: row.json_if_any("result")?,
        error: row.text_if_any("error")?,
    })
}

fn progress(row: &Record) -> Result<Option<Progress>, MetaError> {
    let Some(stage) = row.text_if_any("stage")? else { return Ok(None) };
    Ok(Some(Progress {
        stage,
        stage_of: row.narrow_if_any("stage_no")?.zip(row.narrow_if_any("stages")?),
        fold_of: row.narrow_if_any("fold")?.zip(row.narrow_if_any("folds")?),
        done_share: row.real("done_share")?,
        eta_ms: row.narrow_if_any("eta_ms")?,
    }))
}

pub(crate) fn log_line(row: &Record) -> Result<LogLine, MetaError> {
    Ok(LogLine {
        attempt: row.narrow("attempt")?,
        line: row.narrow("line")?,
        at: row.time("logged_at")?,
        level: row.parsed("level")?,
        message: row.text("message")?,
    })
}
