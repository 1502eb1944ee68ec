//! [`NewFile`]: a file under a temporary name until it is whole.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::folder::{folder_of, sync_folder};
use crate::leftovers::{hold_temporary, remove_leftovers};
use crate::{FileError, temp_name};

/// End of the hidden names of files that have names of their own.
const ENDING: &str = ".tmp";
/// Times that a temporary file is made anew because it was taken for a leftover.
const MAX_TRIES: usize = 100;

/// A file that is being written. It is removed when this is dropped, unless it was given its name.
#[derive(Debug)]
pub struct NewFile {
    file: NamedTempFile,
    /// The temporary name as the caller has it; the file's own may be another way to write it.
    temp: PathBuf,
}

impl NewFile {
    /// Begins a file under the temporary name `temp`. What is there was left by a killed writer and is overwritten:
    /// only for names that one writer uses at a time.
    pub fn create(temp: &Path) -> Result<Self, FileError> {
        // If the file cannot be opened, this is dropped and takes a leftover with it that may be the reason.
        let path = TempPath::try_from_path(temp).map_err(FileError::at("create", temp))?;
        let file = File::create(temp).map_err(FileError::at("create", temp))?;
        Ok(Self { file: NamedTempFile::from_parts(file, path), temp: temp.to_owned() })
    }

    /// Begins a file in the folder of `target` under a hidden name of its own, for targets that several may write at
    /// once. Only its owner may read it.
    pub fn beside(target: &Path) -> Result<Self, FileError> {
        Self::hidden(target, false)
    }

    /// The same for a file of the user's: it has the rights that files usually get, and what killed writers of the same
    /// target left is taken away.
    pub fn for_user(target: &Path) -> Result<Self, FileError> {
        let beginning = beginning(target);
        if let Some(beginning) = beginning.to_str() {
            remove_leftovers(folder_of(target), |name| is_beside(name, beginning));
        }
        Self::hidden(target, true)
    }

    fn hidden(target: &Path, is_users: bool) -> Result<Self, FileError> {
        let (folder, beginning) = (folder_of(target), beginning(target));
        let mut builder = tempfile::Builder::new();
        builder.prefix(&beginning).suffix(ENDING);
        if is_users {
            usual_rights(&mut builder);
        }
        for _ in 0..MAX_TRIES {
            let file = builder.tempfile_in(folder).map_err(|e| FileError::at("create", target)(without_path(e)))?;
            let temp = file.path().to_owned();
            if hold_temporary(file.as_file(), &temp) {
                return Ok(Self { file, temp });
            }
        }
        let always_removed = io::Error::new(io::ErrorKind::NotFound, "another program removes what is made there");
        Err(FileError::at("create", target)(always_removed))
    }

    /// Begins what is to become `file` in `folder`, under its [`temp_name`].
    pub(crate) fn of(folder: &Path, file: &str) -> Result<Self, FileError> {
        Self::create(&folder.join(temp_name(file)))
    }

    /// To be written to.
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Adds `bytes`.
    pub fn write_all(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.file().write_all(bytes).map_err(FileError::at("write", &self.temp))
    }

    /// Makes the file durable and puts it in the place of `target`, in the same folder.
    pub fn persist(self, target: &Path) -> Result<(), FileError> {
        self.rename(target)?;
        sync_folder(folder_of(target))
    }

    /// The same where nothing is there; false, and what is there stays, where something is.
    pub fn persist_first(self, target: &Path) -> Result<bool, FileError> {
        self.file().sync_all().map_err(FileError::at("sync", &self.temp))?;
        match self.file.persist_noclobber(target) {
            Ok(_) => sync_folder(folder_of(target)).map(|()| true),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(FileError::at("create", target)(e.error)),
        }
    }

    /// All of [`persist`](Self::persist) but the folder's part.
    pub(crate) fn rename(self, target: &Path) -> Result<(), FileError> {
        self.file().sync_all().map_err(FileError::at("sync", &self.temp))?;
        match self.file.persist(target) {
            Ok(_) => Ok(()),
            Err(e) => Err(FileError::at("replace", target)(e.error)),
        }
    }
}

