//! Tests of folders and files that may not be written, for root too: it writes everywhere, unless it gives that up.

use std::process::Command;
use std::{env, fs};

use crate::gaps::{forbidden, missing};

/// Set in a test that runs itself again, so that it does so once.
const AGAIN: &str = "CANDLECAST_TEST_OBEYS_RIGHTS";
/// Capabilities by which root writes to what it may not.
const OVERRIDES: &str = "--bounding-set=-dac_override,-dac_read_search";

/// Whether file rights hold back this process. Where they do not, as for root, `test` (its full path, as `--exact` takes
/// it) is run again in a process that has given up root's privilege over files, its outcome becomes this one's, and the
/// answer is no: there is nothing left to do.
///
/// # Panics
/// If the test fails when it is run again.
#[must_use]
pub fn obeys_rights(test: &str) -> bool {
    if is_held_back() {
        return true;
    }
    if env::var_os(AGAIN).is_some() {
        forbidden("read-only folders: this user writes to them even without root's capabilities");
        return false;
    }
    let own = env::current_exe().expect("a test knows its own program");
    let mut again = Command::new("setpriv");
    again.arg(OVERRIDES).arg(own).args(["--exact", test, "--nocapture"]).env(AGAIN, "1");
    match again.output() {
        Err(_) => missing("read-only folders as root: the program `setpriv` (util-linux)"),
        Ok(run) => {
            let words = [run.stdout, run.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            if words.starts_with("setpriv:") {
                forbidden(&format!("read-only folders as root: {}", words.trim()));
                return false;
            }
            assert!(run.status.success() && words.contains("1 passed"), "{test} without root's rights:\n{words}");
        }
    }
    false
}

fn is_held_back() -> bool {
    let folder = env::temp_dir().join(format!("candlecast-rights-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder can be made");
    let mut rights = fs::metadata(&folder).expect("it was just made").permissions();
    rights.set_readonly(true);
    fs::set_permissions(&folder, rights.clone()).expect("it is ours");
    let held_back = fs::write(folder.join("probe"), "").is_err();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o700);
    let _ = fs::set_permissions(&folder, rights);
    let _ = fs::remove_dir_all(&folder);
    held_back
}
