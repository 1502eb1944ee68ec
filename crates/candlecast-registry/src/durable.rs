//! Files that are either the old or the new ones after a crash, and the lock that writers share.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::RegistryError;

const LOCK_FILE: &str = ".lock";

/// Name under which `file` is written before it is renamed.
pub(crate) fn temp_name(file: &str) -> String {
    format!(".{file}.tmp")
}

/// The file that `temp` was to become.
pub(crate) fn of_temp_name(temp: &str) -> Option<&str> {
    temp.strip_prefix('.')?.strip_suffix(".tmp")
}

/// Held by whoever writes below one root; let go when dropped and when its process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock of `root`, which is made if it is missing.
    pub(crate) fn take(root: &Path) -> Result<Self, RegistryError> {
        create_folder(root)?;
        let path = root.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(RegistryError::io("open", &path))?;
        file.lock().map_err(RegistryError::io("lock", &path))?;
        Ok(Self { _file: file })
    }
}

/// Makes `folder` and what is missing above it, durably.
pub(crate) fn create_folder(folder: &Path) -> Result<(), RegistryError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists()).collect();
    fs::create_dir_all(folder).map_err(RegistryError::io("create folder", folder))?;
    for made in missing.iter().rev() {
        if let Some(parent) = made.parent() {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// Writes `bytes` to `folder/file` by way of a temporary file that is synced and renamed.
pub(crate) fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), RegistryError> {
    let (temp, target) = (folder.join(temp_name(file)), folder.join(file));
    let written = write_synced(&temp, bytes).and_then(|()| fs::rename(&temp, &target));
    if let Err(source) = written {
        // The first error is the one to report; what cannot be removed is cleared away by the next save.
        let _ = fs::remove_file(&temp);
        return Err(RegistryError::io("write", &target)(source));
    }
    sync_folder(folder)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes `path`; one that is not there is as good as removed.
pub(crate) fn remove(path: &Path) -> Result<(), RegistryError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RegistryError::io("delete", path)(source)),
        _ => Ok(()),
    }
}

/// Makes renames and removals in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), RegistryError> {
    // A relative path of one part has the empty path as its parent.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match open_and_sync(folder) {
        // Some file systems cannot sync a folder; there the rename is as durable as they make it.
        Err(source) if !matches!(source.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(RegistryError::io("sync folder", folder)(source))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn open_and_sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

// Windows has no handle on a folder to sync; renames are journalled by NTFS.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps)]
fn open_and_sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Why a file could not be read whole.
#[derive(Debug)]
pub(crate) enum ReadError {
    Missing,
    TooLarge,
    Io(io::Error),
}

/// The bytes of `path`, if there are at most `limit` of them.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let open = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(source),
    })?;
    let mut bytes = Vec::new();
    open.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > limit { Err(ReadError::TooLarge) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_temporary_one() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a.json", b"old").unwrap();
        // A folder in the place of the target makes the rename fail.
        fs::create_dir(dir.path().join("b.json")).unwrap();
        assert!(write(dir.path(), "b.json", b"new").is_err());
        // A folder in the place of the temporary file makes its creation fail.
        fs::create_dir(dir.path().join(temp_name("a.json"))).unwrap();
        assert!(write(dir.path(), "a.json", b"new").is_err());
        assert_eq!(read(&dir.path().join("a.json"), 10).unwrap(), b"old");
        assert!(!dir.path().join(temp_name("b.json")).exists());
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("models"), b"x").unwrap();
        let text = Lock::take(&dir.path().join("models").join("binance")).unwrap_err().to_string();
        assert!(text.contains("move it away"), "{text}");
        let text = Lock::take(&dir.path().join("models")).unwrap_err().to_string();
        assert!(text.contains("move it away"), "{text}");
    }

    #[test]
    fn reading_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(matches!(read(&path, 3), Err(ReadError::Missing)));
        fs::write(&path, b"1234").unwrap();
        assert!(matches!(read(&path, 3), Err(ReadError::TooLarge)));
        assert_eq!(read(&path, 4).unwrap(), b"1234");
    }
}
