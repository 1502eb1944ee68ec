//! [`Staging`]: where an archive is unpacked, beside the folders whose places it will take.

use std::path::{Path, PathBuf};
use std::{fs, io, path};

use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use candlecast_files::create_folder;
use candlecast_meta::DATABASE_FILE;
use tempfile::TempDir;

use crate::member::Part;
use crate::swap::Placed;
use crate::{problem, swap};

/// Beginning of the name of a temporary folder; a killed restore leaves one.
const PREFIX: &str = ".candlecast-restore-";

/// A folder beside the one that it will replace. It is removed when this is dropped.
#[derive(Debug)]
struct Staged {
    temporary: TempDir,
    target: PathBuf,
}

impl Staged {
    fn beside(target: PathBuf) -> Result<Self, Problem> {
        let parent = target.parent().unwrap_or(Path::new("/"));
        let made = create_folder(parent)
            .map_err(io::Error::from)
            .and_then(|()| tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent))
            // The temporary folder is its owner's alone; what will be the data folder has the usual rights.
            .and_then(|temporary| fs::create_dir(temporary.path().join("new")).map(|()| temporary));
        let temporary = made.map_err(|e| problem::of_file(parent, &e))?;
        Ok(Self { temporary, target })
    }

    fn new_folder(&self) -> PathBuf {
        self.temporary.path().join("new")
    }

    fn put(&self, suffix: &str) -> Result<Placed, Problem> {
        let aside = free_name(&self.target, suffix);
        swap::sync_folders(&self.new_folder())
            .and_then(|()| swap::place(&self.new_folder(), &self.target, &aside))
            .map_err(|e| {
                problem::of_file(&self.target, &e).context("the restored folder could not be put in its place")
            })
    }
}

/// A name that nothing has, for what is set aside.
fn free_name(target: &Path, suffix: &str) -> PathBuf {
    let name = target.file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned());
    let numbered = |n: u32| if n == 1 { format!("{name}.{suffix}") } else { format!("{name}.{suffix}-{n}") };
    let mut candidates = (1..).map(|n| target.with_file_name(numbered(n)));
    candidates.find(|candidate| !candidate.exists()).expect("not every number is taken")
}

/// Folders for everything that an archive holds.
#[derive(Debug)]
pub(super) struct Staging {
    data: Staged,
    /// Where models lie below the data folder.
    models_below: PathBuf,
    /// Where models lie apart from it.
    models: Option<Staged>,
}

impl Staging {
    /// Makes the temporary folders for a data folder and a model folder.
    pub(super) fn new(settings: &Settings) -> Result<Self, Problem> {
        let (data, models) = (resolved(&settings.data_dir)?, resolved(&settings.models_dir)?);
        if data.starts_with(&models) {
            let detail = format!(
                "the model folder {} holds the data folder {}: neither can be replaced alone; set the one apart",
                models.display(),
                data.display()
            );
            return Err(Problem::usage("bad-config", "models_dir", detail));
        }
        let (models_below, models) = match models.strip_prefix(&data) {
            Ok(below) => (below.to_owned(), None),
            Err(_) => (PathBuf::new(), Some(Staged::beside(models)?)),
        };
        Ok(Self { data: Staged::beside(data)?, models_below, models })
    }

    /// The first of the folders to be replaced that holds something.
    pub(super) fn occupied(&self) -> Result<Option<&Path>, Problem> {
        for staged in std::iter::once(&self.data).chain(&self.models) {
            if !swap::is_bare(&staged.target).map_err(|e| problem::of_file(&staged.target, &e))? {
                return Ok(Some(&staged.target));
            }
        }
        Ok(None)
    }

    /// Where a member is unpacked.
    pub(super) fn path(&self, part: Part, below: &Path) -> PathBuf {
        match (part, &self.models) {
            (Part::Database, _) => self.database().join(below),
            (Part::Candles, _) => self.data.new_folder().join("candles").join(below),
            (Part::Models, Some(models)) => models.new_folder().join(below),
            (Part::Models, None) => self.data.new_folder().join(&self.models_below).join(below),
        }
    }

    /// Where the database's dump is unpacked; it is no part of the restored folder.
    pub(super) fn database(&self) -> PathBuf {
        self.data.temporary.path().join(Part::Database.name())
    }

