//! Files that are the old or the new ones after a crash at any moment, the locks that their writers share, and
//! digests.
//!
//! A file is written under a temporary name, synced, renamed, and the folder is synced: [`write()`], or [`NewFile`]
//! where the content does not come as bytes or the temporary name is to be another. [`append()`] is for files that grow
//! at their end. Failures are [`FileError`]s, which keep what was tried and where, for callers to put into their own
//! words.
//!
//! A [`Note`] says what is to be done should its writer die before it has done it; a [`FolderSwap`] puts several folders
//! in the places of others, all of them or none, by such a note. [`InUse`] marks a folder as worked on.

mod append;
mod digest;
mod error;
mod folder;
mod holders;
mod in_use;
mod leftovers;
mod lock;
mod new_file;
mod note;
mod place;
mod swap;
mod whole;

pub use append::append;
pub use digest::sha256_hex;
pub use error::{FileError, ReadError};
pub use folder::{create_folder, folder_of, resolved, sync_folder};
pub use holders::holders;
pub use in_use::{IN_USE_FILE, InUse};
pub use leftovers::{hold_temporary, remove_leftovers};
pub use lock::{FileLock, LOCK_FILE, LockError, who_holds};
pub use new_file::NewFile;
pub use note::Note;
pub use place::{FOLDER_NAME_FILE, is_bare};
pub use swap::{FolderSwap, Recovered, SwapError, SwapStep};
pub use whole::{of_temp_name, read_bounded, remove, temp_name, write};
