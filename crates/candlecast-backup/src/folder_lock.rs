//! Other programs on a data folder: made to wait while it is copied, and found out before it is replaced.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use candlecast_files::{FileError, FileLock, LOCK_FILE};
use candlecast_host::{Owner, system_time};
use candlecast_meta::{DATABASE_FILE, Job, JobFilter, JobState, JobStore, PageRequest, SqlStore};
use tokio::runtime::Handle;

use crate::problem;

const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Held while nobody else may write. The system lets go of it when the program dies.
#[derive(Debug)]
pub(super) struct Quiet {
    _lock: Option<FileLock>,
}

/// Waits until nobody writes into `folder`, and keeps others from it until the answer is dropped. `cancelled` ends
/// the waiting. Into a folder that is missing, or that cannot be written to, nobody writes.
pub(super) fn hold(folder: &Path, cancelled: impl Fn() -> Result<(), Problem>) -> Result<Quiet, Problem> {
    loop {
        match try_hold(folder)? {
            Some(quiet) => return Ok(quiet),
            None => cancelled()?,
        }
        std::thread::sleep(RETRY_AFTER);
    }
}

/// The same without waiting; `None` when somebody writes.
fn try_hold(folder: &Path) -> Result<Option<Quiet>, Problem> {
    if !folder.is_dir() {
        return Ok(Some(Quiet { _lock: None }));
    }
    let denied = |e: &FileError| {
        e.doing == FileLock::OPENING
            && matches!(e.source.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
    };
    match FileLock::try_exclusive(&folder.join(LOCK_FILE)) {
        Ok(held) => Ok(held.map(|lock| Quiet { _lock: Some(lock) })),
        Err(e) if denied(&e) => Ok(Some(Quiet { _lock: None })),
        Err(e) => Err(problem::of_file(&e.path, &e.source)),
    }
}

/// Makes sure that nobody works on the folders that are about to be replaced, and keeps writers away until the answer
/// is dropped. Must be called on a thread that may block.
pub(super) fn expect_unused(settings: &Settings, runtime: &Handle) -> Result<Vec<Quiet>, Problem> {
    let lake = settings.data_dir.join("candles");
    let mut held = Vec::new();
    for folder in [lake.as_path(), settings.models_dir.as_path()] {
        let busy = || in_use(folder, "another program is writing there");
        // A lock is made where there is none, and that must not make a folder look used.
        if folder.join(LOCK_FILE).exists() {
            held.push(try_hold(folder)?.ok_or_else(busy)?);
        }
    }
    if let Some(job) = runtime.block_on(running_job(&settings.data_dir)) {
        let owner = job.owner.unwrap_or_default();
        return Err(in_use(&settings.data_dir, &format!("job {} is running there ({owner})", job.id)));
    }
    Ok(held)
}

fn in_use(folder: &Path, why: &str) -> Problem {
    let detail = format!("{} is in use: {why}: stop it first; nothing was changed", folder.display());
    Problem::data("folder-in-use", detail).with_field("data-dir")
}

/// A job whose worker is alive, if the folder's database knows one. A database that cannot be read is no obstacle: it
/// may be why there is a restore.
async fn running_job(data_dir: &Path) -> Option<Job> {
    if !data_dir.join(DATABASE_FILE).is_file() {
        return None;
    }
    let now = system_time();
    let store = SqlStore::open_in(data_dir, now).await.ok()?;
    let filter = JobFilter { states: vec![JobState::Running], ..JobFilter::default() };
    let running = store.jobs(&filter, PageRequest::default()).await;
    store.close().await;
    running.ok()?.items.into_iter().find(|job| is_alive(job, now))
}

/// A lease outlives a killed process for a while; where the system tells that it is gone, that is known at once.
fn is_alive(job: &Job, now: Timestamp) -> bool {
    let owner: Option<Owner> = job.owner.as_ref().and_then(|owner| owner.parse().ok());
    job.lease_until.is_some_and(|until| until > now) && !owner.is_some_and(|owner| owner.has_ended())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_at_a_time_and_none_where_nothing_can_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let held = try_hold(dir.path()).unwrap().unwrap();
        assert!(try_hold(dir.path()).unwrap().is_none());
        let stop = || Err(Problem::data("stop", "asked to"));
        assert_eq!(hold(dir.path(), stop).unwrap_err().code, "stop");
        drop(held);
        assert!(hold(dir.path(), stop).is_ok());
        assert!(try_hold(&dir.path().join("nowhere")).unwrap().is_some());
        assert!(!dir.path().join("nowhere").exists());
    }
}
