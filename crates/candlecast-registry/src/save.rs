//! Saving a model: payload, meta, pointer, in this order.

use std::path::Path;

use serde::Serialize;

use crate::durable;
use crate::family::{Family, ModelName};
use crate::folder::Folder;
use crate::history::{Change, Why};
use crate::manifest::{ModelManifest, NewModel, Status};
use crate::pointer::{MAX_SMALL_FILE_BYTES, Pointer};
use crate::state::FamilyState;
use crate::version::Version;
use crate::{Registry, RegistryError, payload, seal};

/// Whether a saved model serves in its slot at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activate {
    /// Yes; what served stays for rollback.
    Always,
    /// Only if no whole version serves in the slot; else it is a candidate.
    IfNothingServes,
    /// Only if this version is still the active one of the slot, as when it was compared with; else it is a candidate.
    InPlaceOf(Version),
    /// No, it is a candidate.
    Never,
}

impl Registry {
    /// Saves a model as the next version of `family`, in the slot of its horizon, and keeps at most `keep_versions`
    /// versions of that slot, of which the active one and this one are never deleted. Other slots stay as they are.
    /// `payload` is a struct or map with fields other than `format` and `program`, every number in it finite. When an
    /// error is returned, what served goes on serving.
    ///
    /// The version is `1.0.0` at first; then it is bumped by what changed since the newest one of the same horizon:
    /// features (ids, order, versions) or format the major, configuration the minor, anything else the patch part. A
    /// horizon without versions takes the next major of the family. No version is given twice, even when the first was
    /// deleted, and none that another folder has given ([`Registry::claiming`]): it is bumped on then.
    pub fn save<P: Serialize>(
        &self,
        family: &Family,
        new: NewModel,
        payload: &P,
        activate: Activate,
        keep_versions: usize,
        change: Change<'_>,
    ) -> Result<ModelManifest, RegistryError> {
        new.check()?;
        change.check()?;
        let bytes = payload::encode(&new.program_version, payload)?;
        let sha256 = seal::sha256_hex(&bytes);

        let _lock = self.lock()?;
        durable::create_folder(&family.folder(self.root()))?;
        let folder = Folder::of(self.root(), family)?;
        folder.clear_leftovers(self.root(), family);
        let mut state = FamilyState::of(self.root(), family, &folder.versions(family)).writable()?;

        let name = family.at(state.next_version(&new, |version| self.may_give(&family.at(version)))?);
        let manifest = new.into_manifest(&name, bytes.len() as u64, sha256);
        store(self.root(), &name, &bytes, &manifest)?;
        if let Err(error) = self.point(&mut state, family, &manifest, activate, change) {
            withdraw(self.root(), &name);
            return Err(error);
        }
        state.manifests.insert(name.version, Ok(manifest.clone()));
        self.refresh(family, &state);
        self.delete_surplus(family, &state, manifest.horizon_steps, keep_versions);
        Ok(ModelManifest { status: state.pointer.status(&manifest), ..manifest })
    }

    fn point(
        &self,
        state: &mut FamilyState,
        family: &Family,
        manifest: &ModelManifest,
        activate: Activate,
        change: Change<'_>,
    ) -> Result<(), RegistryError> {
        let (horizon, version) = (manifest.horizon_steps, manifest.version);
        let switches = match activate {
            Activate::Always => true,
            Activate::IfNothingServes => !state.serves(horizon),
            Activate::InPlaceOf(compared) => state.pointer.active(horizon) == Some(compared),
            Activate::Never => false,
        };
        state.pointer.give(horizon, version);
        if switches {
            state.pointer.activate(horizon, version, Why::Saved, change);
        }
        state.pointer.write(self.root(), family)
    }

    /// Brings the copies of the status in the manifests up to date. They are for people who read the files and for
    /// recovering a lost pointer; the pointer decides, so a copy that cannot be written now is left for the next
    /// change.
    pub(crate) fn refresh(&self, family: &Family, state: &FamilyState) {
        for manifest in state.whole() {
            let status = state.pointer.status(manifest);
            if status != manifest.status {
                let changed = ModelManifest { status, ..manifest.clone() };
                let _ = write_manifest(self.root(), &family.at(manifest.version), &changed);
            }
        }
    }

