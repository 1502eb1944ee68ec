//! Reading models.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::family::{Family, Slot};
use crate::manifest::ModelManifest;
use crate::pointer::Pointer;
use crate::registry::none_active;
use crate::state::FamilyState;
use crate::{Registry, RegistryError, Version, payload};

/// Switches of the active version by others that a reader follows before it looks for another way.
const MAX_SWITCHES: usize = 100;

/// A model that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<P> {
    /// Its manifest.
    pub manifest: ModelManifest,
    /// Its payload.
    pub payload: P,
    /// Why this is not what should serve: the active version, or the pointer to it, is damaged. `None` normally.
    pub fell_back: Option<String>,
}

impl<P> Loaded<P> {
    /// Format of its files.
    pub fn format(&self) -> u32 {
        self.manifest.format
    }
}

impl Registry {
    /// Reads the active model of `slot`, or, when that is damaged, the last good one, and `fell_back` says why. The
    /// payload of a file of an older format is read as it is.
    pub fn load<P: DeserializeOwned>(&self, slot: &Slot) -> Result<Loaded<P>, RegistryError> {
        self.load_serving(slot, &payload::decode)
    }

    /// Reads one version, or says what is wrong with it. The payload of a file of an older format is read as it is.
    pub fn load_version<P: DeserializeOwned>(
        &self,
        family: &Family,
        version: Version,
    ) -> Result<Loaded<P>, RegistryError> {
        self.load_one(family, version, &payload::decode)
    }

    /// Like [`Registry::load_version`], but the payload of a file of an older format, without the fields of the file
    /// itself, goes to `migrate` with its format. What is wrong with it is an error of the file
    /// ([`RegistryError::Unreadable`]).
    pub fn load_with<P: DeserializeOwned>(
        &self,
        family: &Family,
        version: Version,
        migrate: impl Fn(u32, Value) -> Result<P, String>,
    ) -> Result<Loaded<P>, RegistryError> {
        self.load_one(family, version, &|bytes: &[u8], file: &Path, manifest: &ModelManifest| {
            payload::decode_with(bytes, file, manifest, &migrate)
        })
    }

    /// Like [`Registry::load`], with `migrate` as in [`Registry::load_with`].
    pub fn load_serving_with<P: DeserializeOwned>(
        &self,
        slot: &Slot,
        migrate: impl Fn(u32, Value) -> Result<P, String>,
    ) -> Result<Loaded<P>, RegistryError> {
        self.load_serving(slot, &|bytes: &[u8], file: &Path, manifest: &ModelManifest| {
            payload::decode_with(bytes, file, manifest, &migrate)
        })
    }

    fn load_one<P>(
        &self,
        family: &Family,
        version: Version,
        decode: &impl Fn(&[u8], &Path, &ModelManifest) -> Result<P, RegistryError>,
    ) -> Result<Loaded<P>, RegistryError> {
        let (manifest, bytes) = self.payload(family, version)?;
        let payload = decode(&bytes, &family.at(version).payload_path(self.root()), &manifest)?;
        Ok(Loaded { manifest, payload, fell_back: None })
    }

    fn load_in<P>(
        &self,
        slot: &Slot,
        version: Version,
        decode: &impl Fn(&[u8], &Path, &ModelManifest) -> Result<P, RegistryError>,
    ) -> Result<Loaded<P>, RegistryError> {
        let loaded = self.load_one(&slot.family, version, decode)?;
        self.check_slot(slot, &loaded.manifest)?;
        Ok(loaded)
    }

    /// Readers hold no lock, so the version that the pointer named may be deleted before it is read; then the
    /// pointer names another by now.
    fn load_serving<P>(
        &self,
        slot: &Slot,
        decode: &impl Fn(&[u8], &Path, &ModelManifest) -> Result<P, RegistryError>,
    ) -> Result<Loaded<P>, RegistryError> {
        let mut tried = None;
        for _ in 0..MAX_SWITCHES {
            let active = match Pointer::read(self.root(), &slot.family) {
                Ok(Some((pointer, None))) => pointer.active(slot.horizon),
                _ => None,
            };
            let Some(version) = active.filter(|_| active != tried) else { break };
            if let Ok(loaded) = self.load_in(slot, version, decode) {
                return Ok(loaded);
            }
            tried = active;
        }
        self.load_last_good(slot, decode)
    }

    fn load_last_good<P>(
        &self,
        slot: &Slot,
        decode: &impl Fn(&[u8], &Path, &ModelManifest) -> Result<P, RegistryError>,
    ) -> Result<Loaded<P>, RegistryError> {
        let state = FamilyState::read(self.root(), &slot.family)?;
        let order = state.serving_order(slot.horizon);
        let mut problem = state.pointer_problem;
        for version in order {
            match self.load_in(slot, version, decode) {
                Ok(loaded) => return Ok(Loaded { fell_back: problem.map(|e| e.to_string()), ..loaded }),
                Err(e) => problem = problem.or(Some(e)),
            }
        }
        Err(problem.unwrap_or_else(|| none_active(&slot.family)))
    }
}
