//! [`Pointer`]: which versions of a family serve, one for each horizon, and what served before. One small file,
//! replaced by one rename.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable::{self, ReadError};
use crate::family::Family;
use crate::folder::Folder;
use crate::history::{Change, ServingChange, Why};
use crate::manifest::{FORMAT, ModelManifest, Status};
use crate::state::read_manifest;
use crate::{RegistryError, Version, seal};

/// Versions of a slot that rollback remembers.
const MAX_PREVIOUS: usize = 32;
/// Changes of what serves that are kept for a family.
const MAX_CHANGES: usize = 100;
/// Manifests and pointers beyond this size are not ours.
pub(crate) const MAX_SMALL_FILE_BYTES: u64 = 16 << 20;

/// What serves in the slots of a family and what served before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pointer {
    format: u32,
    family: String,
    /// The slots by horizon.
    horizons: BTreeMap<usize, SlotPointer>,
    /// Highest version ever given in the family, so that none is given twice.
    highest: Option<Version>,
    /// Changes of what serves, oldest first.
    history: Vec<ServingChange>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SlotPointer {
    /// Serves; `None` before the first activation and once all versions were deleted.
    active: Option<Version>,
    /// Served before, oldest first; versions in it may have been deleted since.
    previous: Vec<Version>,
    /// Highest version ever given in the slot.
    highest: Option<Version>,
}

/// The pointer of format 1: one active version for all horizons of a family.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format1 {
    #[serde(rename = "format")]
    _format: u32,
    slot: String,
    active: Option<Version>,
    history: Vec<Version>,
    highest: Option<Version>,
}

impl Format1 {
    /// The same as a pointer of today's format. Which slot a version belongs to is read from its manifest. When that of
    /// the active one cannot be read, the error comes along, and the slot is taken to be that of the version that
    /// served before, or of the highest one that can be read.
    fn migrate(self, root: &Path, family: &Family) -> (Pointer, Option<RegistryError>) {
        let horizon_of = |version: Version| read_manifest(root, &family.at(version)).map(|m| m.horizon_steps);
        let mut pointer = Pointer { highest: self.highest, ..Pointer::empty(family) };
        let mut problem = None;
        for &version in &self.history {
            match horizon_of(version) {
                Ok(horizon) => {
                    pointer.horizons.entry(horizon).or_default().previous.push(version);
                    pointer.give(horizon, version);
                }
                // It may be readable later, so that the pointer must not be replaced now.
                Err(error @ RegistryError::Io { .. }) => problem = Some(error),
                Err(_) => {}
            }
        }
        if let Some(active) = self.active {
            let horizon = match horizon_of(active) {
                Ok(horizon) => Some(horizon),
                Err(error) => {
                    problem = Some(error);
                    let stored = Folder::of(root, family).map(|folder| folder.versions(family)).unwrap_or_default();
                    let mut others = self.history.iter().rev().chain(stored.iter().rev());
                    others.find_map(|&version| horizon_of(version).ok())
                }
            };
            if let Some(horizon) = horizon {
                pointer.horizons.entry(horizon).or_default().active = Some(active);
                pointer.give(horizon, active);
            }
        }
        (pointer, problem)
    }
}

impl Pointer {
    fn empty(family: &Family) -> Self {
        Self {
            format: FORMAT,
            family: family.to_string(),
            horizons: BTreeMap::new(),
            highest: None,
            history: Vec::new(),
        }
    }

    /// What the statuses copied into the manifests say, for a pointer that is lost or damaged.
    pub(crate) fn recover(
        family: &Family,
        manifests: &BTreeMap<Version, Result<ModelManifest, RegistryError>>,
    ) -> Self {
        let mut pointer = Self::empty(family);
        for manifest in manifests.values().flatten() {
            let slot = pointer.horizons.entry(manifest.horizon_steps).or_default();
            match manifest.status {
                // In ascending order, so the highest one remains.
                Status::Active => slot.active = Some(manifest.version),
                Status::Archived => slot.previous.push(manifest.version),
                Status::Candidate | Status::Corrupt => {}
            }
        }
        pointer.give_stored(manifests);
        pointer
    }

