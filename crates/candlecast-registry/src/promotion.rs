//! Changing what serves, and deleting.

use crate::family::{Family, Slot};
use crate::history::{Change, ServingChange, Why};
use crate::manifest::ModelManifest;
use crate::save::remove_files;
use crate::state::FamilyState;
use crate::{Registry, RegistryError, Version};

impl Registry {
    /// Makes `version` serve in its slot, after its files were found whole. What served there stays for rollback.
    pub fn promote(
        &self,
        family: &Family,
        version: Version,
        change: Change<'_>,
    ) -> Result<ModelManifest, RegistryError> {
        change.check()?;
        let _lock = self.lock()?;
        let horizon = self.verify(family, version)?.horizon_steps;
        let mut state = FamilyState::read(self.root(), family)?.writable()?;
        state.pointer.activate(horizon, version, Why::Promoted, change);
        self.switch(family, &state, version)
    }

    /// Makes the version serve that served in `slot` before the active one; damaged and deleted ones are passed over.
    pub fn rollback(&self, slot: &Slot, change: Change<'_>) -> Result<ModelManifest, RegistryError> {
        change.check()?;
        let _lock = self.lock()?;
        let mut state = FamilyState::read(self.root(), &slot.family)?.writable()?;
        let previous = state.pointer.previous(slot.horizon);
        let whole = |version: &Version| self.verify_in(slot, *version).is_ok();
        let nothing = || RegistryError::NothingToRollBackTo { slot: slot.to_string() };
        let at = previous.iter().rposition(whole).ok_or_else(nothing)?;
        let version = previous[at];
        state.pointer.roll_back(slot.horizon, at, Why::RolledBack, change);
        self.switch(&slot.family, &state, version)
    }

    fn switch(&self, family: &Family, state: &FamilyState, version: Version) -> Result<ModelManifest, RegistryError> {
        state.pointer.write(self.root(), family)?;
        self.refresh(family, state);
        self.manifest(family, version)
    }

    /// Reads what answers in `slot` now and records it in the serving history if it is not what that says: a fall-back
    /// from a damaged active version ([`Why::FellBack`]), or the end of one ([`Why::Restored`]). Returns what was
    /// recorded. The active version stays the one that should serve.
    pub fn record_serving(&self, slot: &Slot, change: Change<'_>) -> Result<Option<ServingChange>, RegistryError> {
        change.check()?;
        let _lock = self.lock()?;
        let mut state = FamilyState::read(self.root(), &slot.family)?.writable()?;
        if state.pointer.active(slot.horizon).is_none() {
            return Ok(None);
        }
        let whole = |version: &Version| self.verify_in(slot, *version).is_ok();
        let answers = state.serving_order(slot.horizon).into_iter().find(whole);
        if !state.pointer.record_answering(slot.horizon, answers, change) {
            return Ok(None);
        }
        state.pointer.write(self.root(), &slot.family)?;
        Ok(state.pointer.last_change().cloned())
    }

    /// Deletes one version, whole or damaged, that is not the active one of a slot. Its number is not given again.
    pub fn delete(&self, family: &Family, version: Version) -> Result<(), RegistryError> {
        let _lock = self.lock()?;
        let mut state = self.state_with(family, version)?;
        if state.pointer.active_in(version).is_some() {
            return Err(RegistryError::DeletesActive { id: family.at(version).to_string() });
        }
        self.remove(family, version, &mut state)
    }

    /// Deletes one version even if it is the active one of its slot. Then that version serves which served there before
    /// it, damaged and deleted ones passed over, or, without any, the highest whole archived one of the slot;
    /// candidates, which were kept from serving for a reason, are not taken. Returns what serves in the slot
    /// afterwards: `None` if nothing does, or if the version was damaged so that its slot is not known.
    pub fn delete_even_active(
        &self,
        family: &Family,
        version: Version,
        change: Change<'_>,
    ) -> Result<Option<Version>, RegistryError> {
        change.check()?;
        let _lock = self.lock()?;
        let mut state = self.state_with(family, version)?;
        let of = state.horizon_of(version);
        if let Some(horizon) = state.pointer.active_in(version) {
            let slot = family.slot(horizon);
            let whole = |v: &Version| *v != version && self.verify_in(&slot, *v).is_ok();
            let next = state.serving_order(horizon).into_iter().find(whole);
            let served = next.and_then(|next| state.pointer.previous(horizon).iter().position(|p| *p == next));
            match served {
                Some(at) => state.pointer.roll_back(horizon, at, Why::Deleted, change),
                None => state.pointer.set_active(horizon, next, Why::Deleted, change),
            }
        }
        self.remove(family, version, &mut state)?;
        self.refresh(family, &state);
        Ok(of.and_then(|horizon| state.pointer.active(horizon)))
    }

    /// The versions beyond `keep_versions` in each slot of `family`, in the order in which [`Registry::prune`] deletes
    /// them.
    pub fn surplus(&self, family: &Family, keep_versions: usize) -> Result<Vec<Version>, RegistryError> {
        Ok(surplus(&FamilyState::read(self.root(), family)?, keep_versions))
    }

    /// Deletes the versions beyond `keep_versions` in each slot of `family`, as saving does in one, and says which. The
    /// active one and the newest of a slot stay, whatever the number.
    pub fn prune(&self, family: &Family, keep_versions: usize) -> Result<Vec<Version>, RegistryError> {
        let _lock = self.lock()?;
        let mut state = FamilyState::read(self.root(), family)?.writable()?;
        let gone = surplus(&state, keep_versions);
        for version in &gone {
            self.remove(family, *version, &mut state)?;
        }
        Ok(gone)
    }

    /// The state of `family`, to be written, if `version` is stored.
    fn state_with(&self, family: &Family, version: Version) -> Result<FamilyState, RegistryError> {
        let state = FamilyState::read(self.root(), family)?.writable()?;
        if state.manifests.contains_key(&version) {
            Ok(state)
        } else {
            Err(RegistryError::NoVersion { id: family.at(version).to_string() })
        }
    }

    /// Removes a version that the pointer of `state` does not let serve; the pointer is written first.
    fn remove(&self, family: &Family, version: Version, state: &mut FamilyState) -> Result<(), RegistryError> {
        debug_assert_eq!(state.pointer.active_in(version), None, "what serves is not removed");
        state.pointer.forget(version);
        self.remember_versions(family, state)?;
        state.manifests.remove(&version);
        remove_files(self.root(), &family.at(version))
    }

    /// Deletes every version of `family`, the active ones included, and says how many there were.
    pub fn delete_all(&self, family: &Family, change: Change<'_>) -> Result<usize, RegistryError> {
        change.check()?;
        let _lock = self.lock()?;
        let mut state = FamilyState::read(self.root(), family)?.writable()?;
        if state.manifests.is_empty() {
            return Ok(0);
        }
        state.pointer.clear(change);
        self.remember_versions(family, &mut state)?;
        for version in state.manifests.keys() {
            remove_files(self.root(), &family.at(*version))?;
        }
        Ok(state.manifests.len())
    }

    /// Writes the pointer with the versions there are, before files go.
    fn remember_versions(&self, family: &Family, state: &mut FamilyState) -> Result<(), RegistryError> {
        state.pointer.give_stored(&state.manifests);
        state.pointer.write(self.root(), family)
    }
}

fn surplus(state: &FamilyState, keep_versions: usize) -> Vec<Version> {
    state.horizons().into_iter().flat_map(|horizon| state.surplus(horizon, keep_versions)).collect()
}
