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
        let name = slot.at(version);
        let mut shelf = Shelf::read(self.root(), slot)?.writable()?;
        if !shelf.metas.contains_key(&version) {
            return Err(RegistryError::NoVersion { id: name.to_string() });
        }
        if shelf.pointer.active == Some(version) {
            return Err(RegistryError::DeletesActive { id: name.to_string() });
        }
        shelf.pointer.history.retain(|h| *h != version);
        self.remember_versions(slot, &mut shelf)?;
        remove(self.root(), &name)
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
