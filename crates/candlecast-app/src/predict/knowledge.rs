//! What ensembles of saved models have learnt, kept beside the models until a member changes.
//!
//! A file holds what was learnt last for one series, task, set of members and way to combine them, with a key of the
//! versions that it was learnt from: where these are others by now it is learnt anew and takes the old one's place.
//! Nothing here is needed: what is lost is learnt again.

use std::path::PathBuf;

use candlecast_files::{FileError, NewFile, create_folder};
use candlecast_host::{Host, content_hash};
use candlecast_pipeline::{EnsembleKnowledge, program_identity};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Folder below that of the models. No venue is called so.
const FOLDER: &str = "ensembles.cache";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept<T> {
    key: String,
    content: T,
}

/// What an ensemble has learnt, by what names it.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    /// Hash of series, task, members and the way to combine them.
    name: String,
    /// Hash of the versions of the members and of this program.
    key: String,
}

impl Shelf {
    /// Of the ensemble that `what` names, whose members are the versions in `members`.
    pub(super) fn new(what: &Value, members: &Value) -> Self {
        let key = json!({ "members": members, "program": program_identity() });
        Self { name: format!("{}.json", content_hash(what)), key: content_hash(&key) }
    }

    /// What is kept of these versions. Blocks on the disk.
    pub(super) fn recall(&self, host: &Host) -> Option<EnsembleKnowledge> {
        let kept: Kept<EnsembleKnowledge> = read(host, &self.name)?;
        (kept.key == self.key).then_some(kept.content)
    }

    /// Keeps `knowledge`. A failure costs the time to learn it again. Blocks on the disk.
    pub(super) fn keep(&self, host: &Host, knowledge: &EnsembleKnowledge) {
        write(host, &self.name, &Kept { key: self.key.clone(), content: knowledge });
    }
}

/// Notes that the members of the ensemble without named members that `what` names are `members` now; those that were noted
/// before, where they were others. Blocks on the disk.
pub(super) fn change_of_members(host: &Host, what: &Value, members: &[String]) -> Option<Vec<String>> {
    let name = format!("last-{}.json", content_hash(what));
    let before: Option<Kept<Vec<String>>> = read(host, &name);
    let before = before.map(|kept| kept.content);
    if before.as_deref() == Some(members) {
        return None;
    }
    write(host, &name, &Kept { key: String::new(), content: members.to_vec() });
    before
}

fn folder(host: &Host) -> PathBuf {
    host.settings.models_dir.join(FOLDER)
}

fn read<T: DeserializeOwned>(host: &Host, name: &str) -> Option<T> {
    let bytes = std::fs::read(folder(host).join(name)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn write(host: &Host, name: &str, content: &impl Serialize) {
    let Ok(bytes) = serde_json::to_vec(content) else { return };
    let target = folder(host).join(name);
    let written = create_folder(&folder(host)).and_then(|()| -> Result<(), FileError> {
        // Several predictions may learn the same at once.
        let new = NewFile::beside(&target)?;
        new.write_all(&bytes)?;
        new.persist(&target)
    });
    if let Err(error) = written {
        tracing::warn!(%error, file = %target.display(), "what an ensemble has learnt could not be kept");
    }
}