    /// Reads the pointer of `family`; `None` if there is none. The error beside one of an older format says why it
    /// may not be the whole truth.
    pub(crate) fn read(root: &Path, family: &Family) -> Result<Option<(Self, Option<RegistryError>)>, RegistryError> {
        let path = family.folder(root).join(family.pointer_file());
        let bytes = match durable::read(&path, MAX_SMALL_FILE_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(None),
            Err(ReadError::TooLarge) => return Err(RegistryError::corrupt(&path, "it is far too large")),
            Err(ReadError::Io(source)) => return Err(RegistryError::io("read", &path)(source)),
        };
        let belongs_to = |named: &str| {
            if named == family.to_string() {
                Ok(())
            } else {
                Err(RegistryError::corrupt(&path, format!("it belongs to {named}")))
            }
        };
        let (format, document) = seal::open_any(&bytes, &path)?;
        if format == 1 {
            let stored: Format1 = seal::parse(document, &path)?;
            belongs_to(&stored.slot)?;
            return Ok(Some(stored.migrate(root, family)));
        }
        let stored: Self = seal::parse(document, &path)?;
        belongs_to(&stored.family)?;
        Ok(Some((stored, None)))
    }

    /// Puts this pointer in the place of the stored one.
    pub(crate) fn write(&self, root: &Path, family: &Family) -> Result<(), RegistryError> {
        durable::write(&family.folder(root), &family.pointer_file(), &seal::seal(self)?)
    }

    /// What is active in the slot of `horizon`.
    pub(crate) fn active(&self, horizon: usize) -> Option<Version> {
        self.horizons.get(&horizon)?.active
    }

    /// The horizon of the slot in which `version` is active.
    pub(crate) fn active_in(&self, version: Version) -> Option<usize> {
        self.horizons.iter().find(|(_, slot)| slot.active == Some(version)).map(|(horizon, _)| *horizon)
    }

    /// Horizons with an active version, shortest first.
    pub(crate) fn serving_horizons(&self) -> Vec<usize> {
        self.horizons.iter().filter(|(_, slot)| slot.active.is_some()).map(|(horizon, _)| *horizon).collect()
    }

    /// What served before in the slot of `horizon`, oldest first.
    pub(crate) fn previous(&self, horizon: usize) -> &[Version] {
        self.horizons.get(&horizon).map_or(&[], |slot| slot.previous.as_slice())
    }

    /// Highest version ever given in the slot of `horizon`.
    pub(crate) fn highest_in(&self, horizon: usize) -> Option<Version> {
        self.horizons.get(&horizon)?.highest
    }

    /// Highest version ever given in the family.
    pub(crate) fn highest(&self) -> Option<Version> {
        self.highest
    }

    /// The recorded changes of what serves, oldest first.
    pub(crate) fn into_history(self) -> Vec<ServingChange> {
        self.history
    }

    /// The newest recorded change.
    pub(crate) fn last_change(&self) -> Option<&ServingChange> {
        self.history.last()
    }

    /// Notes that `version` was given in the slot of `horizon`.
    pub(crate) fn give(&mut self, horizon: usize, version: Version) {
        let slot = self.horizons.entry(horizon).or_default();
        slot.highest = slot.highest.max(Some(version));
        self.highest = self.highest.max(Some(version));
    }

    /// Notes that all stored versions were given. A damaged one, whose horizon cannot be read, belongs to the slot that
    /// has its major number, if any has.
    pub(crate) fn give_stored(&mut self, manifests: &BTreeMap<Version, Result<ModelManifest, RegistryError>>) {
        for manifest in manifests.values().flatten() {
            self.give(manifest.horizon_steps, manifest.version);
        }
        for (&version, _) in manifests.iter().filter(|(_, manifest)| manifest.is_err()) {
            self.highest = self.highest.max(Some(version));
            let same_major = |slot: &&mut SlotPointer| slot.highest.is_some_and(|h| h.major == version.major);
            if let Some(slot) = self.horizons.values_mut().find(same_major) {
                slot.highest = slot.highest.max(Some(version));
            }
        }
    }

