//! Replacing a file so that a crash at any moment leaves the old one or the new one.

use std::path::Path;

use candlecast_core::SeriesKey;
use candlecast_files as files;

use super::layout::{partition_file, series_folder};
use crate::StoreError;

/// Makes `bytes` the partition of `year`: writes a neighbour, makes it durable, renames it. On failure the
/// neighbour is removed and the old partition stands; a leftover is removed at the next opening.
pub(super) fn replace(root: &Path, key: &SeriesKey, year: i32, bytes: &[u8]) -> Result<(), StoreError> {
    let (folder, file) = (series_folder(root, key), partition_file(year));
    files::create_folder(&folder).map_err(|e| StoreError::io(&folder, e.source))?;
    files::write(&folder, &file, bytes).map_err(|e| StoreError::io(&folder.join(&file), e.source))
}

/// Removes the partition of `year` durably.
pub(super) fn remove(root: &Path, key: &SeriesKey, year: i32) -> Result<(), StoreError> {
    let folder = series_folder(root, key);
    let path = folder.join(partition_file(year));
    files::remove(&path).and_then(|()| files::sync_folder(&folder)).map_err(|e| StoreError::io(&path, e.source))
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
