//! Temporary folders that others can tell from what a killed program left: their lock is held.

use std::path::Path;
use std::{fs, io};

use candlecast_files::FileLock;
use tempfile::TempDir;

/// Times that a folder is made anew because it was taken for a leftover.
const MAX_TRIES: usize = 100;

/// A folder that is removed when this is dropped, and held until then.
#[derive(Debug)]
pub(super) struct HeldFolder {
    pub(super) folder: TempDir,
    _lock: FileLock,
}

impl HeldFolder {
    /// Makes a folder in `parent` whose name begins with `prefix`.
    pub(super) fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        for _ in 0..MAX_TRIES {
            let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?;
            match FileLock::try_folder(folder.path()) {
                Ok(Some(lock)) => return Ok(Self { folder, _lock: lock }),
                // Taken for a leftover in the moment between.
                Ok(None) => {}
                Err(e) if e.source.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e.source),
            }
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "another program removes what is made there"))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders in `parent` whose names begin with `prefix`, whose lock nobody holds, and which nobody needs any
/// more. What cannot be removed takes up space and nothing else.
pub(super) fn remove_leftovers(parent: &Path, prefix: &str, is_needed: impl Fn(&Path) -> bool) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_temporary = entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if !is_temporary || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let folder = entry.path();
        if let Ok(Some(_held)) = FileLock::try_folder(&folder)
            && !is_needed(&folder)
        {
            drop(fs::remove_dir_all(&folder));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = ".test-";

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A folder as a killed program leaves it.
    fn left(parent: &Path) -> std::path::PathBuf {
        let HeldFolder { folder, .. } = HeldFolder::new(parent, PREFIX).unwrap();
        folder.keep()
    }

    #[test]
    fn folders_of_killed_programs_go_and_those_of_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let at_work = HeldFolder::new(dir.path(), PREFIX).unwrap();
        let (gone, needed) = (left(dir.path()), left(dir.path()));
        fs::write(gone.join("a"), "content").unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        remove_leftovers(dir.path(), PREFIX, |folder| folder == needed);
        assert!(at_work.path().exists() && !gone.exists() && needed.exists());
        drop(at_work);
        remove_leftovers(dir.path(), PREFIX, |_| false);
        assert_eq!(names(dir.path()), ["data"]);
    }
}
