//! [`Registry`]: the model folder, and everything that reads it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::meta::{Meta, Status};
use crate::pointer::Pointer;
use crate::shelf::{Shelf, read_meta, read_payload};
use crate::slot::{ModelName, Slot};
use crate::{RegistryError, Version, folder, payload};

/// Switches of the active version by others that a reader follows before it looks for another way.
const MAX_SWITCHES: usize = 100;

/// A folder of models. Cheap to make and to clone; every call reads the disk, so instances in any number of
/// threads and processes see each other's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    root: PathBuf,
}

/// A model that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<P> {
    /// Its meta.
    pub meta: Meta,
    /// Its payload.
    pub payload: P,
    /// Why this is not what should serve: the active version, or the pointer to it, is damaged. `None` normally.
    pub fell_back: Option<String>,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Slot and version.
    pub name: ModelName,
    /// Where it stands.
    pub status: Status,
    /// What is wrong with a corrupt one.
    pub reason: Option<String>,
    /// Its meta; `None` for a corrupt one.
    pub meta: Option<Meta>,
}

impl Registry {
    /// The registry in `root`. The folder is made by the first save; a missing one holds no models.
    pub fn open(root: PathBuf) -> Result<Self, RegistryError> {
        if root.exists() && !root.is_dir() {
            let source = std::io::ErrorKind::NotADirectory.into();
            return Err(RegistryError::io("open folder", &root)(source));
        }
        Ok(Self { root })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the payload of `name` lies, whether it is stored or not.
    pub fn payload_path(&self, name: &ModelName) -> PathBuf {
        name.payload_path(&self.root)
    }

    /// Names of all stored versions, by slot and version. Reads folders only: a page of a long list is made of
    /// these and of [`Registry::meta`] for the rows it shows.
    pub fn names(&self) -> Result<Vec<ModelName>, RegistryError> {
        let all = folder::all(&self.root)?;
        Ok(all.iter().flat_map(|(slot, versions)| versions.iter().map(move |&v| slot.at(v))).collect())
    }

    /// All stored versions, by slot and version, damaged ones included. Reads metas, no payloads: damage that
    /// leaves a payload's size as it was shows in [`Registry::verify`] and [`Registry::load`].
    pub fn list(&self) -> Result<Vec<Listed>, RegistryError> {
        let all = folder::all(&self.root)?;
        let shelves = all.iter().map(|(slot, versions)| Shelf::of(&self.root, slot, versions));
        Ok(shelves.flat_map(|shelf| shelf.listed(&self.root)).collect())
    }

    /// The stored versions among `names`, which are in order, as in [`Registry::list`]. Reads the metas of these and the
    /// pointers of their slots: what a page of a long list costs.
    pub fn listed(&self, names: &[ModelName]) -> Result<Vec<Listed>, RegistryError> {
        let mut found = Vec::with_capacity(names.len());
        for of_slot in names.chunk_by(|a, b| a.slot == b.slot) {
            let slot = &of_slot[0].slot;
            let wanted: Vec<Version> = of_slot.iter().map(|name| name.version).collect();
            // A pointer that is lost or damaged is recovered from all metas, not from some.
            let shelf = match Pointer::read(&self.root, slot) {
                Ok(Some(_)) => Shelf::of(&self.root, slot, &wanted),
                _ => Shelf::read(&self.root, slot)?,
            };
            found.extend(shelf.listed(&self.root).into_iter().filter(|entry| wanted.contains(&entry.name.version)));
        }
        Ok(found)
    }

    /// The slots in which something should serve: a version is active, damaged or not, or the pointer that would name
    /// it is damaged. Reads pointers, and metas only where a pointer is lost.
    pub fn serving_slots(&self) -> Result<Vec<Slot>, RegistryError> {
        let mut serving = Vec::new();
        for slot in folder::all(&self.root)?.into_keys() {
            let serves = match Pointer::read(&self.root, &slot) {
                Ok(Some(pointer)) => pointer.active.is_some(),
                Ok(None) => Shelf::read(&self.root, &slot)?.pointer.active.is_some(),
                Err(_) => true,
            };
            if serves {
                serving.push(slot);
            }
        }
        Ok(serving)
    }

    /// All stored versions of one slot, lowest first, as in [`Registry::list`].
    pub fn list_slot(&self, slot: &Slot) -> Result<Vec<Listed>, RegistryError> {
        Ok(Shelf::read(&self.root, slot)?.listed(&self.root))
    }

    /// The version that serves, if any.
    pub fn active(&self, slot: &Slot) -> Result<Option<Version>, RegistryError> {
        match Pointer::read(&self.root, slot) {
            Ok(Some(pointer)) => Ok(pointer.active),
            _ => Ok(Shelf::read(&self.root, slot)?.pointer.active),
        }
    }

    /// The meta of one version.
    pub fn meta(&self, slot: &Slot, version: Version) -> Result<Meta, RegistryError> {
        let mut meta = read_meta(&self.root, &slot.at(version))?;
        let pointer = match Pointer::read(&self.root, slot) {
            Ok(Some(pointer)) => pointer,
            _ => Shelf::read(&self.root, slot)?.pointer,
        };
        meta.status = pointer.status(version, meta.status);
        Ok(meta)
    }

    /// The meta of one version, after its payload was read and found as it was written.
    pub fn verify(&self, slot: &Slot, version: Version) -> Result<Meta, RegistryError> {
        self.payload(slot, version).map(|(meta, _)| meta)
    }

    /// One version's meta and the bytes of its payload file, found as they were written; for downloads.
    pub fn payload(&self, slot: &Slot, version: Version) -> Result<(Meta, Vec<u8>), RegistryError> {
        let meta = self.meta(slot, version)?;
        let bytes = read_payload(&self.root, &slot.at(version), &meta)?;
        Ok((meta, bytes))
    }

    /// Reads a model. With a version: that one or an error. Without: the active one, or, when that is damaged,
    /// the last good one, and `fell_back` says why.
    pub fn load<P: DeserializeOwned>(&self, slot: &Slot, version: Option<Version>) -> Result<Loaded<P>, RegistryError> {
        match version {
            Some(version) => self.load_version(slot, version),
            None => self.load_active(slot),
        }
    }

    fn load_version<P: DeserializeOwned>(&self, slot: &Slot, version: Version) -> Result<Loaded<P>, RegistryError> {
        let (meta, bytes) = self.payload(slot, version)?;
        let payload = payload::decode(&bytes, &slot.at(version).payload_path(&self.root), &meta)?;
        Ok(Loaded { meta, payload, fell_back: None })
    }

    /// Readers hold no lock, so the version that the pointer named may be deleted before it is read; then the
    /// pointer names another by now.
    fn load_active<P: DeserializeOwned>(&self, slot: &Slot) -> Result<Loaded<P>, RegistryError> {
        let mut tried = None;
        for _ in 0..MAX_SWITCHES {
            let active = Pointer::read(&self.root, slot).ok().flatten().and_then(|pointer| pointer.active);
            let Some(version) = active.filter(|_| active != tried) else { break };
            if let Ok(loaded) = self.load_version(slot, version) {
                return Ok(loaded);
            }
            tried = active;
        }
        self.load_last_good(slot)
    }

    fn load_last_good<P: DeserializeOwned>(&self, slot: &Slot) -> Result<Loaded<P>, RegistryError> {
        let shelf = Shelf::read(&self.root, slot)?;
        let order = shelf.serving_order();
        let mut problem = shelf.pointer_problem;
        for version in order {
            match self.load_version(slot, version) {
                Ok(loaded) => return Ok(Loaded { fell_back: problem.map(|e| e.to_string()), ..loaded }),
                Err(e) => problem = problem.or(Some(e)),
            }
        }
        Err(problem.unwrap_or_else(|| none_active(slot)))
    }
}

fn none_active(slot: &Slot) -> RegistryError {
    RegistryError::NoneActive {
        model: slot.model().to_owned(),
        task: slot.task().to_owned(),
        series: slot.key().to_string(),
        symbol: slot.key().symbol.to_string(),
        interval: slot.key().interval.to_string(),
    }
}
