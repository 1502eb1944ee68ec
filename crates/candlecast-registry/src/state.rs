//! [`FamilyState`]: all versions of one family with their manifests, and what serves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::durable::{self, ReadError};
use crate::family::{Family, ModelName};
use crate::folder::Folder;
use crate::manifest::{FORMAT, ModelManifest, NewModel, Status};
use crate::pointer::{MAX_SMALL_FILE_BYTES, Pointer};
use crate::registry::Listed;
use crate::{Bump, RegistryError, Version, retention, seal};

/// One family as it lies on disk.
#[derive(Debug)]
pub(crate) struct FamilyState {
    family: Family,
    /// As stored, or recovered from the manifests where that is lost or damaged.
    pub(crate) pointer: Pointer,
    /// Why the stored pointer could not be used, or not all of it.
    pub(crate) pointer_problem: Option<RegistryError>,
    /// Manifests with the status that their files have; errors for damaged ones.
    pub(crate) manifests: BTreeMap<Version, Result<ModelManifest, RegistryError>>,
}

impl FamilyState {
    /// Reads all manifests of `family`.
    pub(crate) fn read(root: &Path, family: &Family) -> Result<Self, RegistryError> {
        Ok(Self::of(root, family, &Folder::of(root, family)?.versions(family)))
    }

    /// Reads the manifests of `versions`.
    pub(crate) fn of(root: &Path, family: &Family, versions: &[Version]) -> Self {
        let mut manifests = BTreeMap::new();
        for &version in versions {
            match read_manifest(root, &family.at(version)) {
                // Deleted since the folder was read.
                Err(RegistryError::NoVersion { .. }) => {}
                manifest => {
                    manifests.insert(version, manifest);
                }
            }
        }
        let (pointer, pointer_problem) = match Pointer::read(root, family) {
            Ok(Some(stored)) => stored,
            Ok(None) => (Pointer::recover(family, &manifests), None),
            Err(problem) => (Pointer::recover(family, &manifests), Some(problem)),
        };
        Self { family: family.clone(), pointer, pointer_problem, manifests }
    }

    /// Refuses to go on where a stored pointer would be overwritten that is not damaged, only not readable.
    pub(crate) fn writable(self) -> Result<Self, RegistryError> {
        match self.pointer_problem {
            None | Some(RegistryError::Corrupt { .. } | RegistryError::NoVersion { .. }) => Ok(self),
            Some(problem) => Err(problem),
        }
    }

    /// Manifests that are whole, lowest version first.
    pub(crate) fn whole(&self) -> impl DoubleEndedIterator<Item = &ModelManifest> {
        self.manifests.values().flatten()
    }

    /// Those of the slot of `horizon`.
    fn whole_in(&self, horizon: usize) -> impl DoubleEndedIterator<Item = &ModelManifest> {
        self.whole().filter(move |manifest| manifest.horizon_steps == horizon)
    }

    /// Horizons of which there are versions with whole manifests, or of which one is active, shortest first.
    pub(crate) fn horizons(&self) -> Vec<usize> {
        let mut horizons = self.pointer.serving_horizons();
        horizons.extend(self.whole().map(|manifest| manifest.horizon_steps));
        horizons.sort_unstable();
        horizons.dedup();
        horizons
    }

    /// Horizon of the slot that `version` belongs to: as the pointer has it where it is active, else as its manifest
    /// has it. `None` if that is damaged.
    pub(crate) fn horizon_of(&self, version: Version) -> Option<usize> {
        let stored = || self.manifests.get(&version)?.as_ref().ok().map(|manifest| manifest.horizon_steps);
        self.pointer.active_in(version).or_else(stored)
    }

    /// Status of each version of the slot of `horizon` whose manifest is whole.
    fn statuses(&self, horizon: usize) -> BTreeMap<Version, Status> {
        self.whole_in(horizon).map(|manifest| (manifest.version, self.pointer.status(manifest))).collect()
    }

    /// True when the active version of the slot of `horizon` is there with a whole manifest.
    pub(crate) fn serves(&self, horizon: usize) -> bool {
        let active = self.pointer.active(horizon).and_then(|active| self.manifests.get(&active));
        active.is_some_and(|manifest| manifest.as_ref().is_ok_and(|manifest| manifest.horizon_steps == horizon))
    }

    /// Versions of the slot of `horizon` to delete so that `keep_versions` remain, in the order in which they go; the
    /// active one and the newest stay.
    pub(crate) fn surplus(&self, horizon: usize, keep_versions: usize) -> Vec<Version> {
        let statuses = self.statuses(horizon);
        let rollback = self.pointer.previous(horizon).iter().rev().find(|v| statuses.contains_key(*v)).copied();
        retention::surplus(&statuses, rollback, keep_versions)
    }

    /// Versions of the slot of `horizon` to try, best first: the active one, those that served before it from the
    /// newest, other archived ones from the highest. Empty when nothing was ever made active.
    pub(crate) fn serving_order(&self, horizon: usize) -> Vec<Version> {
        let Some(active) = self.pointer.active(horizon) else { return Vec::new() };
        let statuses = self.statuses(horizon);
        let archived = statuses.iter().rev().filter(|(_, status)| **status == Status::Archived).map(|(v, _)| *v);
        let mut order = vec![active];
        for version in self.pointer.previous(horizon).iter().rev().copied().chain(archived) {
            if !order.contains(&version) {
                order.push(version);
            }
        }
        order
    }

