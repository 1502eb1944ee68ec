//! Data that cannot be learnt from gives errors that say what is wrong.

use candlecast_core::Seed;
use candlecast_learn::{FitError, ThresholdUnit, Thresholds};
use candlecast_nn::{Cell, Isa, Session, SessionBatch, SessionConfig, SessionError};
use serde_json::json;

use crate::world::{
    Given, direction, fit, isas, learner, normals, of_returns, price, reverting, session_config, shape, small,
};

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = Seed(seed).stream();
    (0..n).map(|_| rng.normal()).collect()
}

#[test]
fn too_few_samples() {
    let world = reverting(100, 0.0, 1, price(2));
    let model = learner("lstm", &small(&json!({})));
    let train = world.part(0.0, 0.2);
    let error = fit(&*model, &train, &Given::default()).unwrap_err();
    assert_eq!(error, FitError::TooFewSamples { have: train.len(), need: 50 });
}

#[test]
fn constant_prices() {
    let world = of_returns(&[0.0; 400], noise(400, 1), price(2));
    let model = learner("gru", &small(&json!({})));
    let error = fit(&*model, &world.part(0.0, 1.0), &Given::default()).unwrap_err();
    assert!(matches!(&error, FitError::Degenerate(text) if text.contains("do not move")), "{error}");
}

#[test]
fn one_class() {
    let wide = Thresholds { sell: -10.0, buy: 10.0, unit: ThresholdUnit::Return };
    let world = reverting(400, 0.0, 1, direction(2)).with_thresholds(wide);
    let model = learner("gru", &small(&json!({})));
    let train = world.part(0.0, 1.0);
    let error = fit(&*model, &train, &Given::default()).unwrap_err();
    assert_eq!(error, FitError::OneClass { class: 1, samples: train.len() });
}

#[test]
fn nan_and_infinite_inputs_are_named() {
    let returns: Vec<f64> = noise(400, 2).iter().map(|r| 0.01 * r).collect();
    for bad in [f64::NAN, f64::INFINITY] {
        let mut column = noise(400, 3);
        column[200] = bad;
        let world = of_returns(&returns, column, price(2));
        let model = learner("lstm", &small(&json!({})));
        let error = fit(&*model, &world.part(0.0, 1.0), &Given::default()).unwrap_err().to_string();
        assert!(error.contains("feature `noise` of training sample") && error.contains("drop the feature"), "{error}");
        let (train, valid) = (world.part(0.0, 0.3), world.part(0.3, 1.0));
        let error = fit(&*model, &train, &Given { valid: Some(&valid), ..Given::default() }).unwrap_err().to_string();
        assert!(error.contains("of validation sample"), "{error}");
    }
}

/// A loss beyond single precision stops the step before any weight moves.
#[test]
fn an_infinite_loss_moves_nothing() {
    let shape = shape(Cell::Lstm, 3, &[8], 2, 4);
    for isa in isas() {
        let mut session = Session::new(session_config(&shape, isa)).unwrap();
        let before = session.weights();
        let batch = SessionBatch::of_values(&shape, normals(5 * 12, 1), vec![1e30; 10]).unwrap();
        assert!(matches!(session.step(&batch), Err(SessionError::NotFinite { .. })), "{isa}");
        assert_eq!(session.weights(), before);
        let mut inputs = normals(5 * 12, 1);
        inputs[17] = f32::NAN;
        let batch = SessionBatch::of_values(&shape, inputs, vec![0.5; 10]).unwrap();
        assert!(matches!(session.step(&batch), Err(SessionError::NotFinite { .. })), "{isa}");
        assert_eq!(session.weights(), before);
    }
}

#[test]
fn sessions_refuse_what_does_not_fit() {
    let shape = shape(Cell::Gru, 3, &[8], 2, 4);
    let config = session_config(&shape, Isa::Portable);
    let zero = crate::world::shape(Cell::Gru, 3, &[8, 0], 2, 4);
    for bad in [
        SessionConfig { shape: zero, ..config.clone() },
        SessionConfig { dropout: 1.0, ..config.clone() },
        SessionConfig { batch_size: 0, ..config.clone() },
    ] {
        assert!(matches!(Session::new(bad), Err(SessionError::Config { .. })));
    }
    assert!(SessionBatch::of_values(&shape, vec![0.0; 11], vec![0.0; 2]).is_err());
    assert!(SessionBatch::of_values(&shape, vec![0.0; 12], vec![0.0; 3]).is_err());
    assert!(SessionBatch::of_classes(&shape, vec![0.0; 12], vec![1]).is_err());
    let mut session = Session::new(config).unwrap();
    let other = crate::world::shape(Cell::Gru, 6, &[8], 2, 2);
    let batch = SessionBatch::of_values(&other, vec![0.0; 12], vec![0.0; 2]).unwrap();
    assert!(matches!(session.step(&batch), Err(SessionError::Length { .. })));
    assert!(session.predict_into(&[0.0; 12], &mut [0.0; 4]).is_err());
}
