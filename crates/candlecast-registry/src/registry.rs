//! [`Registry`]: the model folder, and everything that reads it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::durable::Lock;
use crate::family::{Family, ModelName, Slot};
use crate::history::ServingChange;
use crate::manifest::{ModelManifest, Status};
use crate::pointer::Pointer;
use crate::state::{FamilyState, read_manifest, read_payload};
use crate::{RegistryError, Version, folder};

/// Longest wait for another writer, unless told otherwise: writing a large model to a slow disk takes seconds.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// A folder of models. Cheap to make and to clone; every call reads the disk, so instances in any number of
/// threads and processes see each other's work. Every call may block: on the disk, and those that change something on
/// other writers, too.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
    lock_wait: Duration,
    stop: Option<Arc<AtomicBool>>,
    claims: Option<Arc<dyn NameClaims>>,
}

/// Keeps folders of models that are listed together from giving one name to different models.
pub trait NameClaims: Send + Sync + std::fmt::Debug {
    /// True where `name` is for this folder to give, now and for ever: no other has given it, and none will. May block.
    fn claim(&self, name: &ModelName) -> bool;
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Family and version.
    pub name: ModelName,
    /// Where it stands.
    pub status: Status,
    /// What is wrong with a corrupt one.
    pub reason: Option<String>,
    /// Its manifest; `None` for a corrupt one.
    pub manifest: Option<ModelManifest>,
}

impl Listed {
    /// The slot that the version belongs to; `None` for a corrupt one.
    pub fn slot(&self) -> Option<Slot> {
        self.manifest.as_ref().map(|manifest| self.name.family.slot(manifest.horizon_steps))
    }

    /// Format of its files; `None` for a corrupt one.
    pub fn format(&self) -> Option<u32> {
        self.manifest.as_ref().map(|manifest| manifest.format)
    }
}

impl Registry {
    /// The registry in `root`. The folder is made by the first save; a missing one holds no models.
    pub fn open(root: PathBuf) -> Result<Self, RegistryError> {
        if root.exists() && !root.is_dir() {
            let source = std::io::ErrorKind::NotADirectory.into();
            return Err(RegistryError::io("open folder", &root)(source));
        }
        Ok(Self { root, lock_wait: LOCK_WAIT, stop: None, claims: None })
    }

    /// The same, waiting at most for `longest` for other writers; 60 s unless told otherwise.
    #[must_use]
    pub fn waiting(&self, longest: Duration) -> Self {
        Self { lock_wait: longest, ..self.clone() }
    }

    /// The same, whose waiting for other writers ends once `stop` is set.
    #[must_use]
    pub fn stopped_by(&self, stop: Arc<AtomicBool>) -> Self {
        Self { stop: Some(stop), ..self.clone() }
    }

    /// The same, which gives a new model no name that `claims` does not agree to.
    #[must_use]
    pub fn claiming(&self, claims: Arc<dyn NameClaims>) -> Self {
        Self { claims: Some(claims), ..self.clone() }
    }

    pub(crate) fn may_give(&self, name: &ModelName) -> bool {
        self.claims.as_ref().is_none_or(|claims| claims.claim(name))
    }