    /// Version of `new`: bumped by how it differs from the newest whole manifest of the same horizon. A minor or patch
    /// bump is of the highest version of that horizon ever given, a major one of the highest of the family. It is bumped
    /// on in the same way until `may_give` agrees.
    pub(crate) fn next_version(
        &self,
        new: &NewModel,
        may_give: impl Fn(Version) -> bool,
    ) -> Result<Version, RegistryError> {
        let highest = self.pointer.highest().max(self.manifests.keys().next_back().copied());
        let (bump, next) = match (highest, self.whole_in(new.horizon_steps).next_back()) {
            (None, _) => (Bump::Major, Some(Version::FIRST)),
            // A horizon of its own, or nothing vouches for compatibility.
            (Some(highest), None) => (Bump::Major, highest.bump(Bump::Major)),
            (Some(highest), Some(newest)) => match change(newest, new) {
                Bump::Major => (Bump::Major, highest.bump(Bump::Major)),
                bump => (bump, self.highest_given(newest).bump(bump)),
            },
        };
        let mut found = next;
        while let Some(version) = found.filter(|version| !may_give(*version)) {
            found = version.bump(bump);
        }
        found.ok_or_else(|| RegistryError::VersionsExhausted {
            family: self.family.to_string(),
            highest: highest.unwrap_or(Version::FIRST).to_string(),
        })
    }

    /// The highest version ever given in the slot of `newest`. A major number belongs to one slot, so damaged versions
    /// that have it count too.
    fn highest_given(&self, newest: &ModelManifest) -> Version {
        let given = self.pointer.highest_in(newest.horizon_steps).map_or(newest.version, |h| h.max(newest.version));
        let of_major = self.manifests.keys().rev().find(|version| version.major == given.major);
        of_major.map_or(given, |version| given.max(*version))
    }

    /// One entry a version, lowest first; no payload is read, but its size is compared.
    pub(crate) fn listed(self, root: &Path) -> Vec<Listed> {
        let Self { family, pointer, manifests, .. } = self;
        let entry = |(version, manifest): (Version, Result<ModelManifest, RegistryError>)| {
            let name = family.at(version);
            match manifest.and_then(|manifest| check_size(root, &name, &manifest).map(|()| manifest)) {
                Ok(mut manifest) => {
                    manifest.status = pointer.status(&manifest);
                    Listed { name, status: manifest.status, reason: None, manifest: Some(manifest) }
                }
                Err(e) => Listed { name, status: Status::Corrupt, reason: Some(e.to_string()), manifest: None },
            }
        };
        manifests.into_iter().map(entry).collect()
    }
}

fn change(newest: &ModelManifest, new: &NewModel) -> Bump {
    if newest.format != FORMAT || newest.features != new.features {
        Bump::Major
    } else if newest.config != new.config
        || newest.pipeline != new.pipeline
        || newest.pool.is_empty() != new.pool.is_empty()
    {
        Bump::Minor
    } else {
        Bump::Patch
    }
}

/// Reads and checks the manifest of `name`, with the status that its file has.
pub(crate) fn read_manifest(root: &Path, name: &ModelName) -> Result<ModelManifest, RegistryError> {
    let path = name.meta_path(root);
    let bytes = durable::read(&path, MAX_SMALL_FILE_BYTES).map_err(|e| match e {
        ReadError::Missing => RegistryError::NoVersion { id: name.to_string() },
        ReadError::TooLarge => RegistryError::corrupt(&path, "it is far too large"),
        ReadError::Io(source) => RegistryError::io("read", &path)(source),
    })?;
    let manifest: ModelManifest = seal::open(&bytes, &path)?;
    if manifest.is_of(name) {
        Ok(manifest)
    } else {
        Err(RegistryError::corrupt(&path, format!("it belongs to {}", manifest.id)))
    }
}

/// The payload of `name`, after its size and digest were found as `manifest` has them.
pub(crate) fn read_payload(root: &Path, name: &ModelName, manifest: &ModelManifest) -> Result<Vec<u8>, RegistryError> {
    let path = name.payload_path(root);
    let bytes = durable::read(&path, manifest.payload_bytes).map_err(|e| match e {
        ReadError::Missing => RegistryError::corrupt(&path, "it is missing"),
        ReadError::TooLarge => wrong_size(&path, "more", manifest),
        ReadError::Io(source) => RegistryError::io("read", &path)(source),
    })?;
    if (bytes.len() as u64) < manifest.payload_bytes {
        return Err(wrong_size(&path, &bytes.len().to_string(), manifest));
    }
    if seal::sha256_hex(&bytes) != manifest.sha256 {
        return Err(RegistryError::corrupt(&path, "its content does not agree with the SHA-256 of its meta"));
    }
    Ok(bytes)
}

fn check_size(root: &Path, name: &ModelName, manifest: &ModelManifest) -> Result<(), RegistryError> {
    let path = name.payload_path(root);
    match fs::metadata(&path) {
        Ok(found) if found.len() == manifest.payload_bytes => Ok(()),
        Ok(found) => Err(wrong_size(&path, &found.len().to_string(), manifest)),
        Err(_) => Err(RegistryError::corrupt(&path, "it is missing")),
    }
}

fn wrong_size(path: &Path, found: &str, manifest: &ModelManifest) -> RegistryError {
    RegistryError::corrupt(path, format!("it has {found} bytes, {} were written", manifest.payload_bytes))
}
