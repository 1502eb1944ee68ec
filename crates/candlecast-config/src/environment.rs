//! [`Environment`]: what a program finds around it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// Environment variables and the working directory.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    folder: PathBuf,
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// Those of this process. Variables whose names are no text are left out: none of ours is among them.
    pub fn of_process() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self { folder: PathBuf::new(), variables: std::env::vars_os().filter_map(named).collect() }
    }

    /// `variables` in the working directory `folder`; an empty path is the process's own.
    pub fn new(folder: impl Into<PathBuf>, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name, value.into())).collect();
        Self { folder: folder.into(), variables }
    }

    /// Where `candlecast.toml` and `.env` are looked for.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A variable's value; set to nothing, it counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Names of the variables that are set to something, in alphabetical order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Environment {
    /// Names only: among the values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
