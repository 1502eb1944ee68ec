//! Reading a space from the JSON of a request.
//!
//! ```json
//! {
//!   "hiddenSize": [16, 32, 64],
//!   "hiddenSizes": [[32, 16], [50, 30]],
//!   "learningRate": { "min": 0.0001, "max": 0.1, "log": true },
//!   "sequenceLength": { "min": 10, "max": 60, "step": 10 },
//!   "dropout": { "values": [0.1, 0.2, 0.3], "when": { "layers": [2, 3] } },
//!   "layers": [1, 2, 3]
//! }
//! ```

use candlecast_core::catalog::{Param, ParamKind, RecipeError, Violation, check_params, nearest};
use serde_json::{Map, Value};

use super::{Dimension, PART, Space};
use crate::domain::{Domain, whole};

/// What a space may name.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary<'a> {
    /// Parameters, whose kinds and bounds the values have to keep.
    pub params: &'a [Param],
    /// Names that take lists of any values, for whoever builds from them to check.
    pub free: &'a [&'a str],
}

/// A name of the vocabulary.
#[derive(Clone, Copy)]
enum Known<'a> {
    Param(&'a Param),
    Free,
}

const FIELDS: [&str; 6] = ["min", "max", "step", "log", "values", "when"];

impl Space {
    /// Reads a space: an object of names with, for each, a list of values, a range (`min`, `max`, `step`, `log`), or a
    /// single value. An object may also give `values` instead of a range, and say with `when` beside which values of
    /// others the parameter exists. All that is wrong is told at once, each by its name.
    ///
    /// Without `log` a range without step of a parameter that the catalog calls logarithmic is.
    pub fn read(given: &Value, vocabulary: &Vocabulary<'_>) -> Result<Self, RecipeError> {
        let Some(object) = given.as_object() else {
            return Err(RecipeError::one(PART, PART, "must be an object of parameters and their values"));
        };
        let (mut dimensions, mut violations) = (Vec::new(), Vec::new());
        for (name, entry) in object {
            match dimension(&camel_case(name), entry, vocabulary) {
                Ok(dimension) => dimensions.push(dimension),
                Err(message) => violations.push(Violation { param: name.clone(), message }),
            }
        }
        if violations.is_empty() { Self::new(dimensions) } else { Err(RecipeError { part: PART.into(), violations }) }
    }
}

fn dimension(name: &str, entry: &Value, vocabulary: &Vocabulary<'_>) -> Result<Dimension, String> {
    let known = vocabulary.find(name)?;
    let Value::Object(fields) = entry else {
        let values = entry.as_array().map_or_else(|| std::slice::from_ref(entry), Vec::as_slice);
        return Ok(Dimension::new(name, known.list(values)?));
    };
    if let Some(strange) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
        let hint = nearest(strange, &FIELDS).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
        return Err(format!("has no `{strange}`{hint}: there are {}", FIELDS.join(", ")));
    }
    let domain = match fields.get("values") {
        None => known.range(fields)?,
        Some(_) if FIELDS[..4].iter().any(|field| fields.contains_key(*field)) => {
            return Err("has a range and values: give one of both".into());
        }
        Some(values) => known.list(values.as_array().ok_or("values must be a list")?)?,
    };
    let mut dimension = Dimension::new(name, domain);
    if let Some(when) = fields.get("when") {
        let when = when.as_object().ok_or("when must be an object of other parameters and their values")?;
        for (other, values) in when {
            let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
            dimension = dimension.when(camel_case(other), values);
        }
    }
    Ok(dimension)
}

impl<'a> Vocabulary<'a> {
    fn find(&self, name: &str) -> Result<Known<'a>, String> {
        let param = self.params.iter().find(|p| p.name == name).map(Known::Param);
        let known = param.or_else(|| self.free.contains(&name).then_some(Known::Free));
        known.ok_or_else(|| {
            let names: Vec<&str> = self.params.iter().map(|p| p.name).chain(self.free.iter().copied()).collect();
            match nearest(name, &names) {
                Some(near) => format!("no such parameter, did you mean `{near}`?"),
                None => format!("no such parameter, there are {}", names.join(", ")),
            }
        })
    }
}

impl Known<'_> {
    fn list(self, values: &[Value]) -> Result<Domain, String> {
        values.iter().try_for_each(|value| self.check(value))?;
        Domain::list(values.to_vec())
    }

    fn range(self, fields: &Map<String, Value>) -> Result<Domain, String> {
        let (Some(min), Some(max)) = (fields.get("min"), fields.get("max")) else {
            return Err("needs min and max, or values".into());
        };
        let log = match fields.get("log") {
            None => None,
            Some(log) => Some(log.as_bool().ok_or_else(|| format!("log {log} is neither true nor false"))?),
        };
        let step = fields.get("step");
        let kind = match self {
            Self::Param(param) => param.kind,
            Self::Free => return Err("has no range: give a list".into()),
        };
        let domain = match kind {
            ParamKind::Int { .. } => {
                let of = |field: &str, value: &Value| {
                    whole(value).ok_or_else(|| format!("{field} {value} is not a whole number"))
                };
                let step = step.map_or(Ok(1), |step| of("step", step))?;
                Domain::int(of("min", min)?, of("max", max)?, step, log.unwrap_or(false))?
            }
            ParamKind::Float { log: by_nature, .. } => {
                let of = |field: &str, value: &Value| {
                    value.as_f64().ok_or_else(|| format!("{field} {value} is not a number"))
                };
                let step = step.map(|step| of("step", step)).transpose()?;
                Domain::float(of("min", min)?, of("max", max)?, step, log.unwrap_or(by_nature && step.is_none()))?
            }
            ParamKind::Bool | ParamKind::Choice(_) | ParamKind::IntList { .. } => {
                return Err("has no range: give a list".into());
            }
        };
        self.check(min)?;
        self.check(max)?;
        Ok(domain)
    }

    /// Refuses a value that the parameter does not take.
    fn check(self, value: &Value) -> Result<(), String> {
        let Self::Param(param) = self else { return Ok(()) };
        let config = Value::Object(Map::from_iter([(param.name.to_owned(), value.clone())]));
        let first = |error: RecipeError| error.violations.into_iter().next().map(|v| v.message).unwrap_or_default();
        check_params(PART, std::slice::from_ref(param), &config).map_err(first)
    }
}

