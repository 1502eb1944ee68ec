//! The lake's lock: one writer at a time, across threads and programs.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::StoreError;

const FILE_NAME: &str = ".lock";
const RETRY_AFTER: Duration = Duration::from_millis(5);

/// The lock while it is held; the system frees it with the file, also when the program is killed.
#[derive(Debug)]
pub(super) struct LakeLock {
    _file: File,
}

/// Waits for the lock of the lake at `root`, at most `wait`.
pub(super) fn acquire(root: &Path, wait: Duration) -> Result<LakeLock, StoreError> {
    let start = Instant::now();
    loop {
        if let Some(lock) = try_acquire(root)? {
            return Ok(lock);
        }
        if start.elapsed() >= wait {
            return Err(StoreError::Locked { path: root.to_owned(), waited_ms: wait.as_millis() as u64 });
        }
        std::thread::sleep(RETRY_AFTER.min(wait));
    }
}

/// Takes the lock unless somebody has it.
pub(super) fn try_acquire(root: &Path) -> Result<Option<LakeLock>, StoreError> {
    let path = root.join(FILE_NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| StoreError::io(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(LakeLock { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(StoreError::io(&path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let held = try_acquire(root.path()).unwrap().expect("nobody else has it");
        assert!(try_acquire(root.path()).unwrap().is_none());
        let error = acquire(root.path(), Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, StoreError::Locked { waited_ms: 20, .. }), "{error}");
        drop(held);
        assert!(acquire(root.path(), Duration::ZERO).is_ok());
    }
}