    /// The database file of the restored folder.
    pub(super) fn database_file(&self) -> PathBuf {
        self.data.new_folder().join(DATABASE_FILE)
    }

    /// Puts the new folders in their places, models first; what was there is set aside under a name with the time
    /// `now`. After an error everything is as it was.
    pub(super) fn put(&self, now: Timestamp) -> Result<Vec<Placed>, Problem> {
        let suffix = format!("before-restore-{}", now.to_string().replace(['-', ':'], ""));
        let mut placed = Vec::new();
        for staged in self.models.iter().chain(std::iter::once(&self.data)) {
            match staged.put(&suffix) {
                Ok(done) => placed.push(done),
                Err(e) => return Err(undo(&placed).map_or(e.clone(), |failed| e.context(failed))),
            }
        }
        Ok(placed)
    }
}

/// Puts everything back, the last first; what could not be put back, in words.
pub(super) fn undo(placed: &[Placed]) -> Option<String> {
    let failed: Vec<String> = placed
        .iter()
        .rev()
        .filter_map(|one| one.undo().err().map(|e| format!("{one:?} could not be undone ({e})")))
        .collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// The folder that a path stands for, links followed as far as it exists, so that the folder itself is replaced and
/// not a link to it.
fn resolved(folder: &Path) -> Result<PathBuf, Problem> {
    let broken = |e: io::Error| problem::of_file(folder, &e);
    let absolute = path::absolute(folder).map_err(broken)?;
    let (mut existing, mut missing) = (absolute.as_path(), Vec::new());
    loop {
        match (fs::canonicalize(existing), existing.parent(), existing.file_name()) {
            (Ok(real), _, _) => return Ok(missing.iter().rev().fold(real, |path, name| path.join(name))),
            (Err(e), Some(parent), Some(name)) if e.kind() == io::ErrorKind::NotFound => {
                missing.push(name);
                existing = parent;
            }
            (Err(e), _, _) => return Err(broken(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_config::{Flags, ModelCatalog};

    fn settings(data: &Path, models: Option<&Path>) -> Settings {
        let models = models.map(|path| path.display().to_string());
        let flags = Flags { data_dir: Some(data.to_owned()), ..Flags::default() };
        Settings::load(
            &flags,
            |name| if name == "ML_MODELS_PATH" { models.clone() } else { None },
            &ModelCatalog::EMPTY,
        )
        .unwrap()
    }

    #[test]
    fn models_are_put_where_the_settings_have_them() {
        let dir = tempfile::tempdir().unwrap();
        let (data, apart) = (dir.path().join("data"), dir.path().join("apart/models"));
        for (models, expected) in [(None, data.join("models")), (Some(apart.as_path()), apart.clone())] {
            let staging = Staging::new(&settings(&data, models)).unwrap();
            let file = staging.path(Part::Models, Path::new("x.json"));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "x").unwrap();
            assert_eq!(staging.occupied().unwrap(), None);
            let placed = staging.put(Timestamp(0)).unwrap();
            assert!(expected.join("x.json").is_file());
            assert!(placed.iter().all(|one| one.aside().is_none()));
            drop(staging);
            let left = fs::read_dir(dir.path()).unwrap().flatten();
            assert!(left.map(|e| e.file_name()).all(|name| !name.to_string_lossy().starts_with('.')));
            fs::remove_dir_all(&data).unwrap();
        }
    }

    #[test]
    fn what_is_set_aside_is_named_and_never_replaces_anything() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for expected in ["data.before-restore-19700101T000000Z", "data.before-restore-19700101T000000Z-2"] {
            fs::create_dir_all(&data).unwrap();
            fs::write(data.join("mine"), "old").unwrap();
            let staging = Staging::new(&settings(&data, None)).unwrap();
            assert!(staging.occupied().unwrap().is_some());
            let placed = staging.put(Timestamp(0)).unwrap();
            let aside = placed[0].aside().unwrap();
            assert_eq!(aside.file_name().unwrap(), expected);
            assert_eq!(fs::read_to_string(aside.join("mine")).unwrap(), "old");
            assert!(!data.join("mine").exists());
        }
    }

    #[test]
    fn a_model_folder_around_the_data_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Staging::new(&settings(&dir.path().join("data"), Some(dir.path()))).unwrap_err();
        assert_eq!(error.code, "bad-config");
    }
}
