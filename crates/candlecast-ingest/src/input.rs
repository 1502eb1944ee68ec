//! [`Input`]: a file or bytes, read at any position, with a count of what was read.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::IngestError;

#[derive(Debug, Clone)]
enum Origin {
    File(Arc<File>),
    Memory(Bytes),
}

/// Where bytes come from. Cheap to clone; clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    origin: Origin,
    len: u64,
    read: Arc<AtomicU64>,
}

impl Input {
    pub(crate) fn file(path: &Path) -> Result<Self, IngestError> {
        let failed = |source| IngestError::Io { path: path.display().to_string(), source };
        let other = || failed(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        let regular = |meta: Metadata| meta.is_file().then_some(meta).ok_or_else(other);
        // Looked at before it is opened: opening a pipe waits for whoever writes into it, for ever if nobody does.
        std::fs::metadata(path).map_err(failed).and_then(regular)?;
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed).and_then(regular)?;
        Ok(Self { origin: Origin::File(Arc::new(file)), len: meta.len(), read: Arc::default() })
    }

    pub(crate) fn memory(bytes: Vec<u8>) -> Self {
        let bytes = Bytes::from(bytes);
        Self { len: bytes.len() as u64, origin: Origin::Memory(bytes), read: Arc::default() }
    }

    /// Size in bytes when opened.
    pub(crate) fn total(&self) -> u64 {
        self.len
    }

    /// Bytes read so far, at most the size: reading a place twice counts once at the end.
    pub(crate) fn consumed(&self) -> u64 {
        self.read.load(Ordering::Relaxed).min(self.len)
    }

    /// A reader of its own position, from the start.
    pub(crate) fn cursor(&self) -> Cursor {
        self.cursor_at(0)
    }

    pub(crate) fn cursor_at(&self, at: u64) -> Cursor {
        Cursor { input: self.clone(), at }
    }

    /// The same content with a count of its own.
    pub(crate) fn uncounted(&self) -> Self {
        Self { read: Arc::default(), ..self.clone() }
    }

    /// The first bytes, at most `n`, without counting them.
    pub(crate) fn first(&self, n: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.cursor().take(n).read_to_end(&mut bytes)?;
        self.read.store(0, Ordering::Relaxed);
        Ok(bytes)
    }

    /// Exactly `len` bytes from `at`; the length is checked before anything is reserved.
    pub(crate) fn exact(&self, at: u64, len: u64) -> io::Result<Vec<u8>> {
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; len as usize];
        self.cursor_at(at).read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// Reads from a place of its own: cursors of two threads share the handle and must not share its position.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Reads from a place of its own: cursors of two threads share the handle and must not share its position.
#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// A position in an [`Input`].
#[derive(Debug)]
pub(crate) struct Cursor {
    input: Input,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &self.input.origin {
            Origin::File(file) => read_at(file, buffer, self.at)?,
            Origin::Memory(bytes) => {
                let rest = bytes.get(self.at.min(self.input.len) as usize..).unwrap_or_default();
                let n = rest.len().min(buffer.len());
                buffer[..n].copy_from_slice(&rest[..n]);
                n
            }
        };
        self.at += n as u64;
        self.input.read.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.input.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.at)
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Input {
    type T = BufReader<Cursor>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.cursor_at(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.exact(start, length as u64)?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("BTCUSDT-1h.csv");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(Input::file(&pipe), Err(IngestError::Io { .. })));
    }

    #[test]
    fn cursors_are_independent_and_counted() {
        let input = Input::memory((0..100).collect());
        let (mut a, mut b) = (input.cursor(), input.cursor_at(90));
        let mut buffer = [0; 20];
        assert_eq!(a.read(&mut buffer).unwrap(), 20);
        assert_eq!(b.read(&mut buffer).unwrap(), 10);
        assert_eq!(buffer[0], 90);
        assert_eq!(input.consumed(), 30);
        a.seek(SeekFrom::End(-1)).unwrap();
        assert_eq!(a.read(&mut buffer).unwrap(), 1);
        assert!(a.seek(SeekFrom::Current(-101)).is_err());
        assert!(input.exact(99, 2).is_err());
        assert!(input.exact(u64::MAX, 2).is_err());
    }
}
