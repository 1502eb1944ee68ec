//! [`Note`]: what is to be done should this program die before it has done it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::folder::{folder_of, sync_folder};
use crate::leftovers::{hold_temporary, remove_leftovers};
use crate::lock::{is_at, open_to_lock};
use crate::{FileError, of_temp_name, remove, temp_name};

/// Times that a file is made anew because it was taken for a leftover.
const MAX_TRIES: usize = 100;
/// Longest note, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// A small durable file whose writer holds its lock while it lives. Whoever finds one that nobody holds knows that its
/// writer is gone, or has given it up, and does what it says. It stays when this is dropped.
#[derive(Debug)]
pub struct Note {
    path: PathBuf,
    /// Holds the lock while it is open.
    _file: File,
}

impl Note {
    /// Writes `bytes` as `folder/file`, durably. No other note has that name.
    pub fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<Self, FileError> {
        let (temp, path) = (folder.join(temp_name(file)), folder.join(file));
        let written = write_held(&temp, bytes).and_then(|file| fs::rename(&temp, &path).map(|()| file));
        let file = written.map_err(|e| {
            // The failure is told; what it leaves takes up space and nothing else.
            drop(fs::remove_file(&temp));
            FileError::at("write", &path)(e)
        })?;
        sync_folder(folder)?;
        Ok(Self { path, _file: file })
    }

    /// The note at `path` with what it says, if its writer is gone: held from now on. `None` if its writer lives, or
    /// there is none.
    pub fn left_at(path: &Path) -> Result<Option<(Self, Vec<u8>)>, FileError> {
        let file = match open_to_lock(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(FileError::at("open", path))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(FileError::at("lock", path)(e)),
        }
        // Its writer may have done what it says, and removed it, in the moment between.
        if !is_at(&file, path).map_err(FileError::at("open", path))? {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        (&file).take(MAX_BYTES).read_to_end(&mut bytes).map_err(FileError::at("read", path))?;
        Ok(Some((Self { path: path.to_owned(), _file: file }, bytes)))
    }

    /// The notes in `folder` whose writers are gone, in the order of their names. None where there is no such folder.
    pub fn left_in(folder: &Path) -> Result<Vec<(Self, Vec<u8>)>, FileError> {
        let entries = match fs::read_dir(folder) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            entries => entries.map_err(FileError::at("read folder", folder))?,
        };
        remove_leftovers(folder, |name| of_temp_name(name).is_some());
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| is_note(path)).collect();
        paths.sort();
        let mut left = Vec::new();
        for path in paths {
            left.extend(Self::left_at(&path)?);
        }
        Ok(left)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says is done: takes it away, durably.
    pub fn remove(self) -> Result<(), FileError> {
        remove(&self.path)?;
        sync_folder(folder_of(&self.path))
    }
}

/// Hidden files are notes that are being written.
fn is_note(path: &Path) -> bool {
    path.is_file() && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('.'))
}

/// A durable file that is held from before its first byte on, so that nobody takes it for one that was left.
fn write_held(path: &Path, bytes: &[u8]) -> io::Result<File> {
    for _ in 0..MAX_TRIES {
        let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
        if hold_temporary(&file, path) {
            file.write_all(bytes)?;
            file.sync_all()?;
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "another program removes what is made there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the notes in `folder` say whose writers are gone.
    fn left(folder: &Path) -> Vec<String> {
        let notes = Note::left_in(folder).unwrap();
        notes.into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect()
    }

    #[test]
    fn a_note_is_left_when_its_writer_is_gone_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note::write(dir.path(), "b.json", b"second").unwrap();
        assert!(left(dir.path()).is_empty(), "its writer lives");
        drop(Note::write(dir.path(), "a.json", b"first").unwrap());
        drop(note);
        assert_eq!(left(dir.path()), ["first", "second"]);
        let (held, _) = Note::left_at(&dir.path().join("a.json")).unwrap().unwrap();
        assert_eq!(left(dir.path()), ["second"], "somebody does what it says");
        held.remove().unwrap();
        assert_eq!(left(dir.path()), ["second"]);
        assert!(!dir.path().join("a.json").exists());
    }

    #[test]
    fn a_note_whose_work_is_done_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note::write(dir.path(), "a.json", b"x").unwrap();
        assert_eq!(note.path(), dir.path().join("a.json"));
        note.remove().unwrap();
        assert!(Note::left_at(&dir.path().join("a.json")).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_writer_left_half_written_is_no_note_and_goes() {
        let dir = tempfile::tempdir().unwrap();
        let half = dir.path().join(temp_name("a.json"));
        fs::write(&half, b"ha").unwrap();
        assert!(left(dir.path()).is_empty());
        assert!(!half.exists());
        assert!(left(&dir.path().join("nowhere")).is_empty());
    }

    #[test]
    fn a_note_that_cannot_be_written_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a.json/inside")).unwrap();
        let error = Note::write(dir.path(), "a.json", b"x").unwrap_err();
        assert_eq!((error.doing, error.path), ("write", dir.path().join("a.json")));
        assert!(!dir.path().join(temp_name("a.json")).exists());
    }
}