    /// Makes `version` serve in the slot of `horizon`; what served becomes the one to roll back to.
    pub(crate) fn activate(&mut self, horizon: usize, version: Version, why: Why, change: Change<'_>) {
        let from = self.answering(horizon);
        let slot = self.horizons.entry(horizon).or_default();
        let old = slot.active.replace(version).filter(|old| *old != version);
        slot.previous.retain(|p| *p != version && Some(*p) != old);
        slot.previous.extend(old);
        let excess = slot.previous.len().saturating_sub(MAX_PREVIOUS);
        slot.previous.drain(..excess);
        self.record(horizon, from, Some(version), why, change);
    }

    /// Makes the version at `previous[at]` of the slot of `horizon` serve and forgets what served after it.
    pub(crate) fn roll_back(&mut self, horizon: usize, at: usize, why: Why, change: Change<'_>) {
        if let Some(&version) = self.previous(horizon).get(at) {
            self.set_active(horizon, Some(version), why, change);
            self.horizons.entry(horizon).or_default().previous.truncate(at);
        }
    }

    /// Makes `version`, or nothing, serve in the slot of `horizon`; what served is not rolled back to.
    pub(crate) fn set_active(&mut self, horizon: usize, version: Option<Version>, why: Why, change: Change<'_>) {
        let from = self.answering(horizon);
        self.horizons.entry(horizon).or_default().active = version;
        self.record(horizon, from, version, why, change);
    }

    /// Records that `version` answers in the slot of `horizon`, which is the active one or what is taken while that is
    /// damaged. False if that is on record already.
    pub(crate) fn record_answering(&mut self, horizon: usize, version: Option<Version>, change: Change<'_>) -> bool {
        let why = if version == self.active(horizon) { Why::Restored } else { Why::FellBack };
        self.record(horizon, self.answering(horizon), version, why, change)
    }

    /// What answers in the slot of `horizon` as far as is on record: the active version, or what it fell back to.
    fn answering(&self, horizon: usize) -> Option<Version> {
        match self.history.iter().rev().find(|change| change.horizon == horizon) {
            Some(last) if last.why == Why::FellBack => last.to,
            _ => self.active(horizon),
        }
    }

    fn record(
        &mut self,
        horizon: usize,
        from: Option<Version>,
        to: Option<Version>,
        why: Why,
        change: Change<'_>,
    ) -> bool {
        if from == to {
            return false;
        }
        self.history.push(ServingChange { at: change.at, horizon, from, to, why, by: change.by.to_owned() });
        let excess = self.history.len().saturating_sub(MAX_CHANGES);
        self.history.drain(..excess);
        true
    }

    /// Forgets that `version` served before.
    pub(crate) fn forget(&mut self, version: Version) {
        for slot in self.horizons.values_mut() {
            slot.previous.retain(|p| *p != version);
        }
    }

    /// Makes nothing serve and forgets what served before.
    pub(crate) fn clear(&mut self, change: Change<'_>) {
        for horizon in self.serving_horizons() {
            self.set_active(horizon, None, Why::Deleted, change);
        }
        for slot in self.horizons.values_mut() {
            slot.previous.clear();
        }
    }

    /// Status of the version of `manifest`, which has a copy of it.
    pub(crate) fn status(&self, manifest: &ModelManifest) -> Status {
        let (version, horizon) = (manifest.version, manifest.horizon_steps);
        if self.active_in(version).is_some() {
            Status::Active
        } else if manifest.status != Status::Candidate
            || self.previous(horizon).contains(&version)
            || self.active(horizon) > Some(version)
        {
            Status::Archived
        } else {
            Status::Candidate
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Interval, SeriesKey, Symbol, Timestamp, Venue};
    use serde_json::json;

    const H: usize = 24;

    fn family() -> Family {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        Family::new(key, "lstm", "price").unwrap()
    }

    fn v(patch: u32) -> Version {
        Version { patch, ..Version::FIRST }
    }

    fn at(ms: i64) -> Change<'static> {
        Change { at: Timestamp(ms), by: "local" }
    }

    fn served(versions: &[u32]) -> Pointer {
        let mut p = Pointer::empty(&family());
        for &patch in versions {
            p.activate(H, v(patch), Why::Saved, at(0));
        }
        p
    }

