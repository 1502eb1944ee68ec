//! The statements of the job queue.

use candlecast_core::Timestamp;

use super::job_rows::JOB_COLUMNS;
use crate::db::{Arg, Database, Statement};
use crate::jobs::{Job, JobState, Lease, LogLine, NewJob, Outcome};
use crate::{MetaError, check};

/// The job is running under this very lease; `$1` to `$3` are the lease.
pub(crate) const HELD: &str = "id = $1 AND owner = $2 AND attempt = $3 AND state = 'running'";

pub(crate) fn until(now: Timestamp, lease_ms: u64) -> Result<Timestamp, MetaError> {
    Ok(now.plus_ms(check::whole("lease_ms", lease_ms)?))
}

/// A statement whose first three values are the lease.
pub(crate) fn held(sql: String, lease: &Lease) -> Statement {
    Statement::new(sql).bind(lease.job_id.as_str()).bind(lease.owner.as_str()).bind(lease.attempt)
}

/// Who takes a job as it is inserted, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) owner: &'a str,
    pub(crate) until: Timestamp,
}

/// Inserts a job, waiting or taken already; inserts nothing where the id or the dedupe key stands in the way.
pub(crate) fn insert(new: &NewJob, taken: Option<Taken<'_>>, now: Timestamp) -> Result<Statement, MetaError> {
    if new.limits.max_attempts == 0 {
        return Err(MetaError::invalid("max_attempts", "0", "allow at least one attempt"));
    }
    let dedupe_key = new.dedupe_key.as_deref().map(|key| check::id("dedupe_key", key)).transpose()?;
    let sql = format!(
        "INSERT INTO ml_training_jobs (id, kind, priority, payload, dedupe_key, resumable, max_attempts, max_run_ms, \
         threads, created_at, updated_at, run_after, cancel_asked, state, attempt, attempts_left, owner, lease_until, \
         started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, 0, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT DO NOTHING RETURNING {JOB_COLUMNS}"
    );
    let owner = taken.map(|t| check::id("owner", t.owner)).transpose()?;
    let state = if taken.is_some() { JobState::Running } else { JobState::Queued };
    let attempt = u32::from(taken.is_some());
    Ok(Statement::new(sql)
        .bind(check::id("id", &new.id)?)
        .bind(check::id("kind", &new.kind)?)
        .bind(new.priority)
        .bind(check::json("payload", &new.payload)?)
        .bind(dedupe_key)
        .bind(new.resumable)
        .bind(new.limits.max_attempts)
        .bind(check::whole_if_any("max_run_ms", new.limits.max_run_ms)?)
        .bind(new.limits.threads)
        .bind(now)
        .bind(new.run_after.unwrap_or(now))
        .bind(state)
        .bind(attempt)
        .bind(new.limits.max_attempts - attempt)
        .bind(owner)
        .bind(taken.map(|t| t.until))
        .bind(taken.map(|_| now)))
}

/// Takes one job that nobody works on and that has not succeeded; one that had ended begins with all its attempts.
pub(crate) fn lease_this(job_id: &str, taken: Taken<'_>, now: Timestamp) -> Result<Statement, MetaError> {
    let sql = format!(
        "UPDATE ml_training_jobs SET state = 'running', owner = $2, lease_until = $3, attempt = attempt + 1, \
         attempts_left = CASE WHEN state = 'queued' THEN attempts_left - 1 ELSE max_attempts - 1 END, \
         cancel_asked = 0, started_at = $4, updated_at = $4, finished_at = NULL, error = NULL, result = NULL \
         WHERE id = $1 AND state IN ('queued', 'failed', 'cancelled', 'interrupted') RETURNING {JOB_COLUMNS}"
    );
    let owner = check::id("owner", taken.owner)?;
    Ok(Statement::new(sql).bind(job_id).bind(owner).bind(taken.until).bind(now))
}

