//! The naive forecasts that stand beside every model: `naive`, `drift`, `seasonal-naive` and `ewma` of prices,
//! `majority` and `stratified` of directions, `ewma` and `log-har` of the volatility.
//!
//! They are learners like all others, so that they get the same splits, intervals, tests and tables.

mod drift;
mod ewma;
mod log_har;
mod majority;
mod naive;
mod seasonal;
mod stratified;

use candlecast_core::FeatureSet;
use candlecast_core::catalog::Entry;

use crate::{CLASSES, FitError, Inputs, Learner, ModelState, RestoreError, Samples, ScalerKind, Tensor};

/// All baselines of all tasks.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    &[naive::ENTRY, drift::ENTRY, seasonal::ENTRY, ewma::ENTRY, majority::ENTRY, stratified::ENTRY, log_har::ENTRY]
}

/// Baselines read closes only.
fn closes_only() -> Inputs {
    Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
}

/// Shares of the classes among `train`, `[class]`.
fn class_shares(train: &Samples<'_>) -> Result<[f64; CLASSES], FitError> {
    if train.is_empty() {
        return Err(FitError::TooFewSamples { have: 0, need: 1 });
    }
    let mut counts = [0_usize; CLASSES];
    for i in 0..train.len() {
        counts[train.class(i)] += 1;
    }
    Ok(counts.map(|n| n as f64 / train.len() as f64))
}

/// A state of class shares alone.
fn state_of(shares: [f64; CLASSES]) -> ModelState {
    ModelState {
        facts: serde_json::Value::Null,
        tensors: [("shares".to_owned(), Tensor::f64(&[CLASSES], shares.to_vec()))].into(),
    }
}

/// The class shares of a state.
fn read_shares(state: &ModelState) -> Result<[f64; CLASSES], RestoreError> {
    let stored = state.f64("shares", &[CLASSES])?;
    if stored.iter().all(|share| (0.0..=1.0).contains(share)) && (stored.iter().sum::<f64>() - 1.0).abs() < 1e-9 {
        return Ok(std::array::from_fn(|class| stored[class]));
    }
    Err(RestoreError::Fact { name: "shares".into(), reason: format!("{stored:?} are no shares of a whole") })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{Labels, Task};

    #[test]
    fn every_task_has_baselines_that_support_it() {
        let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
        let tasks =
            [Task::Price { horizon: 2 }, Task::Direction { horizon: 2, labels }, Task::Volatility { horizon: 2 }];
        for task in &tasks {
            let ids = task.kind().baselines();
            assert!(ids.len() >= 2);
            for entry in catalog() {
                let learner = entry.build(&serde_json::Value::Null).unwrap();
                assert_eq!(learner.supports(task), ids.contains(&entry.id), "{} of {task:?}", entry.id);
                assert!(
                    learner.inputs(&crate::Asked::hourly(Task::Price { horizon: 1 })).features.ids().is_empty(),
                    "{}",
                    entry.id
                );
            }
        }
        assert_eq!(tasks[0].kind().baselines(), ["naive", "drift", "seasonal-naive", "ewma"]);
    }

    #[test]
    fn shares_that_are_no_shares_are_refused() {
        assert_eq!(read_shares(&state_of([0.25, 0.5, 0.25])), Ok([0.25, 0.5, 0.25]));
        for shares in [[0.5, 0.5, 0.5], [-0.5, 1.0, 0.5], [f64::NAN, 0.5, 0.5]] {
            assert!(read_shares(&state_of(shares)).is_err(), "{shares:?}");
        }
        assert!(read_shares(&ModelState::default()).is_err());
    }

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
