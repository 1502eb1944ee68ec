//! [`InUse`]: a folder marked as worked on, for as long as the program lives.

use std::path::Path;

use crate::{FileError, FileLock};

/// The file whose lock whoever works on a folder shares, and whoever replaces the folder takes alone. It stays when the
/// lock is let go of.
pub const IN_USE_FILE: &str = ".in-use";

/// A mark on a folder, while it is held; the system lets go of it also when the program is killed.
#[derive(Debug)]
pub struct InUse {
    /// `None` where no mark could be made.
    _lock: Option<FileLock>,
}

impl InUse {
    /// Marks `folder` as worked on, as others may do, too. `None` where somebody has it to himself. A folder that is
    /// not there, or in which no mark can be made, be it read-only or full, is worked on without one.
    pub fn shared(folder: &Path) -> Option<Self> {
        let unmarked = Some(Self { _lock: None });
        if !folder.is_dir() {
            return unmarked;
        }
        FileLock::try_shared(&folder.join(IN_USE_FILE)).map_or(unmarked, Self::held)
    }

    /// Takes `folder` for oneself, so that nobody else works on it. `None` where somebody does. Of a folder that is not
    /// there, or in which this user may make no mark, nothing can be told: it counts as free.
    pub fn alone(folder: &Path) -> Result<Option<Self>, FileError> {
        let unmarked = Some(Self { _lock: None });
        if !folder.is_dir() {
            return Ok(unmarked);
        }
        match FileLock::try_exclusive(&folder.join(IN_USE_FILE)) {
            Err(e) if e.doing == FileLock::OPENING && e.is_denied() => Ok(unmarked),
            locked => Ok(Self::held(locked?)),
        }
    }

    fn held(lock: Option<FileLock>) -> Option<Self> {
        lock.map(|lock| Self { _lock: Some(lock) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_shared_by_those_who_work_on_it_and_belongs_to_one_who_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (InUse::shared(dir.path()), InUse::shared(dir.path()));
        assert!(one.is_some() && other.is_some());
        drop(one);
        assert!(InUse::alone(dir.path()).unwrap().is_none());
        drop(other);
        let alone = InUse::alone(dir.path()).unwrap();
        assert!(alone.is_some());
        assert!(InUse::shared(dir.path()).is_none());
        assert!(InUse::alone(dir.path()).unwrap().is_none());
        drop(alone);
        assert!(InUse::shared(dir.path()).is_some());
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        assert!(InUse::shared(&nowhere).is_some() && InUse::alone(&nowhere).unwrap().is_some());
        assert!(!nowhere.exists());
    }

    #[test]
    fn a_folder_in_which_no_mark_can_be_made_is_worked_on_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        // A folder in the place of the mark cannot be opened as a file, whoever asks.
        std::fs::create_dir(dir.path().join(IN_USE_FILE)).unwrap();
        assert!(InUse::shared(dir.path()).is_some() && InUse::shared(dir.path()).is_some());
        assert!(InUse::alone(dir.path()).is_err(), "whoever replaces it must know");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_written_is_worked_on_all_the_same() {
        use std::fs::{Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        set_permissions(dir.path(), Permissions::from_mode(0o555)).unwrap();
        let (one, other) = (InUse::shared(dir.path()), InUse::shared(dir.path()));
        set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(one.is_some() && other.is_some());
    }
}
