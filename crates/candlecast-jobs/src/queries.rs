//! What users ask of jobs: lists, details, cancelling, retrying, logs.

use std::time::Duration;

use candlecast_core::{Blame, Problem};
use candlecast_host::{Host, Owner, system_time};
use candlecast_meta::{Job, JobFilter, JobState, LogLine, MAX_PAGE, MetaError, MetadataStore, Outcome, PageRequest};

use crate::doc::{JobDetailDoc, JobDoc, JobsDoc};
use crate::kind::JobCatalog;

/// Fewest characters of an identity that may stand for it.
const MIN_PREFIX: usize = 4;
/// Jobs named where a beginning fits several.
const MAX_NAMED: u32 = 10;

/// Jobs, newest first. Those whose worker is gone are brought up to date before.
pub async fn list_jobs(
    host: &Host,
    catalog: &'static JobCatalog,
    filter: &JobFilter,
    page: PageRequest,
) -> Result<JobsDoc, Problem> {
    filter.kinds.iter().try_for_each(|kind| catalog.find(kind).map(drop))?;
    recover_jobs_if_possible(host).await?;
    let found = host.metadata().await?.jobs(filter, page).await?;
    let now = system_time();
    Ok(JobsDoc {
        jobs: found.items.iter().map(|job| JobDoc::new(catalog, job, now)).collect(),
        next: found.next.map(|cursor| cursor.to_string()),
    })
}

/// Everything about one job. `id` may be the beginning of its identity.
pub async fn show_job(host: &Host, catalog: &'static JobCatalog, id: &str) -> Result<JobDetailDoc, Problem> {
    Ok(JobDetailDoc::new(catalog, &find_job(host, id).await?, system_time()))
}

/// Cancels a job: at once if it waits, else through its worker, which hears of it within seconds.
pub async fn cancel_job(host: &Host, catalog: &'static JobCatalog, id: &str) -> Result<JobDoc, Problem> {
    let job = find_job(host, id).await?;
    let store = host.metadata().await?;
    store.cancel_job(&job.id, system_time()).await?;
    Ok(JobDoc::new(catalog, &store.job(&job.id).await?, system_time()))
}

/// Queues a failed, cancelled or interrupted job again, for a worker.
pub async fn requeue_job(host: &Host, catalog: &'static JobCatalog, id: &str) -> Result<JobDoc, Problem> {
    let job = find_job(host, id).await?;
    let queued = host.metadata().await?.retry_job(&job.id, system_time()).await?;
    Ok(JobDoc::new(catalog, &queued, system_time()))
}

/// Lines of a job's log in order, after `(attempt, line)`; at most 1,000.
pub async fn job_log(host: &Host, id: &str, after: Option<(u32, u64)>) -> Result<Vec<LogLine>, Problem> {
    Ok(host.metadata().await?.job_log(id, after, MAX_PAGE).await?)
}

/// The job with the identity `id`, or the only one whose identity begins so.
pub async fn find_job(host: &Host, id: &str) -> Result<Job, Problem> {
    recover_jobs_if_possible(host).await?;
    let id = id.trim();
    let store = host.metadata().await?;
    match store.job(id).await {
        Err(MetaError::NotFound { .. }) => {}
        answer => return Ok(answer?),
    }
    if id.len() < MIN_PREFIX {
        return Err(Problem::usage(
            "bad-job-id",
            "id",
            format!("job `{id}` is not known: write at least {MIN_PREFIX} characters of its id"),
        ));
    }
    let mut found = store.jobs_named(id, MAX_NAMED + 1).await?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Problem::new(
            "unknown-job",
            404,
            Blame::Data,
            format!("job `{id}` is not known: see `candlecast jobs list`"),
        )
        .with_field("id")),
        _ => Err(ambiguous(id, &found)),
    }
}

/// Lists are shown where nothing can be written, too.
async fn recover_jobs_if_possible(host: &Host) -> Result<(), Problem> {
    let store = host.metadata().await?;
    match end_dead(store.as_ref()).await {
        Err(
            error @ (MetaError::ReadOnly { .. }
            | MetaError::DiskFull { .. }
            | MetaError::Unavailable { .. }
            | MetaError::Busy { .. }),
        ) => {
            tracing::warn!(%error, "jobs whose worker is gone are shown as running");
            Ok(())
        }
        answer => Ok(answer.map(drop)?),
    }
}

