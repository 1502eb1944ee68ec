//! The catalog of learners: one file a model, one line here.

mod gru;
mod lstm;

use candlecast_core::catalog::Entry;
use candlecast_learn::Learner;

/// The learners of this crate.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    CATALOG
}

const CATALOG: &[Entry<dyn Learner>] = &[lstm::ENTRY, gru::ENTRY];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn every_entry_builds_with_its_defaults_and_names_its_violations() {
        let asked = candlecast_learn::Asked::hourly(candlecast_learn::Task::Price { horizon: 24 });
        for entry in catalog() {
            let learner = entry.build(&Value::Null).unwrap();
            assert_eq!((learner.lookback(), learner.inputs(&asked).features.ids()), (20, &["ohlcv".to_owned()][..]));
            let error = entry.build(&json!({"hiddenSize": 0, "dropot": 0.2, "optimizer": "sgd"})).unwrap_err();
            assert_eq!(error.violations.len(), 3, "{error}");
        }
        let deep = catalog()[1].build(&json!({"profile": "deep"})).unwrap();
        assert_eq!((deep.lookback(), deep.inputs(&asked).features.ids()), (60, &["default".to_owned()][..]));
    }
}