/// The system's own error: `tempfile` adds the hidden name, which tells a user nothing.
fn without_path(error: io::Error) -> io::Error {
    let cause = error.get_ref().and_then(|wrapped| wrapped.source()?.downcast_ref::<io::Error>()?.raw_os_error());
    cause.map_or(error, io::Error::from_raw_os_error)
}

/// How the hidden names of files begin that are to become `target`.
fn beginning(target: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".");
    name
}

/// True for a hidden name that begins so: one random part lies between beginning and end.
fn is_beside(name: &str, beginning: &str) -> bool {
    let random = name.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(ENDING));
    random.is_some_and(|random| !random.is_empty() && random.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Temporary files are their owner's alone unless told otherwise. The user's mask still applies.
#[cfg(unix)]
fn usual_rights(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn usual_rights(_: &mut tempfile::Builder<'_, '_>) {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_has_its_name_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (temp, target) = (dir.path().join("x.csv.part"), dir.path().join("x.csv"));
        fs::write(&target, b"old").unwrap();
        fs::write(&temp, b"a leftover that is longer").unwrap();
        let new = NewFile::create(&temp).unwrap();
        new.write_all(b"ne").unwrap();
        new.file().write_all(b"w").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        new.persist(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["x.csv"]);
    }

    #[test]
    fn a_file_that_is_given_up_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.csv");
        drop(NewFile::create(&dir.path().join("x.csv.part")).unwrap());
        drop(NewFile::beside(&target).unwrap());
        assert!(names(dir.path()).is_empty());
        // A folder that holds something cannot be replaced by a file.
        fs::create_dir_all(target.join("inside")).unwrap();
        let error = NewFile::beside(&target).unwrap().persist(&target).unwrap_err();
        assert_eq!(error.path, target);
        assert_eq!(names(dir.path()), ["x.csv"]);
    }

    #[test]
    fn writers_beside_each_other_have_names_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("lstm-0.piece");
        let (one, other) = (NewFile::beside(&target).unwrap(), NewFile::beside(&target).unwrap());
        let hidden = names(dir.path());
        assert_eq!(hidden.len(), 2);
        assert!(hidden.iter().all(|name| name.starts_with(".lstm-0.piece.") && name.ends_with(".tmp")), "{hidden:?}");
        one.write_all(b"one").unwrap();
        other.write_all(b"other").unwrap();
        one.persist(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"one");
        other.persist(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"other");
    }

    #[test]
    fn a_file_of_the_users_takes_away_what_killed_writers_of_it_left() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.csv");
        let left = [".x.csv.abcDEF.tmp", ".x.csv.a.b.tmp", ".y.csv.abcdef.tmp", "x.csv.tmp"];
        for name in left {
            fs::write(dir.path().join(name), b"left").unwrap();
        }
        let (one, other) = (NewFile::for_user(&target).unwrap(), NewFile::for_user(&target).unwrap());
        assert!(one.temp.exists() && other.temp.exists(), "a writer at work is no leftover");
        let (first, others) = (dir.path().join(left[0]), &left[1..]);
        assert!(!first.exists() && others.iter().all(|name| dir.path().join(name).exists()));
        one.write_all(b"one").unwrap();
        one.persist(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"one");
        drop(other);
        assert_eq!(names(dir.path()).len(), 4, "{:?}", names(dir.path()));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_users_has_the_usual_rights() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (usual, written) = (dir.path().join("usual"), dir.path().join("written"));
        fs::write(&usual, b"x").unwrap();
        NewFile::for_user(&written).unwrap().persist(&written).unwrap();
        assert_eq!(mode(&written), mode(&usual));
        let alone = dir.path().join("alone");
        NewFile::beside(&alone).unwrap().persist(&alone).unwrap();
        assert_eq!(mode(&alone) & 0o077, 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        let error = NewFile::create(&nowhere.join("x.part")).unwrap_err();
        assert_eq!((error.doing, error.path), ("create", nowhere.join("x.part")));
        assert_eq!(NewFile::beside(&nowhere.join("x")).unwrap_err().path, nowhere.join("x"));
    }
}
