//! Changing what serves, and deleting.

use crate::durable::Lock;
use crate::meta::Meta;
use crate::save::remove;
use crate::shelf::Shelf;
use crate::slot::Slot;
use crate::{Registry, RegistryError, Version};

impl Registry {
    /// Makes `version` serve, after its files were found whole. What served stays for rollback.
    pub fn promote(&self, slot: &Slot, version: Version) -> Result<Meta, RegistryError> {
        let _lock = Lock::take(self.root())?;
        self.verify(slot, version)?;
        let mut shelf = Shelf::read(self.root(), slot)?.writable()?;
        shelf.pointer.activate(version);
        self.switch(slot, &shelf, version)
    }

    /// Makes the version serve that served before the active one; damaged and deleted ones are passed over.
    pub fn rollback(&self, slot: &Slot) -> Result<Meta, RegistryError> {
        let _lock = Lock::take(self.root())?;
        let mut shelf = Shelf::read(self.root(), slot)?.writable()?;
        let whole = |version: &Version| self.verify(slot, *version).is_ok();
        let nothing = || RegistryError::NothingToRollBackTo { slot: slot.to_string() };
        let at = shelf.pointer.history.iter().rposition(whole).ok_or_else(nothing)?;
        let version = shelf.pointer.history[at];
        shelf.pointer.roll_back(at);
        self.switch(slot, &shelf, version)
    }

    fn switch(&self, slot: &Slot, shelf: &Shelf, version: Version) -> Result<Meta, RegistryError> {
        shelf.pointer.write(self.root(), slot)?;
        self.refresh(slot, shelf);
        self.meta(slot, version)
    }

    /// Deletes one version, whole or damaged, that is not the active one. Its number is not given again.
    pub fn delete(&self, slot: &Slot, version: Version) -> Result<(), RegistryError> {
        let _lock = Lock::take(self.root())?;
        let mut shelf = self.shelf_with(slot, version)?;
        if shelf.pointer.active == Some(version) {
            return Err(RegistryError::DeletesActive { id: slot.at(version).to_string() });
        }
        self.take_away(slot, version, &mut shelf)
    }

    /// Deletes one version even if it is the active one. Then that version serves which served before it, damaged and
    /// deleted ones passed over, or, without any, the highest whole archived one; candidates, which were kept from
    /// serving for a reason, do not come up. Returns what serves afterwards, `None` if nothing does.
    pub fn delete_even_active(&self, slot: &Slot, version: Version) -> Result<Option<Version>, RegistryError> {
        let _lock = Lock::take(self.root())?;
        let mut shelf = self.shelf_with(slot, version)?;
        if shelf.pointer.active == Some(version) {
            let whole = |v: &Version| *v != version && self.verify(slot, *v).is_ok();
            let next = shelf.serving_order().into_iter().find(whole);
            let served = next.and_then(|next| shelf.pointer.history.iter().position(|h| *h == next));
            match served {
                Some(at) => shelf.pointer.roll_back(at),
                None => shelf.pointer.active = next,
            }
        }
        self.take_away(slot, version, &mut shelf)?;
        self.refresh(slot, &shelf);
        Ok(shelf.pointer.active)
    }

    /// The versions of `slot` beyond `keep_versions`, in the order in which [`Registry::prune`] deletes them.
    pub fn surplus(&self, slot: &Slot, keep_versions: usize) -> Result<Vec<Version>, RegistryError> {
        Ok(surplus(&Shelf::read(self.root(), slot)?, keep_versions))
    }

    /// Deletes the versions of `slot` beyond `keep_versions`, as saving does, and says which. The active one and the
    /// newest stay, whatever the number.
    pub fn prune(&self, slot: &Slot, keep_versions: usize) -> Result<Vec<Version>, RegistryError> {
        let _lock = Lock::take(self.root())?;
        let mut shelf = Shelf::read(self.root(), slot)?.writable()?;
        let gone = surplus(&shelf, keep_versions);
        for version in &gone {
            self.take_away(slot, *version, &mut shelf)?;
        }
        Ok(gone)
    }

    /// The shelf of `slot`, to be written, if `version` is on it.
    fn shelf_with(&self, slot: &Slot, version: Version) -> Result<Shelf, RegistryError> {
        let shelf = Shelf::read(self.root(), slot)?.writable()?;
        if shelf.metas.contains_key(&version) {
            Ok(shelf)
        } else {
            Err(RegistryError::NoVersion { id: slot.at(version).to_string() })
        }
    }

    /// Removes a version that the pointer on `shelf` does not let serve; the pointer is written first.
    fn take_away(&self, slot: &Slot, version: Version, shelf: &mut Shelf) -> Result<(), RegistryError> {
        debug_assert_ne!(shelf.pointer.active, Some(version), "what serves is not removed");
        shelf.pointer.history.retain(|h| *h != version);
        self.remember_versions(slot, shelf)?;
        shelf.metas.remove(&version);
        remove(self.root(), &slot.at(version))
    }

    /// Deletes every version of `slot`, the active one included, and says how many there were.
    pub fn delete_all(&self, slot: &Slot) -> Result<usize, RegistryError> {
        let _lock = Lock::take(self.root())?;
        let mut shelf = Shelf::read(self.root(), slot)?.writable()?;
        if shelf.metas.is_empty() {
            return Ok(0);
        }
        shelf.pointer.active = None;
        shelf.pointer.history.clear();
        self.remember_versions(slot, &mut shelf)?;
        for version in shelf.metas.keys() {
            remove(self.root(), &slot.at(*version))?;
        }
        Ok(shelf.metas.len())
    }

    /// Writes the pointer with the highest version there is, before files go.
    fn remember_versions(&self, slot: &Slot, shelf: &mut Shelf) -> Result<(), RegistryError> {
        if let Some(highest) = shelf.metas.keys().next_back().copied() {
            shelf.pointer.give(highest);
        }
        shelf.pointer.write(self.root(), slot)
    }
}

fn surplus(shelf: &Shelf, keep_versions: usize) -> Vec<Version> {
    let newest = shelf.whole().last().map(|meta| meta.version);
    newest.map_or_else(Vec::new, |newest| shelf.surplus(newest, keep_versions))
}
