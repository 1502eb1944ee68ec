//! Unpacking an archive, everything in it held to its manifest.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::rc::Rc;
use std::{fs, io};

use candlecast_core::Problem;
use serde::de::DeserializeOwned;
use zstd::stream::read::Decoder;

use crate::digest::Digesting;
use crate::manifest::{FORMAT, Header, Manifest, Member};
use crate::member::{HEADER, MANIFEST};
use crate::staging::Staging;
use crate::{member, problem};

/// Bytes of content for a byte of archive, beyond which it is no backup: records compress to a fiftieth at best.
const MAX_RATIO: u64 = 200;
/// Small archives may hold this much at any ratio.
const ALWAYS_BYTES: u64 = 64 << 20;
/// Largest header.
const MAX_HEADER_BYTES: u64 = 64 << 10;
/// Largest manifest; an entry takes about 150 bytes.
const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// Most members: empty ones take no room in the archive, and a file each on the disk.
const MAX_MEMBERS: usize = 1_000_000;

/// What an archive held.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) header: Header,
    /// All but the manifest, in order.
    pub(super) members: Vec<Member>,
}

/// Unpacks `archive` into `staging` and compares every size and digest with the manifest. Nothing is believed: not
/// the names, the kinds or the sizes of members, nor that there is an end. `each` hears of the bytes of the archive
/// that are read, and of all, and may stop it.
pub(super) fn unpack(
    archive: &Path,
    staging: &Staging,
    each: impl FnMut(u64, u64) -> Result<(), Problem>,
) -> Result<Unpacked, Problem> {
    let file = File::open(archive).map_err(|e| problem::of_file(archive, &e).with_field("file"))?;
    let size = file.metadata().map_err(|e| problem::of_file(archive, &e))?.len();
    if size == 0 {
        return Err(problem::bad_archive(archive, "it is empty"));
    }
    let n_read = Rc::new(Cell::new(0));
    let counted = Counted { inner: file, n_read: Rc::clone(&n_read) };
    let unreadable = |e: io::Error| problem::bad_archive(archive, format!("it is damaged or cut off ({e})"));
    let decoder = Decoder::new(counted).map_err(unreadable)?;
    let limit = size.saturating_mul(MAX_RATIO).max(ALWAYS_BYTES);
    let mut content = Bounded { inner: decoder, limit, left: limit };
    let unpacking = Unpacking { archive, staging, size, n_read, most: MAX_MEMBERS };
    let unpacked = unpacking.members(&mut content, each)?;
    // Zstandard compares its own checksum at the very end.
    io::copy(&mut content, &mut io::sink()).map_err(unreadable)?;
    Ok(unpacked)
}

/// An archive being unpacked.
struct Unpacking<'a> {
    archive: &'a Path,
    staging: &'a Staging,
    size: u64,
    n_read: Rc<Cell<u64>>,
    /// Members that it may have.
    most: usize,
}

