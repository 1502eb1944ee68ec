//! The statements of the job queue.

use candlecast_core::Timestamp;

use super::job_rows::{AT_ONCE, JOB_COLUMNS};
use super::lease_time::LeaseTime;
use crate::db::{Arg, Database, Statement};
use crate::jobs::{Job, JobState, Lease, LogLine, MAX_WAIT_MS, NewJob, Outcome, WantedKind};
use crate::{MetaError, check};

/// The job is running under this very lease; `$1` to `$3` are the lease.
pub(crate) const HELD: &str = "id = $1 AND owner = $2 AND attempt = $3 AND state = 'running'";

/// Another attempt follows the one that ends.
const AGAIN: &str = "cancel_asked = 0 AND resumable = 1 AND attempts_left > 0";

/// A time span of leases and delays, ms; nothing waits for longer than [`MAX_WAIT_MS`].
fn span(field: &'static str, ms: u64) -> Result<i64, MetaError> {
    check::whole(field, ms).map(|ms| ms.min(MAX_WAIT_MS))
}

/// A statement whose first three values are the lease.
pub(crate) fn held(sql: String, lease: &Lease) -> Statement {
    Statement::new(sql).bind(lease.job_id.as_str()).bind(lease.owner.as_str()).bind(lease.attempt)
}

/// Who takes a job, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken<'a> {
    pub(crate) owner: &'a str,
    pub(crate) lease_ms: u64,
}

/// Inserts a job, waiting or taken already; inserts nothing where the id or the dedupe key stands in the way.
pub(crate) fn insert(
    new: &NewJob,
    taken: Option<Taken<'_>>,
    time: LeaseTime,
    now: Timestamp,
) -> Result<Statement, MetaError> {
    if new.limits.max_attempts == 0 {
        return Err(MetaError::invalid("max_attempts", "0", "allow at least one attempt"));
    }
    let dedupe_key = new.dedupe_key.as_deref().map(|key| check::id("dedupe_key", key)).transpose()?;
    let folder = new.folder.as_deref().map(|folder| check::id("folder", folder)).transpose()?;
    let db_now = time.sql(21);
    let sql = format!(
        "INSERT INTO ml_training_jobs (id, kind, priority, payload, dedupe_key, resumable, max_attempts, max_run_ms, \
         threads, created_at, updated_at, run_after, cancel_asked, state, attempt, attempts_left, owner, lease_until, \
         started_at, payload_version, folder) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, \
         CASE WHEN $11 > {db_now} + $12 THEN {db_now} + $12 ELSE $11 END, 0, $13, $14, $15, $16, {db_now} + $17, $18, \
         $19, $20) ON CONFLICT DO NOTHING RETURNING {JOB_COLUMNS}"
    );
    let owner = taken.map(|t| check::id("owner", t.owner)).transpose()?;
    let state = if taken.is_some() { JobState::Running } else { JobState::Queued };
    let attempt = u32::from(taken.is_some());
    let statement = Statement::new(sql)
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
        .bind(new.run_after.unwrap_or(AT_ONCE))
        .bind(MAX_WAIT_MS)
        .bind(state)
        .bind(attempt)
        .bind(new.limits.max_attempts - attempt)
        .bind(owner)
        // NULL plus anything is NULL: a job that waits has no lease.
        .bind(taken.map(|t| span("lease_ms", t.lease_ms)).transpose()?)
        .bind(taken.map(|_| now))
        .bind(new.payload_version)
        .bind(folder);
    Ok(time.bind(statement))
}

/// Renews a lease.
pub(crate) fn beat(lease: &Lease, lease_ms: u64, time: LeaseTime, now: Timestamp) -> Result<Statement, MetaError> {
    let db_now = time.sql(6);
    let sql = format!(
        "UPDATE ml_training_jobs SET lease_until = {db_now} + $4, updated_at = $5 WHERE {HELD} RETURNING cancel_asked"
    );
    Ok(time.bind(held(sql, lease).bind(span("lease_ms", lease_ms)?).bind(now)))
}

/// Takes one job that nobody works on and that has not succeeded; one that had ended begins with all its attempts.
pub(crate) fn lease_this(
    job_id: &str,
    taken: Taken<'_>,
    time: LeaseTime,
    now: Timestamp,
) -> Result<Statement, MetaError> {
    let db_now = time.sql(5);
    let sql = format!(
        "UPDATE ml_training_jobs SET state = 'running', owner = $2, lease_until = {db_now} + $3, attempt = attempt + 1, \
         attempts_left = CASE WHEN state = 'queued' THEN attempts_left - 1 ELSE max_attempts - 1 END, \
         cancel_asked = 0, started_at = $4, updated_at = $4, finished_at = NULL, error = NULL, result = NULL \
         WHERE id = $1 AND state IN ('queued', 'failed', 'cancelled', 'interrupted') RETURNING {JOB_COLUMNS}"
    );
    let statement = Statement::new(sql)
        .bind(job_id)
        .bind(check::id("owner", taken.owner)?)
        .bind(span("lease_ms", taken.lease_ms)?)
        .bind(now);
    Ok(time.bind(statement))
}

