//! [`append`]: files that grow at their end.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::FileError;

/// Puts `bytes` at position `at` of the file at `path`, durably. What the file holds from there on is cut off first:
/// it was left by a writer that was killed in the middle. One writer at a time; the file must have been made durable
/// under its name before.
///
/// A kill leaves any first part of `bytes` behind, so what is appended must tell by itself whether it is whole. After
/// an error the file ends at `at`, as far as the system allows.
pub fn append(path: &Path, at: u64, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |e| FileError::at("append to", path)(e);
    let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length < at {
        return Err(failed(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was")));
    }
    if length > at {
        file.set_len(at).map_err(failed)?;
    }
    put(&mut file, at, bytes).map_err(|e| {
        // What cannot be cut off now is cut off by the next writer.
        let _ = file.set_len(at).and_then(|()| file.sync_all());
        failed(e)
    })
}

fn put(file: &mut File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    // Data and length; the time of the change may be lost.
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn bytes_are_put_at_the_end_and_leftovers_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, b"one").unwrap();
        append(&path, 3, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo");
        fs::write(&path, b"onetwo and a part of the thi").unwrap();
        append(&path, 6, b"3").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onetwo3");
    }

    #[test]
    fn nothing_is_appended_to_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let error = append(&path, 0, b"x").unwrap_err();
        assert_eq!(
            (error.doing, error.path, error.source.kind()),
            ("append to", path.clone(), io::ErrorKind::NotFound)
        );
        assert!(!path.exists());
        fs::write(&path, b"one").unwrap();
        assert_eq!(append(&path, 4, b"x").unwrap_err().source.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
