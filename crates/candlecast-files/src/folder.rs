//! Folders: made, found, and what happens in them made durable.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{self, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::FileError;

/// Folders whose entry in their parent this program has made durable. It only saves doing so again.
static SYNCED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Makes `folder` and what is missing above it, each durable in its own parent before the next one is made. The first
/// that is there already is made durable in its parent, too, once a program: whoever made it may have been stopped
/// before that.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.is_dir()).collect();
    sync_entry_once(missing.last().map_or(folder, |top| folder_of(top)));
    for made in missing.iter().rev() {
        match fs::create_dir(made) {
            // Also what another program made meanwhile: it may not have synced it yet.
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists || !made.is_dir() => {
                return Err(FileError::at("create folder", folder)(e));
            }
            _ => sync_folder(folder_of(made))?,
        }
    }
    Ok(())
}

/// Makes the entry of a folder that was found durable, unless this program did so before. As well as that goes: its
/// parent may be one that this user may not read.
fn sync_entry_once(folder: &Path) {
    let mut synced = SYNCED.lock().unwrap_or_else(PoisonError::into_inner);
    if !synced.contains(folder) && sync_folder(folder_of(folder)).is_ok() {
        synced.insert(folder.to_owned());
    }
}

/// Makes renamings and removals in `folder` durable, where the system has a way.
pub fn sync_folder(folder: &Path) -> Result<(), FileError> {
    // A relative path of one part has the empty path as its parent.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match open_and_sync(folder) {
        // Some file systems cannot sync a folder; there a renaming is as durable as they make it.
        Err(e) if !matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(FileError::at("sync folder", folder)(e))
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn open_and_sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

// Windows has no handle on a folder to sync; renamings are journalled by NTFS.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn open_and_sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The folder of `file`, which may be named without one.
pub fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The folder that a path stands for, links followed as far as it exists: what a renaming has to name, so that the
/// folder itself is replaced and not a link to it.
pub fn resolved(folder: &Path) -> Result<PathBuf, FileError> {
    let broken = |e: io::Error| FileError::at("find", folder)(e);
    let absolute = path::absolute(folder).map_err(broken)?;
    let (mut existing, mut missing) = (absolute.as_path(), Vec::new());
    loop {
        match (fs::canonicalize(existing), existing.parent(), existing.file_name()) {
            (Ok(real), _, _) => return Ok(missing.iter().rev().fold(real, |path, name| path.join(name))),
            (Err(e), Some(parent), Some(name)) if e.kind() == io::ErrorKind::NotFound => {
                missing.push(name);
                existing = parent;
            }
            (Err(e), _, _) => return Err(broken(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_synced(folder: &Path) -> bool {
        SYNCED.lock().unwrap().contains(folder)
    }

    #[test]
    fn folders_are_made_up_to_the_first_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b/c");
        for _ in 0..2 {
            create_folder(&folder).unwrap();
            assert!(folder.is_dir());
        }
        fs::remove_dir(&folder).unwrap();
        create_folder(&folder).unwrap();
        assert!(folder.is_dir());
    }

    #[test]
    fn the_first_folder_that_is_there_is_made_durable_too() {
        let dir = tempfile::tempdir().unwrap();
        let (made_before, below) = (dir.path().join("data"), dir.path().join("data/candles"));
        fs::create_dir(&made_before).unwrap();
        create_folder(&below).unwrap();
        assert!(is_synced(&made_before), "who made it may have been stopped before it was durable");
        assert!(!is_synced(&below), "its parent was synced after it was made");
        create_folder(&below).unwrap();
        assert!(is_synced(&below), "this program cannot tell who made what it finds");
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_is_an_error_that_names_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("models");
        fs::write(&file, b"x").unwrap();
        for folder in [file.clone(), file.join("binance")] {
            let error = create_folder(&folder).unwrap_err();
            assert_eq!((error.doing, error.path), ("create folder", folder));
        }
    }

    #[test]
    fn a_path_of_one_part_lies_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("x.csv")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/x.csv")), Path::new("a"));
        sync_folder(Path::new("")).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_not_there_cannot_be_synced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("nowhere");
        let error = sync_folder(&folder).unwrap_err();
        assert_eq!((error.doing, error.path), ("sync folder", folder));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_as_far_as_a_path_exists() {
        let dir = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(real.join("disk")).unwrap();
        std::os::unix::fs::symlink(real.join("disk"), real.join("data")).unwrap();
        assert_eq!(resolved(&real.join("data")).unwrap(), real.join("disk"));
        assert_eq!(resolved(&real.join("data/models/x")).unwrap(), real.join("disk/models/x"));
        assert_eq!(resolved(&real.join("nowhere/x")).unwrap(), real.join("nowhere/x"));
    }
}
