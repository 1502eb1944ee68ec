//! [`Shelf`]: all versions of one slot with their metas, and what serves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::durable::{self, ReadError};
use crate::folder::Folder;
use crate::meta::{FORMAT, Meta, NewModel, Status};
use crate::pointer::{MAX_SMALL_FILE_BYTES, Pointer};
use crate::registry::Listed;
use crate::slot::{ModelName, Slot};
use crate::{Bump, RegistryError, Version, keep, seal};

/// One slot as it lies on disk.
#[derive(Debug)]
pub(crate) struct Shelf {
    slot: Slot,
    /// As stored, or recovered from the metas where that is lost or damaged.
    pub(crate) pointer: Pointer,
    /// Why the stored pointer could not be used.
    pub(crate) pointer_problem: Option<RegistryError>,
    /// Metas with the status that their files have; errors for damaged ones.
    pub(crate) metas: BTreeMap<Version, Result<Meta, RegistryError>>,
}

impl Shelf {
    /// Reads all metas of `slot`.
    pub(crate) fn read(root: &Path, slot: &Slot) -> Result<Self, RegistryError> {
        Ok(Self::of(root, slot, &Folder::of(root, slot)?.versions(slot)))
    }

    /// Reads the metas of `versions`.
    pub(crate) fn of(root: &Path, slot: &Slot, versions: &[Version]) -> Self {
        let mut metas = BTreeMap::new();
        for &version in versions {
            match read_meta(root, &slot.at(version)) {
                // Deleted since the folder was read.
                Err(RegistryError::NoVersion { .. }) => {}
                meta => {
                    metas.insert(version, meta);
                }
            }
        }
        let (pointer, pointer_problem) = match Pointer::read(root, slot) {
            Ok(Some(pointer)) => (pointer, None),
            Ok(None) => (Pointer::recover(slot, &metas), None),
            Err(problem) => (Pointer::recover(slot, &metas), Some(problem)),
        };
        Self { slot: slot.clone(), pointer, pointer_problem, metas }
    }

    /// Refuses to go on where a stored pointer would be overwritten that is not damaged, only not readable.
    pub(crate) fn writable(self) -> Result<Self, RegistryError> {
        match self.pointer_problem {
            None | Some(RegistryError::Corrupt { .. }) => Ok(self),
            Some(problem) => Err(problem),
        }
    }

    /// Metas that are whole, oldest version first.
    pub(crate) fn whole(&self) -> impl Iterator<Item = &Meta> {
        self.metas.values().flatten()
    }

    /// Status of each version whose meta is whole.
    pub(crate) fn statuses(&self) -> BTreeMap<Version, Status> {
        self.whole().map(|meta| (meta.version, self.pointer.status(meta.version, meta.status))).collect()
    }

    /// True when the active version is there with a whole meta.
    pub(crate) fn serves(&self) -> bool {
        self.pointer.active.is_some_and(|active| matches!(self.metas.get(&active), Some(Ok(_))))
    }

    /// Versions to delete so that `keep_versions` remain, in the order in which they go; the active one and `newest`
    /// stay.
    pub(crate) fn surplus(&self, newest: Version, keep_versions: usize) -> Vec<Version> {
        let statuses = self.statuses();
        let rollback = self.pointer.history.iter().rev().find(|v| statuses.contains_key(*v)).copied();
        keep::surplus(&statuses, rollback, newest, keep_versions)
    }

    /// Versions to try, best first: the active one, those that served before it from the newest, other archived
    /// ones from the highest. Empty when nothing was ever made active.
    pub(crate) fn serving_order(&self) -> Vec<Version> {
        let Some(active) = self.pointer.active else { return Vec::new() };
        let statuses = self.statuses();
        let archived = statuses.iter().rev().filter(|(_, status)| **status == Status::Archived).map(|(v, _)| *v);
        let mut order = vec![active];
        for version in self.pointer.history.iter().rev().copied().chain(archived) {
            if !order.contains(&version) {
                order.push(version);
            }
        }
        order
    }