    /// The manifest of `version` for `horizon`, written under `root` in format 1.
    fn write_manifest(root: &Path, version: Version, horizon: usize, status: Status) {
        let manifest = crate::manifest::tests::manifest(&family().at(version), 1, horizon, status);
        durable::write(root, &family().at(version).meta_file(), &seal::seal(&manifest).unwrap()).unwrap();
    }

    fn write_format_1(root: &Path, active: Option<Version>, history: &[Version], highest: Version) {
        let pointer =
            json!({"format": 1, "slot": "BTCUSDT_LSTM", "active": active, "history": history, "highest": highest});
        durable::write(root, &family().pointer_file(), &seal::seal(&pointer).unwrap()).unwrap();
    }

    fn read(root: &Path) -> (Pointer, Option<RegistryError>) {
        Pointer::read(root, &family()).unwrap().expect("it was written")
    }

    #[test]
    fn rollback_goes_back_step_by_step() {
        let mut p = served(&[0, 1, 2, 1, 1]);
        assert_eq!((p.active(H), p.previous(H)), (Some(v(1)), &[v(0), v(2)][..]));
        p.roll_back(H, 1, Why::RolledBack, at(1));
        assert_eq!((p.active(H), p.previous(H)), (Some(v(2)), &[v(0)][..]));
        p.roll_back(H, 5, Why::RolledBack, at(1));
        assert_eq!(p.active(H), Some(v(2)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let p = served(&(0..300).collect::<Vec<_>>());
        assert_eq!((p.previous(H).len(), p.previous(H)[MAX_PREVIOUS - 1]), (MAX_PREVIOUS, v(298)));
        assert_eq!((p.history.len(), p.history[0].to), (MAX_CHANGES, Some(v(200))));
    }

    #[test]
    fn status_follows_the_pointer() {
        let of = |p: &Pointer, patch: u32, stored: Status| {
            p.status(&crate::manifest::tests::manifest(&family().at(v(patch)), FORMAT, H, stored))
        };
        let mut p = served(&[]);
        assert_eq!(of(&p, 1, Status::Candidate), Status::Candidate);
        p.activate(12, v(9), Why::Saved, at(0));
        assert_eq!(of(&p, 1, Status::Candidate), Status::Candidate, "what serves another horizon does not count");
        p.activate(H, v(1), Why::Saved, at(0));
        assert_eq!(of(&p, 0, Status::Candidate), Status::Archived);
        assert_eq!(of(&p, 1, Status::Candidate), Status::Active);
        assert_eq!(of(&p, 2, Status::Candidate), Status::Candidate);
        assert_eq!(of(&p, 2, Status::Active), Status::Archived, "rolled back");
    }

    #[test]
    fn a_slot_changes_by_itself() {
        let mut p = served(&[0, 1]);
        p.activate(12, v(5), Why::Promoted, at(1));
        p.set_active(12, None, Why::Deleted, at(2));
        p.activate(48, v(6), Why::Saved, at(3));
        assert_eq!((p.active(H), p.previous(H)), (Some(v(1)), &[v(0)][..]));
        assert_eq!((p.serving_horizons(), p.active_in(v(6)), p.active_in(v(5))), (vec![H, 48], Some(48), None));
    }

    #[test]
    fn only_what_changes_is_recorded_and_a_fall_back_counts_as_serving() {
        let mut p = served(&[0, 1, 1]);
        assert!(!p.record_answering(H, Some(v(1)), at(1)), "the active one answers");
        assert!(p.record_answering(H, Some(v(0)), at(2)));
        assert!(!p.record_answering(H, Some(v(0)), at(3)));
        assert!(p.record_answering(H, Some(v(1)), at(4)));
        assert!(p.record_answering(H, Some(v(0)), at(5)));
        p.activate(H, v(2), Why::Promoted, at(6));
        let told: Vec<_> = p.history.iter().map(|c| (c.at.ms(), c.from, c.to, c.why)).collect();
        assert_eq!(
            told,
            [
                (0, None, Some(v(0)), Why::Saved),
                (0, Some(v(0)), Some(v(1)), Why::Saved),
                (2, Some(v(1)), Some(v(0)), Why::FellBack),
                (4, Some(v(0)), Some(v(1)), Why::Restored),
                (5, Some(v(1)), Some(v(0)), Why::FellBack),
                (6, Some(v(0)), Some(v(2)), Why::Promoted),
            ]
        );
    }

    #[test]
    fn every_altered_byte_is_refused_or_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let mut p = served(&[0, 1]);
        p.activate(12, v(2), Why::Promoted, at(7));
        p.give(H, v(3));
        p.write(dir.path(), &family()).unwrap();
        assert_eq!(read(dir.path()).0, p);
        let path = dir.path().join(family().pointer_file());
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).unwrap();
            if let Ok(read) = Pointer::read(dir.path(), &family()) {
                assert_eq!(read.map(|(pointer, _)| pointer), Some(p.clone()), "byte {at}");
            }
        }
    }

    #[test]
    fn a_pointer_of_format_1_is_read_by_the_horizons_of_its_versions() {
        let dir = tempfile::tempdir().unwrap();
        let [first, second, third] = [1, 2, 3].map(|major| Version { major, ..Version::FIRST });
        write_manifest(dir.path(), first, 12, Status::Archived);
        write_manifest(dir.path(), second, H, Status::Archived);
        write_manifest(dir.path(), third, H, Status::Active);
        let deleted = Version { minor: 7, ..second };
        write_format_1(dir.path(), Some(third), &[first, second, deleted], Version { patch: 4, ..third });
        let (pointer, problem) = read(dir.path());
        assert!(problem.is_none(), "{problem:?}");
        assert_eq!((pointer.active(H), pointer.previous(H)), (Some(third), &[second][..]));
        assert_eq!((pointer.active(12), pointer.previous(12)), (None, &[first][..]));
        assert_eq!(pointer.highest(), Some(Version { patch: 4, ..third }));
        assert!(pointer.history.is_empty());
        pointer.write(dir.path(), &family()).unwrap();
        assert_eq!(read(dir.path()).0, pointer);
        let text = std::fs::read_to_string(dir.path().join(family().pointer_file())).unwrap();
        assert!(text.starts_with("{\n  \"format\": 2,\n"), "{text}");
    }

    #[test]
    fn a_damaged_active_version_of_format_1_stays_in_the_slot_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let meta = dir.path().join(family().at(v(2)).meta_file());
        for history in [&[v(0), v(1)][..], &[]] {
            write_manifest(dir.path(), v(0), 12, Status::Archived);
            write_manifest(dir.path(), v(1), H, Status::Archived);
            std::fs::write(&meta, b"{}").unwrap();
            write_format_1(dir.path(), Some(v(2)), history, v(2));
            let (pointer, problem) = read(dir.path());
            assert_eq!((pointer.active(H), pointer.active(12)), (Some(v(2)), None));
            assert!(matches!(problem, Some(RegistryError::Corrupt { file, .. }) if file == meta));
        }
        for patch in [0, 1] {
            std::fs::remove_file(dir.path().join(family().at(v(patch)).meta_file())).unwrap();
        }
        let (pointer, problem) = read(dir.path());
        assert_eq!((pointer.serving_horizons(), pointer.highest()), (Vec::new(), Some(v(2))));
        assert!(matches!(problem, Some(RegistryError::Corrupt { .. })));
    }

    #[test]
    fn a_recovered_pointer_follows_the_statuses_of_each_slot() {
        let version = |major, patch| Version { major, minor: 0, patch };
        let whole = |version: Version, horizon, status| {
            (version, Ok(crate::manifest::tests::manifest(&family().at(version), FORMAT, horizon, status)))
        };
        let damaged = |version| (version, Err(RegistryError::NoVersion { id: String::new() }));
        let manifests = BTreeMap::from([
            whole(version(1, 0), H, Status::Archived),
            whole(version(1, 1), H, Status::Active),
            damaged(version(1, 2)),
            whole(version(2, 0), 12, Status::Active),
            damaged(version(3, 0)),
        ]);
        let pointer = Pointer::recover(&family(), &manifests);
        assert_eq!((pointer.active(H), pointer.previous(H)), (Some(version(1, 1)), &[version(1, 0)][..]));
        assert_eq!((pointer.active(12), pointer.highest_in(12)), (Some(version(2, 0)), Some(version(2, 0))));
        assert_eq!((pointer.highest_in(H), pointer.highest()), (Some(version(1, 2)), Some(version(3, 0))));
    }
}
