//! What lies in the model folders, by file names alone: listing reads no payload.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use candlecast_core::{Interval, Venue};

use crate::durable;
use crate::family::{Family, ModelFile, ModelName};
use crate::{RegistryError, Version};

/// The model files of one folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    metas: BTreeSet<ModelName>,
    payloads: BTreeSet<ModelName>,
    temps: Vec<String>,
}

impl Folder {
    /// Reads the folder of `venue` and `interval`; one that is not there is empty. Files of others are passed over.
    pub(crate) fn read(path: &Path, venue: &Venue, interval: Interval) -> Result<Self, RegistryError> {
        let mut folder = Self::default();
        for name in names(path)? {
            if durable::of_temp_name(&name).is_some_and(|n| ModelFile::parse(venue, interval, n).is_some()) {
                folder.temps.push(name);
                continue;
            }
            match ModelFile::parse(venue, interval, &name) {
                Some(ModelFile::Meta(name)) => folder.metas.insert(name),
                Some(ModelFile::Payload(name)) => folder.payloads.insert(name),
                Some(ModelFile::Pointer(_)) | None => false,
            };
        }
        Ok(folder)
    }

    /// The folder that holds the files of `family`.
    pub(crate) fn of(root: &Path, family: &Family) -> Result<Self, RegistryError> {
        Self::read(&family.folder(root), &family.key().venue, family.key().interval)
    }

    /// Versions of `family` that have a meta, in order.
    pub(crate) fn versions(&self, family: &Family) -> Vec<Version> {
        self.metas.iter().filter(|name| name.family == *family).map(|name| name.version).collect()
    }

    /// Removes what an interrupted save left: temporary files, and payloads whose meta was never written. Only
    /// under the lock, where no other save is on its way.
    pub(crate) fn clear_leftovers(&self, root: &Path, family: &Family) {
        let folder = family.folder(root);
        let orphans = self.payloads.difference(&self.metas).map(ModelName::payload_file);
        for file in self.temps.iter().cloned().chain(orphans) {
            // What cannot be removed now takes up space and nothing else; the next save tries again.
            let _ = durable::remove(&folder.join(file));
        }
    }
}

/// Every family below `root` that has a meta or a pointer, with the versions that have a meta, in order.
pub(crate) fn all(root: &Path) -> Result<BTreeMap<Family, Vec<Version>>, RegistryError> {
    let mut found: BTreeMap<Family, Vec<Version>> = BTreeMap::new();
    let top = names(root)?;
    take(&top, &Venue::binance(), Interval::H1, &mut found);
    for name in &top {
        let Some(venue) = Venue::new(name).ok().filter(|v| v.as_str() == name) else { continue };
        for interval in Interval::all() {
            if venue == Venue::binance() && interval == Interval::H1 {
                continue;
            }
            take(&names(&root.join(name).join(interval.to_string()))?, &venue, interval, &mut found);
        }
    }
    // As text, 1.0.10 comes before 1.0.9.
    found.values_mut().for_each(|versions| versions.sort_unstable());
    Ok(found)
}

/// Adds the metas and pointers among `files`. Payloads, nearly half of all files, are not even parsed: with ten
/// thousand models that is what a list costs.
fn take(files: &[String], venue: &Venue, interval: Interval, found: &mut BTreeMap<Family, Vec<Version>>) {
    for file in files.iter().filter(|file| file.ends_with(".meta.json") || file.ends_with(".active.json")) {
        match ModelFile::parse(venue, interval, file) {
            Some(ModelFile::Meta(name)) => found.entry(name.family).or_default().push(name.version),
            Some(ModelFile::Pointer(family)) => {
                found.entry(family).or_default();
            }
            Some(ModelFile::Payload(_)) | None => {}
        }
    }
}

/// File names in `path` that are UTF-8, as all of ours are, in order.
fn names(path: &Path) -> Result<Vec<String>, RegistryError> {
    let entries = match fs::read_dir(path) {
        // A file or nothing in the place of a folder holds no models.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(RegistryError::io("read folder", path))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RegistryError::io("read folder", path))?;
        names.extend(entry.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}