    /// Version of `new`: above all that were ever given, bumped by how it differs from the newest whole meta.
    pub(crate) fn next_version(&self, new: &NewModel) -> Result<Version, RegistryError> {
        let stored = self.metas.keys().next_back().copied();
        let Some(highest) = self.pointer.highest.max(stored) else { return Ok(Version::FIRST) };
        // Without a meta to compare with, nothing vouches for compatibility.
        let bump = self.whole().last().map_or(Bump::Major, |newest| change(newest, new));
        highest.bump(bump).ok_or_else(|| RegistryError::VersionsExhausted {
            slot: self.slot.to_string(),
            highest: highest.to_string(),
        })
    }

    /// One entry a version, lowest first; no payload is read, but its size is compared.
    pub(crate) fn listed(self, root: &Path) -> Vec<Listed> {
        let Self { slot, pointer, metas, .. } = self;
        let entry = |(version, meta): (Version, Result<Meta, RegistryError>)| {
            let name = slot.at(version);
            match meta.and_then(|meta| check_size(root, &name, &meta).map(|()| meta)) {
                Ok(mut meta) => {
                    meta.status = pointer.status(version, meta.status);
                    Listed { name, status: meta.status, reason: None, meta: Some(meta) }
                }
                Err(e) => Listed { name, status: Status::Corrupt, reason: Some(e.to_string()), meta: None },
            }
        };
        metas.into_iter().map(entry).collect()
    }
}

fn change(newest: &Meta, new: &NewModel) -> Bump {
    let same_shape =
        newest.format == FORMAT && newest.features == new.features && newest.horizon_steps == new.horizon_steps;
    if !same_shape {
        Bump::Major
    } else if newest.config != new.config {
        Bump::Minor
    } else {
        Bump::Patch
    }
}

/// Reads and checks the meta of `name`, with the status that its file has.
pub(crate) fn read_meta(root: &Path, name: &ModelName) -> Result<Meta, RegistryError> {
    let path = name.meta_path(root);
    let bytes = durable::read(&path, MAX_SMALL_FILE_BYTES).map_err(|e| match e {
        ReadError::Missing => RegistryError::NoVersion { id: name.to_string() },
        ReadError::TooLarge => RegistryError::corrupt(&path, "it is far too large"),
        ReadError::Io(source) => RegistryError::io("read", &path)(source),
    })?;
    let meta: Meta = seal::open(&bytes, &path)?;
    if meta.is_of(name) { Ok(meta) } else { Err(RegistryError::corrupt(&path, format!("it belongs to {}", meta.id))) }
}

/// The payload of `name`, after its size and digest were found as `meta` has them.
pub(crate) fn read_payload(root: &Path, name: &ModelName, meta: &Meta) -> Result<Vec<u8>, RegistryError> {
    let path = name.payload_path(root);
    let bytes = durable::read(&path, meta.payload_bytes).map_err(|e| match e {
        ReadError::Missing => RegistryError::corrupt(&path, "it is missing"),
        ReadError::TooLarge => wrong_size(&path, "more", meta),
        ReadError::Io(source) => RegistryError::io("read", &path)(source),
    })?;
    if (bytes.len() as u64) < meta.payload_bytes {
        return Err(wrong_size(&path, &bytes.len().to_string(), meta));
    }
    if seal::sha256_hex(&bytes) != meta.sha256 {
        return Err(RegistryError::corrupt(&path, "its content does not agree with the SHA-256 of its meta"));
    }
    Ok(bytes)
}

fn check_size(root: &Path, name: &ModelName, meta: &Meta) -> Result<(), RegistryError> {
    let path = name.payload_path(root);
    match fs::metadata(&path) {
        Ok(found) if found.len() == meta.payload_bytes => Ok(()),
        Ok(found) => Err(wrong_size(&path, &found.len().to_string(), meta)),
        Err(_) => Err(RegistryError::corrupt(&path, "it is missing")),
    }
}

fn wrong_size(path: &Path, found: &str, meta: &Meta) -> RegistryError {
    RegistryError::corrupt(path, format!("it has {found} bytes, {} were written", meta.payload_bytes))
}