impl Unpacking<'_> {
    fn members(
        &self,
        content: impl Read,
        mut each: impl FnMut(u64, u64) -> Result<(), Problem>,
    ) -> Result<Unpacked, Problem> {
        let mut tar = tar::Archive::new(content);
        // Raw: extensions of names and sizes are refused with every other kind of member that is no plain file.
        let mut entries = tar.entries().map_err(|e| self.damaged(&e))?.raw(true);
        let first = entries.next().ok_or_else(|| self.bad("it is empty"))?.map_err(|e| self.damaged(&e))?;
        let (header, first) = self.header(first)?;
        let mut members = vec![first];
        let mut names = BTreeSet::new();
        let mut manifest: Option<Manifest> = None;
        for entry in entries {
            each(self.n_read.get(), self.size)?;
            let entry = entry.map_err(|e| self.damaged(&e))?;
            let name = self.name(&entry)?;
            if manifest.is_some() {
                return Err(self.bad(format!("`{name}` comes after its manifest")));
            }
            if name == MANIFEST {
                manifest = Some(self.json(MANIFEST, entry, MAX_MANIFEST_BYTES)?.0);
                continue;
            }
            if !names.insert(name.clone()) {
                return Err(self.bad(format!("`{name}` is in it twice")));
            }
            if members.len() >= self.most {
                return Err(self.bad(format!("it has more than {} files", self.most)));
            }
            members.push(self.write(&name, entry)?);
        }
        let manifest = manifest.ok_or_else(|| self.bad("it ends without a manifest: it was cut off"))?;
        self.compare(&manifest, &members)?;
        Ok(Unpacked { header, members })
    }

    fn header<R: Read>(&self, entry: tar::Entry<'_, R>) -> Result<(Header, Member), Problem> {
        if !self.name(&entry).is_ok_and(|name| name == HEADER) {
            return Err(self.bad("it is no backup of candlecast"));
        }
        let (header, member): (Header, Member) = self.json(HEADER, entry, MAX_HEADER_BYTES)?;
        if header.format > FORMAT {
            let (found, program) = (header.format, &header.program);
            let why = format!("it has format {found}, written by {program}, and this program knows {FORMAT}");
            return Err(problem::bad_archive(self.archive, format!("{why}: restore with the newer program")));
        }
        Ok((header, member))
    }

    /// The name of a member that is a plain file.
    fn name<R: Read>(&self, entry: &tar::Entry<'_, R>) -> Result<String, Problem> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type().is_file() {
            Ok(name)
        } else {
            Err(self.bad(format!("`{name}` is a link, a folder or a device, and only files are restored")))
        }
    }

    /// Reads a document of at most `limit` bytes.
    fn json<T: DeserializeOwned>(&self, name: &str, entry: impl SizedRead, limit: u64) -> Result<(T, Member), Problem> {
        let bytes = entry.n_bytes();
        if bytes > limit {
            return Err(self.bad(format!("`{name}` has {bytes} bytes, {limit} are the most")));
        }
        let mut content = Digesting::new(entry);
        let mut text = Vec::new();
        content.read_to_end(&mut text).map_err(|e| self.damaged(&content.failure().unwrap_or(e)))?;
        let document = serde_json::from_slice(&text).map_err(|e| self.bad(format!("`{name}`: {e}")))?;
        let n_bytes = content.n_bytes();
        Ok((document, Member { path: name.to_owned(), bytes: n_bytes, sha256: content.sha256() }))
    }

    /// Writes a member to its place.
    fn write(&self, name: &str, entry: impl SizedRead) -> Result<Member, Problem> {
        let odd = || self.bad(format!("`{name}` is no name that a backup has"));
        let (part, below) = member::parse(name).ok_or_else(odd)?;
        let target = self.staging.path(part, &below);
        let unwritable = |e: io::Error| problem::of_file(&target, &e);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        let mut file = File::options().write(true).create_new(true).open(&target).map_err(unwritable)?;
        let bytes = entry.n_bytes();
        let mut content = Digesting::new(entry);
        let copied = io::copy(&mut content, &mut file);
        if let Some(e) = content.failure() {
            return Err(self.damaged(&e));
        }
        copied.and_then(|_| file.sync_all()).map_err(unwritable)?;
        if content.n_bytes() != bytes {
            return Err(self.bad(format!("`{name}` is cut off")));
        }
        Ok(Member { path: name.to_owned(), bytes, sha256: content.sha256() })
    }

    fn compare(&self, manifest: &Manifest, found: &[Member]) -> Result<(), Problem> {
        for (listed, found) in manifest.members.iter().zip(found) {
            if listed.path != found.path {
                return Err(self.bad(format!("`{}` is where its manifest lists `{}`", found.path, listed.path)));
            }
            if listed != found {
                return Err(self.bad(format!("`{}` does not agree with its SHA-256", found.path)));
            }
        }
        if manifest.members.len() == found.len() {
            return Ok(());
        }
        Err(self.bad(format!("its manifest lists {} files, {} are there", manifest.members.len(), found.len())))
    }

    fn damaged(&self, e: &io::Error) -> Problem {
        self.bad(format!("it is damaged or cut off ({e})"))
    }

    fn bad(&self, why: impl Display) -> Problem {
        problem::bad_archive(self.archive, why)
    }
}

/// A reader that knows how much it has to give.
trait SizedRead: Read {
    fn n_bytes(&self) -> u64;
}

impl<R: Read> SizedRead for tar::Entry<'_, R> {
    fn n_bytes(&self) -> u64 {
        self.size()
    }
}

/// Counts what is read, for whoever shows progress.
struct Counted<R> {
    inner: R,
    n_read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.n_read.set(self.n_read.get() + n as u64);
        Ok(n)
    }
}

/// Ends with an error beyond a limit: a small archive can hold an endless file.
struct Bounded<R> {
    inner: R,
    limit: u64,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => {
                self.left = left;
                Ok(n)
            }
            None => {
                Err(io::Error::new(ErrorKind::InvalidData, format!("it unpacks to more than {} bytes", self.limit)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_config::{Environment, Flags, ModelCatalog, Settings};
    use candlecast_core::Timestamp;

    use super::*;
    use crate::archive::ArchiveWriter;

    #[test]
    fn an_archive_of_too_many_files_is_refused_before_they_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().join("data")), ..Flags::default() };
        let environment = Environment::new(folder.path(), []);
        let staging = Staging::new(&Settings::read(&flags, &environment, &ModelCatalog::EMPTY).unwrap()).unwrap();
        let header = Header { format: FORMAT, program: String::new(), created_at: Timestamp(0), candles: true };
        let mut writer = ArchiveWriter::new(Vec::new(), &header).unwrap();
        for name in ["a", "b", "c"] {
            writer.add_bytes(&format!("models/{name}"), b"").unwrap();
        }
        let (bytes, _) = writer.finish().unwrap();
        let unpack = |most| {
            let archive = Path::new("backup");
            let unpacking = Unpacking { archive, staging: &staging, size: 1, n_read: Rc::default(), most };
            unpacking.members(Decoder::new(bytes.as_slice()).unwrap(), |_, _| Ok(()))
        };
        // The header is one of them.
        assert!(unpack(3).unwrap_err().detail.contains("more than 3 files"));
        assert!(!staging.path(member::Part::Models, Path::new("c")).exists());
        fs::remove_dir_all(staging.path(member::Part::Models, Path::new(""))).unwrap();
        assert_eq!(unpack(4).unwrap().members.len(), 4);
    }

    #[test]
    fn an_endless_file_is_given_up() {
        let mut endless = Bounded { inner: io::repeat(0), limit: 100_000, left: 100_000 };
        let error = io::copy(&mut endless, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("100000"), "{error}");
        let mut just = Bounded { inner: io::repeat(0).take(1000), limit: 1000, left: 1000 };
        assert_eq!(io::copy(&mut just, &mut io::sink()).unwrap(), 1000);
    }
}
