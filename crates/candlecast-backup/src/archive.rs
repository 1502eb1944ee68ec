//! [`ArchiveWriter`]: members into a compressed archive, the digest of each noted for the manifest.

use std::io;
use std::io::{ErrorKind, Read, Write};

use serde::Serialize;
use zstd::stream::write::Encoder;

use crate::digest::Digesting;
use crate::manifest::{Header, Manifest, Member};
use crate::member::{HEADER, MANIFEST};

/// Zstandard's own default: candles are compressed already, and the rest is small.
const LEVEL: i32 = 3;
/// Rights of an unpacked file.
const MODE: u32 = 0o644;

/// Why a member could not be added.
#[derive(Debug)]
pub(super) enum AddError {
    /// Its content could not be read.
    Read(io::Error),
    /// The archive could not be written.
    Write(io::Error),
}

/// An archive being written to `W`.
pub(super) struct ArchiveWriter<W: Write> {
    tar: tar::Builder<Encoder<'static, W>>,
    members: Vec<Member>,
    modified_s: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive.
    pub(super) fn new(to: W, header: &Header) -> io::Result<Self> {
        let mut encoder = Encoder::new(to, LEVEL)?;
        encoder.include_checksum(true)?;
        let modified_s = u64::try_from(header.created_at.ms() / 1000).unwrap_or(0);
        let mut writer = Self { tar: tar::Builder::new(encoder), members: Vec::new(), modified_s };
        writer.add_json(HEADER, header)?;
        Ok(writer)
    }

    /// Adds a member of `bytes` bytes.
    pub(super) fn add(&mut self, path: &str, bytes: u64, content: impl Read) -> Result<(), AddError> {
        let mut content = Digesting::new(content.take(bytes));
        let head = self.head(path, bytes).map_err(AddError::Write)?;
        let appended = self.tar.append(&head, &mut content);
        if let Some(e) = content.failure() {
            return Err(AddError::Read(e));
        }
        appended.map_err(AddError::Write)?;
        if content.n_bytes() != bytes {
            let why = io::Error::new(ErrorKind::UnexpectedEof, "it became shorter while it was read");
            return Err(AddError::Read(why));
        }
        self.members.push(Member { path: path.to_owned(), bytes, sha256: content.sha256() });
        Ok(())
    }

    /// Adds a member that is in memory.
    pub(super) fn add_bytes(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.add(path, content.len() as u64, content).map_err(|e| match e {
            AddError::Read(e) | AddError::Write(e) => e,
        })
    }

    /// Adds a JSON document.
    pub(super) fn add_json(&mut self, path: &str, document: &impl Serialize) -> io::Result<()> {
        self.add_bytes(path, &serde_json::to_vec_pretty(document).map_err(io::Error::other)?)
    }

    /// Adds the manifest and ends the archive; returns what it was written to, and the members.
    pub(super) fn finish(mut self) -> io::Result<(W, Vec<Member>)> {
        let manifest = Manifest { members: std::mem::take(&mut self.members) };
        self.add_json(MANIFEST, &manifest)?;
        Ok((self.tar.into_inner()?.finish()?, manifest.members))
    }

    /// A header of the plainest kind. Names that need an extension are refused: readers differ on those.
    fn head(&self, path: &str, bytes: u64) -> io::Result<tar::Header> {
        let mut head = tar::Header::new_ustar();
        head.set_path(path)?;
        head.set_size(bytes);
        head.set_mode(MODE);
        head.set_mtime(self.modified_s);
        head.set_entry_type(tar::EntryType::Regular);
        head.set_cksum();
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;

    use super::*;

    const HEAD: Header = Header { format: 1, program: String::new(), created_at: Timestamp(0), candles: true };

    /// A disk with room for some bytes.
    struct Disk(usize);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match bytes.len().min(self.0) {
                0 => Err(ErrorKind::StorageFull.into()),
                n => {
                    self.0 -= n;
                    Ok(n)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Bytes that do not compress.
    fn noise(n: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(n).collect()
    }

    #[test]
    fn a_full_disk_is_an_error_whenever_it_fills() {
        let content = noise(400_000);
        for room in [0, 10, 100_000, 399_000] {
            let written = ArchiveWriter::new(Disk(room), &HEAD).and_then(|mut writer| {
                writer.add_bytes("models/a", &content)?;
                writer.finish().map(drop)
            });
            assert_eq!(written.unwrap_err().kind(), ErrorKind::StorageFull, "room for {room}");
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_not_taken_for_whole() {
        let mut writer = ArchiveWriter::new(Vec::new(), &HEAD).unwrap();
        let added = writer.add("models/a", 4, &b"abc"[..]);
        assert!(matches!(added, Err(AddError::Read(e)) if e.kind() == ErrorKind::UnexpectedEof));
    }

    #[test]
    fn names_too_long_for_a_plain_header_are_refused() {
        let mut writer = ArchiveWriter::new(Vec::new(), &HEAD).unwrap();
        assert!(writer.add_bytes(&format!("models/{}", "x".repeat(101)), b"").is_err());
        assert!(writer.add_bytes(&format!("models/{}/{}", "x".repeat(80), "y".repeat(90)), b"").is_ok());
    }
}
