//! [`FileLock`]: a lock of the operating system, across threads and programs.

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::FileError;
use crate::holders::holders;

/// The file that whoever writes into a folder holds the lock of. It stays when the lock is let go of.
pub const LOCK_FILE: &str = ".lock";

/// First and longest pause between two attempts at a lock that somebody holds.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];
/// Times that a lock is taken anew because its file was moved away or replaced in the moment between opening and
/// locking.
const MAX_MOVES: usize = 100;

/// A lock while it is held; the system lets go of it with the file, also when the program is killed.
///
/// The lock is one of the file that its path names when it is taken: where the folder of a file was moved away
/// meanwhile, and another one put in its place, the lock of the file that is there now is taken.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

/// Why a lock that was waited for was not had.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else held it for as long as it was waited for.
    Held {
        /// The lock's file.
        path: PathBuf,
        /// Time waited.
        waited: Duration,
        /// Ids of the processes that hold it, as far as the system tells; none where it does not.
        holders: Vec<u32>,
    },
    /// The wait was ended from outside.
    Stopped {
        /// The lock's file.
        path: PathBuf,
    },
    /// The system refused.
    File(FileError),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { path, waited, holders } => {
                let who = who_holds(holders);
                write!(f, "the lock `{}` was held by {who} for {} s", path.display(), waited.as_secs_f64())
            }
            Self::Stopped { path } => write!(f, "the wait for the lock `{}` was ended", path.display()),
            Self::File(e) => write!(f, "{e}"),
        }
    }
}

impl Error for LockError {}

impl From<FileError> for LockError {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

/// The holders of a lock in words: `process 12`, `processes 12, 13`, or `another program` where none is known.
pub fn who_holds(holders: &[u32]) -> String {
    let ids: Vec<String> = holders.iter().map(u32::to_string).collect();
    match ids.as_slice() {
        [] => "another program".into(),
        [only] => format!("process {only}"),
        several => format!("processes {}", several.join(", ")),
    }
}

impl FileLock {
    /// What a [`FileError`] was doing when the lock's file could not be opened or made; any other is of the lock.
    pub const OPENING: &'static str = "open";

    /// Waits until nobody else holds the lock of the file at `path`, which is made if it is missing: at most for
    /// `longest`, and not once `stop` is set. A lock that is free is taken whatever `stop` says.
    pub fn exclusive_within(path: &Path, longest: Duration, stop: Option<&AtomicBool>) -> Result<Self, LockError> {
        let begun = Instant::now();
        let [mut pause, longest_pause] = PAUSES;
        loop {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(lock);
            }
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(LockError::Stopped { path: path.to_owned() });
            }
            let waited = begun.elapsed();
            if waited >= longest {
                return Err(LockError::Held { path: path.to_owned(), waited, holders: holders(path) });
            }
            std::thread::sleep(pause.min(longest.saturating_sub(waited)));
            pause = (pause * 2).min(longest_pause);
        }
    }

    /// Takes the lock unless somebody else holds it.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, FileError> {
        Self::unless_held(path, open, File::try_lock)
    }

    /// Takes the lock beside others that share it; `None` when somebody holds it exclusively. A file that may only be
    /// read is shared, too.
    pub fn try_shared(path: &Path) -> Result<Option<Self>, FileError> {
        Self::unless_held(path, open_to_share, File::try_lock_shared)
    }

    /// Takes the lock of a folder itself, unless somebody else holds it: of one that is removed as a whole, in any order.
    pub fn try_folder(folder: &Path) -> Result<Option<Self>, FileError> {
        Self::unless_held(folder, open_folder, File::try_lock)
    }

    fn unless_held(
        path: &Path,
        open: fn(&Path) -> Result<File, FileError>,
        try_lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, FileError> {
        for _ in 0..MAX_MOVES {
            let file = open(path)?;
            match try_lock(&file) {
                Ok(()) if is_at(&file, path).map_err(FileError::at("lock", path))? => {
                    return Ok(Some(Self { _file: file }));
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(FileError::at("lock", path)(e)),
            }
        }
        // Somebody replaces it without end: as good as held.
        Ok(None)
    }
}

fn open(path: &Path) -> Result<File, FileError> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(FileError::at(FileLock::OPENING, path))
}

/// Opens a file that is there for its lock: to be read and written if that may be. Over NFS a file has to be open for
/// writing to be locked alone, and for reading to be shared.
pub(crate) fn open_to_lock(path: &Path) -> io::Result<File> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match OpenOptions::new().read(true).write(true).open(path) {
        Err(e) if matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem) => File::open(path),
        opened => opened,
    }
}

fn open_to_share(path: &Path) -> Result<File, FileError> {
    match open(path) {
        Err(e) if e.is_denied() => File::open(path).map_err(|_| e),
        opened => opened,
    }
}

