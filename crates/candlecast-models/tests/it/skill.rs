//! Planted signals are found; random walks are left alone.

use candlecast_core::Seed;
use candlecast_learn::{FitOutcome, Samples, VolatilityAccumulator, VolatilityOutcome};
use candlecast_models::catalog;
use candlecast_testkit::{World, normals};
use serde_json::{Value, json};

use crate::world::{build, direction, fit, of_returns, predict, price, relative_error, reverting, volatility, waving};

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
        // The best possible forecast of the first step has 1 - 0.45^2 = 0.80 of the naive squared error; what clipping
        // takes off large moves costs 0.02, and the test part is one of many.
        let most = if entry.id == "hybrid" { 0.95 } else { 0.9 };
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

/// Returns that contain -0.35 times the last one, and once in 250 a move by a factor of e up or down, which says nothing
/// of what comes next.
fn with_giant_moves(n: usize, seed: u64) -> World {
    let mut rng = Seed(seed).derive("giants", 0).stream();
    let mut last = 0.0;
    let returns: Vec<f64> = (0..n)
        .map(|_| {
            last = -0.35 * last + 0.007 * rng.normal();
            let giant = if rng.uniform() < 0.5 { 1.0 } else { -1.0 };
            if rng.uniform() < 0.004 { last + giant } else { last }
        })
        .collect();
    of_returns(&returns, normals(n, &mut rng), price(1))
}

/// Share of right directions; a forecast of no change is right half the time.
fn hits(outcome: &FitOutcome, samples: &Samples<'_>) -> f64 {
    let prediction = predict(outcome, samples);
    let hit = |i: usize| {
        let (forecast, actual) = (prediction.row(i)[0], samples.return_over_horizon(i));
        if forecast == 0.0 { 0.5 } else { f64::from(u8::from((forecast > 0.0) == (actual > 0.0))) }
    };
    (0..samples.len()).map(hit).sum::<f64>() / samples.len() as f64
}

/// A few giant moves own the squared loss of bare returns, which sees nothing else.
#[test]
fn a_clipped_target_finds_the_direction_that_giant_moves_hide() {
    let mean_hits = |target: &str| {
        let of_seed = |seed: u64| {
            let world = with_giant_moves(3000, 300 + seed);
            let learner = build("gbdt", &json!({ "target": target }));
            hits(&fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap(), &world.test())
        };
        (0..5).map(of_seed).sum::<f64>() / 5.0
    };
    let (clipped, raw) = (mean_hits("clipped"), mean_hits("raw"));
    // With the sign of the last move alone it would be 1/2 + asin(0.35) / pi = 0.61.
    assert!(clipped > 0.56, "{clipped}");
    assert!(raw < clipped - 0.03, "raw {raw}, clipped {clipped}");
}

#[test]
fn boosting_keeps_no_round_of_noise() {
    const RUNS: usize = 100;
    let learner = build("gbdt", &Value::Null);
    let (mut without_trees, mut naive) = (0, 0);
    for seed in 0..RUNS as u64 {
        let world = reverting(1500, 0.0, 400 + seed, price(1));
        let outcome = fit(&*learner, &world.train(), Some(&world.valid()), 1).unwrap();
        without_trees += usize::from(outcome.steps == 0);
        let state = outcome.model.state();
        let level = state.f64("base", &[1, 1]).unwrap()[0];
        // In units of the root mean square; the mean of a thousand has an error of 0.03.
        assert!(level.abs() < 0.15, "{level}");
        naive += usize::from(level == 0.0);
        if outcome.steps == 0 {
            assert_eq!(state.fact::<Vec<usize>>("trees"), Ok(vec![0]));
        }
    }
    // About 93 are expected; fewer than 85 come by chance once in a thousand times.
    assert!(without_trees >= 85, "{without_trees} of {RUNS} fits to noise have no trees");
    // A mean without power is within its error in 68 % of cases.
    assert!(naive >= 50, "{naive} of {RUNS} levels are those of the naive forecast");
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
