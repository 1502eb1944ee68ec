//! Whole files: written, read and removed.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::folder::sync_folder;
use crate::{FileError, NewFile, ReadError};

/// The hidden name under which [`write()`] writes `file` before it is renamed. A killed writer leaves it behind.
pub fn temp_name(file: &str) -> String {
    format!(".{file}.tmp")
}

/// The file that `temp` was to become; `None` for other names.
pub fn of_temp_name(temp: &str) -> Option<&str> {
    temp.strip_prefix('.')?.strip_suffix(".tmp")
}

/// Makes `bytes` the content of `folder/file`, durably, by way of its [`temp_name`]. One writer at a time. After an
/// error the old file stands, unless the error is of syncing the folder.
pub fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), FileError> {
    let target = folder.join(file);
    let written = NewFile::of(folder, file).and_then(|new| {
        new.write_all(bytes)?;
        new.rename(&target)
    });
    // Whoever asked for a file knows nothing of the steps to it.
    written.map_err(|e| FileError::at("write", &target)(e.source))?;
    sync_folder(folder)
}

/// Removes the file at `path`; one that is not there is as good as removed. It counts once its folder is synced.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FileError::at("delete", path)(e)),
        _ => Ok(()),
    }
}

/// The bytes of `path`, if there are at most `limit` of them.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(e),
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes)).map_err(failed)?;
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
        let error = write(dir.path(), "a.json", b"new").unwrap_err();
        assert_eq!((error.doing, error.path), ("write", dir.path().join("a.json")));
        assert_eq!(read_bounded(&dir.path().join("a.json"), 10).unwrap(), b"old");
        assert!(!dir.path().join(temp_name("b.json")).exists());
    }

    #[test]
    fn a_file_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        for content in [b"one".as_slice(), b"two and more", b"3"] {
            write(dir.path(), "a.json", content).unwrap();
            assert_eq!(fs::read(dir.path().join("a.json")).unwrap(), content);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn removing_what_is_not_there_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, b"x").unwrap();
        for _ in 0..2 {
            remove(&path).unwrap();
            assert!(!path.exists());
        }
        assert_eq!(remove(dir.path()).unwrap_err().doing, "delete");
    }

    #[test]
    fn reading_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(matches!(read_bounded(&path, 3), Err(ReadError::Missing)));
        fs::write(&path, b"1234").unwrap();
        assert!(matches!(read_bounded(&path, 3), Err(ReadError::TooLarge)));
        assert_eq!(read_bounded(&path, 4).unwrap(), b"1234");
        assert!(matches!(read_bounded(dir.path(), 3), Err(ReadError::Io(_))));
    }

    #[test]
    fn temporary_names_name_their_file() {
        assert_eq!(temp_name("a.json"), ".a.json.tmp");
        assert_eq!(of_temp_name(&temp_name("a.json")), Some("a.json"));
        for other in ["a.json", ".a.json", "a.json.tmp", ".lock"] {
            assert_eq!(of_temp_name(other), None, "{other}");
        }
    }
}
