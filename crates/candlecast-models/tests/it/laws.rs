//! Laws that every model of the catalog obeys.

use candlecast_core::Seed;
use candlecast_learn::{ModelState, Prediction};
use candlecast_models::{catalog, permutation_importance};
use candlecast_testkit::{LearnerLaws, assert_learner_laws};
use serde_json::{Value, json};

use crate::world::{build, fit, predict, price, quick, reverting, volatility, waving};

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
        let shuffled = permutation_importance(&*outcome.model, &world.test(), Seed(1), 3);
        assert!(shuffled[3] > 0.05 && (0..3).all(|j| shuffled[j] < shuffled[3]), "{id} {shuffled:?}");
    }
}

#[test]
fn the_feature_that_matters_is_the_most_important() {
    let world = reverting(3000, 0.6, 4, price(1));
    for id in ["linear", "gbdt", "random-forest"] {
        let outcome = fit(&*build(id, &quick(id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let gain = outcome.model.importances().unwrap();
        // On samples that no fit has learnt from.
        let shuffled = permutation_importance(&*outcome.model, &world.test(), Seed(1), 3);
        for importances in [&gain, &shuffled] {
            let best = (0..4).max_by(|&a, &b| importances[a].total_cmp(&importances[b])).unwrap();
            assert_eq!(best, 0, "{id} {importances:?}");
        }
        assert!(shuffled[0] > 0.1 && shuffled[3].abs() < 0.05, "{id} {shuffled:?}");
        assert_eq!(shuffled, permutation_importance(&*outcome.model, &world.test(), Seed(1), 3));
    }
}

/// What is between the anchors is interpolated in target units, and each step has its own; the same trees read as
/// having learnt bare returns give the targets themselves.
#[test]
fn a_target_becomes_a_return_by_the_volatility_at_the_origin_and_the_step() {
    let world = reverting(1500, 0.5, 32, price(24));
    let test = world.test();
    for (id, fitting) in [("gbdt", json!({ "rounds": 10, "patience": 0 })), ("random-forest", json!({ "trees": 10 }))] {
        let with_target = |target: &str| {
            let mut config = fitting.clone();
            config["target"] = json!(target);
            build(id, &config)
        };
        for target in ["clipped", "wide"] {
            let outcome = fit(&*with_target(target), &world.train(), Some(&world.valid()), 1).unwrap();
            let restored = with_target("raw").restore(&outcome.model.state(), &price(24)).unwrap();
            let (returns, mut targets) = (predict(&outcome, &test), Prediction::default());
            restored.predict_into(&test, &mut targets);
            for i in 0..test.len() {
                for (h, (y, learnt)) in returns.row(i).iter().zip(targets.row(i)).enumerate() {
                    let unit = test.sigma(i) * ((h + 1) as f64).sqrt();
                    assert!((y - unit * learnt).abs() <= 1e-12 * y.abs(), "{id} {target} {y} {learnt}");
                }
            }
        }
    }
}

/// A model of bare returns, as old files have them, comes back as one.
#[test]
fn a_model_of_bare_returns_is_restored_as_one() {
    let world = reverting(1500, 0.5, 33, price(3));
    for (id, config) in
        [("gbdt", json!({ "rounds": 10, "target": "raw" })), ("random-forest", json!({ "trees": 10, "target": "raw" }))]
    {
        let learner = build(id, &config);
        let outcome = fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap();
        let restored = learner.restore(&outcome.model.state(), &price(3)).unwrap();
        let mut again = Prediction::default();
        restored.predict_into(&world.test(), &mut again);
        assert_eq!(again, predict(&outcome, &world.test()), "{id}");
        // Scales are the root mean squares of log returns of 0.8 %, not of targets, which are about 1.
        let scales = outcome.model.state().f64("scales", &[3]).unwrap().to_vec();
        assert!(scales.iter().all(|scale| *scale < 0.02), "{id} {scales:?}");
    }
}
