//! What is planted is found, and what is not there is not.

use candlecast_core::Seed;
use candlecast_learn::{CLASSES, Learner, Prediction};
use candlecast_testkit::World;
use serde_json::json;

use crate::world::{Given, direction, fit, isas, learner, of_returns, price, reverting, small, volatility};

/// R2 of the returns of each step against a forecast of 0, on the last quarter.
fn r2_of_steps(world: &World, model: &dyn Learner) -> Vec<f64> {
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.61, 0.74));
    let test = world.part(0.75, 1.0);
    let fitted = fit(model, &train, &Given { valid: Some(&valid), ..Given::default() }).unwrap().model;
    let mut out = Prediction::default();
    fitted.predict_into(&test, &mut out);
    let horizon = world.task.horizon();
    let (mut errors, mut squares, mut y) = (vec![0.0; horizon], vec![0.0; horizon], vec![0.0; horizon]);
    for i in 0..test.len() {
        test.returns_into(i, &mut y);
        for h in 0..horizon {
            errors[h] += (out.row(i)[h] - y[h]).powi(2);
            squares[h] += y[h].powi(2);
        }
    }
    errors.iter().zip(squares).map(|(e, s)| 1.0 - e / s).collect()
}

/// Returns with a first-order coefficient of -0.5: a quarter of the next return's variance can be known.
#[test]
fn mean_reversion_is_found_on_every_instruction_set() {
    let world = reverting(3000, 0.5, 11, price(3));
    for isa in isas() {
        for id in ["lstm", "gru"] {
            let config = small(&json!({"epochs": 20, "instructionSet": isa.id()}));
            let r2 = r2_of_steps(&world, &*learner(id, &config));
            assert!(r2[0] > 0.15 && r2[0] < 0.35, "{id} on {isa}: {r2:?}");
        }
    }
}

#[test]
fn every_price_loss_learns() {
    let world = reverting(2500, 0.5, 12, price(1));
    for loss in ["mse", "huber", "pinball"] {
        let r2 = r2_of_steps(&world, &*learner("gru", &small(&json!({"epochs": 15, "loss": loss}))));
        assert!(r2[0] > 0.12, "{loss}: {r2:?}");
    }
}

#[test]
fn a_random_walk_is_not_forecast() {
    let world = reverting(2500, 0.0, 13, price(2));
    let r2 = r2_of_steps(&world, &*learner("lstm", &small(&json!({"epochs": 30, "patience": 4}))));
    assert!(r2.iter().all(|&r| r < 0.01), "{r2:?}");
}

/// The loss of the price task says nothing about the volatility, which is learnt by squared error.
#[test]
fn the_volatility_is_learnt_alike_whatever_the_loss_of_prices() {
    let mut rng = Seed(15).stream();
    let wave = |row: usize| 0.8 * (row as f64 * std::f64::consts::TAU / 12.0).sin();
    let returns: Vec<f64> = (0..900).map(|row| 0.007 * wave(row).exp() * rng.normal()).collect();
    let world = of_returns(&returns, (0..900).map(|row| wave(row + 2)).collect(), volatility(3));
    let state = |loss: &str| {
        let model = learner("gru", &small(&json!({"epochs": 2, "loss": loss})));
        fit(&*model, &world.part(0.0, 0.7), &Given::default()).unwrap().model.state()
    };
    assert_eq!(state("mse"), state("pinball"));
}

/// Mean log loss of the test quarter against that of the training shares.
#[test]
fn directions_are_found_by_every_loss() {
    let world = reverting(3000, 0.6, 14, direction(1));
    for (id, more) in [
        ("lstm", json!({"classLoss": "cross-entropy"})),
        ("gru", json!({"classLoss": "cross-entropy", "labelSmoothing": 0.05, "classWeights": "sqrt"})),
        ("gru", json!({"classLoss": "focal", "focalGamma": 1.0})),
    ] {
        let mut config = small(&more);
        config["epochs"] = json!(15);
        let model = learner(id, &config);
        let (train, test) = (world.part(0.0, 0.7), world.part(0.75, 1.0));
        let fitted = fit(&*model, &train, &Given::default()).unwrap().model;
        let mut out = Prediction::default();
        fitted.predict_into(&test, &mut out);
        let mut counts = [0.0; CLASSES];
        (0..train.len()).for_each(|i| counts[train.class(i)] += 1.0 / train.len() as f64);
        let (mut loss, mut prior, mut hits) = (0.0, 0.0, 0.0);
        for i in 0..test.len() {
            let (row, class) = (out.row(i), test.class(i));
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9 && row.iter().all(|p| (0.0..=1.0).contains(p)));
            loss -= row[class].ln();
            prior -= counts[class].ln();
            hits += f64::from(u8::from((0..CLASSES).all(|c| row[c] <= row[class])));
        }
        let majority = counts.iter().fold(0.0_f64, |a, &b| a.max(b));
        assert!(loss < 0.97 * prior, "{more}: {loss} {prior}");
        assert!(hits / test.len() as f64 > majority + 0.02, "{more}: {hits} of {}", test.len());
    }
}
