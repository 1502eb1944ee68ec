//! Laws that every model of the catalog obeys.

use candlecast_core::Seed;
use candlecast_learn::{ModelState, Prediction};
use candlecast_models::{catalog, permutation_importance};

use crate::world::{World, build, direction, fit, predict, price, quick};

#[test]
fn a_saved_model_forecasts_the_same_bits_and_threads_change_nothing() {
    for task in [price(5), price(24), direction(6)] {
        let world = World::new(900, 0.3, 1, task);
        for entry in catalog() {
            let learner = build(entry.id, &quick(entry.id));
            if !learner.supports(&task) {
                continue;
            }
            for valid in [Some(world.valid()), None] {
                let once = fit(&*learner, &world.train(), valid.as_ref(), 1).unwrap();
                let twice = fit(&*learner, &world.train(), valid.as_ref(), 2).unwrap();
                let expected = predict(&once, &world.test());
                assert_eq!((expected.width, expected.mean.len()), (task.width(), world.test().len() * task.width()));
                assert!(expected.mean.iter().all(|v| v.is_finite()));
                assert_eq!(bits(&predict(&twice, &world.test())), bits(&expected), "{} {task:?}", entry.id);
                let text = serde_json::to_string(&once.model.state()).unwrap();
                let state: ModelState = serde_json::from_str(&text).unwrap();
                let restored = learner.restore(&state, &task).unwrap();
                let mut again = Prediction::default();
                restored.predict_into(&world.test(), &mut again);
                assert_eq!(bits(&again), bits(&expected), "{} {task:?}", entry.id);
                assert_eq!(restored.state(), once.model.state());
                if let Some(shares) = once.model.importances() {
                    assert_eq!(shares.len(), 4);
                    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn probabilities_are_probabilities() {
    let task = direction(6);
    let world = World::new(900, 0.3, 2, task);
    for id in ["linear", "gbdt", "random-forest"] {
        let outcome = fit(&*build(id, &quick(id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let prediction = predict(&outcome, &world.test());
        for i in 0..world.test().len() {
            let row = prediction.row(i);
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{id} {row:?}");
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{id} {row:?}");
        }
    }
}

#[test]
fn a_state_of_another_horizon_or_a_damaged_one_is_refused() {
    let world = World::new(700, 0.3, 3, price(5));
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
fn the_feature_that_matters_is_the_most_important() {
    let world = World::new(3000, 0.6, 4, price(1));
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

fn bits(prediction: &Prediction) -> Vec<u64> {
    prediction.mean.iter().map(|v| v.to_bits()).collect()
}
