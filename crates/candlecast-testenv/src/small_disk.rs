//! Disks that are soon full: a file system in memory, in a mount namespace of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::gaps::forbidden;

/// Names the small disk in the test that runs itself again.
const DISK: &str = "CANDLECAST_TEST_SMALL_DISK";

/// Words before a command that give it a mount namespace in which it may mount: those of root, or those of a user who is
/// let to be root in a namespace of his own. `None`, said aloud, where neither is allowed.
#[must_use]
pub fn mount_words() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m"], &["unshare", "-rm"]];
    let may = |words: &&&[&str]| {
        let probe = ["sh", "-c", "mount -t tmpfs -o size=64k tmpfs /tmp"];
        Command::new(words[0]).args(&words[1..]).args(probe).output().is_ok_and(|run| run.status.success())
    };
    let found = ways.iter().find(may).copied();
    if found.is_none() {
        forbidden("full disks: no file system can be mounted by this user here");
    }
    found
}

/// The folder of a disk of `kib` KiB, for `test` (its full path, as `--exact` takes it). The test is run again with it;
/// in the first process the outcome becomes its own, and the answer is `None`: there is nothing left to do.
///
/// # Panics
/// If the test fails when it is run again.
#[must_use]
pub fn on_small_disk(test: &str, kib: u32, folder: &Path) -> Option<PathBuf> {
    if let Some(disk) = env::var_os(DISK) {
        return Some(disk.into());
    }
    let words = mount_words()?;
    let script = format!("mount -t tmpfs -o size={kib}k tmpfs \"$1\" && exec \"$2\" --exact {test} --nocapture");
    let own = env::current_exe().expect("a test knows its own program");
    let run = Command::new(words[0])
        .args(&words[1..])
        .args(["sh", "-c", &script, "sh"])
        .arg(folder)
        .arg(own)
        .env(DISK, folder)
        .output()
        .expect("unshare was there a moment ago");
    let words = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(run.status.success() && words.contains("1 passed"), "{test} on a small disk:\n{words}");
    None
}
