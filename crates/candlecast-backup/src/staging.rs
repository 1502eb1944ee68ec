//! [`Staging`]: where an archive is unpacked, beside the folders whose places it will take.

use std::fs;
use std::path::{Path, PathBuf};

use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use candlecast_files::{FolderSwap, SwapStep, create_folder, is_bare, resolved};
use candlecast_host::{recover_restore, restore_journal, tag};
use candlecast_meta::DATABASE_FILE;

use crate::member::Part;
use crate::problem;
use crate::temporary::{HeldFolder, remove_leftovers};

/// Beginning of the name of a temporary folder; a killed restore leaves one. Older programs, which do not hold theirs,
/// have another.
const PREFIX: &str = ".candlecast-restoring-";
/// The file of a temporary folder that names the journal of its restore.
const JOURNAL: &str = "journal";

/// A folder beside the one that it will replace. It is removed when this is dropped.
#[derive(Debug)]
struct Staged {
    temporary: HeldFolder,
    target: PathBuf,
}

impl Staged {
    /// Makes the folder for a restore that writes down in `journal` what it is about to do, after what killed restores
    /// left there was removed.
    fn beside(target: PathBuf, journal: &Path) -> Result<Self, Problem> {
        let parent = target.parent().unwrap_or(Path::new("/"));
        create_folder(parent).map_err(|e| problem::of_file(&e.path, &e.source))?;
        remove_leftovers(parent, PREFIX, is_needed);
        let temporary = HeldFolder::new(parent, PREFIX).map_err(|e| problem::of_file(parent, &e))?;
        // The temporary folder is its owner's alone; what will be the data folder has the usual rights.
        fs::create_dir(temporary.path().join("new"))
            .and_then(|()| fs::write(temporary.path().join(JOURNAL), journal.as_os_str().as_encoded_bytes()))
            .map_err(|e| problem::of_file(parent, &e))?;
        Ok(Self { temporary, target })
    }

    fn new_folder(&self) -> PathBuf {
        self.temporary.path().join("new")
    }

    fn step(&self, suffix: &str) -> SwapStep {
        let aside = free_name(&self.target, suffix);
        SwapStep { target: self.target.clone(), new: self.new_folder(), aside }
    }
}

/// True where the journal is there that the restore of the temporary `folder` wrote: it is still to be brought to its
/// end from there.
fn is_needed(folder: &Path) -> bool {
    let written = fs::read_to_string(folder.join(JOURNAL)).unwrap_or_default();
    !written.is_empty() && Path::new(&written).exists()
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
    journal: PathBuf,
}

