//! Saving a model: payload, meta, pointer, in this order.

use std::path::Path;

use serde::Serialize;

use crate::durable::{self, Lock};
use crate::folder::Folder;
use crate::meta::{Meta, NewModel, Status};
use crate::pointer::{MAX_SMALL_FILE_BYTES, Pointer};
use crate::shelf::Shelf;
use crate::slot::{ModelName, Slot};
use crate::version::Version;
use crate::{Registry, RegistryError, payload, seal};

/// Whether a saved model serves at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activate {
    /// Yes; what served stays for rollback.
    Always,
    /// Only if no whole version serves; else it is a candidate.
    IfNothingServes,
    /// Only if this version is still the active one, as when it was compared with; else it is a candidate.
    InPlaceOf(Version),
    /// No, it is a candidate.
    Never,
}

impl Registry {
    /// Saves a model as the next version of `slot` and keeps at most `keep_versions` versions, of which the active
    /// one and this one are never deleted. `payload` is a struct or map with fields other than `format` and
    /// `program`, every number in it finite. When an error is returned, what served goes on serving.
    ///
    /// The version is `1.0.0` at first; then it is bumped by what changed since the newest one: features (ids,
    /// order, versions), horizon or format the major, configuration the minor, anything else the patch part. No
    /// version is given twice, even when the first was deleted.
    pub fn save<P: Serialize>(
        &self,
        slot: &Slot,
        new: NewModel,
        payload: &P,
        activate: Activate,
        keep_versions: usize,
    ) -> Result<Meta, RegistryError> {
        new.check()?;
        let bytes = payload::encode(&new.program_version, payload)?;
        let sha256 = seal::sha256_hex(&bytes);

        let _lock = Lock::take(self.root())?;
        durable::create_folder(&slot.folder(self.root()))?;
        let folder = Folder::of(self.root(), slot)?;
        folder.clear_leftovers(self.root(), slot);
        let mut shelf = Shelf::of(self.root(), slot, &folder.versions(slot)).writable()?;

        let name = slot.at(shelf.next_version(&new)?);
        let meta = new.into_meta(&name, bytes.len() as u64, sha256);
        store(self.root(), &name, &bytes, &meta)?;
        if let Err(error) = self.point(&mut shelf, &name, activate) {
            withdraw(self.root(), &name);
            return Err(error);
        }
        shelf.metas.insert(name.version, Ok(meta.clone()));
        self.refresh(slot, &shelf);
        self.delete_surplus(slot, &shelf, &name, keep_versions);
        Ok(Meta { status: shelf.pointer.status(name.version, meta.status), ..meta })
    }

    fn point(&self, shelf: &mut Shelf, name: &ModelName, activate: Activate) -> Result<(), RegistryError> {
        let switches = match activate {
            Activate::Always => true,
            Activate::IfNothingServes => !shelf.serves(),
            Activate::InPlaceOf(version) => shelf.pointer.active == Some(version),
            Activate::Never => false,
        };
        shelf.pointer.give(name.version);
        if switches {
            shelf.pointer.activate(name.version);
        }
        shelf.pointer.write(self.root(), &name.slot)
    }

    /// Brings the copies of the status in the metas up to date. They are for people who read the files and for
    /// recovering a lost pointer; the pointer decides, so a copy that cannot be written now is left for the next
    /// change.
    pub(crate) fn refresh(&self, slot: &Slot, shelf: &Shelf) {
        for meta in shelf.whole() {
            let status = shelf.pointer.status(meta.version, meta.status);
            if status != meta.status {
                let _ = write_meta(self.root(), &slot.at(meta.version), &Meta { status, ..meta.clone() });
            }
        }
    }

    /// A version that cannot be deleted now is surplus again at the next save.
    fn delete_surplus(&self, slot: &Slot, shelf: &Shelf, saved: &ModelName, keep_versions: usize) {
        for version in shelf.surplus(saved.version, keep_versions) {
            let _ = remove(self.root(), &slot.at(version));
        }
    }
}

fn store(root: &Path, name: &ModelName, bytes: &[u8], meta: &Meta) -> Result<(), RegistryError> {
    debug_assert_eq!(meta.status, Status::Candidate, "a model serves when the pointer says so");
    durable::write(&name.slot.folder(root), &name.payload_file(), bytes)?;
    write_meta(root, name, meta).inspect_err(|_| withdraw(root, name))
}

fn write_meta(root: &Path, name: &ModelName, meta: &Meta) -> Result<(), RegistryError> {
    let sealed = seal::seal(meta)?;
    if sealed.len() as u64 > MAX_SMALL_FILE_BYTES {
        let reason = format!("its meta has {} bytes, {MAX_SMALL_FILE_BYTES} are the most", sealed.len());
        return Err(RegistryError::NotJson { reason });
    }
    // What is written must be readable: a meta that is not would be a model that cannot be loaded.
    if seal::open::<Meta>(&sealed, &name.meta_path(root))? != *meta {
        return Err(RegistryError::NotJson { reason: "the meta changes when it is written and read".into() });
    }
    durable::write(&name.slot.folder(root), &name.meta_file(), &sealed)
}

/// Takes back a model that could not be made known, unless the pointer names it already (its rename was done and
/// only its sync failed).
fn withdraw(root: &Path, name: &ModelName) {
    let named = Pointer::read(root, &name.slot).ok().flatten().and_then(|pointer| pointer.active);
    if named != Some(name.version) {
        // What cannot be removed is a candidate that nobody was told of, or a leftover for the next save.
        let _ = remove(root, name);
    }
}

/// Removes a model, the meta first: without it the payload is a leftover.
pub(crate) fn remove(root: &Path, name: &ModelName) -> Result<(), RegistryError> {
    durable::remove(&name.meta_path(root))?;
    durable::remove(&name.payload_path(root))?;
    durable::sync_folder(&name.slot.folder(root))
}
