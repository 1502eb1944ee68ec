//! Laws that every model of the catalog obeys.

use candlecast_core::Seed;
use candlecast_learn::ModelState;
use candlecast_models::{catalog, permutation_importance};
use candlecast_testkit::{LearnerLaws, assert_learner_laws};
use serde_json::{Value, json};

use crate::world::{build, fit, price, quick, reverting, volatility, waving};

/// Settings that make fits quick and still let them find a signal.
fn lawful(id: &str) -> Value {
    match id {
        "gbdt" => json!({ "rounds": 40, "maxDepth": 3, "learningRate": 0.1, "subsample": 0.8, "colsample": 0.75 }),
        "random-forest" => json!({ "trees": 24, "minLeaf": 20 }),
        _ => Value::Null,
    }
}

#[test]
fn every_model_keeps_the_laws_of_learners() {
    for entry in catalog() {
        // Every model of this crate computes each sample on its own, in one order.
        assert_learner_laws(&LearnerLaws { entry, params: lawful(entry.id), row_tolerance: 0.0 });
    }
}

#[test]
fn a_state_of_another_horizon_or_a_damaged_one_is_refused() {
    let world = reverting(700, 0.3, 3, price(5));
    for entry in catalog() {
        let learner = build(entry.id, &quick(entry.id));
        let state = fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap().model.state();
        assert!(learner.restore(&state, &price(6)).is_err(), "{}", entry.id);
        for name in state.tensors.keys() {
            let mut damaged = state.clone();
            damaged.tensors.remove(name);
            assert!(learner.restore(&damaged, &price(5)).is_err(), "{} without {name}", entry.id);
        }
        assert!(learner.restore(&ModelState::default(), &price(5)).is_err(), "{}", entry.id);
    }
}

#[test]
fn a_damaged_state_of_a_model_of_the_volatility_is_refused() {
    let task = volatility(3);
    let world = waving(700, 3, task);
    for id in ["linear", "gbdt", "random-forest"] {
        let learner = build(id, &quick(id));
        let state = fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap().model.state();
        assert!(state.tensors.contains_key("smearing"), "{id}");
        for name in state.tensors.keys() {
            let mut damaged = state.clone();
            damaged.tensors.remove(name);
            assert!(learner.restore(&damaged, &task).is_err(), "{id} without {name}");
        }
    }
}

#[test]
fn the_feature_that_tells_the_volatility_is_the_most_important() {
    let world = waving(3000, 4, volatility(1));
    for id in ["linear", "gbdt", "random-forest"] {
        let outcome = fit(&*build(id, &quick(id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let shuffled = permutation_importance(&*outcome.model, &world.valid(), Seed(1), 3);
        assert!(shuffled[3] > 0.05 && (0..3).all(|j| shuffled[j] < shuffled[3]), "{id} {shuffled:?}");
    }
}

#[test]
fn the_feature_that_matters_is_the_most_important() {
    let world = reverting(3000, 0.6, 4, price(1));
    for id in ["linear", "gbdt", "random-forest"] {
        let outcome = fit(&*build(id, &quick(id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let gain = outcome.model.importances().unwrap();
        let shuffled = permutation_importance(&*outcome.model, &world.valid(), Seed(1), 3);
        for importances in [&gain, &shuffled] {
            let best = (0..4).max_by(|&a, &b| importances[a].total_cmp(&importances[b])).unwrap();
            assert_eq!(best, 0, "{id} {importances:?}");
        }
        assert!(shuffled[0] > 0.1 && shuffled[3].abs() < 0.05, "{id} {shuffled:?}");
        assert_eq!(shuffled, permutation_importance(&*outcome.model, &world.valid(), Seed(1), 3));
    }
}
