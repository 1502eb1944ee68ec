//! Early stopping, cancelling, budgets and warm starts.

use candlecast_learn::{Prediction, Stop};
use serde_json::json;

use crate::world::{Given, Recorder, fit, fit_watched, learner, price, reverting, small};

/// Raw targets look at the validation part after every epoch and keep the best one, come what may.
#[test]
fn the_weights_of_the_best_epoch_are_kept() {
    let world = reverting(500, 0.0, 4, price(2));
    let more = json!({"hiddenSize": 32, "epochs": 60, "patience": 3, "learningRate": 0.02, "target": "raw"});
    let model = learner("gru", &small(&more));
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.65, 1.0));
    let mut seen = Recorder::default();
    let outcome = fit_watched(&*model, &train, &Given { valid: Some(&valid), ..Given::default() }, &mut seen).unwrap();
    // Nothing can be learnt here, so the validation loss soon rises.
    assert_eq!(outcome.stopped, Stop::Early);
    let losses = &outcome.curve.valid;
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap();
    assert_eq!((outcome.steps, losses.len()), (best + 1, best + 4));
    let checkpoint = &seen.checkpoints[best].state;
    let state = outcome.model.state();
    for (name, tensor) in &state.tensors {
        assert_eq!(Some(tensor), checkpoint.tensors.get(&format!("now.{name}")), "{name}");
    }
    assert!(seen.progress.iter().all(|p| p.of == 60 && p.learning_rate == Some(0.02)));
    assert_eq!(seen.progress[best].valid_loss, Some(losses[best]));
}

#[test]
fn without_a_validation_part_all_epochs_are_run() {
    let world = reverting(400, 0.4, 4, price(2));
    let model = learner("lstm", &small(&json!({"epochs": 4, "patience": 1})));
    let train = world.part(0.0, 1.0);
    let outcome = fit(&*model, &train, &Given::default()).unwrap();
    assert_eq!((outcome.stopped, outcome.steps), (Stop::Budget, 4));
    assert_eq!((outcome.curve.train.len(), outcome.curve.valid.len()), (4, 0));
    assert!(outcome.curve.train[3] < outcome.curve.train[0]);
}

#[test]
fn cancelling_keeps_the_best_weights_so_far() {
    let world = reverting(500, 0.4, 5, price(2));
    let model = learner("lstm", &small(&json!({"epochs": 50, "target": "raw"})));
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.65, 1.0));
    let given = Given { valid: Some(&valid), ..Given::default() };
    let mut observer = Recorder { stop_after: Some(3), ..Recorder::default() };
    let outcome = fit_watched(&*model, &train, &given, &mut observer).unwrap();
    assert_eq!((outcome.stopped, outcome.curve.valid.len()), (Stop::Cancelled, 3));
    let best = (0..3).min_by(|&a, &b| outcome.curve.valid[a].total_cmp(&outcome.curve.valid[b])).unwrap();
    assert_eq!(outcome.steps, best + 1);
}

/// Ten epochs of patience are ten epochs, however many looks there are in one.
#[test]
fn patience_counts_epochs_from_before_the_first_step() {
    let world = reverting(1500, 0.0, 8, price(2));
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.65, 1.0));
    // 28 batches and three looks an epoch; steps of this size only do harm.
    let model = learner("gru", &small(&json!({"epochs": 50, "patience": 2, "learningRate": 0.5})));
    let outcome = fit(&*model, &train, &Given { valid: Some(&valid), ..Given::default() }).unwrap();
    assert_eq!((outcome.stopped, outcome.steps, outcome.curve.valid.len()), (Stop::Early, 0, 2));
    let mut out = Prediction::default();
    outcome.model.predict_into(&valid, &mut out);
    assert!(out.mean.iter().all(|&m| m == 0.0));
}

#[test]
fn a_warm_start_begins_where_the_given_weights_end() {
    let world = reverting(900, 0.5, 6, price(1));
    let model = learner("gru", &small(&json!({"epochs": 15})));
    let again = learner("gru", &small(&json!({"epochs": 1, "learningRate": 1e-6})));
    let train = world.part(0.0, 0.8);
    let first = fit(&*model, &train, &Given::default()).unwrap();
    let state = first.model.state();
    let warm = fit(&*again, &train, &Given { warm: Some(&state), ..Given::default() }).unwrap();
    let cold = fit(&*again, &train, &Given::default()).unwrap();
    let last = *first.curve.train.last().unwrap();
    assert!((warm.curve.train[0] - last).abs() < 1e-3 * last, "{} {last}", warm.curve.train[0]);
    assert!(cold.curve.train[0] > 1.02 * last, "{} {last}", cold.curve.train[0]);
    let wider = learner("gru", &small(&json!({"hiddenSize": 13})));
    let error = fit(&*wider, &train, &Given { warm: Some(&state), ..Given::default() }).unwrap_err().to_string();
    assert!(error.contains("cannot begin from the given weights"), "{error}");
}

/// The head starts at 0, so an untrained network is close to naive.
#[test]
fn a_barely_trained_network_predicts_about_nothing() {
    let world = reverting(400, 0.4, 7, price(3));
    let model = learner("lstm", &small(&json!({"epochs": 1, "learningRate": 1e-6})));
    let train = world.part(0.0, 1.0);
    let fitted = fit(&*model, &train, &Given::default()).unwrap().model;
    let mut out = Prediction::default();
    fitted.predict_into(&train, &mut out);
    // The returns have a standard deviation of 0.7 % and more.
    assert!(out.mean.iter().all(|m| m.abs() < 1e-3) && out.mean.iter().any(|&m| m != 0.0));
}
