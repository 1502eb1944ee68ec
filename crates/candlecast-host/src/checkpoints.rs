//! [`Checkpoints`]: what a long run has finished, on disk until the run ends, so that an interrupted one goes on.
//!
//! What nobody comes back for is taken away when it is old. Ages are told by the system's clock, which may be set, so a
//! run keeps a lock in its folder: what is in use is never taken away, however old it seems.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use candlecast_files::{FileLock, LOCK_FILE, NewFile, create_folder, sha256_hex};
use sha2::{Digest, Sha256};

/// Age after which what an interrupted run left is taken away.
const KEPT_FOR: Duration = Duration::from_secs(14 * 86_400);

/// A folder of one run, named by everything that determines the run's result. It is in use as long as this, or a clone,
/// is there.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    /// The folder's lock, shared by all runs of it; `None` while there is no folder.
    in_use: Arc<Mutex<Option<FileLock>>>,
}

impl Checkpoints {
    /// The folder of the run `fingerprint` below `root`; takes away what older runs left behind.
    pub fn open(root: &Path, fingerprint: &str) -> Self {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let age =
                entry.metadata().and_then(|m| m.modified()).ok().and_then(|m| SystemTime::now().duration_since(m).ok());
            if age.is_some_and(|age| age > KEPT_FOR) {
                take_away(&entry.path());
            }
        }
        let checkpoints = Self { folder: root.join(fingerprint), in_use: Arc::default() };
        if checkpoints.folder.is_dir() {
            checkpoints.hold();
        }
        checkpoints
    }

    /// The folder of what the attempts at a job have to agree on, whatever candles and models there are by then.
    pub fn of_job(root: &Path, job_id: &str) -> Self {
        Self::open(root, &format!("job-{}", sha256_hex(job_id.as_bytes())))
    }

    /// Finished pieces and checkpoints that an interrupted run left.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        fs::read_dir(&self.folder).map_or(0, |entries| {
            entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "piece" || x == "fit")).count()
        })
    }

    /// The content kept under `name`, if it is whole.
    pub fn recall(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(name)).ok()?;
        let (seal, content) = bytes.split_at_checked(32)?;
        (Sha256::digest(content)[..] == *seal).then(|| content.to_vec())
    }

    /// Keeps `content`. A failure costs the resumption, not the run.
    pub fn keep(&self, name: &str, content: &[u8]) {
        if let Err(error) = self.write(name, content) {
            tracing::warn!(%error, folder = %self.folder.display(), "a checkpoint could not be written");
        }
    }

    /// The run is done. What an equal run is still at work on stays, for that one to clear.
    pub fn clear(&self) {
        *self.lock() = None;
        take_away(&self.folder);
    }

    /// Says that the folder, which is there, is in use. Where that cannot be said its age alone decides.
    fn hold(&self) {
        let mut held = self.lock();
        if held.is_none() {
            *held = FileLock::try_shared(&self.folder.join(LOCK_FILE)).ok().flatten();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<FileLock>> {
        // A lock is held or not, whenever a thread panics.
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        create_folder(&self.folder)?;
        self.hold();
        let target = self.folder.join(name);
        // The same run may be under way in another program, which then writes the same name.
        let new = NewFile::beside(&target)?;
        new.write_all(&Sha256::digest(content))?;
        new.write_all(content)?;
        Ok(new.persist(&target)?)
    }
}

/// Removes the folder of a run, unless it is in use.
fn take_away(folder: &Path) {
    if let Ok(Some(_unused)) = FileLock::try_exclusive(&folder.join(LOCK_FILE)) {
        let _ = fs::remove_dir_all(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if it had been written twenty days ago, or the clock had been set ahead since.
    #[cfg(unix)]
    fn make_old(folder: &Path) {
        let then = SystemTime::now() - Duration::from_secs(20 * 86_400);
        fs::File::open(folder).unwrap().set_modified(then).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn what_is_old_is_taken_away_unless_a_run_is_at_it() {
        let root = tempfile::tempdir().unwrap();
        let kept = ["running", "left", "resumed"].map(|name| {
            let kept = Checkpoints::open(root.path(), name);
            kept.keep("lstm-0.piece", b"forecasts");
            kept
        });
        let [running, left, resumed] = kept;
        drop((left, resumed));
        // A run that goes on from what it finds, before it has finished anything more.
        let resumed = Checkpoints::open(root.path(), "resumed");
        ["running", "left", "resumed"].iter().for_each(|name| make_old(&root.path().join(name)));
        Checkpoints::open(root.path(), "another");
        assert_eq!((running.len(), resumed.len()), (1, 1));
        assert!(!root.path().join("left").exists());
        drop(running);
        make_old(&root.path().join("running"));
        Checkpoints::open(root.path(), "another");
        assert!(!root.path().join("running").exists(), "the run has ended");
    }

    /// The same command given twice: whoever ends first takes nothing from the other.
    #[test]
    fn of_equal_runs_the_last_one_clears() {
        let root = tempfile::tempdir().unwrap();
        let first = Checkpoints::open(root.path(), "abc");
        first.keep("lstm-0.piece", b"forecasts");
        let second = Checkpoints::open(root.path(), "abc");
        second.keep("lstm-1.piece", b"forecasts");
        first.clear();
        assert_eq!((second.len(), first.len()), (2, 2));
        assert!(second.recall("lstm-0.piece").is_some());
        second.clear();
        assert!(!root.path().join("abc").exists());
        // Nothing is there, and nothing is made.
        second.clear();
        assert!(!root.path().join("abc").exists());
    }

    #[test]
    fn what_was_kept_comes_back_unless_it_was_altered() {
        let root = tempfile::tempdir().unwrap();
        let kept = Checkpoints::open(root.path(), "abc");
        assert_eq!((kept.len(), kept.recall("lstm-0.piece")), (0, None));
        kept.keep("lstm-0.piece", b"forecasts");
        kept.keep("lstm-1.fit", b"weights");
        assert_eq!(kept.recall("lstm-0.piece").as_deref(), Some(&b"forecasts"[..]));
        assert_eq!(Checkpoints::open(root.path(), "abc").len(), 2);
        assert_eq!(Checkpoints::open(root.path(), "abd").len(), 0);
        let path = root.path().join("abc/lstm-1.fit");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(kept.recall("lstm-1.fit"), None);
        kept.clear();
        assert_eq!(kept.len(), 0);
    }
}
