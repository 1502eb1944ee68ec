//! Temporary files that killed writers left. A writer holds the lock of its temporary file, so one that nobody holds has
//! no writer any more.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::lock::{is_at, open_to_lock};

/// Takes the lock of a temporary file that was just made at `path`, for as long as it is open. False if it was taken
/// for a leftover in the moment before, and removed: then another one has to be made.
pub fn hold_temporary(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Ok(()) => is_at(file, path).unwrap_or(true),
        Err(TryLockError::WouldBlock) => false,
        // No locks are to be had here, so that nobody takes anything for a leftover either.
        Err(TryLockError::Error(_)) => true,
    }
}

/// Removes the files in `folder` whose names `is_temporary` knows and that nobody holds; returns how many. What cannot
/// be removed stays: it takes up space and nothing else.
pub fn remove_leftovers(folder: &Path, is_temporary: impl Fn(&str) -> bool) -> usize {
    let mut removed = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !entry.file_name().to_str().is_some_and(&is_temporary) {
            continue;
        }
        let path = entry.path();
        // Held until it is gone: whoever made it in this moment finds out by that.
        let Ok(file) = open_to_lock(&path) else { continue };
        if file.try_lock().is_ok() && fs::remove_file(&path).is_ok() {
            removed += 1;
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["held.tmp", "left.tmp", "other"].map(|name| dir.path().join(name));
        for path in &paths {
            fs::write(path, b"x").unwrap();
        }
        fs::create_dir(dir.path().join("folder.tmp")).unwrap();
        let held = File::open(&paths[0]).unwrap();
        assert!(hold_temporary(&held, &paths[0]));
        let ends_in_tmp = |name: &str| name.ends_with(".tmp");
        assert_eq!(remove_leftovers(dir.path(), ends_in_tmp), 1);
        assert_eq!(paths.each_ref().map(|path| path.exists()), [true, false, true]);
        drop(held);
        assert_eq!(remove_leftovers(dir.path(), ends_in_tmp), 1);
        assert_eq!(remove_leftovers(&dir.path().join("nowhere"), ends_in_tmp), 0);
        assert!(dir.path().join("folder.tmp").is_dir());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_taken_for_a_leftover_is_not_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tmp");
        let file = File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        other.try_lock().unwrap();
        assert!(!hold_temporary(&file, &path), "somebody is about to remove it");
        fs::remove_file(&path).unwrap();
        drop(other);
        assert!(!hold_temporary(&file, &path), "it is gone");
    }
}
