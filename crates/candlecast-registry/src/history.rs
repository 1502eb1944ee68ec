//! [`ServingChange`]: what served when, why it changed and who changed it.

use candlecast_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::check_label;
use crate::{RegistryError, Version};

/// When and by whom something that changes what serves is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Now, as the caller has it.
    pub at: Timestamp,
    /// Who does it. 1 to 100 characters, no control characters.
    pub by: &'a str,
}

impl Change<'_> {
    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        check_label("by", self.by)
    }
}

/// Why another version serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It was saved as the active one.
    Saved,
    /// It was promoted.
    Promoted,
    /// It served before and was rolled back to.
    RolledBack,
    /// The one that served was deleted.
    Deleted,
    /// The active one was found damaged.
    FellBack,
    /// The active one was damaged and was found whole again.
    Restored,
}

impl Why {
    /// The word used in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Saved => "saved",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Deleted => "deleted",
            Self::FellBack => "fell-back",
            Self::Restored => "restored",
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One change of what serves in a slot. Field names are camelCase in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServingChange {
    /// When; milliseconds in the file.
    #[serde(with = "crate::epoch_ms")]
    pub at: Timestamp,
    /// Horizon of the slot, in steps.
    pub horizon: usize,
    /// What served before; `None` if nothing did.
    pub from: Option<Version>,
    /// What serves since; `None` if nothing does.
    pub to: Option<Version>,
    /// Why it changed.
    pub why: Why,
    /// Who changed it.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_written_as_their_words() {
        for why in [Why::Saved, Why::Promoted, Why::RolledBack, Why::Deleted, Why::FellBack, Why::Restored] {
            assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
        }
    }

    #[test]
    fn whoever_changes_something_has_a_short_name() {
        let check = |by: &str| Change { at: Timestamp(0), by }.check();
        assert!(check("local").is_ok() && check(&"x".repeat(100)).is_ok());
        for by in ["", "a\nb", "x".repeat(101).as_str()] {
            assert!(matches!(check(by), Err(RegistryError::Name { field: "by", .. })), "{by}");
        }
    }
}
