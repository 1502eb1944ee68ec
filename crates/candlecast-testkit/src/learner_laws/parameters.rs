//! Laws of the parameters of a learner: what the catalog says of them is what holds.

use candlecast_core::catalog::{Entry, SearchRange, search_space};
use candlecast_learn::Learner;
use serde_json::{Map, Value, json};

pub(super) fn laws(entry: &Entry<dyn Learner>) {
    the_stated_defaults_are_the_real_ones(entry);
    every_value_of_the_search_space_is_accepted(entry);
}

fn the_stated_defaults_are_the_real_ones(entry: &Entry<dyn Learner>) {
    let stated: Map<String, Value> = entry.params.iter().map(|p| (p.name.to_owned(), of_json(p.default))).collect();
    let [stated, plain] = [Value::Object(stated), Value::Null]
        .map(|config| format!("{:?}", entry.build(&config).unwrap_or_else(|e| panic!("{e}"))));
    assert_eq!(stated, plain, "{} has other defaults than it says", entry.id);
}

/// The ends of a range stand for what lies between: bounds are intervals.
fn every_value_of_the_search_space_is_accepted(entry: &Entry<dyn Learner>) {
    for (name, range) in search_space(entry.params) {
        let on = format!("{}: {name} {range:?}", entry.id);
        let tried: Vec<Value> = match range {
            SearchRange::Values(texts) => texts.iter().map(|text| of_json(text)).collect(),
            SearchRange::Int { low, high, step } => {
                assert!(low < high && step >= 1 && (high - low) % step == 0, "{on}: whole steps lead from low to high");
                vec![json!(low), json!(high)]
            }
            SearchRange::Float { low, high, log } => {
                assert!(low < high && (!log || low > 0.0), "{on}: low is below high, and above 0 for logarithms");
                vec![json!(low), json!(high)]
            }
        };
        assert!(tried.len() > 1, "{on}: one value is no search");
        for (i, value) in tried.iter().enumerate() {
            assert!(!tried[..i].contains(value), "{on}: {value} stands there twice");
            let config = Value::Object(std::iter::once((name.to_owned(), value.clone())).collect());
            assert_eq!(entry.build(&config).err(), None, "{on}");
        }
    }
}

fn of_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{text} is no JSON: {e}"))
}
