//! The way to the naive forecast: a network that has found nothing says nothing, and what is there is still found.

use candlecast_learn::{CLASSES, FitOutcome, Prediction, PriceTarget, Samples, TargetKind, Values};
use candlecast_testkit::World;
use serde_json::{Value, json};

use crate::world::{Given, direction, fit, learner, of_returns, price, reverting, small};

/// Fits on the first three fifths, with a validation part behind them.
fn fitted(world: &World, id: &str, config: &Value) -> FitOutcome {
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.61, 0.74));
    fit(&*learner(id, config), &train, &Given { valid: Some(&valid), ..Given::default() }).unwrap()
}

fn forecasts(outcome: &FitOutcome, samples: &Samples<'_>) -> Prediction {
    let mut out = Prediction::default();
    outcome.model.predict_into(samples, &mut out);
    out
}

fn clipped() -> PriceTarget {
    PriceTarget::new(TargetKind::Clipped, None)
}

/// Share by which the mean absolute error in units of `sigma_t sqrt(h)`, over all steps, is below that of no move.
fn skill(samples: &Samples<'_>, prediction: &Prediction) -> f64 {
    let (mut errors, mut moves, mut y) = (0.0, 0.0, vec![0.0; prediction.width]);
    for i in 0..samples.len() {
        samples.returns_into(i, &mut y);
        for (h, (y, forecast)) in y.iter().zip(prediction.row(i)).enumerate() {
            let unit = clipped().unit(samples, i, h + 1);
            errors += (y - forecast).abs() / unit;
            moves += y.abs() / unit;
        }
    }
    1.0 - errors / moves
}

/// Share of the first step's squared returns that the best multiple of the forecasts explains.
fn explained(samples: &Samples<'_>, prediction: &Prediction) -> f64 {
    let (mut products, mut squares, mut all, mut y) = (0.0, 0.0, 0.0, [0.0]);
    for i in 0..samples.len() {
        samples.returns_into(i, &mut y);
        let forecast = prediction.row(i)[0];
        products += forecast * y[0];
        squares += forecast * forecast;
        all += y[0] * y[0];
    }
    if squares > 0.0 { products * products / (squares * all) } else { 0.0 }
}

/// On random walks most fits keep the network of before the first step, and the others cost next to nothing.
#[test]
fn what_has_found_nothing_forecasts_the_last_price_to_the_bit() {
    const WALKS: u64 = 8;
    let (mut naive, mut sum) = (0, 0.0);
    for seed in 0..WALKS {
        let world = reverting(2500, 0.0, 100 + seed, price(2));
        let outcome = fitted(&world, "lstm", &small(&json!({"epochs": 30, "patience": 4})));
        let test = world.part(0.75, 1.0);
        let prediction = forecasts(&outcome, &test);
        let says_nothing = prediction.mean.iter().all(|&m| m == 0.0);
        assert_eq!(says_nothing, outcome.steps == 0, "walk {seed}: {} epochs", outcome.steps);
        naive += u64::from(says_nothing);
        sum += skill(&test, &prediction);
    }
    assert!(2 * naive >= WALKS, "{naive} of {WALKS} fits have found nothing");
    assert!(sum / WALKS as f64 > -0.0005, "mean skill {}", sum / WALKS as f64);
}

/// Clipped targets make forecasts smaller, for which one factor makes up.
#[test]
fn a_planted_reversal_is_found_as_well_as_with_raw_targets() {
    for id in ["lstm", "gru"] {
        let (mut found, mut raw) = (0.0, 0.0);
        for seed in [11, 12, 13] {
            let world = reverting(3000, 0.5, seed, price(3));
            let test = world.part(0.75, 1.0);
            let of = |target: &str| {
                let outcome = fitted(&world, id, &small(&json!({"epochs": 20, "target": target})));
                assert!(outcome.steps > 0, "{id} {target}, seed {seed}");
                explained(&test, &forecasts(&outcome, &test))
            };
            found += of("clipped");
            raw += of("raw");
        }
        assert!(raw / 3.0 > 0.15 && found >= 0.95 * raw, "{id}: {found} with clipped targets, {raw} with raw ones");
    }
}

#[test]
fn every_target_of_the_price_is_learnt_and_saved() {
    let world = reverting(2000, 0.6, 17, price(2));
    let test = world.part(0.75, 1.0);
    for more in [json!({"target": "wide"}), json!({"target": "raw"}), json!({"targetBound": 0.3})] {
        let mut config = small(&more);
        config["epochs"] = json!(12);
        let outcome = fitted(&world, "gru", &config);
        let prediction = forecasts(&outcome, &test);
        assert!(explained(&test, &prediction) > 0.15, "{more}: {}", explained(&test, &prediction));
        let state = outcome.model.state();
        let Values::F32(bias) = &state.tensors["head.bias"].values else { panic!("networks save single precision") };
        assert_eq!(bias.iter().all(|&b| b == 0.0), more["target"] != "raw", "{more}: {bias:?}");
        let restored = learner("gru", &config).restore(&state, &world.task).unwrap();
        let mut again = Prediction::default();
        restored.predict_into(&test, &mut again);
        assert_eq!(again, prediction, "{more}");
    }
}

