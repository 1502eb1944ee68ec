//! [`FolderSwap`]: several folders put in the places of others, all of them or none, whatever happens on the way.
//!
//! Each folder takes its place by one renaming, and between two of them a kill would leave some new and some old. So a
//! note, the journal, says beforehand what is going to be done, and each new folder carries a hidden file that is named
//! after the swap. The first folder decides: where the new one is in its place, [`FolderSwap::recover`] puts the others
//! into theirs, else it leaves all as it was.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::folder::folder_of;
use crate::place::{Placed, place, sync_folders};
use crate::{FileError, InUse, Note, holders, remove, sync_folder, who_holds};

const FORMAT: u32 = 1;

/// A folder that takes the place of another. All three lie in one file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SwapStep {
    /// Whose place is taken.
    pub target: PathBuf,
    /// What takes it.
    pub new: PathBuf,
    /// Where what is there goes, unless it is bare. Nothing has that name.
    pub aside: PathBuf,
}

/// What the journal says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Journal {
    format: u32,
    id: String,
    steps: Vec<SwapStep>,
}

/// A swap under way. Dropped, it is left as it is, as by a kill: the next [`recover`](Self::recover) sees to it.
#[derive(Debug)]
pub struct FolderSwap {
    note: Note,
    mark: String,
    steps: Vec<SwapStep>,
    placed: Vec<Placed>,
}

/// What was done about a swap that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// There was none.
    Nothing,
    /// It was brought to its end: these folders are the new ones.
    Finished(Vec<PathBuf>),
    /// It had not begun: all is as it was.
    Undone,
}

/// Why nothing was done about a swap that was cut off.
#[derive(Debug)]
pub enum SwapError {
    /// It was not cut off: its program is at work.
    UnderWay {
        /// Its journal.
        journal: PathBuf,
    },
    /// A folder whose place is to be taken is worked on.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The journal cannot be read.
    Damaged {
        /// The journal.
        journal: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    File(FileError),
}

impl fmt::Display for SwapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnderWay { journal } => {
                write!(f, "`{}` is held by {}, which is at work", journal.display(), who_holds(&holders(journal)))
            }
            Self::InUse { folder } => write!(f, "`{}` is in use", folder.display()),
            Self::Damaged { journal, reason } => write!(f, "`{}` cannot be read: {reason}", journal.display()),
            Self::File(e) => write!(f, "{e}"),
        }
    }
}

impl Error for SwapError {}

impl From<FileError> for SwapError {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

impl FolderSwap {
    /// Makes the new folders durable and writes down what is going to be done: `journal` is a file that is not there
    /// yet, `id` letters and digits that no other swap has. The first of `steps` is the one that decides.
    pub fn begin(journal: &Path, id: &str, steps: Vec<SwapStep>) -> Result<Self, FileError> {
        let refused = |kind: io::ErrorKind, why: &str| FileError::at("write", journal)(io::Error::new(kind, why));
        if is_there(journal)? {
            return Err(refused(io::ErrorKind::AlreadyExists, "another restore is under way or was cut off"));
        }
        let file = journal.file_name().and_then(|name| name.to_str());
        let file = file.ok_or_else(|| refused(io::ErrorKind::InvalidInput, "its name is no text"))?;
        let mark = mark(id);
        for step in &steps {
            let path = step.new.join(&mark);
            File::create(&path).and_then(|file| file.sync_all()).map_err(FileError::at("write", &path))?;
            sync_folders(&step.new).map_err(FileError::at("sync", &step.new))?;
        }
        let journal_text = Journal { format: FORMAT, id: id.to_owned(), steps };
        let bytes = serde_json::to_vec_pretty(&journal_text).map_err(|e| FileError::at("write", journal)(e.into()))?;
        let note = Note::write(folder_of(journal), file, &bytes)?;
        Ok(Self { note, mark, steps: journal_text.steps, placed: Vec::new() })
    }

