//! Folders: made, and what happens in them made durable.

use std::fs;
use std::io;
use std::path::Path;

use crate::FileError;

/// Makes `folder` and what is missing above it, each durable in its own parent.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    if folder.is_dir() {
        return Ok(());
    }
    let missing: Vec<&Path> = folder.ancestors().take_while(|a| !a.as_os_str().is_empty() && !a.exists()).collect();
    fs::create_dir_all(folder).map_err(FileError::at("create folder", folder))?;
    // Also what another program made meanwhile: it may not have synced it yet.
    missing.iter().rev().try_for_each(|made| sync_folder(folder_of(made)))
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