/// `hidden_size` as `hiddenSize`; other names as they are.
fn camel_case(name: &str) -> String {
    let mut words = name.trim().split('_').filter(|word| !word.is_empty());
    let mut joined: String = words.next().unwrap_or_default().into();
    for word in words {
        let mut letters = word.chars();
        joined.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        joined.push_str(letters.as_str());
    }
    joined
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    candlecast_core::params! {
        struct Net {
            "layers" => layers: usize = 1, int(1..=6), "layers";
            "hiddenSizes" => hidden_sizes: Option<Vec<usize>> = null, int_list(1..=128, 3), "units";
            "learningRate" => learning_rate: f64 = 0.1, float(1e-6..=1.0, log), "rate";
            "dropout" => dropout: f64 = 0, float(0.0..=0.9), "share";
            "cell" => cell: String = "gru", choice("gru", "lstm"), "kind";
        }
    }

    const WORDS: Vocabulary<'_> = Vocabulary { params: Net::PARAMS, free: &["features"] };

    fn read(space: &Value) -> Result<Space, RecipeError> {
        Space::read(space, &WORDS)
    }

    #[test]
    fn lists_ranges_and_conditions_are_read_and_written() {
        let space = read(&json!({
            "dropout": { "values": [0.1, 0.2], "when": { "layers": [2, 3], "cell": "lstm" } },
            "layers": { "min": 1, "max": 3 },
            "hidden_sizes": [null, [32, 16], [50, 30]],
            "learningRate": { "min": 0.001, "max": 0.1 },
            "cell": ["gru", "lstm"],
            "features": ["default", ["rsi_14", "log_return"]],
        }))
        .unwrap();
        let written = space.to_json();
        assert_eq!(written["dropout"], json!({ "values": [0.1, 0.2], "when": { "layers": [2, 3], "cell": ["lstm"] } }));
        assert_eq!(written["layers"], json!({ "min": 1, "max": 3, "log": false }));
        assert_eq!(written["learningRate"], json!({ "min": 0.001, "max": 0.1, "log": true }));
        assert_eq!(written["hiddenSizes"], json!([null, [32, 16], [50, 30]]));
        assert_eq!(read(&written).unwrap(), space);
        let names: Vec<&str> = space.dimensions().iter().map(Dimension::name).collect();
        assert_eq!(names, ["layers", "hiddenSizes", "learningRate", "cell", "dropout", "features"]);
    }

    #[test]
    fn a_single_value_is_a_list_of_one() {
        let space = read(&json!({ "layers": 2, "dropout": [0.5] })).unwrap();
        assert!(space.dimensions().iter().all(|d| d.domain().is_single()));
    }

    #[test]
    fn errors_name_the_field() {
        for (given, field, words) in [
            (json!({ "dropuot": [0.1] }), "dropuot", "did you mean `dropout`"),
            (json!({ "dropout": [0.1, 2] }), "dropout", "2 is not a number from 0 to 0.9"),
            (json!({ "dropout": [0.1, 0.1] }), "dropout", "0.1 stands there twice"),
            (json!({ "dropout": [] }), "dropout", "at least one value"),
            (json!({ "dropout": { "min": 0.5 } }), "dropout", "needs min and max"),
            (json!({ "dropout": { "min": 0.5, "max": 0.1 } }), "dropout", "min 0.5 is above max 0.1"),
            (json!({ "dropout": { "min": 0, "max": 5 } }), "dropout", "5 is not a number from 0 to 0.9"),
            (json!({ "dropout": { "min": 0, "max": 0.5, "log": true } }), "dropout", "begins above 0"),
            (json!({ "dropout": { "min": 0, "max": 0.5, "lgo": true } }), "dropout", "has no `lgo`"),
            (json!({ "dropout": { "min": 0, "values": [1] } }), "dropout", "a range and values"),
            (json!({ "layers": { "min": 1, "max": 2.5 } }), "layers", "max 2.5 is not a whole number"),
            (json!({ "layers": { "min": 1, "max": 3, "step": 0 } }), "layers", "step 0 is not above 0"),
            (json!({ "cell": { "min": 1, "max": 3 } }), "cell", "has no range"),
            (json!({ "cell": ["rnn"] }), "cell", "none of gru, lstm"),
            (json!({ "hiddenSizes": [32, 16] }), "hiddenSizes", "is not a list of 1 to 3"),
            (json!({ "features": { "min": 1, "max": 3 } }), "features", "has no range"),
            (json!({ "layers": { "values": [1], "when": { "cell": ["rnn"] } } }), "layers", "not in the space"),
            (json!([1]), "parameterSpace", "must be an object"),
            (json!({}), "parameterSpace", "nothing to search"),
        ] {
            let error = read(&given).unwrap_err();
            assert_eq!(error.violations[0].param, field, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let several = read(&json!({ "dropout": [2], "layers": [9] })).unwrap_err();
        assert_eq!(several.violations.len(), 2);
    }

    #[test]
    fn names_in_snake_case_are_accepted() {
        assert_eq!(["hidden_size", "hiddenSize", "_a_b", ""].map(camel_case), ["hiddenSize", "hiddenSize", "aB", ""]);
    }
}
