//! Planted signals are found; random walks are left alone.

use candlecast_learn::{Samples, VolatilityAccumulator, VolatilityOutcome};
use candlecast_models::catalog;
use serde_json::{Value, json};

use crate::world::{build, direction, fit, predict, price, relative_error, reverting, volatility, waving};

fn config(id: &str) -> Value {
    match id {
        "gbdt" => json!({ "maxDepth": 4 }),
        "random-forest" => json!({ "trees": 100, "minLeaf": 20 }),
        "hybrid" => json!({ "lookbackWindow": 20, "fitSmoothing": true }),
        _ => Value::Null,
    }
}

#[test]
fn every_model_finds_mean_reversion() {
    let world = reverting(4000, 0.45, 11, price(3));
    for entry in catalog() {
        let outcome = fit(&*build(entry.id, &config(entry.id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let error = relative_error(&predict(&outcome, &world.test()), &world.test(), 1);
        // The best possible forecast of the first step has 1 - 0.45^2 = 0.80 of the naive error.
        let most = if entry.id == "hybrid" { 0.95 } else { 0.88 };
        assert!(error < most, "{} {error}", entry.id);
    }
}

#[test]
fn every_model_stays_near_naive_on_random_walks() {
    for entry in catalog() {
        let mut errors = [0.0; 2];
        for seed in 0..6 {
            let world = reverting(2500, 0.0, 100 + seed, price(12));
            let outcome = fit(&*build(entry.id, &config(entry.id)), &world.train(), Some(&world.valid()), 1).unwrap();
            let prediction = predict(&outcome, &world.test());
            errors[0] += relative_error(&prediction, &world.test(), 1) / 6.0;
            errors[1] += relative_error(&prediction, &world.test(), 12) / 6.0;
        }
        assert!(errors[0] < 1.01 && errors[1] < 1.05, "{} {errors:?}", entry.id);
        assert!(errors[0] > 0.98, "{} cannot know the future: {errors:?}", entry.id);
    }
}

#[test]
fn directions_of_mean_reversion_are_found() {
    let world = reverting(4000, 0.6, 12, direction(1));
    let test = world.test();
    for id in ["linear", "gbdt", "random-forest"] {
        let outcome = fit(&*build(id, &config(id)), &world.train(), Some(&world.valid()), 1).unwrap();
        let prediction = predict(&outcome, &test);
        let loss = |p: &dyn Fn(usize) -> f64| (0..test.len()).map(|i| -p(i).ln()).sum::<f64>() / test.len() as f64;
        let ours = loss(&|i| prediction.row(i)[test.class(i)].max(1e-12));
        let shares = loss(&|i| [0.25, 0.5, 0.25][test.class(i)]);
        assert!(ours < shares - 0.05, "{id} {ours} against {shares}");
    }
}

/// The models that forecast the volatility.
const OF_VOLATILITY: [&str; 3] = ["linear", "gbdt", "random-forest"];

/// QLIKE of forecasts of the log variance, and the mean of realised over forecast variance.
fn qlike_and_ratio(forecasts: &[f64], samples: &Samples<'_>) -> (f64, f64) {
    let (mut sums, mut ratio) = (VolatilityAccumulator::default(), 0.0);
    for (i, &forecast) in forecasts.iter().enumerate() {
        let actual = samples.log_variance(i).exp();
        sums.add(&VolatilityOutcome { forecast, actual, interval: None });
        ratio += actual / forecast.exp() / forecasts.len() as f64;
    }
    (sums.finish().qlike.unwrap(), ratio)
}

fn base_of(samples: &Samples<'_>) -> Vec<f64> {
    (0..samples.len()).map(|i| samples.base_log_variance(i)).collect()
}

#[test]
fn a_wave_of_the_volatility_is_found_and_variances_are_right_on_average() {
    let world = waving(4000, 13, volatility(1));
    let test = world.test();
    let (base, _) = qlike_and_ratio(&base_of(&test), &test);
    for id in OF_VOLATILITY {
        for valid in [Some(&world.valid()), None] {
            let outcome = fit(&*build(id, &config(id)), &world.train(), valid, 1).unwrap();
            let (qlike, ratio) = qlike_and_ratio(&predict(&outcome, &test).mean, &test);
            // With the wave known it is about 0.7 of the base's; without the smearing factor the ratio would be 3.
            assert!(qlike < 0.85 * base, "{id}: {qlike} against {base}");
            assert!((0.7..1.4).contains(&ratio), "{id}: {ratio}");
        }
    }
}

#[test]
fn where_nothing_is_to_be_known_volatilities_stay_near_the_base() {
    for id in OF_VOLATILITY {
        let (mut ours, mut base) = (0.0, 0.0);
        for seed in 0..4 {
            // Over a whole wave.
            let world = waving(2500, 200 + seed, volatility(12));
            let test = world.test();
            let outcome = fit(&*build(id, &config(id)), &world.train(), Some(&world.valid()), 1).unwrap();
            ours += qlike_and_ratio(&predict(&outcome, &test).mean, &test).0;
            base += qlike_and_ratio(&base_of(&test), &test).0;
        }
        assert!(ours < 1.1 * base, "{id}: {ours} against {base}");
    }
}
