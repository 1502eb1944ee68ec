//! `cargo xtask demo`: the release binary's demonstration, in a data folder of its own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::sh;
use crate::sh::Profile;

/// Builds the binary and runs `candlecast demo` with `args` (a leading `--` is dropped) on an empty data folder,
/// `demo` in the target folder; it is kept afterwards, for a look at what was stored and saved. Arguments that name
/// a data folder of their own leave that one alone.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let binary = sh::build_candlecast(Profile::Release)?;
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    let mut command = sh::program(binary);
    if !names_a_folder(args) {
        let folder = sh::target_dir().join("demo");
        empty(&folder)?;
        command.arg("--data-dir").arg(folder);
    }
    sh::run(command.arg("demo").args(args))
}

fn names_a_folder(args: &[String]) -> bool {
    args.iter().any(|arg| arg == "--data-dir" || arg.starts_with("--data-dir="))
}

/// What an earlier demonstration saved would be a champion for the next.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_folder_of_ones_own_is_seen() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(names_a_folder(&words("--days 30 --data-dir /tmp/x")));
        assert!(names_a_folder(&words("--data-dir=/tmp/x")));
        assert!(!names_a_folder(&words("--days 30 --models hybrid,linear")));
    }

    #[test]
    fn a_folder_is_emptied_whether_it_exists_or_not() {
        let folder = std::env::temp_dir().join(format!("xtask-demo-{}", std::process::id()));
        fs::create_dir_all(folder.join("models")).unwrap();
        empty(&folder).unwrap();
        assert!(!folder.exists());
        empty(&folder).unwrap();
    }
}