/// Ends the leases of processes of this host that have certainly ended; returns their jobs, which are queued again where
/// another attempt is left. A lease that ran out is left alone: its worker may only have lost the database for a while.
async fn end_dead(store: &dyn MetadataStore) -> Result<Vec<Job>, MetaError> {
    let (dead, others): (Vec<Job>, Vec<Job>) = running(store).await?.into_iter().partition(is_dead);
    let now = system_time();
    // Leases of the dead are made to run out before any other, so that they can be ended alone.
    let first = others.iter().filter_map(|job| job.lease_until).min();
    let before = first.map_or(now, |until| until.plus_ms(-1).min(now));
    let mut ended = Vec::new();
    let mut is_any_again = false;
    for job in &dead {
        let Some(lease) = job.lease() else { continue };
        let is_again = job.resumable && job.attempts_left > 0 && !job.cancel_asked;
        let answer = if is_again {
            store.heartbeat(&lease, 0, before).await.map(drop)
        } else {
            store.finish_job(&lease, &end_of(job), now).await
        };
        match answer {
            Err(MetaError::LeaseLost { .. } | MetaError::NotFound { .. }) => continue,
            answer => answer?,
        }
        if is_again {
            is_any_again = true;
        } else {
            ended.push(store.job(&job.id).await?);
        }
    }
    if is_any_again {
        ended.extend(store.expire_leases(before).await?);
    }
    Ok(ended)
}

/// As [`end_dead`], and ends the leases, whosever they are, that ran out at least `silence` ago; none for `None`.
pub(crate) async fn end_leases(store: &dyn MetadataStore, silence: Option<Duration>) -> Result<Vec<Job>, MetaError> {
    let mut ended = end_dead(store).await?;
    if let Some(silence) = silence {
        let silence_ms = i64::try_from(silence.as_millis()).unwrap_or(i64::MAX);
        ended.extend(store.expire_leases(system_time().plus_ms(-silence_ms)).await?);
    }
    Ok(ended)
}

/// Every job that is under way, as far as is known.
async fn running(store: &dyn MetadataStore) -> Result<Vec<Job>, MetaError> {
    let filter = JobFilter { states: vec![JobState::Running], kinds: vec![] };
    let mut page = PageRequest::first(MAX_PAGE);
    let mut jobs = Vec::new();
    loop {
        let found = store.jobs(&filter, page).await?;
        jobs.extend(found.items);
        match found.next {
            Some(next) => page.after = Some(next),
            None => return Ok(jobs),
        }
    }
}

fn is_dead(job: &Job) -> bool {
    job.owner.as_ref().and_then(|owner| owner.parse::<Owner>().ok()).is_some_and(|owner| owner.has_ended())
}

/// How a job ends that is not queued again.
fn end_of(job: &Job) -> Outcome {
    if job.cancel_asked { Outcome::Cancelled } else { Outcome::Interrupted("the worker stopped answering".into()) }
}

fn ambiguous(id: &str, found: &[Job]) -> Problem {
    let listed: Vec<&str> = found.iter().take(MAX_NAMED as usize).map(|job| job.id.as_str()).collect();
    let more = if found.len() > listed.len() { " and others" } else { "" };
    Problem::usage(
        "ambiguous-job",
        "id",
        format!("several jobs begin with `{id}`: {}{more}; write more of it", listed.join(", ")),
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_core::{Seed, Timestamp};
    use candlecast_meta::{JobLimits, NewJob};
    use serde_json::json;

    use super::*;
    use candlecast_config::Environment;
    use candlecast_config::Flags;
    use candlecast_config::Settings;
    use candlecast_host::Clock;
    use candlecast_host::HostOptions;

    #[tokio::test]
    async fn only_leases_of_processes_that_have_ended_are_ended() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let settings =
            Settings::read(&flags, &Environment::new(folder.path(), []), &candlecast_config::ModelCatalog::EMPTY)
                .unwrap();
        let clock = Clock::Fixed(Timestamp::year_start(2024));
        let cancel = Arc::new(AtomicBool::new(false));
        let app = Host::open(settings, HostOptions { seed: Seed(42), threads: Some(1), clock, cancel }).unwrap();
        let store = app.metadata().await.unwrap();

        let this = Owner::this().to_string();
        // Its number was given to another process: this one.
        let dead = format!("{}:1", this.rsplit_once(':').unwrap().0);
        let limits = JobLimits { max_attempts: 1, ..JobLimits::default() };
        let ago = system_time().plus_ms(-3_600_000);
        for (id, owner) in [("dead", &dead), ("silent", &this)] {
            store.begin_job(&NewJob::new(id, "train", json!({})), owner, 1, ago).await.unwrap();
        }
        let last = NewJob { limits, ..NewJob::new("dead-for-good", "train", json!({})) };
        store.begin_job(&last, &dead, 60_000, system_time()).await.unwrap();
        store.begin_job(&NewJob::new("dead-too", "train", json!({})), &dead, 60_000, system_time()).await.unwrap();

        let mut ended: Vec<String> = end_dead(store.as_ref()).await.unwrap().into_iter().map(|job| job.id).collect();
        ended.sort_unstable();
        assert_eq!(ended, ["dead", "dead-for-good", "dead-too"]);
        for (id, state) in [
            ("dead", JobState::Queued),
            ("dead-too", JobState::Queued),
            ("dead-for-good", JobState::Interrupted),
            ("silent", JobState::Running),
        ] {
            assert_eq!(store.job(id).await.unwrap().state, state, "{id}");
        }
        assert!(end_dead(store.as_ref()).await.unwrap().is_empty());
        let rest = end_leases(store.as_ref(), Some(Duration::ZERO)).await.unwrap();
        assert_eq!(rest.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["silent"]);
    }
}
