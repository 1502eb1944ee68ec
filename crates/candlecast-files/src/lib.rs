//! Files that are the old or the new ones after a crash at any moment, the locks that their writers share, and
//! digests.
//!
//! A file is written under a temporary name, synced, renamed, and the folder is synced: [`write()`], or [`NewFile`]
//! where the content does not come as bytes or the temporary name is to be another. [`append()`] is for files that grow
//! at their end. Failures are [`FileError`]s, which keep what was tried and where, for callers to put into their own
//! words.

mod append;
mod digest;
mod error;
mod folder;
mod lock;
mod new_file;
mod whole;

pub use append::append;
pub use digest::sha256_hex;
pub use error::{FileError, ReadError};
pub use folder::{create_folder, folder_of, sync_folder};
pub use lock::{FileLock, LOCK_FILE};
pub use new_file::NewFile;
pub use whole::{of_temp_name, read_bounded, remove, temp_name, write};