#[cfg(unix)]
fn open_folder(folder: &Path) -> Result<File, FileError> {
    File::open(folder).map_err(FileError::at(FileLock::OPENING, folder))
}

// Elsewhere a folder cannot be opened; a file in it stands for it.
#[cfg(not(unix))]
fn open_folder(folder: &Path) -> Result<File, FileError> {
    open(&folder.join(LOCK_FILE))
}

/// True when `path` names the very file that is open, not one that was put in its place.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(found) => Ok((held.dev(), held.ino()) == (found.dev(), found.ino())),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(e),
    }
}

// Elsewhere a folder with an open file in it cannot be moved away.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature everywhere")]
pub(crate) fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn an_exclusive_lock_has_one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = FileLock::try_exclusive(&path).unwrap();
        assert!(held.is_some());
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        assert!(FileLock::try_shared(&path).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
        assert!(path.is_file());
    }

    #[test]
    fn a_shared_lock_keeps_out_only_those_who_want_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let one = FileLock::try_shared(&path).unwrap().expect("it is free");
        let other = FileLock::try_shared(&path).unwrap().expect("it can be shared");
        drop(one);
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(other);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn waiting_ends_when_the_holder_lets_go_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = FileLock::try_exclusive(&path).unwrap();
        let is_free = Arc::new(AtomicBool::new(false));
        let waiting = {
            let (path, is_free) = (path.clone(), Arc::clone(&is_free));
            std::thread::spawn(move || {
                let _lock = FileLock::exclusive_within(&path, LONG, None).unwrap();
                is_free.load(Ordering::SeqCst)
            })
        };
        std::thread::sleep(Duration::from_millis(20));
        is_free.store(true, Ordering::SeqCst);
        drop(held);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn waiting_has_an_end_and_the_error_names_the_lock_and_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let _held = FileLock::try_exclusive(&path).unwrap();
        let error = FileLock::exclusive_within(&path, Duration::from_millis(10), None).unwrap_err();
        let LockError::Held { path: named, holders, .. } = &error else { panic!("{error}") };
        assert_eq!(*named, path);
        // What the system tells depends on the file system; what it tells is true.
        assert!(holders.iter().all(|&id| id == std::process::id()), "{holders:?}");
        assert!(error.to_string().contains(LOCK_FILE), "{error}");
    }

    #[test]
    fn a_wait_ends_when_it_is_asked_to_and_a_free_lock_is_taken_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = FileLock::try_exclusive(&path).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let waiting = {
            let (path, stop) = (path.clone(), Arc::clone(&stop));
            std::thread::spawn(move || FileLock::exclusive_within(&path, LONG, Some(stop.as_ref())).map(drop))
        };
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(waiting.join().unwrap(), Err(LockError::Stopped { .. })));
        drop(held);
        assert!(FileLock::exclusive_within(&path, LONG, Some(stop.as_ref())).is_ok());
    }

    /// The file that was waited for is another program's past by then.
    #[cfg(unix)]
    #[test]
    fn who_waits_while_the_folder_is_replaced_gets_the_lock_of_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, aside) = (dir.path().join("models"), dir.path().join("aside"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join(LOCK_FILE);
        let old = FileLock::try_exclusive(&path).unwrap();
        let waiting = {
            let path = path.clone();
            std::thread::spawn(move || FileLock::exclusive_within(&path, LONG, None).unwrap())
        };
        std::thread::sleep(Duration::from_millis(20));
        fs::rename(&folder, &aside).unwrap();
        fs::create_dir(&folder).unwrap();
        drop(old);
        let _lock = waiting.join().unwrap();
        assert!(FileLock::try_exclusive(&path).unwrap().is_none(), "it is the new file's");
        assert!(FileLock::try_exclusive(&aside.join(LOCK_FILE)).unwrap().is_some(), "the old one is free");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_was_replaced_is_not_the_one_that_is_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let file = open(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::rename(&path, dir.path().join("moved")).unwrap();
        assert!(!is_at(&file, &path).unwrap());
        fs::write(&path, b"").unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }

    #[test]
    fn a_folder_has_a_lock_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let held = FileLock::try_folder(dir.path()).unwrap();
        assert!(held.is_some());
        assert!(FileLock::try_folder(dir.path()).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_folder(dir.path()).unwrap().is_some());
        let error = FileLock::try_folder(&dir.path().join("nowhere")).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_lock_that_cannot_be_made_is_an_error_of_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nowhere").join(LOCK_FILE);
        let error = FileLock::try_exclusive(&path).unwrap_err();
        assert_eq!((error.doing, error.path), (FileLock::OPENING, path));
    }

    #[test]
    fn holders_are_named() {
        assert_eq!(
            [&[][..], &[7], &[7, 12]].map(who_holds),
            ["another program", "process 7", "processes 7, 12"].map(str::to_owned)
        );
    }
}
