//! Replacing a file so that a crash at any moment leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use candlecast_core::SeriesKey;

use super::layout::{partition_path, series_folder, temporary_path};
use crate::StoreError;

/// Makes `bytes` the partition of `year`: writes a neighbour, makes it durable, renames it. On failure the
/// neighbour is removed and the old partition stands.
pub(super) fn replace(root: &Path, key: &SeriesKey, year: i32, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = series_folder(root, key);
    create_folders(root, &folder).map_err(|e| StoreError::io(&folder, e))?;
    let (path, temporary) = (partition_path(root, key, year), temporary_path(&folder, year));
    let done = write_durably(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| sync_folder(&folder));
    done.map_err(|e| {
        // The failure that counts is the first one; a leftover is removed at the next opening.
        let _ = fs::remove_file(&temporary);
        StoreError::io(&path, e)
    })
}

/// Removes the partition of `year` durably.
pub(super) fn remove(root: &Path, key: &SeriesKey, year: i32) -> Result<(), StoreError> {
    let path = partition_path(root, key, year);
    fs::remove_file(&path).and_then(|()| sync_folder(&series_folder(root, key))).map_err(|e| StoreError::io(&path, e))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates `folder` and its parents up to `root`, each durable in its own parent.
fn create_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    create_folders(root, parent)?;
    match fs::create_dir(folder) {
        Ok(()) => sync_folder(parent),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(e),
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems make a rename durable with the file and offer no handle on folders.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Interval, Symbol, Venue};

    #[test]
    fn a_partition_is_replaced_and_removed_whole() {
        let root = tempfile::tempdir().unwrap();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let path = partition_path(root.path(), &key, 2023);
        for content in [b"one".as_slice(), b"two and more", b"3"] {
            replace(root.path(), &key, 2023, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert!(!temporary_path(&series_folder(root.path(), &key), 2023).exists());
        remove(root.path(), &key, 2023).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_failed_rename_leaves_no_neighbour() {
        let root = tempfile::tempdir().unwrap();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        // A folder in the partition's place cannot be replaced by a file.
        fs::create_dir_all(partition_path(root.path(), &key, 2023).join("inside")).unwrap();
        assert!(replace(root.path(), &key, 2023, b"bytes").is_err());
        assert!(!temporary_path(&series_folder(root.path(), &key), 2023).exists());
    }
}
