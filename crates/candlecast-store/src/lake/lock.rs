//! The lake's lock: one writer at a time, across threads and programs.

use std::path::Path;
use std::time::{Duration, Instant};

use candlecast_files::{FileLock, LOCK_FILE};

use crate::StoreError;

const RETRY_AFTER: Duration = Duration::from_millis(5);

/// Waits for the lock of the lake at `root`, at most `wait`.
pub(super) fn acquire(root: &Path, wait: Duration) -> Result<FileLock, StoreError> {
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
pub(super) fn try_acquire(root: &Path) -> Result<Option<FileLock>, StoreError> {
    FileLock::try_exclusive(&root.join(LOCK_FILE)).map_err(|e| StoreError::io(&e.path, e.source))
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
