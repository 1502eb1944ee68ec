//! [`Version`]: `major.minor.patch`, and how it is bumped.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::RegistryError;

/// A model's version, written `1.0.0`. Orders by major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Rises when features or format change, and with every horizon that is saved for the first time.
    pub major: u32,
    /// Rises when the configuration changes.
    pub minor: u32,
    /// Rises when the same configuration is trained on new data.
    pub patch: u32,
}

/// Which part of a version rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// Features, their versions or the format changed, or it is the first of its horizon: forecasts are not comparable
    /// step by step.
    Major,
    /// The configuration changed.
    Minor,
    /// Only the data changed.
    Patch,
}

impl Version {
    /// The first version of every model, `1.0.0`.
    pub const FIRST: Self = Self { major: 1, minor: 0, patch: 0 };

    /// The next version; `None` when the numbers have run out.
    pub fn bump(self, bump: Bump) -> Option<Self> {
        let Self { major, minor, patch } = self;
        Some(match bump {
            Bump::Major => Self { major: major.checked_add(1)?, minor: 0, patch: 0 },
            Bump::Minor => Self { major, minor: minor.checked_add(1)?, patch: 0 },
            Bump::Patch => Self { major, minor, patch: patch.checked_add(1)? },
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = RegistryError;

    /// Three decimal numbers without signs or leading zeros, so that every version has one spelling.
    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let parts: Option<Vec<u32>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some(&[major, minor, patch]) => Ok(Self { major, minor, patch }),
            _ => Err(RegistryError::name("version", text, "write three numbers, for example 1.0.0")),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

impl TryFrom<String> for Version {
    type Error = RegistryError;
    fn try_from(text: String) -> Result<Self, RegistryError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_one_spelling() {
        for text in ["1.0.0", "0.0.0", "10.20.30", "4294967295.0.1"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "01.0.0",
            "1.00.0",
            "+1.0.0",
            "1.0.-1",
            "1.0.4294967296",
            "1.0.x",
            " 1.0.0",
            "1.0.0/..",
            "1.0.٣",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn lower_parts_start_again() {
        let version = Version { major: 1, minor: 2, patch: 3 };
        let bumped = |b| version.bump(b).unwrap().to_string();
        assert_eq!([bumped(Bump::Patch), bumped(Bump::Minor), bumped(Bump::Major)], ["1.2.4", "1.3.0", "2.0.0"]);
        assert_eq!(Version { patch: u32::MAX, ..version }.bump(Bump::Patch), None);
        assert!(Version { major: 1, minor: 10, patch: 0 } > Version { major: 1, minor: 9, patch: 9 });
    }
}
