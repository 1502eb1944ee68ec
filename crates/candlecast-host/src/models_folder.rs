//! What a host's folder of models is called where several hosts, each with a folder of its own, share one database of
//! records: a row of the index, or a job that is about models, has to say where they lie.
//!
//! The name is made once, of the host's name and random characters, and stays with the folder, wherever that is moved or
//! mounted: hosts that see the same folder are one place. A backup leaves it out, since a restored copy is another folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlecast_core::{Problem, file_problem};
use candlecast_files::{FOLDER_NAME_FILE, NewFile, create_folder};
use candlecast_meta::MetadataStore;
use candlecast_registry::{ModelName, NameClaims};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::deadline::briefly;
use crate::host::{Host, system_time};
use crate::id::tag;
use crate::owner;

/// Longest name, in characters.
const MAX_NAME: usize = 100;

/// True where other hosts may work on the same records.
pub fn shares_records(host: &Host) -> bool {
    host.settings.database_url.is_some()
}

/// What the folder of models of `host` is called in the records; empty where they are this folder's alone.
pub async fn models_folder(host: &Host) -> Result<String, Problem> {
    if !shares_records(host) {
        return Ok(String::new());
    }
    let name = host.models_folder.get_or_try_init(|| blocking(host, |host| name_of(&host.settings.models_dir)));
    name.await.cloned()
}

/// The name of `folder`, which gets one if it has none.
fn name_of(folder: &Path) -> Result<String, Problem> {
    let path = folder.join(FOLDER_NAME_FILE);
    if let Some(name) = read(&path)? {
        return Ok(name);
    }
    create_folder(folder)?;
    let name = format!("{}-{}", owner::host(), tag());
    let new = NewFile::for_user(&path)?;
    new.write_all(name.as_bytes())?;
    if new.persist_first(&path)? {
        return Ok(name);
    }
    // Another process was faster.
    read(&path)?.ok_or_else(|| damaged(&path))
}

fn read(path: &Path) -> Result<Option<String>, Problem> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(file_problem(path, &e)),
    };
    let name = text.trim();
    let fits = (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(Some(name.to_owned())) } else { Err(damaged(path)) }
}

fn damaged(path: &Path) -> Problem {
    let detail = format!(
        "{} does not hold a name: delete it, and `candlecast models reindex` enters the models under a new one",
        path.display()
    );
    Problem::data("bad-folder-name", detail)
}

/// Asks the shared records whether a model may be given a name.
#[derive(Debug)]
pub(crate) struct SharedNames {
    pub(crate) metadata: Arc<OnceCell<Arc<dyn MetadataStore>>>,
    pub(crate) folder: Arc<OnceCell<String>>,
    pub(crate) models_dir: PathBuf,
}

impl SharedNames {
    fn claimed(&self, name: &ModelName) -> Result<bool, Problem> {
        let (Some(store), Ok(runtime)) = (self.metadata.get(), Handle::try_current()) else {
            return Err(Problem::data("metadata-unreachable", "the records were not opened yet"));
        };
        let folder = match self.folder.get() {
            Some(folder) => folder.clone(),
            None => name_of(&self.models_dir)?,
        };
        let name = name.to_string();
        let asked = async { Ok(store.claim_model(&name, &folder, system_time()).await?) };
        // Registries are called where blocking is allowed.
        runtime.block_on(briefly(asked))
    }
}

impl NameClaims for SharedNames {
    /// A model is not lost for want of an answer: then it gets the name, and should another folder have given it, the
    /// index says so.
    fn claim(&self, name: &ModelName) -> bool {
        self.claimed(name).unwrap_or_else(|error| {
            tracing::warn!(%name, %error, "it could not be told whether another folder has given this name");
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("models");
        let name = name_of(&folder).unwrap();
        assert!(name.starts_with(&owner::host()) && name.len() <= MAX_NAME, "{name}");
        assert_eq!(name_of(&folder).unwrap(), name);
        let moved = dir.path().join("moved");
        fs::rename(&folder, &moved).unwrap();
        assert_eq!(name_of(&moved).unwrap(), name);
        assert_ne!(name_of(&folder).unwrap(), name, "another folder has another name");
    }

    #[test]
    fn processes_that_begin_at_once_agree() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(|| name_of(dir.path()).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [FOLDER_NAME_FILE]);
    }

    #[test]
    fn what_is_no_name_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FOLDER_NAME_FILE);
        for bad in ["", "two words", "ü", &"x".repeat(MAX_NAME + 1)] {
            fs::write(&path, bad).unwrap();
            let refused = name_of(dir.path()).unwrap_err();
            assert!(refused.code == "bad-folder-name" && refused.detail.contains(FOLDER_NAME_FILE), "{bad}: {refused}");
        }
        fs::write(&path, "alpha\n").unwrap();
        assert_eq!(name_of(dir.path()).unwrap(), "alpha");
    }
}
