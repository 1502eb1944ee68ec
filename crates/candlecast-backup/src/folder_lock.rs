//! Other programs on a data folder: found out before it is replaced.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use candlecast_files::{FileError, FileLock, IN_USE_FILE, InUse, LOCK_FILE, LockError, holders, who_holds};
use candlecast_host::{Owner, system_time};
use candlecast_meta::{DATABASE_FILE, Job, JobFilter, JobState, JobStore, PageRequest, SqlStore};
use tokio::runtime::Handle;

use crate::problem;

/// Longest wait of a backup for whoever writes.
const LOCK_WAIT: Duration = Duration::from_secs(300);

/// Held while nobody else works on the folders. The system lets go of it when the program dies.
#[derive(Debug)]
pub(super) struct Unused {
    _writing: Vec<FileLock>,
    _in_use: Vec<InUse>,
}

/// Waits until nobody writes into `folder`, and keeps writers away until the answer is dropped; setting `cancel` ends the
/// wait. `None` where this user cannot write, so that nobody does. Must be called on a thread that may block.
pub(super) fn hold(folder: &Path, cancel: &AtomicBool) -> Result<Option<FileLock>, Problem> {
    match FileLock::exclusive_within(&folder.join(LOCK_FILE), LOCK_WAIT, Some(cancel)) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::File(e)) if is_unwritable(&e) => Ok(None),
        Err(LockError::File(e)) => Err(problem::of_file(&e.path, &e.source)),
        Err(LockError::Held { path, holders, .. }) => {
            let (at, who, waited_s) = (path.display(), who_holds(&holders), LOCK_WAIT.as_secs());
            let detail = format!(
                "`{at}` was held by {who} for {waited_s} s: wait until that program has written, or end it, and try again; \
                 no backup was made"
            );
            Err(Problem::data("folder-in-use", detail))
        }
        Err(LockError::Stopped { .. }) => {
            Err(Problem { detail: "cancelled; no backup was made".into(), ..Problem::cancelled() })
        }
    }
}

fn is_unwritable(e: &FileError) -> bool {
    (e.doing == FileLock::OPENING && e.is_denied()) || e.source.kind() == ErrorKind::NotFound
}

/// Makes sure that nobody works on the folders that are about to be replaced, and keeps others away until the answer is
/// dropped. Must be called on a thread that may block.
pub(super) fn expect_unused(settings: &Settings, runtime: &Handle) -> Result<Unused, Problem> {
    let lake = settings.data_dir.join("candles");
    let mut writing = Vec::new();
    for folder in [lake.as_path(), settings.models_dir.as_path()] {
        // A lock is made where there is none, and that must not make a folder look used.
        if folder.join(LOCK_FILE).exists() {
            writing.extend(lock_of(folder)?);
        }
    }
    if let Some(job) = runtime.block_on(running_job(settings)) {
        let owner = job.owner.unwrap_or_default();
        return Err(in_use(&settings.data_dir, &format!("job {} is running there ({owner})", job.id)));
    }
    let mut alone = Vec::new();
    for folder in [&settings.data_dir, &settings.models_dir] {
        let taken = InUse::alone(folder).map_err(|e| problem::of_file(&e.path, &e.source))?;
        let Some(taken) = taken else {
            let who = who_holds(&holders(&folder.join(IN_USE_FILE)));
            return Err(in_use(folder, &format!("{who} works there, such as `candlecast worker` or `stream`")));
        };
        alone.push(taken);
    }
    Ok(Unused { _writing: writing, _in_use: alone })
}

/// The lock of those who write into `folder`; `None` where this user cannot write, so that nobody does.
fn lock_of(folder: &Path) -> Result<Option<FileLock>, Problem> {
    let path = folder.join(LOCK_FILE);
    match FileLock::try_exclusive(&path) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => {
            let who = who_holds(&holders(&path));
            Err(in_use(folder, &format!("another program is writing there ({who} holds {LOCK_FILE})")))
        }
        Err(e) if is_unwritable(&e) => Ok(None),
        Err(e) => Err(problem::of_file(&e.path, &e.source)),
    }
}

fn in_use(folder: &Path, why: &str) -> Problem {
    let detail = format!("{} is in use: {why}: stop it first; nothing was changed", folder.display());
    Problem::data("folder-in-use", detail).with_field("data-dir")
}

/// A job whose worker is alive, if the database knows one. A database that cannot be read is no obstacle: it may be why
/// there is a restore. Its schema is left as it is.
async fn running_job(settings: &Settings) -> Option<Job> {
    let now = system_time();
    let store = if let Some(url) = &settings.database_url {
        SqlStore::connect_as_it_is(url).await.ok()??
    } else {
        let file = settings.data_dir.join(DATABASE_FILE);
        if !file.is_file() {
            return None;
        }
        SqlStore::open_file_as_it_is(&file).await.ok()??
    };
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
    use candlecast_config::{Flags, ModelCatalog};
    use candlecast_meta::NewJob;
    use serde_json::json;
    use tokio::runtime::Runtime;

    use super::*;

    fn settings(data: &Path) -> Settings {
        let flags = Flags { data_dir: Some(data.to_owned()), ..Flags::default() };
        Settings::load(&flags, |_| None, &ModelCatalog::EMPTY).unwrap()
    }

    #[test]
    fn whoever_works_on_a_folder_is_found_out_and_kept_away() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, runtime) = (settings(dir.path()), Runtime::new().unwrap());
        let code = || expect_unused(&settings, runtime.handle()).map(drop).map_err(|e| e.code);
        assert_eq!(code(), Ok(()));
        let reader = InUse::shared(dir.path()).unwrap();
        let problem = expect_unused(&settings, runtime.handle()).unwrap_err();
        assert_eq!(problem.code, "folder-in-use");
        assert!(problem.detail.contains("works there") && problem.detail.contains("stop it first"), "{problem}");
        drop(reader);
        let alone = expect_unused(&settings, runtime.handle()).unwrap();
        assert!(InUse::shared(dir.path()).is_none(), "nobody begins to work there meanwhile");
        drop(alone);
        assert_eq!(code(), Ok(()));
        let lake = dir.path().join("candles");
        std::fs::create_dir_all(&lake).unwrap();
        let _writer = FileLock::try_exclusive(&lake.join(LOCK_FILE)).unwrap().unwrap();
        assert_eq!(code(), Err("folder-in-use"));
    }

    #[test]
    fn what_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let runtime = Runtime::new().unwrap();
        assert!(expect_unused(&settings(&data), runtime.handle()).is_ok());
        assert!(!data.exists());
    }

    #[test]
    fn a_job_that_runs_is_named_and_one_whose_lease_ran_out_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, runtime) = (settings(dir.path()), Runtime::new().unwrap());
        runtime.block_on(async {
            let store = SqlStore::open_in(dir.path(), system_time()).await.unwrap();
            let (over, under_way) = (NewJob::new("over", "train", json!({})), NewJob::new("runs", "train", json!({})));
            store.begin_job(&over, "elsewhere", 1, Timestamp(1)).await.unwrap();
            store.begin_job(&under_way, "elsewhere", 60_000, system_time()).await.unwrap();
            store.close().await;
        });
        let problem = expect_unused(&settings, runtime.handle()).unwrap_err();
        assert!(problem.detail.contains("job runs is running there (elsewhere)"), "{problem}");
    }
}
