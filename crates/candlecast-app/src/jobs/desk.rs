//! What users ask of jobs: lists, details, cancelling, retrying, logs.

use candlecast_meta::{Job, JobFilter, JobState, LogLine, MAX_PAGE, MetaError, MetadataStore, PageRequest};

use super::kinds;
use super::owner::Owner;
use crate::app::system_time;
use crate::doc::{JobDetailDoc, JobDoc, JobsDoc};
use crate::{App, AppError};

/// Fewest characters of an identity that may stand for it.
const MIN_PREFIX: usize = 4;
/// Jobs named where a beginning fits several.
const MAX_NAMED: u32 = 10;

impl App {
    /// Jobs, newest first. Those whose worker is gone are brought up to date before.
    pub async fn list_jobs(&self, filter: &JobFilter, page: PageRequest) -> Result<JobsDoc, AppError> {
        filter.kinds.iter().try_for_each(|kind| kinds::find(kind).map(drop))?;
        self.recover_jobs_if_possible().await?;
        let found = self.metadata().await?.jobs(filter, page).await?;
        let now = system_time();
        Ok(JobsDoc {
            jobs: found.items.iter().map(|job| JobDoc::new(job, now)).collect(),
            next: found.next.map(|cursor| cursor.to_string()),
        })
    }

    /// Everything about one job. `id` may be the beginning of its identity.
    pub async fn show_job(&self, id: &str) -> Result<JobDetailDoc, AppError> {
        Ok(JobDetailDoc::new(&self.find_job(id).await?, system_time()))
    }

    /// Cancels a job: at once if it waits, else through its worker, which hears of it within seconds.
    pub async fn cancel_job(&self, id: &str) -> Result<JobDoc, AppError> {
        let job = self.find_job(id).await?;
        let store = self.metadata().await?;
        store.cancel_job(&job.id, system_time()).await?;
        Ok(JobDoc::new(&store.job(&job.id).await?, system_time()))
    }

    /// Queues a failed, cancelled or interrupted job again, for a worker.
    pub async fn requeue_job(&self, id: &str) -> Result<JobDoc, AppError> {
        let job = self.find_job(id).await?;
        let queued = self.metadata().await?.retry_job(&job.id, system_time()).await?;
        Ok(JobDoc::new(&queued, system_time()))
    }

    /// Lines of a job's log in order, after `(attempt, line)`; at most 1,000.
    pub async fn job_log(&self, id: &str, after: Option<(u32, u64)>) -> Result<Vec<LogLine>, AppError> {
        Ok(self.metadata().await?.job_log(id, after, MAX_PAGE).await?)
    }

    /// The job with the identity `id`, or the only one whose identity begins so.
    pub async fn find_job(&self, id: &str) -> Result<Job, AppError> {
        self.recover_jobs_if_possible().await?;
        let id = id.trim();
        let store = self.metadata().await?;
        match store.job(id).await {
            Err(MetaError::NotFound { .. }) => {}
            answer => return Ok(answer?),
        }
        if id.len() < MIN_PREFIX {
            return Err(AppError::usage(
                "bad-job-id",
                "id",
                format!("job `{id}` is not known: write at least {MIN_PREFIX} characters of its id"),
            ));
        }
        let mut found = store.jobs_named(id, MAX_NAMED + 1).await?;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(AppError::new(
                "unknown-job",
                404,
                crate::Blame::Data,
                format!("job `{id}` is not known: see `candlecast jobs list`"),
            )
            .with_field("id")),
            _ => Err(ambiguous(id, &found)),
        }
    }

    /// Ends the leases of workers that are gone: those that ran out, and at once those of processes of this host that
    /// have ended. Their jobs are queued again where another attempt is left, else they are interrupted. Returns them.
    pub async fn recover_jobs(&self) -> Result<Vec<Job>, AppError> {
        Ok(recover(self.metadata().await?.as_ref()).await?)
    }

    /// Lists are shown where nothing can be written, too.
    async fn recover_jobs_if_possible(&self) -> Result<(), AppError> {
        let store = self.metadata().await?;
        match recover(store.as_ref()).await {
            Err(error @ (MetaError::ReadOnly { .. } | MetaError::DiskFull { .. } | MetaError::Busy { .. })) => {
                tracing::warn!(%error, "jobs whose worker is gone are shown as running");
                Ok(())
            }
            answer => Ok(answer.map(drop)?),
        }
    }
}

/// As [`App::recover_jobs`].
pub(crate) async fn recover(store: &dyn MetadataStore) -> Result<Vec<Job>, MetaError> {
    let running = JobFilter { states: vec![JobState::Running], kinds: vec![] };
    let mut page = PageRequest::first(MAX_PAGE);
    loop {
        let found = store.jobs(&running, page).await?;
        for lease in found.items.iter().filter_map(Job::lease) {
            if lease.owner.parse::<Owner>().is_ok_and(|owner| owner.has_ended()) {
                // A lease of no length has run out.
                match store.heartbeat(&lease, 0, system_time()).await {
                    Err(MetaError::LeaseLost { .. } | MetaError::NotFound { .. }) => {}
                    answer => drop(answer?),
                }
            }
        }
        match found.next {
            Some(next) => page.after = Some(next),
            None => return store.expire_leases(system_time()).await,
        }
    }
}

fn ambiguous(id: &str, found: &[Job]) -> AppError {
    let listed: Vec<&str> = found.iter().take(MAX_NAMED as usize).map(|job| job.id.as_str()).collect();
    let more = if found.len() > listed.len() { " and others" } else { "" };
    AppError::usage(
        "ambiguous-job",
        "id",
        format!("several jobs begin with `{id}`: {}{more}; write more of it", listed.join(", ")),
    )
}
