//! The naive forecasts that stand beside every model: `naive`, `drift`, `seasonal-naive`, `ewma`.
//!
//! They are learners like all others, so that they get the same splits, intervals, tests and tables.

mod drift;
mod ewma;
mod naive;
mod seasonal;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::Entry;

use crate::{Inputs, Learner, ScalerKind};

/// Ids of the baselines, in the order of tables.
pub const BASELINES: [&str; 4] = ["naive", "drift", "seasonal-naive", "ewma"];

/// All baselines.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    &[naive::ENTRY, drift::ENTRY, seasonal::ENTRY, ewma::ENTRY]
}

/// Baselines read closes only.
fn closes_only() -> Inputs {
    Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    #[test]
    fn the_stated_defaults_are_accepted_and_the_real_ones() {
        for entry in catalog() {
            let stated: Map<String, Value> =
                entry.params.iter().map(|p| (p.name.to_owned(), serde_json::from_str(p.default).unwrap())).collect();
            let stated = entry.build(&Value::Object(stated)).unwrap();
            let plain = entry.build(&Value::Null).unwrap();
            assert_eq!(format!("{stated:?}"), format!("{plain:?}"), "{} has other defaults than it says", entry.id);
        }
    }

    #[test]
    fn given_parameters_are_taken_and_those_out_of_bounds_refused() {
        let lookback = |id: &str, config: Value| {
            let entry = catalog().iter().find(|e| e.id == id).unwrap();
            entry.build(&config).map(|learner| learner.lookback())
        };
        assert_eq!(lookback("seasonal-naive", Value::Null), Ok(25));
        assert_eq!(lookback("seasonal-naive", json!({ "seasonSteps": 6 })), Ok(7));
        assert_eq!(lookback("ewma", json!({ "alpha": 1 })), Ok(1));
        let error = lookback("seasonal-naive", json!({ "seasonSteps": 0 })).unwrap_err().to_string();
        assert_eq!(error, "seasonal-naive: seasonSteps: 0 is not a whole number from 1 to 10080");
    }
}
