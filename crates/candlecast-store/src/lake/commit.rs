//! Replacing, extending and removing files so that a crash at any moment leaves the old state or the new one.

use std::path::Path;

use candlecast_core::SeriesKey;
use candlecast_files as files;

use super::layout::{partition_file, series_folder};
use crate::StoreError;

/// Makes `bytes` the partition of `year`: writes a neighbour, makes it durable, renames it. On failure the
/// neighbour is removed and the old partition stands; a leftover is removed at the next opening.
pub(super) fn replace_partition(root: &Path, key: &SeriesKey, year: i32, bytes: &[u8]) -> Result<(), StoreError> {
    let (folder, file) = (series_folder(root, key), partition_file(year));
    files::create_folder(&folder).map_err(|e| StoreError::io(&folder, e.source))?;
    let is_new = !folder.join(&file).exists();
    replace(root, key, &file, bytes)?;
    if is_new { sync_above(root, &folder) } else { Ok(()) }
}

/// Makes `bytes` the file `file` of a series that is stored, in the same way.
pub(super) fn replace(root: &Path, key: &SeriesKey, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = series_folder(root, key);
    files::write(&folder, file, bytes).map_err(|e| StoreError::io(&folder.join(file), e.source))
}

/// Adds `bytes` to the file at `path`, at position `at`.
pub(super) fn append(path: &Path, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
    files::append(path, at, bytes).map_err(|e| StoreError::io(path, e.source))
}

/// Removes the file `file` of a series durably.
pub(super) fn remove(root: &Path, key: &SeriesKey, file: &str) -> Result<(), StoreError> {
    let folder = series_folder(root, key);
    let path = folder.join(file);
    files::remove(&path).and_then(|()| files::sync_folder(&folder)).map_err(|e| StoreError::io(&path, e.source))
}

/// Makes the folders from the lake's to `folder` lie there durably. They may have been made by a program that was
/// killed before it came to that, and whoever finds a folder does not know.
fn sync_above(root: &Path, folder: &Path) -> Result<(), StoreError> {
    let mut above = folder.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    above.try_for_each(|folder| files::sync_folder(folder).map_err(|e| StoreError::io(folder, e.source)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::lake::layout::{partition_path, temporary_path};
    use candlecast_core::{Interval, Symbol, Venue};

    #[test]
    fn a_partition_is_replaced_and_removed_whole() {
        let root = tempfile::tempdir().unwrap();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let path = partition_path(root.path(), &key, 2023);
        for content in [b"one".as_slice(), b"two and more", b"3"] {
            replace_partition(root.path(), &key, 2023, content).unwrap();
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert!(!temporary_path(&series_folder(root.path(), &key), 2023).exists());
        remove(root.path(), &key, &partition_file(2023)).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_failed_rename_leaves_no_neighbour() {
        let root = tempfile::tempdir().unwrap();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        // A folder in the partition's place cannot be replaced by a file.
        fs::create_dir_all(partition_path(root.path(), &key, 2023).join("inside")).unwrap();
        assert!(replace_partition(root.path(), &key, 2023, b"bytes").is_err());
        assert!(!temporary_path(&series_folder(root.path(), &key), 2023).exists());
    }

    #[test]
    fn folders_up_to_the_lake_are_synced_and_none_above() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        // Neither folder is there, so the error names the first that was to be synced.
        let error = sync_above(root.path(), &folder).unwrap_err().to_string();
        assert!(error.contains(root.path().join("a").to_str().unwrap()), "{error}");
        fs::create_dir_all(&folder).unwrap();
        sync_above(root.path(), &folder).unwrap();
        sync_above(&folder, &folder).unwrap();
    }
}
