//! The Python environment of the peers that we are compared with and of scripts that read our files: `.peers/`
//! in the root, made on first use from the pinned lists in `bench-peers/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::sh;

/// Where the pinned lists lie.
const LISTS: &str = "bench-peers";

/// Relative path of the environment's Python, for showing.
pub(crate) const PYTHON: &str = ".peers/bin/python";

/// The environment's Python, with every package of the lists `requirements` (file names) installed.
pub(crate) fn python(requirements: &[&str]) -> Result<PathBuf> {
    let python = sh::root().join(PYTHON);
    if !python.exists() {
        sh::run(sh::program("python3").args(["-m", "venv", ".peers"]))
            .context("cannot make a Python environment; on Debian: apt-get install python3-venv")?;
    }
    for list in requirements {
        install(&python, list)?;
    }
    Ok(python)
}

/// Installs a list once; again when it changes.
fn install(python: &Path, list: &str) -> Result<()> {
    let wanted =
        fs::read_to_string(sh::root().join(LISTS).join(list)).with_context(|| format!("cannot read {list}"))?;
    let stamp = sh::root().join(".peers").join(format!("installed-{list}"));
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let file = format!("{LISTS}/{list}");
    sh::run(sh::program(python).args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", &file]))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The pinned packages of `requirements`, in one line.
pub(crate) fn pinned(requirements: &[&str]) -> String {
    let texts = requirements.iter().filter_map(|list| fs::read_to_string(sh::root().join(LISTS).join(list)).ok());
    packages_in(&texts.collect::<Vec<String>>())
}

/// The pinned packages of lists, each with its version.
fn packages_in(lists: &[String]) -> String {
    let packages = lists.iter().flat_map(|text| text.lines()).filter(|line| line.contains("=="));
    packages.map(|line| line.trim().replace("==", " ")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinned_packages_are_told_with_their_versions() {
        let lists = ["# why\npandas==2.2.3\n\n".to_owned(), "numpy==2.1.0\nlocal\n".to_owned()];
        assert_eq!(packages_in(&lists), "pandas 2.2.3, numpy 2.1.0");
        assert_eq!((packages_in(&[]), pinned(&["no-such-list.txt"])), (String::new(), String::new()));
    }
}