/// Returns with a mean of more than a quarter of their deviation: raw targets learn it, moves do not.
#[test]
fn how_prices_moved_on_average_is_not_learnt() {
    let noise = reverting(2000, 0.0, 18, price(1));
    let closes = noise.data.panels()[0].market().log_close().to_vec();
    let returns: Vec<f64> =
        std::iter::once(0.0).chain(closes.windows(2).map(|w| w[1] - w[0])).map(|r| r + 0.002).collect();
    let world = of_returns(&returns, vec![0.0; returns.len()], price(1));
    let train = world.part(0.0, 0.6);
    let mean = |target: &str| {
        let config = small(&json!({"epochs": 15, "learningRate": 0.001, "target": target}));
        let outcome = fit(&*learner("lstm", &config), &train, &Given::default()).unwrap();
        let prediction = forecasts(&outcome, &train);
        assert!(prediction.mean.iter().any(|&m| m != 0.0));
        prediction.mean.iter().sum::<f64>() / train.len() as f64
    };
    let (moves, raw) = (mean("clipped"), mean("raw"));
    assert!(raw > 0.001 && moves.abs() < 0.15 * raw, "{moves} {raw}");
}

/// What is kept is at least as good as the weights of the best epoch's end, and now and then better.
#[test]
fn the_best_look_may_lie_within_an_epoch() {
    let mut within = 0;
    for seed in [21, 22, 23, 24, 25] {
        let world = reverting(3000, 0.5, seed, price(1));
        let outcome = fitted(&world, "gru", &small(&json!({"epochs": 12})));
        let losses = &outcome.curve.valid;
        assert!((1..=losses.len()).contains(&outcome.steps) && losses.len() <= 12, "{} {losses:?}", outcome.steps);
        let best = losses.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        let valid = world.part(0.61, 0.74);
        let (prediction, mut y) = (forecasts(&outcome, &valid), [0.0]);
        let loss = (0..valid.len()).map(|i| {
            clipped().learn_into(&valid, i, &mut y);
            (prediction.row(i)[0] / clipped().unit(&valid, i, 1) - y[0]).powi(2)
        });
        let loss = loss.sum::<f64>() / valid.len() as f64;
        assert!(loss < best + 1e-5, "seed {seed}: {loss} {best}");
        within += usize::from(loss < best - 1e-5);
    }
    assert!(within > 0, "the best look was always that at the end of an epoch");
}

#[test]
fn classes_that_nothing_tells_keep_the_shares_of_the_training_part() {
    let mut kept = 0;
    for seed in [31, 32, 33, 34] {
        let world = reverting(2000, 0.0, seed, direction(2));
        let outcome = fitted(&world, "gru", &small(&json!({"epochs": 20, "patience": 3})));
        if outcome.steps > 0 {
            continue;
        }
        kept += 1;
        let (train, test) = (world.part(0.0, 0.6), world.part(0.75, 1.0));
        let mut shares = [0.0; CLASSES];
        (0..train.len()).for_each(|i| shares[train.class(i)] += 1.0);
        let shares = shares.map(|count| (count + 1.0) / (train.len() + CLASSES) as f64);
        let prediction = forecasts(&outcome, &test);
        for i in 0..test.len() {
            let row = prediction.row(i);
            assert!(
                row.iter().zip(shares).all(|(p, share)| (p - share).abs() < 1e-6),
                "seed {seed}: {row:?} {shares:?}"
            );
        }
    }
    assert!(kept > 0, "every one of 4 fits has found something");
    let told = reverting(3000, 0.6, 14, direction(1));
    assert!(fitted(&told, "gru", &small(&json!({"epochs": 15}))).steps > 0);
}

/// Steps that only do harm leave a warm start with the weights that it was given.
#[test]
fn a_warm_start_is_not_worse_than_what_it_began_with() {
    let world = reverting(2000, 0.6, 19, price(1));
    let (train, valid) = (world.part(0.0, 0.6), world.part(0.61, 0.74));
    let first = fitted(&world, "lstm", &small(&json!({"epochs": 12})));
    assert!(first.steps > 0);
    let state = first.model.state();
    let harmful = learner("lstm", &small(&json!({"epochs": 2, "learningRate": 1.0})));
    let given = Given { valid: Some(&valid), warm: Some(&state), ..Given::default() };
    let outcome = fit(&*harmful, &train, &given).unwrap();
    assert_eq!((outcome.steps, outcome.model.state()), (0, state));
}