    /// Puts the next folder in its place; false when all are.
    pub fn place_next(&mut self) -> Result<bool, FileError> {
        let Some(step) = self.steps.get(self.placed.len()) else { return Ok(false) };
        let placed = place(&step.new, &step.target, &step.aside);
        self.placed.push(placed.map_err(FileError::at("put the new folder in the place of", &step.target))?);
        Ok(true)
    }

    /// Puts all folders in their places.
    pub fn place_all(&mut self) -> Result<(), FileError> {
        while self.place_next()? {}
        Ok(())
    }

    /// Where folders are now that were replaced.
    pub fn set_aside(&self) -> Vec<PathBuf> {
        self.placed.iter().filter_map(|one| one.aside().map(Path::to_owned)).collect()
    }

    /// Puts everything back, the last first; what could not be put back, in words.
    pub fn undo(self) -> Option<String> {
        let undone = self.placed.iter().rev().map(|one| one.undo().map_err(|e| format!("{one:?}: {e}")));
        let mut failed: Vec<String> = undone.filter_map(Result::err).collect();
        // Whatever could not be put back is told of, and not for the next program to finish.
        failed.extend(self.note.remove().err().map(|e| e.to_string()));
        remove_marks(&self.steps, &self.mark);
        (!failed.is_empty()).then(|| format!("not all could be undone ({})", failed.join("; ")))
    }

    /// All of it counts now; returns where folders are that were replaced.
    pub fn finish(self) -> Result<Vec<PathBuf>, FileError> {
        let aside = self.set_aside();
        self.note.remove()?;
        remove_marks(&self.steps, &self.mark);
        Ok(aside)
    }

    /// Brings to its end, or takes back, what a program was doing by `journal` that is gone. To be called before
    /// anybody works on the folders.
    pub fn recover(journal: &Path) -> Result<Recovered, SwapError> {
        let Some((note, text)) = Note::left_at(journal)? else {
            return if is_there(journal)? {
                Err(SwapError::UnderWay { journal: journal.to_owned() })
            } else {
                Ok(Recovered::Nothing)
            };
        };
        let damaged = |reason: String| SwapError::Damaged { journal: journal.to_owned(), reason };
        let read = serde_json::from_slice::<Journal>(&text).map_err(|e| damaged(e.to_string()));
        let Journal { format, id, steps } = read?;
        if format != FORMAT || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(damaged(format!("it has format {format} and the id `{id}`")));
        }
        let mark = mark(&id);
        let Some((first, others)) = steps.split_first() else { return Err(damaged("it names no folders".into())) };
        if !is_there(&first.target.join(&mark))? {
            put_back(first, &mark)?;
            note.remove()?;
            return Ok(Recovered::Undone);
        }
        others.iter().try_for_each(|step| finish_step(step, &mark))?;
        note.remove()?;
        remove_marks(&steps, &mark);
        Ok(Recovered::Finished(steps.into_iter().map(|step| step.target).collect()))
    }
}

/// True for what is there. What cannot be told is an error: a swap that was cut off half-way would be taken for one that
/// had not begun.
fn is_there(path: &Path) -> Result<bool, FileError> {
    match path.try_exists() {
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => Ok(false),
        answer => answer.map_err(FileError::at("look for", path)),
    }
}

/// The hidden file by which a new folder is known.
fn mark(id: &str) -> String {
    format!(".swap-{id}")
}

/// They have no meaning without a journal, so one that cannot be removed is in nobody's way.
fn remove_marks(steps: &[SwapStep], mark: &str) {
    for folder in steps.iter().flat_map(|step| [&step.target, &step.new]) {
        drop(remove(&folder.join(mark)));
    }
}

/// The first folder did not get into its place: what is there, or was, stays.
fn put_back(step: &SwapStep, mark: &str) -> Result<(), FileError> {
    let SwapStep { target, new, aside } = step;
    let moved = if is_there(&aside.join(mark))? {
        // It was about to change places with the old one.
        fs::rename(aside, new).map_err(FileError::at("put back", aside))
    } else if is_there(aside)? && !is_there(target)? {
        fs::rename(aside, target).map_err(FileError::at("put back", aside))
    } else {
        return Ok(());
    };
    moved.and_then(|()| sync_folder(folder_of(target)))
}