/// Takes the first waiting job. PostgreSQL passes over rows that another worker is taking; SQLite has one writer
/// at a time, but must be told to walk the queue's index, or it sorts all that waits. Nothing is taken once the schema
/// is a newer one than this program's.
pub(crate) fn lease(
    db: &Database,
    taken: Taken<'_>,
    kinds: &[WantedKind],
    time: LeaseTime,
    now: Timestamp,
) -> Result<Statement, MetaError> {
    let (hint, skip) = match db {
        Database::Sqlite(_) => ("INDEXED BY ml_training_jobs_queue", ""),
        Database::Postgres(_) => ("", "FOR UPDATE SKIP LOCKED"),
    };
    let mut args: Vec<Arg> = vec![
        check::id("owner", taken.owner)?.into(),
        span("lease_ms", taken.lease_ms)?.into(),
        now.into(),
        known_schema(db).into(),
        MAX_WAIT_MS.into(),
    ];
    let of_kind: Vec<String> = kinds.iter().map(|kind| wanted(kind, &mut args)).collect();
    let of_kind = if of_kind.is_empty() { String::new() } else { format!("AND ({})", of_kind.join(" OR ")) };
    let db_now = time.sql(args.len() + 1);
    // What is to wait for longer than anything may was put off by a clock that was wrong.
    let sql = format!(
        "UPDATE ml_training_jobs SET state = 'running', owner = $1, lease_until = {db_now} + $2, attempt = attempt + 1, \
         attempts_left = attempts_left - 1, started_at = $3, updated_at = $3, finished_at = NULL, error = NULL \
         WHERE state = 'queued' AND seq = (SELECT seq FROM ml_training_jobs {hint} \
         WHERE state = 'queued' AND run_after NOT BETWEEN {db_now} + 1 AND {db_now} + $5 {of_kind} \
         ORDER BY priority DESC, seq LIMIT 1 {skip}) \
         AND NOT EXISTS (SELECT 1 FROM candlecast_schema WHERE version > $4) RETURNING {JOB_COLUMNS}"
    );
    Ok(time.bind(Statement { sql: sql.into(), args }))
}

/// Newest schema that this program knows.
pub(crate) fn known_schema(db: &Database) -> i64 {
    db.steps().last().map_or(0, |step| step.version)
}

/// The condition that a job is of `kind`; its values are added to `args`.
fn wanted(kind: &WantedKind, args: &mut Vec<Arg>) -> String {
    let mut place = |value: Arg| {
        args.push(value);
        format!("${}", args.len())
    };
    let name = place(kind.kind.as_str().into());
    let version = place(kind.payload_version.into());
    let folder = place(kind.folder.as_str().into());
    let except: Vec<String> = kind.except.iter().map(|id| place(id.as_str().into())).collect();
    let others = if except.is_empty() { String::new() } else { format!(" AND id NOT IN ({})", except.join(", ")) };
    format!("(kind = {name} AND payload_version <= {version} AND (folder IS NULL OR folder = {folder}){others})")
}

/// Ends the running jobs that `which` names, as jobs end whose worker is gone; `$1` is when.
fn gone(which: &str) -> String {
    format!(
        "UPDATE ml_training_jobs SET lease_until = NULL, updated_at = $1, \
         state = CASE WHEN cancel_asked = 1 THEN 'cancelled' WHEN {AGAIN} THEN 'queued' ELSE 'interrupted' END, \
         finished_at = CASE WHEN {AGAIN} THEN finished_at ELSE $1 END, \
         error = CASE WHEN cancel_asked = 1 OR {AGAIN} THEN error ELSE 'the worker stopped answering' END \
         WHERE state = 'running' AND {which} RETURNING {JOB_COLUMNS}"
    )
}

