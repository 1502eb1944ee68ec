//! The same bits at any number of threads, after saving, and after going on from a checkpoint.

use candlecast_learn::{Prediction, TrainState};
use candlecast_nn::{Cell, Session, SessionConfig};
use serde_json::{Value, json};

use crate::world::{
    Given, Recorder, direction, fit, fit_watched, isas, learner, price, random_batch, reverting, session_config, shape,
    small, volatility,
};

#[test]
fn steps_are_the_same_bits_at_any_number_of_threads() {
    for cell in [Cell::Lstm, Cell::Gru] {
        let shape = shape(cell, 6, &[20, 12], 5, 9);
        for (isa, rows) in isas().flat_map(|isa| [1, 31, 32, 100, 256].map(|rows| (isa, rows))) {
            let run = |threads: usize| {
                let config = SessionConfig { threads, dropout: 0.3, ..session_config(&shape, isa) };
                let mut session = Session::new(config).unwrap();
                let batch = random_batch(&shape, rows, 2);
                let losses: Vec<u64> = (0..4).map(|_| session.step(&batch).unwrap().to_bits()).collect();
                (losses, session.weights())
            };
            let one = run(1);
            for threads in [2, 3, 8] {
                assert!(one == run(threads), "{threads} threads, {rows} rows on {isa}");
            }
        }
    }
}

#[test]
fn fits_are_the_same_bits_at_any_number_of_threads() {
    let world = reverting(700, 0.4, 1, price(3));
    for id in ["lstm", "gru"] {
        let (train, valid) = (world.part(0.0, 0.7), world.part(0.75, 1.0));
        // One look an epoch, and three.
        for batch in [70, 18] {
            let more = json!({"hiddenSizes": [10, 7], "dropout": 0.2, "epochs": 3, "batchSize": batch});
            let model = learner(id, &small(&more));
            let run = |threads| {
                let given = Given { valid: Some(&valid), threads, ..Given::default() };
                let outcome = fit(&*model, &train, &given).unwrap();
                (outcome.model.state(), outcome.curve)
            };
            assert_eq!(run(1), run(2), "{id}");
            assert_eq!(run(1), run(4), "{id}");
        }
    }
}

fn through_json(state: &TrainState) -> TrainState {
    serde_json::from_str(&serde_json::to_string(state).unwrap()).unwrap()
}

/// Every schedule and target, with dropout, with and without looks within an epoch, from a checkpoint that went through
/// JSON.
#[test]
fn going_on_from_a_checkpoint_equals_never_stopping() {
    for (id, task, more) in [
        ("lstm", direction(4), json!({"schedule": "cosine", "warmupEpochs": 2, "hiddenSizes": [9, 8], "dropout": 0.3})),
        (
            "gru",
            direction(4),
            json!({"schedule": "reduce-on-plateau", "classLoss": "focal", "classWeights": "balanced", "epochs": 9}),
        ),
        (
            "gru",
            volatility(4),
            json!({"optimizer": "adam", "weightDecay": 0.01, "l2": 0.001, "patience": 3, "epochs": 30, "batchSize": 16}),
        ),
        (
            "lstm",
            price(3),
            json!({"batchSize": 12, "epochs": 12, "patience": 4, "hiddenSizes": [9, 8], "dropout": 0.2}),
        ),
        ("gru", price(3), json!({"batchSize": 12, "epochs": 30, "patience": 3, "target": "wide"})),
        ("gru", price(2), json!({"target": "raw", "patience": 3, "epochs": 20})),
    ] {
        let world = reverting(600, 0.4, 2, task);
        let model = learner(id, &small(&more));
        let (train, valid) = (world.part(0.0, 0.7), world.part(0.75, 1.0));
        let given = Given { valid: Some(&valid), ..Given::default() };
        let mut whole = Recorder::default();
        let expected = fit_watched(&*model, &train, &given, &mut whole).unwrap();
        assert!(whole.checkpoints.len() > 2, "{id}: {} epochs", whole.checkpoints.len());
        for checkpoint in [&whole.checkpoints[1], whole.checkpoints.last().unwrap()] {
            let resume = through_json(checkpoint);
            let mut rest = Recorder::default();
            let again = fit_watched(&*model, &train, &Given { resume: Some(&resume), ..given_with(&valid) }, &mut rest)
                .unwrap();
            assert_eq!(again.model.state(), expected.model.state(), "{id} {more}");
            assert_eq!(
                (again.stopped, again.steps, again.curve),
                (expected.stopped, expected.steps, expected.curve.clone())
            );
            assert_eq!(rest.checkpoints[..], whole.checkpoints[checkpoint.step..], "{id} {more}");
        }
    }
}

fn given_with<'a>(valid: &'a candlecast_learn::Samples<'a>) -> Given<'a> {
    Given { valid: Some(valid), ..Given::default() }
}

#[test]
fn restored_models_predict_the_same_bits() {
    for (id, task) in [
        ("lstm", price(5)),
        ("gru", price(2)),
        ("lstm", direction(4)),
        ("gru", direction(1)),
        ("lstm", volatility(6)),
        ("gru", volatility(1)),
    ] {
        let world = reverting(500, 0.4, 3, task);
        let model = learner(id, &small(&json!({"epochs": 2})));
        let (train, test) = (world.part(0.0, 0.8), world.part(0.8, 1.0));
        let fitted = fit(&*model, &train, &Given::default()).unwrap().model;
        let text = serde_json::to_string(&fitted.state()).unwrap();
        let restored = model.restore(&serde_json::from_str(&text).unwrap(), &task).unwrap();
        let (mut a, mut b) = (Prediction::default(), Prediction::default());
        fitted.predict_into(&test, &mut a);
        restored.predict_into(&test, &mut b);
        assert_eq!(a, b, "{id}");
        assert_eq!((a.width, a.mean.len()), (task.width(), test.len() * task.width()));
        assert_eq!(restored.state(), fitted.state());
    }
}

/// Another network's weights, or facts that do not fit the configuration, are refused.
#[test]
fn states_of_other_networks_are_refused() {
    let world = reverting(400, 0.4, 3, price(2));
    let model = learner("lstm", &small(&json!({"epochs": 1})));
    let train = world.part(0.0, 0.8);
    let state = fit(&*model, &train, &Given::default()).unwrap().model.state();
    let wider = learner("lstm", &small(&json!({"hiddenSize": 13})));
    for (other, task) in [(&wider, price(2)), (&learner("gru", &small(&json!({}))), price(2)), (&model, price(3))] {
        let error = other.restore(&state, &task).unwrap_err().to_string();
        assert!(error.contains("hidden sizes"), "{error}");
    }
    let mut broken = state.clone();
    broken.tensors.remove("head.bias");
    assert!(model.restore(&broken, &price(2)).unwrap_err().to_string().contains("head.bias"));
    broken.facts = Value::Null;
    assert!(model.restore(&broken, &price(2)).is_err());
}
