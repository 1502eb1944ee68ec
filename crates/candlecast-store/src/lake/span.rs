//! [`Span`]: a stretch of a file in memory, addressed by positions in the file.

use std::fs::File;
use std::io;

use bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes `start..` of a file.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

impl Span {
    /// `length` bytes from position `from` of the file, without copying.
    pub(super) fn slice(&self, from: u64, length: usize) -> Result<Bytes, ParquetError> {
        let outside = || ParquetError::EOF(format!("bytes {from} to {from}+{length} lie outside their row group"));
        let start = from.checked_sub(self.start).ok_or_else(outside)? as usize;
        let end = start.checked_add(length).filter(|&end| end <= self.bytes.len()).ok_or_else(outside)?;
        Ok(self.bytes.slice(start..end))
    }
}

impl Length for Span {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Span {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let length = self.len().saturating_sub(start) as usize;
        Ok(self.slice(start, length)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.slice(start, length)
    }
}

/// Fills `buffer` from position `offset`; threads may do so at the same time on one file.
#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

/// Fills `buffer` from position `offset`; threads may do so at the same time on one file.
#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_the_file() {
        let span = Span { start: 100, bytes: Bytes::from_static(b"abcdef") };
        assert_eq!(span.len(), 106);
        assert_eq!(span.get_bytes(102, 3).unwrap(), "cde");
        for (start, length) in [(99, 1), (104, 3), (0, 0), (107, 0), (102, usize::MAX)] {
            assert!(span.get_bytes(start, length).is_err(), "{start} {length}");
        }
        assert!(span.get_read(107).is_err() && span.get_read(106).is_ok());
    }
}