/// Takes the first waiting job. PostgreSQL passes over rows that another worker is taking; SQLite has one writer
/// at a time, but must be told to walk the queue's index, or it sorts all that waits.
pub(crate) fn lease(db: &Database, owner: &str, kinds: &[String], lease_until: Timestamp, now: Timestamp) -> Statement {
    let (hint, skip) = match db {
        Database::Sqlite(_) => ("INDEXED BY ml_training_jobs_queue", ""),
        Database::Postgres(_) => ("", "FOR UPDATE SKIP LOCKED"),
    };
    let mut args: Vec<Arg> = vec![owner.into(), lease_until.into(), now.into()];
    let mut of_kind = String::new();
    if !kinds.is_empty() {
        let places: Vec<String> = (0..kinds.len()).map(|i| format!("${}", args.len() + 1 + i)).collect();
        of_kind = format!("AND kind IN ({})", places.join(", "));
        args.extend(kinds.iter().map(|kind| Arg::from(kind.as_str())));
    }
    let sql = format!(
        "UPDATE ml_training_jobs SET state = 'running', owner = $1, lease_until = $2, attempt = attempt + 1, \
         attempts_left = attempts_left - 1, started_at = $3, updated_at = $3, finished_at = NULL \
         WHERE state = 'queued' AND seq = (SELECT seq FROM ml_training_jobs {hint} \
         WHERE state = 'queued' AND run_after <= $3 {of_kind} ORDER BY priority DESC, seq LIMIT 1 {skip}) \
         RETURNING {JOB_COLUMNS}"
    );
    Statement { sql: sql.into(), args }
}

/// Ends an attempt; a job that succeeded needs its checkpoint no more.
pub(crate) fn finish(lease: &Lease, outcome: &Outcome, now: Timestamp) -> Result<Vec<Statement>, MetaError> {
    if *outcome == Outcome::GivenBack {
        let sql = format!(
            "UPDATE ml_training_jobs SET lease_until = NULL, updated_at = $4, attempts_left = attempts_left + 1, \
             state = CASE WHEN cancel_asked = 1 THEN 'cancelled' ELSE 'queued' END, \
             finished_at = CASE WHEN cancel_asked = 1 THEN $4 ELSE finished_at END WHERE {HELD}"
        );
        return Ok(vec![held(sql, lease).bind(now)]);
    }
    let (result, error) = match outcome {
        Outcome::Succeeded(result) => (Some(check::json("result", result)?), None),
        Outcome::Failed(error) | Outcome::Interrupted(error) => (None, Some(check::free_text(error))),
        Outcome::Cancelled | Outcome::GivenBack => (None, None),
    };
    let state = end_state(outcome);
    let sql = format!(
        "UPDATE ml_training_jobs SET state = $4, result = $5, error = $6, finished_at = $7, updated_at = $7, \
         lease_until = NULL WHERE {HELD}"
    );
    let mut statements = vec![held(sql, lease).bind(state).bind(result).bind(error).bind(now)];
    if state == JobState::Succeeded {
        statements.push(
            Statement::new(
                "DELETE FROM ml_job_checkpoints WHERE job_id = $1 AND EXISTS (SELECT 1 FROM ml_training_jobs \
                 WHERE id = $1 AND owner = $2 AND attempt = $3 AND state = 'succeeded')",
            )
            .bind(lease.job_id.as_str())
            .bind(lease.owner.as_str())
            .bind(lease.attempt),
        );
    }
    Ok(statements)
}

fn end_state(outcome: &Outcome) -> JobState {
    match outcome {
        Outcome::Succeeded(_) => JobState::Succeeded,
        Outcome::Failed(_) => JobState::Failed,
        Outcome::Cancelled => JobState::Cancelled,
        Outcome::Interrupted(_) => JobState::Interrupted,
        Outcome::GivenBack => JobState::Queued,
    }
}

/// True when this very end was recorded before.
pub(crate) fn is_done(job: &Job, lease: &Lease, outcome: &Outcome) -> bool {
    let same_attempt = job.attempt == lease.attempt && job.owner.as_deref() == Some(lease.owner.as_str());
    let given_back = *outcome == Outcome::GivenBack && job.state == JobState::Cancelled && job.cancel_asked;
    same_attempt && (job.state == end_state(outcome) || given_back)
}

pub(crate) fn log_insert(job_id: &str, lines: &[LogLine]) -> Result<Statement, MetaError> {
    let rows: Vec<String> = (0..lines.len())
        .map(|i| {
            let first = 2 + 5 * i;
            format!("($1, ${}, ${}, ${}, ${}, ${})", first, first + 1, first + 2, first + 3, first + 4)
        })
        .collect();
    let sql = format!(
        "INSERT INTO ml_job_logs (job_id, attempt, line, logged_at, level, message) VALUES {} ON CONFLICT DO NOTHING",
        rows.join(", ")
    );
    lines.iter().try_fold(Statement::new(sql).bind(job_id), |statement, line| {
        Ok(statement
            .bind(line.attempt)
            .bind(check::whole("line", line.line)?)
            .bind(line.at)
            .bind(line.level)
            .bind(check::free_text(&line.message)))
    })
}