/// Ends leases that ran out `silence_ms` ago, but for those of `spared`.
pub(crate) fn expire(
    silence_ms: u64,
    spared: &[String],
    time: LeaseTime,
    now: Timestamp,
) -> Result<Statement, MetaError> {
    let places: Vec<String> = (0..spared.len()).map(|i| format!("${}", 3 + i)).collect();
    let others = if places.is_empty() { String::new() } else { format!(" AND owner NOT IN ({})", places.join(", ")) };
    let db_now = time.sql(3 + spared.len());
    let statement = Statement::new(gone(&format!("lease_until <= {db_now} - $2{others}")));
    let statement = statement.bind(now).bind(span("silence_ms", silence_ms)?);
    Ok(time.bind(spared.iter().fold(statement, |statement, owner| statement.bind(owner.as_str()))))
}

/// Ends one lease, whether it ran out or not.
pub(crate) fn end(lease: &Lease, now: Timestamp) -> Statement {
    Statement::new(gone("id = $2 AND owner = $3 AND attempt = $4"))
        .bind(now)
        .bind(lease.job_id.as_str())
        .bind(lease.owner.as_str())
        .bind(lease.attempt)
}

/// Ends an attempt; a job that succeeded needs its checkpoint no more.
pub(crate) fn finish(
    lease: &Lease,
    outcome: &Outcome,
    time: LeaseTime,
    now: Timestamp,
) -> Result<Vec<Statement>, MetaError> {
    match outcome {
        Outcome::GivenBack => return Ok(vec![given_back(lease, None, now)]),
        Outcome::LeftToOthers(error) => return Ok(vec![given_back(lease, Some(error.as_str()), now)]),
        Outcome::PutOff { error, delay_ms } => return Ok(vec![put_off(lease, error, *delay_ms, time, now)?]),
        _ => {}
    }
    let (result, error) = match outcome {
        Outcome::Succeeded(result) => (Some(check::json("result", result)?), None),
        Outcome::Failed(error) | Outcome::Interrupted(error) => (None, Some(check::free_text(error))),
        Outcome::Cancelled | Outcome::GivenBack | Outcome::LeftToOthers(_) | Outcome::PutOff { .. } => (None, None),
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

/// Back to the queue without an attempt less; `error` says why it waits.
fn given_back(lease: &Lease, error: Option<&str>, now: Timestamp) -> Statement {
    let sql = format!(
        "UPDATE ml_training_jobs SET lease_until = NULL, updated_at = $4, attempts_left = attempts_left + 1, \
         error = $5, state = CASE WHEN cancel_asked = 1 THEN 'cancelled' ELSE 'queued' END, \
         finished_at = CASE WHEN cancel_asked = 1 THEN $4 ELSE finished_at END WHERE {HELD}"
    );
    held(sql, lease).bind(now).bind(error.map(check::free_text))
}

/// Back to the queue for a while, if there is another attempt.
fn put_off(lease: &Lease, error: &str, delay_ms: u64, time: LeaseTime, now: Timestamp) -> Result<Statement, MetaError> {
    let db_now = time.sql(7);
    let sql = format!(
        "UPDATE ml_training_jobs SET lease_until = NULL, updated_at = $4, \
         error = CASE WHEN cancel_asked = 1 THEN error ELSE $5 END, \
         run_after = CASE WHEN {AGAIN} THEN {db_now} + $6 ELSE run_after END, \
         state = CASE WHEN cancel_asked = 1 THEN 'cancelled' WHEN {AGAIN} THEN 'queued' ELSE 'failed' END, \
         finished_at = CASE WHEN {AGAIN} THEN finished_at ELSE $4 END WHERE {HELD}"
    );
    let statement = held(sql, lease).bind(now).bind(check::free_text(error)).bind(span("delay_ms", delay_ms)?);
    Ok(time.bind(statement))
}

fn end_state(outcome: &Outcome) -> JobState {
    match outcome {
        Outcome::Succeeded(_) => JobState::Succeeded,
        Outcome::Failed(_) => JobState::Failed,
        Outcome::Cancelled => JobState::Cancelled,
        Outcome::Interrupted(_) => JobState::Interrupted,
        Outcome::GivenBack | Outcome::LeftToOthers(_) | Outcome::PutOff { .. } => JobState::Queued,
    }
}

/// True when this very end was recorded before.
pub(crate) fn is_done(job: &Job, lease: &Lease, outcome: &Outcome) -> bool {
    let same_attempt = job.attempt == lease.attempt && job.owner.as_deref() == Some(lease.owner.as_str());
    let end = end_state(outcome);
    // What goes back to the queue is cancelled where that was asked for; without another attempt it has failed.
    let is_cancelled = end == JobState::Queued && job.state == JobState::Cancelled && job.cancel_asked;
    let is_last = matches!(outcome, Outcome::PutOff { .. }) && job.state == JobState::Failed;
    same_attempt && (job.state == end || is_cancelled || is_last)
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
