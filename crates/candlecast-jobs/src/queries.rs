//! What users ask of jobs: lists, details, cancelling, retrying, logs.

use std::time::Duration;

use candlecast_core::{Blame, Problem};
use candlecast_host::{Host, Owner, system_time};
use candlecast_meta::{Job, JobFilter, JobState, LogLine, MAX_PAGE, MetaError, PageRequest, QueueStore};

use crate::ALIVE_SILENCE_MS;
use crate::doc::{JobDetailDoc, JobDoc, JobsDoc};
use crate::kind::JobCatalog;
use crate::submit::queue;

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
    let store = queue(host).await?;
    let ended = match running(store.as_ref()).await {
        Ok(jobs) => end_dead(store.as_ref(), &jobs).await,
        Err(error) => Err(error),
    };
    match ended {
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

/// Ends the leases, of `running` jobs, of processes and tasks that have certainly ended; returns their jobs, which are
/// queued again where another attempt is left. A lease that ran out is left alone: its worker may only have lost the
/// database for a while.
async fn end_dead(store: &dyn QueueStore, running: &[Job]) -> Result<Vec<Job>, MetaError> {
    let mut ended = Vec::new();
    for (job, owner) in owned(running) {
        if let Some(lease) = job.lease().filter(|_| owner.has_ended()) {
            ended.extend(store.end_lease(&lease, system_time()).await?);
        }
    }
    Ok(ended)
}

/// As [`end_dead`], and ends the leases, whosever they are, that ran out at least `silence` ago; none for `None`. What
/// this process works on is never among them, and what another one works on that is certainly there only once it has
/// hung for long: their leases seem to have run out when the machine slept, or a clock was set.
pub(crate) async fn end_leases(store: &dyn QueueStore, silence: Option<Duration>) -> Result<Vec<Job>, MetaError> {
    let jobs = running(store).await?;
    let mut ended = end_dead(store, &jobs).await?;
    let Some(silence) = silence else { return Ok(ended) };
    let silence_ms = u64::try_from(silence.as_millis()).unwrap_or(u64::MAX);
    let alive = owned(&jobs).filter(|(_, owner)| owner.is_alive());
    let (own, near): (Vec<_>, Vec<_>) = alive.partition(|(_, owner)| owner.is_of_this_process());
    let names = |of: &[(&Job, Owner)]| of.iter().filter_map(|(job, _)| job.owner.clone()).collect::<Vec<String>>();
    let (own, near) = (names(&own), names(&near));
    let spared = [own.as_slice(), &near].concat();
    ended.extend(store.expire_leases(silence_ms, &spared, system_time()).await?);
    if !near.is_empty() {
        ended.extend(store.expire_leases(silence_ms.max(ALIVE_SILENCE_MS), &own, system_time()).await?);
    }
    Ok(ended)
}

/// The jobs whose owners can be read.
fn owned(jobs: &[Job]) -> impl Iterator<Item = (&Job, Owner)> {
    jobs.iter().filter_map(|job| Some((job, job.owner.as_ref()?.parse::<Owner>().ok()?)))
}

/// Every job that is under way, as far as is known.
async fn running(store: &dyn QueueStore) -> Result<Vec<Job>, MetaError> {
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

fn ambiguous(id: &str, found: &[Job]) -> Problem {
    let listed: Vec<&str> = found.iter().take(MAX_NAMED as usize).map(|job| job.id.as_str()).collect();
    let more = if found.len() > listed.len() { " and others" } else { "" };
    Problem::usage(
        "ambiguous-job",
        "id",
        format!("several jobs begin with `{id}`: {}{more}; write more of it", listed.join(", ")),
    )
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_config::{Environment, Flags, ModelCatalog, Settings};
    use candlecast_core::{Seed, Timestamp};
    use candlecast_host::{Clock, HostOptions};
    use candlecast_meta::{JobLimits, JobStore as _, NewJob, SqlStore};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::LEASE_MS;

    fn host() -> (Host, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let settings = Settings::read(&flags, &Environment::new(folder.path(), []), &ModelCatalog::EMPTY).unwrap();
        let clock = Clock::Fixed(Timestamp::year_start(2024));
        let cancel = Arc::new(AtomicBool::new(false));
        (Host::open(settings, HostOptions { seed: Seed(42), threads: Some(1), clock, cancel }).unwrap(), folder)
    }

    /// Begins a job whose lease ran out `silent_ms` ago.
    async fn silent(folder: &TempDir, id: &str, owner: &str, silent_ms: i64) {
        let store = SqlStore::open_in(folder.path(), Timestamp(0)).await.unwrap().by_callers_clock();
        let then = system_time().plus_ms(-silent_ms);
        store.begin_job(&NewJob::new(id, "train", json!({})), owner, 0, then).await.unwrap();
        store.close().await;
    }

    async fn states(store: &dyn QueueStore, ids: &[&str]) -> Vec<JobState> {
        let mut states = Vec::new();
        for id in ids {
            states.push(store.job(id).await.unwrap().state);
        }
        states
    }

    fn sorted(jobs: Vec<Job>) -> Vec<String> {
        let mut ids: Vec<String> = jobs.into_iter().map(|job| job.id).collect();
        ids.sort_unstable();
        ids
    }

    #[tokio::test]
    async fn only_leases_of_processes_and_tasks_that_have_ended_are_ended_at_once() {
        let (host, folder) = host();
        let store = queue(&host).await.unwrap();
        let this = Owner::this().to_string();
        // Its number was given to another process: this one.
        let dead = format!("{}:1", this.rsplit_once(':').unwrap().0);
        let (ended, alive) = (Owner::task().to_string(), Owner::task());
        silent(&folder, "dead", &dead, 3_600_000).await;
        silent(&folder, "silent", "another-host", 3_600_000).await;
        let limits = JobLimits { max_attempts: 1, ..JobLimits::default() };
        let last = NewJob { limits, ..NewJob::new("dead-for-good", "train", json!({})) };
        store.begin_job(&last, &dead, 60_000, system_time()).await.unwrap();
        for (id, owner) in [("ended", ended), ("alive", alive.to_string())] {
            store.begin_job(&NewJob::new(id, "train", json!({})), &owner, 60_000, system_time()).await.unwrap();
        }

        let found = end_leases(store.as_ref(), None).await.unwrap();
        assert_eq!(sorted(found), ["dead", "dead-for-good", "ended"]);
        let all = states(store.as_ref(), &["dead", "ended", "dead-for-good", "silent", "alive"]).await;
        let (queued, running) = (JobState::Queued, JobState::Running);
        assert_eq!(all, [queued, queued, JobState::Interrupted, running, running]);
        assert!(end_leases(store.as_ref(), None).await.unwrap().is_empty());
        assert_eq!(sorted(end_leases(store.as_ref(), Some(Duration::ZERO)).await.unwrap()), ["silent"]);
    }

    /// The machine slept, or its clock was set ahead: every lease seems to have run out.
    #[tokio::test]
    async fn whoever_is_there_keeps_its_jobs_though_their_leases_ran_out() {
        let (host, folder) = host();
        let store = queue(&host).await.unwrap();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let task = Owner::task();
        let near = near(child.id());
        assert!(near.parse::<Owner>().unwrap().is_alive(), "/proc tells nothing here");
        let lease_ms = i64::try_from(LEASE_MS).unwrap();
        for (id, owner, silent_ms) in [
            ("by-this-process", &Owner::this().to_string(), 1_000 * lease_ms),
            ("by-this-task", &task.to_string(), 1_000 * lease_ms),
            ("near", &near, 8 * lease_ms),
            ("near-and-hung", &near, 10 * lease_ms),
            ("elsewhere", &"another-host".to_owned(), 1_000),
        ] {
            silent(&folder, id, owner, silent_ms).await;
        }
        let ended = end_leases(store.as_ref(), Some(Duration::ZERO)).await.unwrap();
        assert_eq!(sorted(ended), ["elsewhere", "near-and-hung"]);
        let kept = states(store.as_ref(), &["by-this-process", "by-this-task", "near"]).await;
        assert_eq!(kept, [JobState::Running; 3]);

        child.kill().unwrap();
        child.wait().unwrap();
        drop(task);
        assert_eq!(sorted(end_leases(store.as_ref(), None).await.unwrap()), ["by-this-task", "near"]);
    }

    /// The owner that process `pid` of this host is.
    fn near(pid: u32) -> String {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let start = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().to_owned();
        let this = Owner::this().to_string();
        let parts: Vec<&str> = this.split(':').collect();
        format!("{}:{}:{pid}:{start}", parts[0], parts[1])
    }
}
