//! Models that are made of models. Each is one file and one line in [`composites`].

mod bagging;
mod ensemble;

use candlecast_core::catalog::nearest;
use candlecast_core::{ModelRequest, Problem};
use candlecast_learn::Combine;
use serde_json::{Map, Value, json};

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
    /// How the forecasts of these members are combined.
    pub combine: fn(&Value, &[ModelRequest]) -> Result<Combine, Problem>,
    /// The parameters with these members in the place of those that they name.
    pub with_members: fn(Value, Vec<ModelRequest>) -> Value,
    /// True where its members are one model, each fitted to a bootstrap draw of its own.
    pub is_bagged: bool,
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
    &[ensemble::ENTRY, bagging::ENTRY]
}

/// Id of the composite whose members may be models that are saved.
pub const ENSEMBLE: &str = ensemble::ENTRY.id;

pub use ensemble::{MEMBERS as USUAL_MEMBERS, weighed_types};

/// The problem of parameter `param` of the composite `id`.
fn bad(id: &str, param: &str, message: impl std::fmt::Display) -> Problem {
    Problem::usage("bad-parameter", param, format!("{id}: {param}: {message}"))
}

/// The parameters of the composite `id` by name; refuses those that are not among `known`. None for null.
fn named(id: &str, params: &Value, known: &[&str]) -> Result<Map<String, Value>, Problem> {
    let object = match params {
        Value::Null => Map::new(),
        Value::Object(object) => object.clone(),
        other => return Err(bad(id, "set", format!("{other} is no list of parameters"))),
    };
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => {
            let hint = nearest(key, known).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            Err(bad(id, key, format!("no such parameter{hint}; there are {}", known.join(", "))))
        }
        None => Ok(object),
    }
}

/// A request in short: its name where it has no parameters.
fn in_short(request: ModelRequest) -> Value {
    let ModelRequest { id, params } = request;
    if is_empty(&params) { json!(id) } else { json!({ "id": id, "params": params }) }
}

fn is_empty(params: &Value) -> bool {
    params.as_object().is_none_or(Map::is_empty)
}
