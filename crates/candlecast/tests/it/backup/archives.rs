//! Archives taken apart, altered and put together again.

use std::io::Read as _;

use tar::EntryType;

/// A member of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: EntryType,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    /// A plain file.
    pub(crate) fn file(name: &str, content: &[u8]) -> Self {
        Self { name: name.into(), kind: EntryType::Regular, content: content.into() }
    }
}

/// The members in order.
pub(crate) fn entries(archive: &[u8]) -> Vec<Entry> {
    let bytes = zstd::decode_all(archive).unwrap();
    let mut tar = tar::Archive::new(bytes.as_slice());
    let entries = tar.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        Entry { name, kind: entry.header().entry_type(), content }
    });
    entries.collect()
}

/// Names go in as they are: the library would refuse to write what a restore must refuse to read.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header.set_entry_type(entry.kind);
        if entry.kind == EntryType::Symlink || entry.kind == EntryType::Link {
            header.set_link_name("/etc/hostname").unwrap();
        }
        header.set_size(entry.content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, entry.content.as_slice()).unwrap();
    }
    zstd::encode_all(builder.into_inner().unwrap().as_slice(), 1).unwrap()
}
