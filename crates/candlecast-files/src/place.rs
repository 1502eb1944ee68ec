//! Putting one folder in the place of another, so that at every moment the one or the other is there.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::folder::folder_of;
use crate::{IN_USE_FILE, LOCK_FILE, sync_folder};

/// A folder that was put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    target: PathBuf,
    came_from: PathBuf,
    aside: Option<PathBuf>,
}

impl Placed {
    /// Where what was there before is now, if anything was.
    pub(crate) fn aside(&self) -> Option<&Path> {
        self.aside.as_deref()
    }

    /// Puts everything back, durably.
    pub(crate) fn undo(&self) -> io::Result<()> {
        match &self.aside {
            None => fs::rename(&self.target, &self.came_from),
            Some(aside) if exchange(aside, &self.target)? => fs::rename(aside, &self.came_from),
            Some(aside) => fs::rename(&self.target, &self.came_from).and_then(|()| fs::rename(aside, &self.target)),
        }?;
        sync_folder(folder_of(&self.target))?;
        Ok(sync_folder(folder_of(&self.came_from))?)
    }
}

/// Puts the folder `new` in the place of `target`. What is there is kept as `aside`, unless it is bare. All three lie
/// in one file system. After an error everything is as it was.
pub(crate) fn place(new: &Path, target: &Path, aside: &Path) -> io::Result<Placed> {
    let mut placed = Placed { target: target.to_owned(), came_from: new.to_owned(), aside: Some(aside.to_owned()) };
    if is_bare(target)? {
        remove_bare(target)?;
        fs::rename(new, target)?;
        placed.aside = None;
    } else {
        // The old folder must not lie in a temporary one at any moment.
        fs::rename(new, aside)?;
        match exchange(aside, target) {
            Ok(true) => {}
            Ok(false) => {
                fs::rename(aside, new)?;
                replace(new, target, aside)?;
            }
            Err(e) => {
                fs::rename(aside, new)?;
                return Err(e);
            }
        }
    }
    match target.parent().map_or(Ok(()), sync_folder) {
        Ok(()) => Ok(placed),
        Err(e) => placed.undo().and(Err(e.into())),
    }
}

/// In two steps, where the system has no exchange.
fn replace(new: &Path, target: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(target, aside)?;
    fs::rename(new, target).or_else(|e| {
        fs::rename(aside, target)?;
        Err(e)
    })
}

/// Lets two folders change places in one step. False where the system or the file system cannot.
#[cfg(target_os = "linux")]
fn exchange(a: &Path, b: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(e) if e == Errno::INVAL || e == Errno::NOSYS => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
fn exchange(_: &Path, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// What a folder is called among others, where records are shared.
pub const FOLDER_NAME_FILE: &str = ".folder-name";

/// True for a folder that holds nothing but locks, marks of use, its name and empty folders, or is not there. That is what
/// a program leaves that was started once.
pub fn is_bare(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(e),
    };
    for entry in entries {
        let entry = entry?;
        let bare = if entry.file_type()?.is_dir() { is_bare(&entry.path())? } else { is_mark(&entry.file_name()) };
        if !bare {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A file that only programs at work need, or that says nothing once the folder is another one.
fn is_mark(name: &OsStr) -> bool {
    name == LOCK_FILE || name == IN_USE_FILE || name == FOLDER_NAME_FILE
}

/// Removes a bare folder. Only locks, marks and empty folders go: should anything else have come since, this fails.
fn remove_bare(folder: &Path) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_bare(&entry.path())?;
        } else if is_mark(&entry.file_name()) {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

/// Makes what lies in a folder, and in all folders below it, lie there durably.
pub(crate) fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    Ok(sync_folder(folder)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a file of the given content.
    fn folder(root: &Path, name: &str, content: &str) -> PathBuf {
        let path = root.join(name);
        fs::create_dir_all(path.join("candles")).unwrap();
        fs::write(path.join("candles/a"), content).unwrap();
        path
    }

    /// What the files of these folders hold.
    fn contents(folders: &[&Path]) -> Vec<String> {
        folders.iter().map(|folder| fs::read_to_string(folder.join("candles/a")).unwrap()).collect()
    }

    #[test]
    fn what_was_there_is_kept_aside_and_can_be_put_back() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (folder(dir.path(), "data", "old"), folder(dir.path(), "new", "new"));
        let aside = dir.path().join("data.before");
        let placed = place(&new, &old, &aside).unwrap();
        assert_eq!(contents(&[&old, &aside]), ["new", "old"]);
        assert_eq!(placed.aside(), Some(aside.as_path()));
        assert!(!new.exists());
        placed.undo().unwrap();
        assert_eq!(contents(&[&old, &new]), ["old", "new"]);
        assert!(!aside.exists());

        replace(&new, &old, &aside).unwrap();
        assert_eq!(contents(&[&old, &aside]), ["new", "old"]);
    }

    #[test]
    fn a_bare_folder_and_a_missing_one_leave_nothing_aside() {
        let dir = tempfile::tempdir().unwrap();
        let bare = dir.path().join("data");
        fs::create_dir_all(bare.join("candles/empty")).unwrap();
        fs::write(bare.join("candles/.lock"), "").unwrap();
        fs::write(bare.join(IN_USE_FILE), "").unwrap();
        fs::write(bare.join(FOLDER_NAME_FILE), "alpha-1").unwrap();
        for round in 0..2 {
            let new = folder(dir.path(), "new", "new");
            let placed = place(&new, &bare, &dir.path().join("aside")).unwrap();
            assert_eq!(contents(&[&bare]), ["new"], "round {round}");
            assert_eq!(placed.aside(), None);
            placed.undo().unwrap();
            assert!(!bare.exists() && !is_bare(&new).unwrap());
        }
    }

    #[test]
    fn an_error_leaves_everything_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (folder(dir.path(), "data", "old"), folder(dir.path(), "new", "new"));
        // A folder that is not empty in the place of what is set aside.
        let aside = folder(dir.path(), "aside", "other");
        assert!(place(&new, &old, &aside).is_err());
        assert_eq!(contents(&[&old, &new, &aside]), ["old", "new", "other"]);
    }
}
