//! Models that are made of models. Each is one file and one line in [`composites`].

mod ensemble;

use candlecast_core::{ModelRequest, Problem};
use candlecast_learn::Combine;
use serde_json::Value;

/// A model that is made of models: its parameters name them.
pub struct Composite {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Other names that are accepted for it.
    pub aliases: &'static [&'static str],
    /// One line for lists.
    pub summary: &'static str,
    /// Its parameters, each with what it takes.
    pub params: &'static [(&'static str, &'static str)],
    /// The members that parameters name.
    pub members: fn(&Value) -> Result<Vec<ModelRequest>, Problem>,
    /// How their forecasts are combined.
    pub combine: fn(&Value) -> Result<Combine, Problem>,
}

impl Composite {
    /// True for its id or one of its aliases, ignoring case and `_` for `-`.
    pub fn answers_to(&self, name: &str) -> bool {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        self.id == name || self.aliases.contains(&name.as_str())
    }
}

impl std::fmt::Debug for Composite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Composite").field("id", &self.id).finish_non_exhaustive()
    }
}

/// All of them, in the order in which they are shown.
pub fn composites() -> &'static [Composite] {
    &[ensemble::ENTRY]
}
