//! Durable files with failures in the registry's words, and the lock that its writers share.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use candlecast_files::{self as files, FileLock, LOCK_FILE};
pub(crate) use candlecast_files::{ReadError, of_temp_name, read_bounded as read};

use crate::RegistryError;

/// Held by whoever writes below one root; let go when dropped and when its process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _lock: FileLock,
}

impl Lock {
    /// Waits for the lock of `root`, which is made if it is missing: at most for `longest`, and not once `stop` is set.
    pub(crate) fn take(root: &Path, longest: Duration, stop: Option<&AtomicBool>) -> Result<Self, RegistryError> {
        create_folder(root)?;
        Ok(Self { _lock: FileLock::exclusive_within(&root.join(LOCK_FILE), longest, stop)? })
    }
}

/// Makes `folder` and what is missing above it, durably.
pub(crate) fn create_folder(folder: &Path) -> Result<(), RegistryError> {
    Ok(files::create_folder(folder)?)
}

/// Makes `bytes` the content of `folder/file`: after a crash it is the old one or the new one.
pub(crate) fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), RegistryError> {
    Ok(files::write(folder, file, bytes)?)
}

/// Removes `path`; one that is not there is as good as removed.
pub(crate) fn remove(path: &Path) -> Result<(), RegistryError> {
    Ok(files::remove(path)?)
}

/// Makes renames and removals in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), RegistryError> {
    Ok(files::sync_folder(folder)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("models"), b"x").unwrap();
        for folder in ["models/binance", "models"] {
            let text = Lock::take(&dir.path().join(folder), Duration::ZERO, None).unwrap_err().to_string();
            assert!(text.contains("move it away"), "{text}");
        }
    }
}