fn finish_step(step: &SwapStep, mark: &str) -> Result<(), SwapError> {
    let SwapStep { target, new, aside } = step;
    if is_there(&target.join(mark))? {
        return Ok(());
    }
    let alone = InUse::alone(target)?;
    if alone.is_none() {
        return Err(SwapError::InUse { folder: target.clone() });
    }
    if is_there(&aside.join(mark))? {
        fs::rename(aside, new).map_err(FileError::at("put back", aside))?;
    }
    place(new, target, aside).map_err(FileError::at("put the new folder in the place of", target))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOURNAL: &str = ".data.restore.json";

    /// Two folders with what takes their places; each has one file.
    fn steps(root: &Path) -> Vec<SwapStep> {
        let make = |name: &str, content: &str| {
            let path = root.join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("a"), content).unwrap();
            path
        };
        ["data", "models"]
            .map(|name| SwapStep {
                target: make(name, "old"),
                new: make(&format!("new-{name}"), "new"),
                aside: root.join(format!("{name}.before")),
            })
            .to_vec()
    }

    fn contents(root: &Path) -> [String; 2] {
        ["data", "models"].map(|name| fs::read_to_string(root.join(name).join("a")).unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_folders_take_their_places_or_are_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
        let mut swap = FolderSwap::begin(&journal, "a1", steps(root)).unwrap();
        swap.place_all().unwrap();
        assert_eq!(contents(root), ["new", "new"]);
        assert_eq!(swap.undo(), None);
        assert_eq!(contents(root), ["old", "old"]);
        assert!(!journal.exists());

        let mut swap = FolderSwap::begin(&journal, "a2", steps(root)).unwrap();
        swap.place_all().unwrap();
        let aside = swap.finish().unwrap();
        assert_eq!(aside, ["data.before", "models.before"].map(|name| root.join(name)));
        assert_eq!(contents(root), ["new", "new"]);
        assert_eq!(names(root), ["data", "data.before", "models", "models.before"]);
        assert_eq!(names(&root.join("models")), ["a"], "no mark is left");
        assert_eq!(FolderSwap::recover(&journal).unwrap(), Recovered::Nothing);
    }

    #[test]
    fn a_kill_between_two_renamings_leaves_all_or_nothing() {
        for n_placed in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
            let mut swap = FolderSwap::begin(&journal, "a1", steps(root)).unwrap();
            for _ in 0..n_placed {
                assert!(swap.place_next().unwrap());
            }
            assert!(matches!(FolderSwap::recover(&journal), Err(SwapError::UnderWay { .. })), "it is at work");
            drop(swap);
            let recovered = FolderSwap::recover(&journal).unwrap();
            if n_placed == 0 {
                assert_eq!((recovered, contents(root)), (Recovered::Undone, ["old", "old"].map(str::to_owned)));
            } else {
                let targets = ["data", "models"].map(|name| root.join(name)).to_vec();
                assert_eq!(recovered, Recovered::Finished(targets));
                assert_eq!(contents(root), ["new", "new"]);
                assert_eq!(fs::read_to_string(root.join("models.before/a")).unwrap(), "old");
                assert_eq!(names(&root.join("data")), ["a"], "no mark is left");
            }
            assert_eq!(FolderSwap::recover(&journal).unwrap(), Recovered::Nothing);
        }
    }

    /// What is new lies under the name of what is set aside in the moment before both change places.
    #[test]
    fn a_kill_in_the_middle_of_a_renaming_is_seen_to_as_well() {
        for at in 0..2 {
            let dir = tempfile::tempdir().unwrap();
            let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
            let steps = steps(root);
            let mut swap = FolderSwap::begin(&journal, "a1", steps.clone()).unwrap();
            for _ in 0..at {
                swap.place_next().unwrap();
            }
            drop(swap);
            fs::rename(&steps[at].new, &steps[at].aside).unwrap();
            FolderSwap::recover(&journal).unwrap();
            let all = if at == 0 { "old" } else { "new" };
            assert_eq!(contents(root), [all, all]);
            assert_eq!(steps[0].aside.exists(), at > 0);
        }
    }

    /// Where the system has no exchange the old folder is moved away first.
    #[test]
    fn a_kill_while_nothing_is_in_the_place_leaves_all_or_nothing() {
        for at in 0..2 {
            let dir = tempfile::tempdir().unwrap();
            let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
            let steps = steps(root);
            let mut swap = FolderSwap::begin(&journal, "a1", steps.clone()).unwrap();
            for _ in 0..at {
                swap.place_next().unwrap();
            }
            drop(swap);
            fs::rename(&steps[at].target, &steps[at].aside).unwrap();
            FolderSwap::recover(&journal).unwrap();
            let all = if at == 0 { "old" } else { "new" };
            assert_eq!(contents(root), [all, all]);
        }
    }

    #[test]
    fn a_folder_that_is_worked_on_is_not_replaced_later() {
        let dir = tempfile::tempdir().unwrap();
        let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
        let mut swap = FolderSwap::begin(&journal, "a1", steps(root)).unwrap();
        swap.place_next().unwrap();
        drop(swap);
        let at_work = InUse::shared(&root.join("models")).unwrap();
        assert!(matches!(FolderSwap::recover(&journal), Err(SwapError::InUse { .. })));
        drop(at_work);
        assert!(matches!(FolderSwap::recover(&journal), Ok(Recovered::Finished(_))));
        assert_eq!(contents(root), ["new", "new"]);
    }

    /// Whoever may not look into a folder, or whose disk fails, is not told that the swap had not begun.
    #[cfg(unix)]
    #[test]
    fn what_cannot_be_told_is_not_taken_for_a_swap_that_had_not_begun() {
        let dir = tempfile::tempdir().unwrap();
        let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
        let steps = steps(root);
        // Nothing is there yet, so nothing is set aside that would give it away.
        fs::remove_dir_all(root.join("data")).unwrap();
        let mut swap = FolderSwap::begin(&journal, "a1", steps).unwrap();
        swap.place_next().unwrap();
        drop(swap);
        let (data, elsewhere) = (root.join("data"), root.join("elsewhere"));
        fs::rename(&data, &elsewhere).unwrap();
        // A link to itself cannot be followed, whoever asks.
        std::os::unix::fs::symlink(&data, &data).unwrap();
        assert!(matches!(FolderSwap::recover(&journal), Err(SwapError::File(_))));
        fs::remove_file(&data).unwrap();
        fs::rename(&elsewhere, &data).unwrap();
        assert!(matches!(FolderSwap::recover(&journal), Ok(Recovered::Finished(_))));
        assert_eq!(contents(root), ["new", "new"]);
    }

    #[test]
    fn a_journal_that_cannot_be_read_is_named_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join(JOURNAL);
        for text in ["", "{}", r#"{"format":2,"id":"a","steps":[]}"#, r#"{"format":1,"id":"../a","steps":[]}"#] {
            fs::write(&journal, text).unwrap();
            let error = FolderSwap::recover(&journal).unwrap_err();
            assert!(matches!(error, SwapError::Damaged { .. }) && error.to_string().contains(JOURNAL), "{error}");
            assert!(journal.exists());
            assert!(FolderSwap::begin(&journal, "a1", vec![]).is_err(), "nothing is written over it");
        }
    }

    #[test]
    fn an_error_on_the_way_can_be_undone() {
        let dir = tempfile::tempdir().unwrap();
        let (root, journal) = (dir.path(), dir.path().join(JOURNAL));
        let steps = steps(root);
        // A folder that is not empty in the place of what is set aside.
        fs::create_dir_all(steps[1].aside.join("inside")).unwrap();
        let mut swap = FolderSwap::begin(&journal, "a1", steps).unwrap();
        assert!(swap.place_all().is_err());
        assert_eq!(swap.undo(), None);
        assert_eq!(contents(root), ["old", "old"]);
    }
}
