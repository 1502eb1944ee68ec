//! [`ModelCatalog`]: what the configuration has to know of models.

use candlecast_core::Problem;
use serde_json::Value;

/// The models that a configuration may name; given by whoever knows the learners.
#[derive(Debug, Clone, Copy)]
pub struct ModelCatalog {
    /// The catalog id of the model called so, or a problem with the nearest names.
    pub find: fn(&str) -> Result<&'static str, Problem>,
    /// True for the naive forecasts, which are not trained.
    pub is_baseline: fn(&str) -> bool,
    /// Refuses parameters that the model with this id does not have.
    pub check: fn(&str, &Value) -> Result<(), Problem>,
}

impl ModelCatalog {
    /// A catalog without models: what is configured of any is refused.
    pub const EMPTY: Self = Self { find: unknown, is_baseline: |_| false, check: |_, _| Ok(()) };
}

fn unknown(name: &str) -> Result<&'static str, Problem> {
    Err(Problem::usage("unknown-model", "model", format!("model `{name}` is not known: there are none")))
}
