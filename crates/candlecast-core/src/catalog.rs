//! The one mechanism for every kind of part: a static list of [`Entry`], each a recipe that says what its
//! parameters are, checks them and builds the part. [`params!`](crate::params!) declares parameters.

mod params;

use serde_json::Value;

#[doc(hidden)]
pub use params::default_word;
pub use params::{SearchRange, read_config, search_space};

/// Values that a parameter may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParamKind {
    /// A whole number.
    Int {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
    },
    /// A number.
    Float {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
        /// Searched on a logarithmic scale.
        log: bool,
    },
    /// True or false.
    Bool,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of whole numbers, each within bounds.
    IntList {
        /// Least of each.
        min: i64,
        /// Greatest of each.
        max: i64,
        /// Longest list.
        max_len: usize,
    },
}

/// A parameter of a recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Param {
    /// Name in camelCase, as in JSON and `--set name=value`.
    pub name: &'static str,
    /// Values it may take.
    pub kind: ParamKind,
    /// Default as JSON text; `null` means that the part chooses and says how in `summary`.
    pub default: &'static str,
    /// Values that a search tries when nobody names any; `None` keeps the default.
    pub search: Option<SearchRange>,
    /// One line on what it does, with unit.
    pub summary: &'static str,
}

/// One violated rule of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Parameter at fault.
    pub param: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// All that is wrong with a configuration, at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}: {}", .violations.iter().map(|v| format!("{}: {}", v.param, v.message)).collect::<Vec<_>>().join("; "))]
pub struct RecipeError {
    /// Id of the part.
    pub part: String,
    /// Every violation.
    pub violations: Vec<Violation>,
}

impl RecipeError {
    /// A single violation.
    pub fn one(part: &str, param: &str, message: impl Into<String>) -> Self {
        Self { part: part.into(), violations: vec![Violation { param: param.into(), message: message.into() }] }
    }
}

/// One part in a catalog.
pub struct Entry<T: ?Sized> {
    /// Stable kebab-case id.
    pub id: &'static str,
    /// Other names that are accepted for it.
    pub aliases: &'static [&'static str],
    /// One line for lists.
    pub summary: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Builds the part from parameters that [`check_params`] has accepted.
    pub build: fn(&Value) -> Result<Box<T>, RecipeError>,
}

impl<T: ?Sized> std::fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Entry<T> {
    /// Checks `config` against the parameters and builds the part. `null` means all defaults.
    pub fn build(&self, config: &Value) -> Result<Box<T>, RecipeError> {
        let empty = Value::Object(serde_json::Map::new());
        let config = if config.is_null() { &empty } else { config };
        check_params(self.id, self.params, config)?;
        (self.build)(config)
    }

    /// True for its id or one of its aliases, ignoring case and `_` for `-`.
    pub fn answers_to(&self, name: &str) -> bool {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        self.id == name || self.aliases.contains(&name.as_str())
    }
}

/// Checks a JSON object against `params`: unknown names (with the nearest right one), kinds and bounds.
pub fn check_params(part: &str, params: &[Param], config: &Value) -> Result<(), RecipeError> {
    let Some(object) = config.as_object() else {
        return Err(RecipeError::one(part, "config", "must be an object of parameters"));
    };
    let violations: Vec<Violation> = object
        .iter()
        .filter_map(|(name, value)| {
            let message = match params.iter().find(|p| p.name == name) {
                None => Some(unknown(name, params)),
                Some(p) => violation(p, value),
            };
            message.map(|message| Violation { param: name.clone(), message })
        })
        .collect();
    if violations.is_empty() { Ok(()) } else { Err(RecipeError { part: part.into(), violations }) }
}

fn unknown(name: &str, params: &[Param]) -> String {
    let names: Vec<&str> = params.iter().map(|p| p.name).collect();
    match nearest(name, &names) {
        Some(near) => format!("no such parameter, did you mean `{near}`?"),
        None if names.is_empty() => "no such parameter, this part has none".into(),
        None => format!("no such parameter, there are {}", names.join(", ")),
    }
}

fn violation(param: &Param, value: &Value) -> Option<String> {
    let text = value.to_string();
    if value.is_null() && param.default == "null" {
        return None;
    }
    match param.kind {
        ParamKind::Int { min, max } => {
            let fits = value.as_i64().is_some_and(|v| (min..=max).contains(&v));
            (!fits).then(|| format!("{text} is not a whole number from {min} to {max}"))
        }
        ParamKind::Float { min, max, .. } => {
            let fits = value.as_f64().is_some_and(|v| v >= min && v <= max);
            (!fits).then(|| format!("{text} is not a number from {min} to {max}"))
        }
        ParamKind::Bool => (!value.is_boolean()).then(|| format!("{text} is neither true nor false")),
        ParamKind::Choice(words) => {
            let fits = value.as_str().is_some_and(|v| words.contains(&v));
            (!fits).then(|| format!("{text} is none of {}", words.join(", ")))
        }
        ParamKind::IntList { min, max, max_len } => {
            let fits = value.as_array().is_some_and(|list| {
                (1..=max_len).contains(&list.len())
                    && list.iter().all(|v| v.as_i64().is_some_and(|v| (min..=max).contains(&v)))
            });
            (!fits).then(|| format!("{text} is not a list of 1 to {max_len} whole numbers from {min} to {max}"))
        }
    }
}

/// The nearest of `names` to `word` by edit distance, if it is near enough to be a misspelling.
pub fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    names
        .iter()
        .map(|name| (edit_distance(&word, &name.to_ascii_lowercase()), *name))
        .filter(|&(d, name)| d <= 1 + name.len() / 4)
        .min_by_key(|&(d, _)| d)
        .map(|(_, name)| name)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const fn param(name: &'static str, kind: ParamKind, default: &'static str) -> Param {
        Param { name, kind, default, search: None, summary: "" }
    }

    const PARAMS: &[Param] = &[
        param("hiddenSize", ParamKind::Int { min: 1, max: 64 }, "32"),
        param("dropout", ParamKind::Float { min: 0.0, max: 0.9, log: false }, "0"),
        param("scaler", ParamKind::Choice(&["standard", "none"]), "\"standard\""),
    ];

    #[test]
    fn every_violation_is_named_at_once() {
        let err = check_params("lstm", PARAMS, &json!({"hidenSize": 3, "dropout": 2, "scaler": "x", "hiddenSize": 8}))
            .unwrap_err();
        assert_eq!(err.violations.len(), 3);
        let text = err.to_string();
        assert!(text.contains("did you mean `hiddenSize`"), "{text}");
        assert!(text.contains("2 is not a number from 0 to 0.9"), "{text}");
        assert!(text.contains("none of standard, none"), "{text}");
        assert_eq!(check_params("lstm", PARAMS, &json!({"hiddenSize": 8})), Ok(()));
    }
}
