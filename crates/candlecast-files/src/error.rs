//! [`FileError`]: what the system refused, on which file or folder.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use candlecast_core::{Problem, file_problem};

/// The operating system refused.
#[derive(Debug)]
pub struct FileError {
    /// What was tried, as a verb (`write`, `lock`, `sync folder`).
    pub doing: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FileError {
    /// Makes an error of the system one of `doing` something to `path`.
    pub(crate) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { doing, path: path.to_owned(), source }
    }

    /// True when this user may not, or nobody may.
    pub fn is_denied(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.doing, self.path.display(), self.source)
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// For callers that name the file themselves.
impl From<FileError> for io::Error {
    fn from(e: FileError) -> Self {
        e.source
    }
}

impl From<FileError> for Problem {
    fn from(e: FileError) -> Self {
        file_problem(&e.path, &e.source)
    }
}

/// Why a file could not be read whole.
#[derive(Debug)]
pub enum ReadError {
    /// There is none.
    Missing,
    /// It has more bytes than were allowed.
    TooLarge,
    /// The system refused.
    Io(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_tried_where_and_why() {
        let error = FileError::at("write", Path::new("models/x"))(io::ErrorKind::StorageFull.into());
        let why = io::Error::from(io::ErrorKind::StorageFull).to_string();
        assert_eq!(error.to_string(), format!("cannot write `models/x`: {why}"));
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn users_are_told_which_file_and_what_the_system_said() {
        let why = io::Error::from(io::ErrorKind::StorageFull).to_string();
        let problem = Problem::from(FileError::at("write", Path::new("models/x"))(io::ErrorKind::StorageFull.into()));
        assert_eq!((problem.code, problem.detail), ("file-failed", format!("models/x: {why}")));
    }
}
