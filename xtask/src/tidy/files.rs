//! The repository's text files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::SourceFile;
use crate::sh;

/// Folders of a checkout without git that are not part of the project.
const NOT_OURS: [&str; 6] = [".git", ".peers", "demo-data", "dist", "node_modules", "target"];

/// Tracked files and new ones that git does not ignore; every file but known outputs where git cannot tell.
pub(super) fn all() -> Result<Vec<SourceFile>> {
    let listed = sh::capture(sh::program("git").args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]));
    let mut paths: Vec<String> = match listed {
        Ok(names) => names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        Err(_) => walk(sh::root(), "")?,
    };
    paths.sort();
    paths.dedup();
    Ok(paths.into_iter().filter_map(read).collect())
}

/// `None` for files that are deleted but still tracked, and for those that are not text.
fn read(path: String) -> Option<SourceFile> {
    let text = fs::read_to_string(sh::root().join(&path)).ok()?;
    Some(SourceFile { path, text })
}

fn walk(folder: &Path, prefix: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if !entry.file_type()?.is_dir() {
            paths.push(path);
        } else if !NOT_OURS.contains(&name.as_str()) {
            paths.extend(walk(&entry.path(), &format!("{path}/"))?);
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_the_walk_finds_sources_and_leaves_out_outputs() {
        let paths = walk(sh::root(), "").unwrap();
        assert!(paths.iter().any(|p| p == "xtask/src/tidy/files.rs"));
        assert!(paths.iter().all(|p| !p.starts_with(".git/") && !p.starts_with("target/")));
    }
}