    /// Waits until nobody else writes here.
    pub(crate) fn lock(&self) -> Result<Lock, RegistryError> {
        Lock::take(&self.root, self.lock_wait, self.stop.as_deref())
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the payload of `name` lies, whether it is stored or not.
    pub fn payload_path(&self, name: &ModelName) -> PathBuf {
        name.payload_path(&self.root)
    }

    /// Names of all stored versions, by family and version. Reads folders only: a page of a long list is made of
    /// these and of [`Registry::listed`] for the rows it shows.
    pub fn names(&self) -> Result<Vec<ModelName>, RegistryError> {
        let all = folder::all(&self.root)?;
        Ok(all.iter().flat_map(|(family, versions)| versions.iter().map(move |&v| family.at(v))).collect())
    }

    /// All families that have, or had, a version, in order. Reads folders only.
    pub fn families(&self) -> Result<Vec<Family>, RegistryError> {
        Ok(folder::all(&self.root)?.into_keys().collect())
    }

    /// All stored versions, by family and version, damaged ones included. Reads manifests, no payloads: damage that
    /// leaves a payload's size as it was shows in [`Registry::verify`] and [`Registry::load`].
    pub fn list(&self) -> Result<Vec<Listed>, RegistryError> {
        let all = folder::all(&self.root)?;
        let states = all.iter().map(|(family, versions)| FamilyState::of(&self.root, family, versions));
        Ok(states.flat_map(|state| state.listed(&self.root)).collect())
    }

    /// The stored versions among `names`, which are in order, as in [`Registry::list`]. Reads the manifests of these
    /// and the pointers of their families: what a page of a long list costs.
    pub fn listed(&self, names: &[ModelName]) -> Result<Vec<Listed>, RegistryError> {
        let mut found = Vec::with_capacity(names.len());
        for of_family in names.chunk_by(|a, b| a.family == b.family) {
            let family = &of_family[0].family;
            let wanted: Vec<Version> = of_family.iter().map(|name| name.version).collect();
            // A pointer that is lost or damaged is recovered from all manifests, not from some.
            let state = match Pointer::read(&self.root, family) {
                Ok(Some(_)) => FamilyState::of(&self.root, family, &wanted),
                _ => FamilyState::read(&self.root, family)?,
            };
            found.extend(state.listed(&self.root).into_iter().filter(|entry| wanted.contains(&entry.name.version)));
        }
        Ok(found)
    }

    /// All stored versions of one family, lowest first, as in [`Registry::list`].
    pub fn list_family(&self, family: &Family) -> Result<Vec<Listed>, RegistryError> {
        Ok(FamilyState::read(&self.root, family)?.listed(&self.root))
    }

    /// The stored versions of one slot, lowest first, as in [`Registry::list`]. Damaged ones are not among them: which
    /// slot they belong to is not known.
    pub fn list_slot(&self, slot: &Slot) -> Result<Vec<Listed>, RegistryError> {
        let mut listed = self.list_family(&slot.family)?;
        listed.retain(|entry| entry.manifest.as_ref().is_some_and(|manifest| manifest.horizon_steps == slot.horizon));
        Ok(listed)
    }

    /// The slots of `family` that have versions or of which something should serve, shortest horizon first.
    pub fn slots(&self, family: &Family) -> Result<Vec<Slot>, RegistryError> {
        let horizons = FamilyState::read(&self.root, family)?.horizons();
        Ok(horizons.into_iter().map(|horizon| family.slot(horizon)).collect())
    }

    /// The slots in which something should serve: a version is active, damaged or not. Reads pointers, and manifests
    /// only where a pointer is lost, damaged or of an older format.
    pub fn serving_slots(&self) -> Result<Vec<Slot>, RegistryError> {
        let mut serving = Vec::new();
        for family in self.families()? {
            let (pointer, _) = self.pointer(&family)?;
            serving.extend(pointer.serving_horizons().into_iter().map(|horizon| family.slot(horizon)));
        }
        Ok(serving)
    }

    /// The families in which something should serve: those of [`Registry::serving_slots`], and those with damage that
    /// hides what does. [`Registry::reaching`] names the damage.
    pub fn serving_families(&self) -> Result<Vec<Family>, RegistryError> {
        let mut serving = Vec::new();
        for family in self.families()? {
            let (pointer, problem) = self.pointer(&family)?;
            if problem.is_some() || !pointer.serving_horizons().is_empty() {
                serving.push(family);
            }
        }
        Ok(serving)
    }

    /// The slot that serves a request of `horizon` steps: of those with an active version the one with the shortest
    /// horizon that is not shorter; without a horizon the one that reaches farthest. When all are shorter it is
    /// [`RegistryError::HorizonTooLong`], when there are none [`RegistryError::NoneActive`].
    pub fn reaching(&self, family: &Family, horizon: Option<usize>) -> Result<Slot, RegistryError> {
        let (pointer, problem) = self.pointer(family)?;
        let serving = pointer.serving_horizons();
        let Some(&farthest) = serving.last() else {
            return Err(problem.unwrap_or_else(|| none_active(family)));
        };
        let asked = horizon.unwrap_or(farthest);
        match serving.into_iter().find(|&serves| serves >= asked) {
            Some(reaches) => Ok(family.slot(reaches)),
            None => Err(RegistryError::HorizonTooLong {
                model: family.model().to_owned(),
                task: family.task().to_owned(),
                series: family.key().to_string(),
                asked,
                farthest,
            }),
        }
    }

    /// The version that should serve in `slot`, if any.
    pub fn active(&self, slot: &Slot) -> Result<Option<Version>, RegistryError> {
        Ok(self.pointer(&slot.family)?.0.active(slot.horizon))
    }

    /// The newest changes of what serves in the slots of `family`, oldest first.
    pub fn history(&self, family: &Family) -> Result<Vec<ServingChange>, RegistryError> {
        Ok(Pointer::read(&self.root, family)?.map_or_else(Vec::new, |(pointer, _)| pointer.into_history()))
    }

    /// The manifest of one version.
    pub fn manifest(&self, family: &Family, version: Version) -> Result<ModelManifest, RegistryError> {
        let mut manifest = read_manifest(&self.root, &family.at(version))?;
        manifest.status = self.pointer(family)?.0.status(&manifest);
        Ok(manifest)
    }

    /// The manifest of one version, after its payload was read and found as it was written.
    pub fn verify(&self, family: &Family, version: Version) -> Result<ModelManifest, RegistryError> {
        self.payload(family, version).map(|(manifest, _)| manifest)
    }

    /// [`Registry::verify`] for a version that is to serve in `slot`.
    pub(crate) fn verify_in(&self, slot: &Slot, version: Version) -> Result<ModelManifest, RegistryError> {
        let manifest = self.verify(&slot.family, version)?;
        self.check_slot(slot, &manifest)?;
        Ok(manifest)
    }

    /// Refuses a version of another horizon: its files are not those that the pointer was written for.
    pub(crate) fn check_slot(&self, slot: &Slot, manifest: &ModelManifest) -> Result<(), RegistryError> {
        if manifest.horizon_steps == slot.horizon {
            return Ok(());
        }
        let file = slot.family.at(manifest.version).meta_path(&self.root);
        let reason = format!("it has a horizon of {}, the pointer has it for {slot}", manifest.horizon_steps);
        Err(RegistryError::corrupt(&file, reason))
    }

    /// One version's manifest and the bytes of its payload file, found as they were written; for downloads.
    pub fn payload(&self, family: &Family, version: Version) -> Result<(ModelManifest, Vec<u8>), RegistryError> {
        let manifest = self.manifest(family, version)?;
        let bytes = read_payload(&self.root, &family.at(version), &manifest)?;
        Ok((manifest, bytes))
    }

    /// What serves in `family`: as stored, or, where that is lost, damaged or incomplete, recovered from the manifests,
    /// with the reason.
    fn pointer(&self, family: &Family) -> Result<(Pointer, Option<RegistryError>), RegistryError> {
        if let Ok(Some(stored)) = Pointer::read(&self.root, family) {
            return Ok(stored);
        }
        let state = FamilyState::read(&self.root, family)?;
        Ok((state.pointer, state.pointer_problem))
    }
}

pub(crate) fn none_active(family: &Family) -> RegistryError {
    RegistryError::NoneActive {
        model: family.model().to_owned(),
        task: family.task().to_owned(),
        series: family.key().to_string(),
        symbol: family.key().symbol.to_string(),
        interval: family.key().interval.to_string(),
    }
}
