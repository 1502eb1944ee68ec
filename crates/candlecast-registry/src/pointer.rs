//! [`Pointer`]: which version of a slot serves. One small file, switched by one rename.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable::{self, ReadError};
use crate::meta::{FORMAT, Meta, Status};
use crate::slot::Slot;
use crate::{RegistryError, Version, seal};

/// Versions that rollback remembers.
const MAX_HISTORY: usize = 32;
/// Metas and pointers beyond this size are not ours.
pub(crate) const MAX_SMALL_FILE_BYTES: u64 = 16 << 20;

/// What serves in a slot and what served before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pointer {
    format: u32,
    slot: String,
    /// Serves; `None` before the first activation and once all versions were deleted.
    pub(crate) active: Option<Version>,
    /// Served before, oldest first; versions in it may have been deleted since.
    pub(crate) history: Vec<Version>,
    /// Highest version ever given, so that none is given twice.
    pub(crate) highest: Option<Version>,
}

impl Pointer {
    fn empty(slot: &Slot) -> Self {
        Self { format: FORMAT, slot: slot.to_string(), active: None, history: Vec::new(), highest: None }
    }

    /// What the statuses copied into the metas say, for a pointer that is lost or damaged.
    pub(crate) fn recover(slot: &Slot, metas: &BTreeMap<Version, Result<Meta, RegistryError>>) -> Self {
        let with = |status: Status| {
            metas.values().flatten().filter(move |meta| meta.status == status).map(|meta| meta.version)
        };
        Self {
            active: with(Status::Active).max(),
            history: with(Status::Archived).collect(),
            highest: metas.keys().next_back().copied(),
            ..Self::empty(slot)
        }
    }

    /// Reads the pointer of `slot`; `None` if there is none.
    pub(crate) fn read(root: &Path, slot: &Slot) -> Result<Option<Self>, RegistryError> {
        let path = slot.folder(root).join(slot.pointer_file());
        let bytes = match durable::read(&path, MAX_SMALL_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(None),
            Err(ReadError::TooLarge) => return Err(RegistryError::corrupt(&path, "it is far too large")),
            Err(ReadError::Io(source)) => return Err(RegistryError::io("read", &path)(source)),
        };
        let pointer: Self = seal::open(&bytes, &path)?;
        if pointer.slot != slot.to_string() {
            return Err(RegistryError::corrupt(&path, format!("it belongs to {}", pointer.slot)));
        }
        Ok(Some(pointer))
    }

    /// Puts this pointer in the place of the stored one.
    pub(crate) fn write(&self, root: &Path, slot: &Slot) -> Result<(), RegistryError> {
        durable::write(&slot.folder(root), &slot.pointer_file(), &seal::seal(self)?)
    }

    /// Notes that `version` was given.
    pub(crate) fn give(&mut self, version: Version) {
        self.highest = self.highest.max(Some(version));
    }

    /// Makes `version` serve; what served becomes the one to roll back to.
    pub(crate) fn activate(&mut self, version: Version) {
        let old = self.active.replace(version).filter(|old| *old != version);
        self.history.retain(|h| *h != version && Some(*h) != old);
        self.history.extend(old);
        let excess = self.history.len().saturating_sub(MAX_HISTORY);
        self.history.drain(..excess);
    }

    /// Makes `history[at]` serve and forgets what came after it.
    pub(crate) fn roll_back(&mut self, at: usize) {
        if let Some(&version) = self.history.get(at) {
            self.active = Some(version);
            self.history.truncate(at);
        }
    }

    /// Status of `version`, whose meta has the copy `stored`.
    pub(crate) fn status(&self, version: Version, stored: Status) -> Status {
        if self.active == Some(version) {
            Status::Active
        } else if stored != Status::Candidate || self.history.contains(&version) || self.active > Some(version) {
            Status::Archived
        } else {
            Status::Candidate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Interval, SeriesKey, Symbol, Venue};

    fn slot() -> Slot {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        Slot::new(key, "lstm", "price").unwrap()
    }

    fn v(patch: u32) -> Version {
        Version { patch, ..Version::FIRST }
    }

    #[test]
    fn rollback_goes_back_step_by_step() {
        let mut p = Pointer::empty(&slot());
        for patch in [0, 1, 2, 1, 1] {
            p.activate(v(patch));
        }
        assert_eq!((p.active, &p.history[..]), (Some(v(1)), &[v(0), v(2)][..]));
        p.roll_back(1);
        assert_eq!((p.active, &p.history[..]), (Some(v(2)), &[v(0)][..]));
        p.roll_back(5);
        assert_eq!(p.active, Some(v(2)));
    }

    #[test]
    fn history_is_bounded() {
        let mut p = Pointer::empty(&slot());
        for patch in 0..100 {
            p.activate(v(patch));
        }
        assert_eq!((p.history.len(), p.history[MAX_HISTORY - 1]), (MAX_HISTORY, v(98)));
    }

    #[test]
    fn status_follows_the_pointer() {
        let mut p = Pointer::empty(&slot());
        assert_eq!(p.status(v(1), Status::Candidate), Status::Candidate);
        p.activate(v(1));
        assert_eq!(p.status(v(0), Status::Candidate), Status::Archived);
        assert_eq!(p.status(v(1), Status::Candidate), Status::Active);
        assert_eq!(p.status(v(2), Status::Candidate), Status::Candidate);
        assert_eq!(p.status(v(2), Status::Active), Status::Archived, "rolled back");
    }

    #[test]
    fn every_altered_byte_is_refused_or_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let mut p = Pointer::empty(&slot());
        p.activate(v(0));
        p.activate(v(1));
        p.give(v(3));
        p.write(dir.path(), &slot()).unwrap();
        assert_eq!(Pointer::read(dir.path(), &slot()).unwrap(), Some(p.clone()));
        let path = dir.path().join(slot().pointer_file());
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).unwrap();
            if let Ok(read) = Pointer::read(dir.path(), &slot()) {
                assert_eq!(read, Some(p.clone()), "byte {at}");
            }
        }
    }
}
