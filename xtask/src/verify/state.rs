//! [`State`]: which long runs are done, at which revision.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::sections;

/// The finished runs, kept in a file.
#[derive(Debug)]
pub(super) struct State {
    file: PathBuf,
    runs: Map<String, Value>,
}

impl State {
    /// Reads `file`; a missing one means that nothing is done.
    pub(super) fn load(file: &Path) -> Result<Self> {
        let runs: Map<String, Value> = match fs::read_to_string(file) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is damaged; delete it to begin anew", file.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file: file.to_owned(), runs })
    }

    /// True if `name` succeeded at `revision`. Uncommitted code has no revision: nothing is done there.
    pub(super) fn is_done(&self, name: &str, revision: &str) -> bool {
        let is_commit = revision != "uncommitted" && !revision.ends_with("-dirty");
        is_commit && self.runs.get(name).and_then(|run| run.get("revision")).is_some_and(|done| done == revision)
    }

    /// Notes that `name` succeeded, in the file too.
    pub(super) fn finish(&mut self, name: &str, revision: &str, seconds: f64) -> Result<()> {
        self.runs.insert(name.to_owned(), json!({ "revision": revision, "seconds": seconds }));
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        sections::replace_file(&self.file, &serde_json::to_string_pretty(&self.runs)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_finished_is_remembered_by_revision() {
        let folder = std::env::temp_dir().join(format!("xtask-state-{}", std::process::id()));
        let file = folder.join("verify/state.json");
        let mut state = State::load(&file).unwrap();
        state.finish("kill", "abc", 1.5).unwrap();
        let again = State::load(&file).unwrap();
        assert!(again.is_done("kill", "abc"));
        assert!(!again.is_done("kill", "abd") && !again.is_done("dm-size", "abc"));
        fs::write(&file, "{").unwrap();
        assert!(State::load(&file).unwrap_err().to_string().contains("delete it"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn uncommitted_code_is_never_done() {
        let runs = json!({ "a": { "revision": "abc-dirty" }, "b": { "revision": "uncommitted" } });
        let state = State { file: PathBuf::new(), runs: runs.as_object().cloned().unwrap() };
        assert!(!state.is_done("a", "abc-dirty") && !state.is_done("b", "uncommitted"));
    }
}
