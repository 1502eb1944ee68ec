//! [`Pinned`]: the model files of one moment, kept by links for as long as it takes to copy them.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::{fs, io};

use candlecast_core::Problem;

use crate::contents::{Contents, Source};
use crate::member::Part;
use crate::temporary::{HeldFolder, remove_leftovers};
use crate::{folder_lock, problem};

/// Beginning of the name of the hidden folder of links in the model folder; a killed backup leaves one.
const PREFIX: &str = ".candlecast-backup-";
/// Model files as they are together at one moment, whatever is saved and deleted since. The links go when this is
/// dropped.
#[derive(Debug)]
pub(super) struct Pinned {
    /// The files, with the names they have in the model folder.
    pub(super) contents: Contents,
    _links: Option<HeldFolder>,
}

impl Pinned {
    /// Links every file of the model folder, which keeps its content while saving replaces and deletes it. Saving waits
    /// for that moment only. Setting `cancel` ends the wait for it.
    pub(super) fn take(models: &Path, cancel: &AtomicBool) -> Result<Self, Problem> {
        if !models.is_dir() {
            return Ok(Self { contents: Contents::default(), _links: None });
        }
        remove_leftovers(models, PREFIX, |_| false);
        match HeldFolder::new(models, PREFIX) {
            Ok(links) => {
                let _nobody_saves = folder_lock::hold(models, cancel)?;
                let mut contents = Contents::of(Part::Models, models)?;
                contents.files = linked(contents.files, links.path())?;
                Ok(Self { contents, _links: Some(links) })
            }
            // Where nothing can be written nobody saves.
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                Ok(Self { contents: Contents::of(Part::Models, models)?, _links: None })
            }
            Err(e) => Err(problem::of_file(models, &e)),
        }
    }
}

/// The same files by links in `folder`; those that are gone left out.
fn linked(files: Vec<Source>, folder: &Path) -> Result<Vec<Source>, Problem> {
    let mut linked = Vec::with_capacity(files.len());
    for (number, file) in files.into_iter().enumerate() {
        let link = folder.join(number.to_string());
        match link_or_copy(&file.path, &link) {
            Ok(()) => linked.push(Source { path: link, ..file }),
            // Only models are kept by the lock.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(problem::of_file(&file.path, &e)),
        }
    }
    Ok(linked)
}

/// Links the file `from`; copies it where it is a link itself, lies on another disk, or the file system has no links.
fn link_or_copy(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(from)?.is_symlink() && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use candlecast_files::{FileLock, LOCK_FILE};

    use super::*;

    fn pinned(models: &Path) -> Pinned {
        Pinned::take(models, &AtomicBool::new(false)).unwrap()
    }

    /// What the pinned files are called and hold.
    fn contents(pinned: &Pinned) -> Vec<(String, String)> {
        let read = |file: &Source| (file.member.clone(), fs::read_to_string(&file.path).unwrap());
        pinned.contents.files.iter().map(read).collect()
    }

    #[test]
    fn what_is_saved_and_deleted_later_changes_nothing_and_need_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let nested = dir.path().join("binance/4h");
        fs::create_dir_all(&nested).unwrap();
        for path in [dir.path().join("a.json"), nested.join("b.json")] {
            fs::write(path, "old").unwrap();
        }
        let pinned = pinned(dir.path());
        assert!(FileLock::try_exclusive(&dir.path().join(LOCK_FILE)).unwrap().is_some(), "saving goes on");
        candlecast_files::write(dir.path(), "a.json", b"new").unwrap();
        fs::remove_file(nested.join("b.json")).unwrap();
        fs::write(dir.path().join("c.json"), "new").unwrap();
        let old = |name: &str| (format!("models/{name}"), "old".to_owned());
        assert_eq!(contents(&pinned), [old("a.json"), old("binance/4h/b.json")]);
        drop(pinned);
        let left = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(PREFIX)), "no link is left");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_a_link_itself_is_copied() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("a.json"), "old").unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("a.json"), dir.path().join("a.json")).unwrap();
        let pinned = pinned(dir.path());
        fs::remove_file(elsewhere.path().join("a.json")).unwrap();
        assert_eq!(contents(&pinned), [("models/a.json".to_owned(), "old".to_owned())]);
    }

    #[test]
    fn the_wait_for_a_save_can_be_cancelled() {
        let dir = tempfile::tempdir().unwrap();
        let _saving = FileLock::try_exclusive(&dir.path().join(LOCK_FILE)).unwrap();
        let cancel = AtomicBool::new(false);
        cancel.store(true, Ordering::Relaxed);
        let problem = Pinned::take(dir.path(), &cancel).unwrap_err();
        assert_eq!((problem.code, problem.exit_code()), ("cancelled", 130));
        assert!(problem.detail.contains("no backup was made"), "{problem}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing but the lock is left");
    }

    #[test]
    fn no_folder_holds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let nowhere = dir.path().join("nowhere");
        assert!(contents(&pinned(&nowhere)).is_empty());
        assert!(!nowhere.exists());
    }
}
