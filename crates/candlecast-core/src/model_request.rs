//! [`ModelRequest`]: a model as a request names it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A model as a request names it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelRequest {
    /// Id or alias.
    pub id: String,
    /// Parameters that differ from the defaults.
    #[serde(default)]
    pub params: Value,
}
