//! Failures of files and archives, in the words of whoever can help.

use std::fmt::Display;
use std::io;
use std::io::ErrorKind;
use std::path::Path;

use candlecast_core::{Blame, Problem, file_problem};

/// The file or folder at `path` could not be read or written.
pub(super) fn of_file(path: &Path, e: &io::Error) -> Problem {
    let at = path.display();
    match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            let detail = format!("{at}: no space is left ({e}): free some, or choose another disk; nothing was kept");
            Problem::new("disk-full", 507, Blame::Data, detail)
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            let detail = format!("{at}: {e}: check the rights of the file and its folder");
            Problem::new("not-allowed", 500, Blame::Data, detail)
        }
        _ => file_problem(path, e),
    }
}

/// The archive cannot be relied on.
pub(super) fn bad_archive(archive: &Path, why: impl Display) -> Problem {
    let detail = format!("{}: {why}: nothing was changed; use another backup", archive.display());
    Problem::data("bad-backup", detail).with_field("file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_missing_rights_have_codes_of_their_own() {
        let code = |kind: ErrorKind| of_file(Path::new("x"), &io::Error::from(kind)).code;
        assert_eq!(code(ErrorKind::StorageFull), "disk-full");
        assert_eq!(code(ErrorKind::ReadOnlyFilesystem), "not-allowed");
        assert_eq!(code(ErrorKind::NotFound), "file-failed");
    }
}
