//! The job queue in SQL. Every change of state is one statement that names the state it starts from, so that two
//! workers, or a worker and a user, cannot both win.

use async_trait::async_trait;
use candlecast_core::Timestamp;

use super::job_rows::{AT_ONCE, JOB_COLUMNS, job, log_line};
use super::job_statements::{
    HELD, Taken, beat, end, expire, finish, held, insert, is_done, known_schema, lease, lease_this, log_insert,
};
use super::select::Select;
use crate::db::Statement;
use crate::error::Rule;
use crate::jobs::{
    Cancelled, Checkpoint, Enqueued, Job, JobFilter, JobState, JobStore, Lease, LogLine, NewJob, Outcome, Progress,
    Signal, WantedKind,
};
use crate::{MetaError, Page, PageRequest, SqlStore, check};

/// Log lines written by one statement.
const LOG_BATCH: usize = 500;

#[async_trait]
impl JobStore for SqlStore {
    async fn enqueue(&self, new: &NewJob, now: Timestamp) -> Result<Enqueued, MetaError> {
        self.insert_or_find(new, &insert(new, None, self.lease_time(now), now)?).await
    }

    async fn begin_job(&self, new: &NewJob, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Enqueued, MetaError> {
        let taken = Taken { owner, lease_ms };
        self.insert_or_find(new, &insert(new, Some(taken), self.lease_time(now), now)?).await
    }

    async fn lease_this(&self, job_id: &str, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Job, MetaError> {
        let statement = lease_this(job_id, Taken { owner, lease_ms }, self.lease_time(now), now)?;
        let row = match self.db.changed_row(statement).await {
            Err(error) if error.is_rule(Rule::Unique) => return Err(rival(job_id)),
            answer => answer?,
        };
        if let Some(row) = row {
            return job(&row);
        }
        let standing = self.job(job_id).await?;
        match standing.state {
            // The answer to an earlier call was lost.
            JobState::Running if standing.owner.as_deref() == Some(owner) => Ok(standing),
            JobState::Running => {
                Err(MetaError::conflict("job", job_id, "is running already: wait for it, or cancel it"))
            }
            JobState::Succeeded => {
                Err(MetaError::conflict("job", job_id, "has succeeded: there is nothing left to do"))
            }
            // It was taken when it was asked for, and is free by now.
            _ => Err(MetaError::Busy { place: self.place().into(), detail: "the job changes hands".into() }),
        }
    }

    async fn lease_job(
        &self,
        owner: &str,
        kinds: &[WantedKind],
        lease_ms: u64,
        now: Timestamp,
    ) -> Result<Option<Job>, MetaError> {
        let statement = lease(&self.db, Taken { owner, lease_ms }, kinds, self.lease_time(now), now)?;
        match self.db.changed_row(statement).await? {
            Some(row) => job(&row).map(Some),
            None => self.expect_known_schema().await.map(|()| None),
        }
    }

    async fn heartbeat(&self, lease: &Lease, lease_ms: u64, now: Timestamp) -> Result<Signal, MetaError> {
        self.signal(lease, beat(lease, lease_ms, self.lease_time(now), now)?).await
    }

    async fn report_progress(&self, lease: &Lease, progress: &Progress, now: Timestamp) -> Result<Signal, MetaError> {
        let share = check::finite("done_share", progress.done_share)?.clamp(0.0, 1.0);
        let sql = format!(
            "UPDATE ml_training_jobs SET stage = $4, stage_no = $5, stages = $6, fold = $7, folds = $8, \
             done_share = $9, eta_ms = $10, updated_at = $11 WHERE {HELD} RETURNING cancel_asked"
        );
        let statement = held(sql, lease)
            .bind(check::free_text(&progress.stage))
            .bind(progress.stage_of.map(|(no, _)| no))
            .bind(progress.stage_of.map(|(_, of)| of))
            .bind(progress.fold_of.map(|(no, _)| no))
            .bind(progress.fold_of.map(|(_, of)| of))
            .bind(share)
            .bind(check::whole_if_any("eta_ms", progress.eta_ms)?)
            .bind(now);
        self.signal(lease, statement).await
    }

    async fn save_checkpoint(&self, lease: &Lease, body: Vec<u8>, now: Timestamp) -> Result<(), MetaError> {
        let sql = format!(
            "INSERT INTO ml_job_checkpoints (job_id, attempt, saved_at, body) \
             SELECT id, attempt, $4, $5 FROM ml_training_jobs WHERE {HELD} \
             ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, saved_at = excluded.saved_at, \
             body = excluded.body"
        );
        match self.db.change(held(sql, lease).bind(now).bind(body)).await? {
            0 => Err(self.not_held(lease).await),
            _ => Ok(()),
        }
    }

    async fn checkpoint(&self, job_id: &str) -> Result<Option<Checkpoint>, MetaError> {
        let statement = Statement::new("SELECT attempt, saved_at, body FROM ml_job_checkpoints WHERE job_id = $1");
        let Some(row) = self.db.row(statement.bind(job_id)).await? else { return Ok(None) };
        Ok(Some(Checkpoint {
            attempt: row.narrow("attempt")?,
            saved_at: row.time("saved_at")?,
            body: row.blob("body")?,
        }))
    }

    async fn finish_job(&self, lease: &Lease, outcome: &Outcome, now: Timestamp) -> Result<(), MetaError> {
        let changed = self.db.change_all(finish(lease, outcome, self.lease_time(now), now)?).await?;
        if changed.first() != Some(&0) {
            return Ok(());
        }
        let job = self.job(&lease.job_id).await?;
        if is_done(&job, lease, outcome) { Ok(()) } else { Err(lost(lease)) }
    }

    async fn cancel_job(&self, job_id: &str, now: Timestamp) -> Result<Cancelled, MetaError> {
        let statement = Statement::new(
            "UPDATE ml_training_jobs SET cancel_asked = 1, updated_at = $2, \
             finished_at = CASE WHEN state = 'queued' THEN $2 ELSE finished_at END, \
             state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END \
             WHERE id = $1 AND state IN ('queued', 'running') RETURNING state",
        );
        let state = match self.db.changed_row(statement.bind(job_id).bind(now)).await? {
            Some(row) => row.parsed::<JobState>("state")?,
            None => self.job(job_id).await?.state,
        };
        match state {
            JobState::Running => Ok(Cancelled::Asked),
            JobState::Cancelled => Ok(Cancelled::AtOnce),
            other => Err(MetaError::conflict("job", job_id, format!("is {other}: there is nothing to cancel"))),
        }
    }

    async fn retry_job(&self, job_id: &str, now: Timestamp) -> Result<Job, MetaError> {
        let statement = Statement::new(format!(
            "UPDATE ml_training_jobs SET state = 'queued', cancel_asked = 0, attempts_left = max_attempts, \
             run_after = $3, updated_at = $2, owner = NULL, finished_at = NULL, error = NULL, result = NULL \
             WHERE id = $1 AND state IN ('failed', 'cancelled', 'interrupted') RETURNING {JOB_COLUMNS}"
        ));
        let row = match self.db.changed_row(statement.bind(job_id).bind(now).bind(AT_ONCE)).await {
            Err(error) if error.is_rule(Rule::Unique) => return Err(rival(job_id)),
            answer => answer?,
        };
        if let Some(row) = row {
            return job(&row);
        }
        let job = self.job(job_id).await?;
        match job.state {
            JobState::Queued => Ok(job),
            state => Err(MetaError::conflict(
                "job",
                job_id,
                format!("is {state}: only failed, cancelled and interrupted jobs are retried"),
            )),
        }
    }

    async fn expire_leases(&self, silence_ms: u64, spared: &[String], now: Timestamp) -> Result<Vec<Job>, MetaError> {
        let statement = expire(silence_ms, spared, self.lease_time(now), now)?;
        self.db.changed_rows(statement).await?.iter().map(job).collect()
    }

    async fn end_lease(&self, lease: &Lease, now: Timestamp) -> Result<Option<Job>, MetaError> {
        self.db.changed_row(end(lease, now)).await?.as_ref().map(job).transpose()
    }

    async fn job(&self, job_id: &str) -> Result<Job, MetaError> {
        let statement = Statement::new(format!("SELECT {JOB_COLUMNS} FROM ml_training_jobs WHERE id = $1"));
        let row = self.db.row(statement.bind(job_id)).await?;
        job(&row.ok_or_else(|| MetaError::not_found("job", job_id))?)
    }

    async fn jobs_named(&self, prefix: &str, limit: u32) -> Result<Vec<Job>, MetaError> {
        let limit = PageRequest::first(limit).checked_limit()?;
        let statement = Statement::new(format!(
            "SELECT {JOB_COLUMNS} FROM ml_training_jobs WHERE substr(id, 1, length($1)) = $1 ORDER BY id LIMIT $2"
        ));
        let rows = self.db.rows(statement.bind(prefix).bind(limit)).await?;
        rows.iter().map(job).collect()
    }

    async fn jobs(&self, filter: &JobFilter, page: PageRequest) -> Result<Page<Job>, MetaError> {
        let mut select = Select::new(JOB_COLUMNS, "ml_training_jobs", "created_at");
        select.any_of("state", filter.states.iter().copied());
        select.any_of("kind", filter.kinds.iter().map(String::as_str));
        select.page(&self.db, page, job).await
    }

    async fn append_log(&self, job_id: &str, lines: &[LogLine]) -> Result<(), MetaError> {
        let statements =
            lines.chunks(LOG_BATCH).map(|chunk| log_insert(job_id, chunk)).collect::<Result<Vec<_>, MetaError>>()?;
        match self.db.change_all(statements).await {
            Err(error) if error.is_rule(Rule::Reference) => Err(MetaError::not_found("job", job_id)),
            answer => answer.map(drop),
        }
    }

    async fn job_log(&self, job_id: &str, after: Option<(u32, u64)>, limit: u32) -> Result<Vec<LogLine>, MetaError> {
        let limit = PageRequest::first(limit).checked_limit()?;
        let (attempt, line) = match after {
            Some((attempt, line)) => (i64::from(attempt), check::whole("line", line)?),
            None => (-1, -1),
        };
        let statement = Statement::new(
            "SELECT attempt, line, logged_at, level, message FROM ml_job_logs \
             WHERE job_id = $1 AND (attempt, line) > ($2, $3) ORDER BY attempt, line LIMIT $4",
        );
        let statement = statement.bind(job_id).bind(attempt).bind(line).bind(limit);
        self.db.rows(statement).await?.iter().map(log_line).collect()
    }

    async fn forget_jobs(&self, before: Timestamp) -> Result<u64, MetaError> {
        let statement = Statement::new(
            "DELETE FROM ml_training_jobs WHERE finished_at < $1 AND state NOT IN ('queued', 'running')",
        );
        self.db.change(statement.bind(before)).await
    }
}

impl SqlStore {
    /// Inserts a job, or finds the one that stands in the way.
    async fn insert_or_find(&self, new: &NewJob, insert: &Statement) -> Result<Enqueued, MetaError> {
        // The job that stood in the way may end between the two statements; then there is room again.
        for _ in 0..8 {
            if let Some(row) = self.db.changed_row(insert.clone()).await? {
                return Ok(Enqueued { job: job(&row)?, is_new: true });
            }
            let standing = Statement::new(format!(
                "SELECT {JOB_COLUMNS} FROM ml_training_jobs WHERE id = $1 \
                 OR (dedupe_key = $2 AND state IN ('queued', 'running')) ORDER BY CASE WHEN id = $1 THEN 0 ELSE 1 END"
            ));
            let standing = standing.bind(new.id.as_str()).bind(new.dedupe_key.as_deref());
            if let Some(row) = self.db.row(standing).await? {
                return Ok(Enqueued { job: job(&row)?, is_new: false });
            }
        }
        Err(MetaError::Busy { place: self.place().into(), detail: "jobs with the same key come and go".into() })
    }

    /// An error once a newer program has changed the schema: this one may not understand what is in it.
    async fn expect_known_schema(&self) -> Result<(), MetaError> {
        let newest = Statement::new("SELECT MAX(version) AS version FROM candlecast_schema");
        let found = match self.db.row(newest).await? {
            Some(row) => row.int_if_any("version")?.unwrap_or(0),
            None => 0,
        };
        let known = known_schema(&self.db);
        if found > known { Err(MetaError::Newer { found, known }) } else { Ok(()) }
    }

    /// Runs a statement guarded by [`HELD`] that returns `cancel_asked`.
    async fn signal(&self, lease: &Lease, statement: Statement) -> Result<Signal, MetaError> {
        match self.db.changed_row(statement).await? {
            Some(row) => Ok(if row.flag("cancel_asked")? { Signal::Cancel } else { Signal::Continue }),
            None => Err(self.not_held(lease).await),
        }
    }

    /// Why a lease does not hold: the job is gone, or another's.
    async fn not_held(&self, lease: &Lease) -> MetaError {
        match self.job(&lease.job_id).await {
            Ok(_) => lost(lease),
            Err(error) => error,
        }
    }
}

/// An equal job lives, so this one cannot come back to life.
fn rival(job_id: &str) -> MetaError {
    MetaError::conflict("job", job_id, "is being done by another job already: wait for that one")
}

fn lost(lease: &Lease) -> MetaError {
    MetaError::LeaseLost { job: lease.job_id.clone(), owner: lease.owner.clone(), attempt: lease.attempt }
}
