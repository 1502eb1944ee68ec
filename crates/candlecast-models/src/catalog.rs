//! The list of all models of this crate, in the order in which they are shown.

use candlecast_core::catalog::{Entry, RecipeError};
use candlecast_learn::Learner;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{forest, gbdt, hybrid, linear};

static MODELS: [Entry<dyn Learner>; 4] = [hybrid::ENTRY, linear::ENTRY, gbdt::ENTRY, forest::ENTRY];

/// All models of this crate.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    &MODELS
}

/// The configuration struct of a part from parameters whose names, kinds and bounds have been checked.
pub(crate) fn read_config<T: DeserializeOwned>(part: &str, config: &Value) -> Result<T, RecipeError> {
    serde_json::from_value(config.clone()).map_err(|e| RecipeError::one(part, "config", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_accepted_by_its_own_check() {
        for entry in catalog() {
            let config: serde_json::Map<String, Value> = entry
                .params
                .iter()
                .map(|p| (p.name.to_owned(), serde_json::from_str(p.default).expect("defaults are JSON")))
                .collect();
            let built = entry.build(&Value::Object(config)).unwrap_or_else(|e| panic!("{e}"));
            let plain = entry.build(&Value::Null).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(format!("{built:?}"), format!("{plain:?}"), "{} has other defaults than it says", entry.id);
        }
    }
}