    /// A version that cannot be deleted now is surplus again at the next save.
    fn delete_surplus(&self, family: &Family, state: &FamilyState, horizon: usize, keep_versions: usize) {
        for version in state.surplus(horizon, keep_versions) {
            let _ = remove_files(self.root(), &family.at(version));
        }
    }
}

fn store(root: &Path, name: &ModelName, bytes: &[u8], manifest: &ModelManifest) -> Result<(), RegistryError> {
    debug_assert_eq!(manifest.status, Status::Candidate, "a model serves when the pointer says so");
    durable::write(&name.family.folder(root), &name.payload_file(), bytes)?;
    write_manifest(root, name, manifest).inspect_err(|_| withdraw(root, name))
}

fn write_manifest(root: &Path, name: &ModelName, manifest: &ModelManifest) -> Result<(), RegistryError> {
    let sealed = seal::seal(manifest)?;
    if sealed.len() as u64 > MAX_SMALL_FILE_BYTES {
        let reason = format!("its meta has {} bytes, {MAX_SMALL_FILE_BYTES} are the most", sealed.len());
        return Err(RegistryError::NotJson { reason });
    }
    // What is written must be readable: a meta that is not would be a model that cannot be loaded.
    if seal::open::<ModelManifest>(&sealed, &name.meta_path(root))? != *manifest {
        return Err(RegistryError::NotJson { reason: "the meta changes when it is written and read".into() });
    }
    durable::write(&name.family.folder(root), &name.meta_file(), &sealed)
}

/// Removes a model that could not be made known, unless the pointer names it already (its rename was done and only
/// its sync failed), or may do so: one that cannot be read just now, or not all of it, says nothing. Then the model
/// stays, as a candidate that nobody was told of at worst.
fn withdraw(root: &Path, name: &ModelName) {
    let is_named = match Pointer::read(root, &name.family) {
        Ok(Some((pointer, None))) => pointer.active_in(name.version).is_some(),
        Ok(Some((_, Some(_)))) | Err(_) => true,
        Ok(None) => false,
    };
    if !is_named {
        // What cannot be removed is a candidate that nobody was told of, or is cleared away by the next save.
        let _ = remove_files(root, name);
    }
}

/// Removes a model, the meta first: a payload without it is no model.
pub(crate) fn remove_files(root: &Path, name: &ModelName) -> Result<(), RegistryError> {
    durable::remove(&name.meta_path(root))?;
    durable::remove(&name.payload_path(root))?;
    durable::sync_folder(&name.family.folder(root))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use candlecast_core::{Interval, SeriesKey, Symbol, Timestamp, Venue};

    use super::*;

    #[test]
    fn only_a_pointer_that_was_read_and_names_another_lets_a_model_go() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let family = Family::new(key, "lstm", "price").unwrap();
        let name = family.at(Version::FIRST);
        let pointer = root.join(family.pointer_file());
        let withdrawn = || {
            for file in [name.payload_path(root), name.meta_path(root)] {
                fs::write(file, b"{}").unwrap();
            }
            withdraw(root, &name);
            let left = [name.payload_path(root), name.meta_path(root)].map(|file| file.exists());
            assert_eq!(left[0], left[1]);
            !left[0]
        };
        assert!(withdrawn(), "there is no pointer");
        // A folder in its place cannot be read as a file, whoever asks.
        fs::create_dir(&pointer).unwrap();
        assert!(!withdrawn(), "it may name the model");
        fs::remove_dir(&pointer).unwrap();
        fs::write(&pointer, b"{\"format\":2,").unwrap();
        assert!(!withdrawn(), "it is damaged: what it named is not known");

        let change = Change { at: Timestamp(0), by: "local" };
        let mut stored = Pointer::recover(&family, &std::collections::BTreeMap::new());
        stored.activate(24, Version { patch: 1, ..Version::FIRST }, Why::Saved, change);
        stored.write(root, &family).unwrap();
        assert!(withdrawn(), "another one serves");
        stored.activate(24, Version::FIRST, Why::Saved, change);
        stored.write(root, &family).unwrap();
        assert!(!withdrawn(), "it serves already");
    }
}
