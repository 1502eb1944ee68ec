//! Where the real candles for tests lie.

use std::path::PathBuf;
use std::process::Command;

use crate::sh;

/// Environment variable that names the folder.
pub(crate) const VARIABLE: &str = "CANDLECAST_TEST_DATA";

/// The folder named by [`VARIABLE`], or else `../shared/data` beside the repository; `None` if there is none.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder =
        std::env::var_os(VARIABLE).map_or_else(|| sh::root().join("../shared/data"), |named| sh::root().join(named));
    folder.canonicalize().ok().filter(|path| path.is_dir())
}

/// Tells `command` where the folder is, if there is one.
pub(crate) fn pass_to(command: &mut Command) {
    if let Some(folder) = folder() {
        command.env(VARIABLE, folder);
    }
}
