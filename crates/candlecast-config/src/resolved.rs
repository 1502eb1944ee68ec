//! [`Resolved`]: a setting with its value and where that came from.

use std::fmt;
use std::path::PathBuf;

use crate::kind::Value;
use crate::mask::masked;
use crate::setting::Setting;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Key, with its section.
        key: &'static str,
    },
    /// A `.env` file.
    DotEnv {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Variable.
        name: String,
    },
    /// The environment.
    Environment {
        /// Variable.
        name: String,
    },
    /// The command line.
    Flag {
        /// Option.
        name: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, key } => write!(f, "{}: {key}", path.display()),
            Self::DotEnv { path, line, name } => write!(f, "{} line {line}: {name}", path.display()),
            Self::Environment { name } => write!(f, "environment variable {name}"),
            Self::Flag { name } => f.write_str(name),
        }
    }
}

/// A setting with its value. No `Debug`, since the value may be a secret.
#[derive(Clone, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) setting: &'static Setting,
    /// `None` where it is unset and has no default.
    pub(crate) value: Option<Value>,
    pub(crate) source: Source,
    /// What to know of this very value.
    pub(crate) remark: Option<&'static str>,
}

impl Resolved {
    /// The value for people, with its unit; secrets masked, `-` where unset.
    pub(crate) fn shown(&self) -> String {
        let Some(value) = &self.value else { return "-".into() };
        let text = self.setting.kind.show(value);
        if self.setting.secret { masked(self.setting.kind, &text) } else { text }
    }

    /// What to know of the setting and of its value.
    pub(crate) fn note(&self) -> Option<String> {
        let waits = self.setting.waits_for.map(|part| format!("used by {part}, which is not part of this version"));
        match (self.remark, waits) {
            (Some(remark), Some(waits)) => Some(format!("{remark}; {waits}")),
            (remark, waits) => remark.map(str::to_owned).or(waits),
        }
    }
}

/// Every setting with its value, in the order of the table.
#[derive(Clone, PartialEq)]
pub(crate) struct Values(pub(crate) Vec<Resolved>);

impl Values {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resolved> {
        self.0.iter()
    }

    /// The setting called `key`; every key of the table is there.
    pub(crate) fn of(&mut self, key: &str) -> Option<&mut Resolved> {
        self.0.iter_mut().find(|r| r.setting.key == key)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|r| r.setting.key == key)?.value.as_ref()
    }

    pub(crate) fn whole(&self, key: &str) -> Option<i64> {
        if let Value::Whole(n) = self.get(key)? { Some(*n) } else { None }
    }

    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        if let Value::Switch(on) = self.get(key)? { Some(*on) } else { None }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        if let Value::Text(text) = self.get(key)? { Some(text) } else { None }
    }

    pub(crate) fn folder(&self, key: &str) -> Option<&PathBuf> {
        if let Value::Folder(path) = self.get(key)? { Some(path) } else { None }
    }
}