impl Staging {
    /// Makes the temporary folders for a data folder and a model folder, after a restore that was cut off was brought to
    /// its end.
    pub(super) fn new(settings: &Settings) -> Result<Self, Problem> {
        let journal = restore_journal(&settings.data_dir)?;
        recover_restore(&journal)?;
        let found = |folder: &Path| resolved(folder).map_err(|e| problem::of_file(&e.path, &e.source));
        let (data, models) = (found(&settings.data_dir)?, found(&settings.models_dir)?);
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
            Err(_) => (PathBuf::new(), Some(Staged::beside(models, &journal)?)),
        };
        Ok(Self { data: Staged::beside(data, &journal)?, models_below, models, journal })
    }

    /// The first of the folders to be replaced that holds something.
    pub(super) fn occupied(&self) -> Result<Option<&Path>, Problem> {
        for staged in std::iter::once(&self.data).chain(&self.models) {
            if !is_bare(&staged.target).map_err(|e| problem::of_file(&staged.target, &e))? {
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

    /// Writes down that the new folders are to take their places, the data folder first. What is there will be set aside
    /// under a name with the time `now`.
    pub(super) fn begin_swap(&self, now: Timestamp) -> Result<FolderSwap, Problem> {
        let suffix = format!("before-restore-{}", now.to_string().replace(['-', ':'], ""));
        let steps = std::iter::once(&self.data).chain(&self.models).map(|staged| staged.step(&suffix)).collect();
        FolderSwap::begin(&self.journal, &tag(), steps).map_err(|e| problem::of_file(&e.path, &e.source))
    }

    /// Puts the new folders in their places. They count once the swap is finished; after an error everything is as it
    /// was.
    pub(super) fn put(&self, now: Timestamp) -> Result<FolderSwap, Problem> {
        let mut swap = self.begin_swap(now)?;
        match swap.place_all() {
            Ok(()) => Ok(swap),
            Err(e) => {
                let failed = problem::of_file(&e.path, &e.source);
                Err(undone(swap, failed.context("the restored folder could not be put in its place")))
            }
        }
    }
}

/// Leaves everything in its place although `failed` happened; says so where that could not be made durable.
pub(super) fn kept(swap: FolderSwap, failed: Problem) -> Problem {
    match swap.finish() {
        Ok(_) => failed,
        Err(e) => failed.context(e.to_string()),
    }
}

/// Puts everything back, which `failed` is the reason for; says so where not all could be.
pub(super) fn undone(swap: FolderSwap, failed: Problem) -> Problem {
    match swap.undo() {
        Some(left) => failed.context(left),
        None => failed,
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
            let aside = staging.put(Timestamp(0)).unwrap().finish().unwrap();
            assert!(expected.join("x.json").is_file());
            assert!(aside.is_empty());
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
            let aside = staging.put(Timestamp(0)).unwrap().finish().unwrap().remove(0);
            assert_eq!(aside.file_name().unwrap(), expected);
            assert_eq!(fs::read_to_string(aside.join("mine")).unwrap(), "old");
            assert!(!data.join("mine").exists());
        }
    }

    /// A data folder and models apart from it, of one restore, and what is new for both.
    fn apart(root: &Path) -> (Settings, Staging) {
        let (data, models) = (root.join("data"), root.join("models"));
        for folder in [&data, &models] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("a.json"), "old").unwrap();
        }
        let settings = settings(&data, Some(models.as_path()));
        let staging = Staging::new(&settings).unwrap();
        fs::write(staging.data.new_folder().join("a.json"), "new").unwrap();
        fs::write(staging.path(Part::Models, Path::new("a.json")), "new").unwrap();
        (settings, staging)
    }

    fn contents(root: &Path) -> [String; 2] {
        ["data", "models"].map(|name| fs::read_to_string(root.join(name).join("a.json")).unwrap())
    }

    /// As a kill would: nothing is removed and nothing put back.
    fn killed(staging: Staging) {
        let Staging { data, models, .. } = staging;
        for Staged { temporary: HeldFolder { folder, .. }, .. } in std::iter::once(data).chain(models) {
            drop(folder.keep());
        }
    }

    fn open(settings: &Settings) -> candlecast_host::Host {
        let cancel = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let clock = candlecast_host::Clock::Fixed(Timestamp(0));
        let options = candlecast_host::HostOptions { seed: candlecast_core::Seed(1), threads: Some(1), clock, cancel };
        candlecast_host::Host::open(settings.clone(), options).unwrap()
    }

    fn temporary_folders(root: &Path) -> usize {
        let names = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(PREFIX)).count()
    }

    #[test]
    fn a_kill_between_the_renamings_of_data_and_models_leaves_both_new_or_both_old() {
        for n_placed in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            let (settings, staging) = apart(dir.path());
            let mut swap = staging.begin_swap(Timestamp(0)).unwrap();
            for _ in 0..n_placed {
                swap.place_next().unwrap();
            }
            drop(swap);
            killed(staging);
            let expected = if n_placed == 0 { "old" } else { "new" };
            drop(open(&settings));
            assert_eq!(contents(dir.path()), [expected, expected], "{n_placed} were in their places");
            // The next restore removes what the killed one left.
            let next = Staging::new(&settings).unwrap();
            assert_eq!(temporary_folders(dir.path()), 2);
            drop(next);
            assert_eq!(temporary_folders(dir.path()), 0);
        }
    }

    #[test]
    fn the_next_restore_sees_to_one_that_was_killed_and_takes_nothing_from_one_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, staging) = apart(dir.path());
        let mut swap = staging.begin_swap(Timestamp(0)).unwrap();
        swap.place_next().unwrap();
        assert_eq!(Staging::new(&settings).unwrap_err().code, "folder-in-use");
        // A restore of another folder, beside this one.
        let other = Staging::new(&self::settings(&dir.path().join("other"), None)).unwrap();
        assert_eq!(temporary_folders(dir.path()), 3);
        drop(swap);
        killed(staging);
        drop(other);
        let other = Staging::new(&self::settings(&dir.path().join("other"), None)).unwrap();
        assert_eq!(temporary_folders(dir.path()), 3, "they are still needed");
        drop(other);
        let next = Staging::new(&settings).unwrap();
        assert_eq!(contents(dir.path()), ["new", "new"]);
        assert_eq!(temporary_folders(dir.path()), 2);
        drop(next);
    }

    #[test]
    fn a_model_folder_around_the_data_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = Staging::new(&settings(&dir.path().join("data"), Some(dir.path()))).unwrap_err();
        assert_eq!(error.code, "bad-config");
    }
}
