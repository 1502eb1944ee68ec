//! What of a folder goes into a backup.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use candlecast_core::Problem;

use crate::member::{Part, is_plain};
use crate::problem;

/// Folders within folders; ours are four deep. More are a loop of links.
const MAX_DEPTH: usize = 16;

/// A file to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Its name in the archive.
    pub(super) member: String,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Its size when it was listed.
    pub(super) bytes: u64,
}

/// The files of a folder, and what was left out.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Files by name.
    pub(super) files: Vec<Source>,
    /// Files whose names are none that a backup can hold, so that a user may be told.
    pub(super) left_out: Vec<PathBuf>,
}

impl Contents {
    /// Lists `folder`; one that is missing holds nothing. Hidden files are locks and what is being written, so they
    /// stay out. Links are followed: a lake may lie on another disk.
    pub(super) fn of(part: Part, folder: &Path) -> Result<Self, Problem> {
        let mut contents = Self::default();
        contents.add(part.name(), folder, MAX_DEPTH)?;
        Ok(contents)
    }

    /// Size of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn add(&mut self, member: &str, folder: &Path, depth: usize) -> Result<(), Problem> {
        for path in sorted(folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') {
                continue;
            }
            let found = match fs::metadata(&path) {
                Ok(found) => found,
                // Deleted since the folder was listed.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(problem::of_file(&path, &e)),
            };
            let member = format!("{member}/{name}");
            if is_plain(name) && found.is_dir() && depth > 0 {
                self.add(&member, &path, depth - 1)?;
            } else if is_plain(name) && found.is_file() {
                self.files.push(Source { member, path, bytes: found.len() });
            } else {
                self.left_out.push(path);
            }
        }
        Ok(())
    }
}

/// What lies in a folder, in order; nothing where there is no such folder.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(problem::of_file(folder, &e)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|e| problem::of_file(folder, &e))?.path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visible_files_are_kept_in_order_and_odd_names_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let lake = dir.path().join("venue=binance");
        fs::create_dir_all(&lake).unwrap();
        let parquet = ["venue=binance/b.parquet", "venue=binance/a.parquet"];
        for name in
            parquet.into_iter().chain(["venue=binance/_segment-2023.log", ".lock", "venue=binance/.c.tmp", "x:y"])
        {
            fs::write(dir.path().join(name), "1234").unwrap();
        }
        let contents = Contents::of(Part::Candles, dir.path()).unwrap();
        let names: Vec<&str> = contents.files.iter().map(|file| file.member.as_str()).collect();
        let lake = ["_segment-2023.log", "a.parquet", "b.parquet"].map(|name| format!("candles/venue=binance/{name}"));
        assert_eq!(names, lake);
        assert_eq!(contents.bytes(), 12);
        assert_eq!(contents.left_out, [dir.path().join("x:y")]);
        assert!(Contents::of(Part::Models, &dir.path().join("nowhere")).unwrap().files.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_end() {
        use std::os::unix::fs::symlink;
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join("a.parquet"), "1").unwrap();
        symlink(elsewhere.path(), dir.path().join("venue=binance")).unwrap();
        symlink(elsewhere.path().join("gone"), dir.path().join("dangling")).unwrap();
        let contents = Contents::of(Part::Candles, dir.path()).unwrap();
        assert_eq!(contents.files.len(), 1);
        symlink(elsewhere.path(), elsewhere.path().join("again")).unwrap();
        let looped = Contents::of(Part::Candles, dir.path()).unwrap();
        assert_eq!(looped.left_out.len(), 1);
    }
}
