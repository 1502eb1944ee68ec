//! [`FileLock`]: a lock of the operating system, across threads and programs.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::FileError;

/// The file that whoever writes into a folder holds the lock of. It stays when the lock is let go of.
pub const LOCK_FILE: &str = ".lock";

/// A lock while it is held; the system lets go of it with the file, also when the program is killed.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// What a [`FileError`] was doing when the lock's file could not be opened or made; any other is of the lock.
    pub const OPENING: &'static str = "open";

    /// Waits until nobody else holds the lock of the file at `path`, which is made if it is missing.
    pub fn exclusive(path: &Path) -> Result<Self, FileError> {
        Self::wait(path, File::lock)
    }

    /// Takes the lock unless somebody else holds it.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, FileError> {
        Self::unless_held(path, File::try_lock)
    }

    /// Waits until nobody else holds the lock exclusively, and keeps those out who want to.
    pub fn shared(path: &Path) -> Result<Self, FileError> {
        Self::wait(path, File::lock_shared)
    }

    /// The same without waiting; `None` when somebody else holds it exclusively.
    pub fn try_shared(path: &Path) -> Result<Option<Self>, FileError> {
        Self::unless_held(path, File::try_lock_shared)
    }

    fn wait(path: &Path, lock: fn(&File) -> std::io::Result<()>) -> Result<Self, FileError> {
        let file = open(path)?;
        lock(&file).map_err(FileError::at("lock", path))?;
        Ok(Self { _file: file })
    }

    fn unless_held(path: &Path, try_lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Self>, FileError> {
        let file = open(path)?;
        match try_lock(&file) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(FileError::at("lock", path)(e)),
        }
    }
}

fn open(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(FileError::at(FileLock::OPENING, path))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_exclusive_lock_has_one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = FileLock::exclusive(&path).unwrap();
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        assert!(FileLock::try_shared(&path).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
        assert!(path.is_file());
    }

    #[test]
    fn a_shared_lock_keeps_out_only_those_who_want_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let one = FileLock::shared(&path).unwrap();
        let other = FileLock::try_shared(&path).unwrap().expect("it can be shared");
        drop(one);
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(other);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn waiting_ends_when_the_holder_lets_go_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = FileLock::exclusive(&path).unwrap();
        let is_free = Arc::new(AtomicBool::new(false));
        let waiting = {
            let (path, is_free) = (path.clone(), Arc::clone(&is_free));
            std::thread::spawn(move || {
                let _lock = FileLock::exclusive(&path).unwrap();
                is_free.load(Ordering::SeqCst)
            })
        };
        std::thread::sleep(Duration::from_millis(20));
        is_free.store(true, Ordering::SeqCst);
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_lock_that_cannot_be_made_is_an_error_of_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nowhere").join(LOCK_FILE);
        let error = FileLock::try_exclusive(&path).unwrap_err();
        assert_eq!((error.doing, error.path), (FileLock::OPENING, path));
    }
}
