//! `linear` on clipped moves: what its sums over blocks add up to.

use candlecast_core::Seed;
use candlecast_learn::{
    Dataset, Extent, FitContext, Learner, Memo, Panel, PriceTarget, Samples, Silent, TargetKind, Task,
};
use candlecast_models::ridge;
use candlecast_testkit::World;
use serde_json::json;

use crate::world::{build, fit, predict, price, reverting};

fn fit_with(learner: &dyn Learner, train: &Samples<'_>, extent: Extent<'_>) -> Vec<f64> {
    let mut cx =
        FitContext { seed: Seed(7), valid: None, threads: 1, warm: None, resume: None, extent, observer: &mut Silent };
    predict(&learner.fit(train, &mut cx).unwrap(), train).mean
}

fn forecasts(world: &World, config: &serde_json::Value, extent: Extent<'_>) -> Vec<f64> {
    fit_with(build("linear", config).as_ref(), &world.train(), extent)
}

/// Ridge on standardised features and the unclipped moves, in the units of the forecasts.
fn by_closed_form(train: &Samples<'_>, alpha: f64) -> Vec<f64> {
    let (n, p, h) = (train.len(), train.width(), train.task().horizon());
    let target = PriceTarget::new(TargetKind::Clipped, Some(10.0));
    let mut x: Vec<f64> = (0..n).flat_map(|i| train.last(i).iter().map(|&v| f64::from(v))).collect();
    for j in 0..p {
        let mean = (0..n).map(|i| x[i * p + j]).sum::<f64>() / n as f64;
        let deviation = ((0..n).map(|i| (x[i * p + j] - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
        (0..n).for_each(|i| x[i * p + j] = (x[i * p + j] - mean) / deviation);
    }
    let mut y = vec![0.0; n * h];
    y.chunks_exact_mut(h).enumerate().for_each(|(i, row)| target.learn_into(train, i, row));
    let fit = ridge(&x, &y, p, h, alpha).unwrap();
    let mut out = vec![0.0; n * h];
    for (i, row) in out.chunks_exact_mut(h).enumerate() {
        for (k, value) in row.iter_mut().enumerate() {
            let product: f64 = (0..p).map(|j| x[i * p + j] * fit.coefficients[j * h + k]).sum();
            *value = fit.intercept[k] + product;
        }
        target.to_returns(train, i, row);
    }
    out
}

#[test]
fn with_a_given_penalty_it_is_ridge_on_standardised_features() {
    let world = reverting(3_000, 0.3, 3, price(3));
    let train = world.train();
    let config = json!({ "alpha": 50.0, "targetBound": 10.0, "shrinkDrift": false });
    let own = forecasts(&world, &config, Extent::default());
    for (own, expected) in own.iter().zip(by_closed_form(&train, 50.0)) {
        assert!((own - expected).abs() < 1e-10, "{own} {expected}");
    }
}

#[test]
fn sums_that_were_kept_give_the_same_bits() {
    let world = reverting(4_000, 0.3, 4, price(2));
    let memo = Memo::default();
    let kept = Extent { windows: &[], memo: Some(&memo) };
    let plain = forecasts(&world, &json!({}), Extent::default());
    for _ in 0..2 {
        assert_eq!(forecasts(&world, &json!({}), kept), plain);
    }
}

#[test]
fn several_windows_are_the_mean_of_their_fits() {
    let world = reverting(3_000, 0.3, 5, price(1));
    let config = json!({ "alpha": 50.0, "shrinkDrift": false });
    let of = |windows: &[u32]| {
        // The penalty is of all samples: windows alone differ.
        forecasts(&world, &config, Extent { windows, memo: None })
    };
    let (short, long, both) = (of(&[30]), of(&[60]), of(&[30, 60]));
    for i in 0..both.len() {
        assert!((both[i] - 0.5 * (short[i] + long[i])).abs() < 1e-12);
    }
    assert_eq!(of(&[4_000, 5_000]), of(&[]), "windows that reach beyond the data are one");
    assert_ne!(short, long);
}

#[test]
fn of_two_markets_each_has_the_mean_of_a_common_and_an_own_fit() {
    let worlds = [reverting(2_000, 0.5, 6, price(1)), reverting(2_000, 0.0, 7, price(1))];
    let panels: Vec<Panel> = worlds.iter().map(|world| world.data.panels()[0].clone()).collect();
    let config = json!({ "alpha": 1.0, "shrinkDrift": false });
    let (data, task) = (Dataset::new(panels), Task::Price { horizon: 1 });
    let mut ids = Vec::new();
    for (k, world) in worlds.iter().enumerate() {
        ids.extend(world.train().ids().iter().map(|id| candlecast_learn::SampleId { panel: k as u32, ..*id }));
    }
    ids.sort_by_key(|id| (id.row, id.panel));
    let train = Samples::new(&data, &ids, 1, task, None);
    let learner = build("linear", &config);
    let outcome = fit(learner.as_ref(), &train, None, 1).unwrap();
    // Restored, it says the same, and it forecasts more of the market that reverts.
    let restored = learner.restore(&outcome.model.state(), &task).unwrap();
    let mut again = candlecast_learn::Prediction::default();
    restored.predict_into(&train, &mut again);
    let together = predict(&outcome, &train);
    assert_eq!(together, again);
    let size = |panel: u32| {
        let of = |(i, id): (usize, &candlecast_learn::SampleId)| (id.panel == panel).then(|| together.mean[i].abs());
        ids.iter().enumerate().filter_map(of).sum::<f64>()
    };
    assert!(size(0) > 1.3 * size(1), "{} {}", size(0), size(1));
}

#[test]
fn a_few_giant_moves_do_not_own_the_fit() {
    let mut rng = Seed(8).stream();
    let mut returns: Vec<f64> = candlecast_testkit::reverting_returns(6_000, 0.15, &mut rng);
    // Every 150 hours a crash that goes on for an hour: bare squares see momentum.
    for i in (100..5_990).step_by(150) {
        (returns[i], returns[i + 1]) = (-0.12, -0.12);
    }
    let noise = candlecast_testkit::normals(6_000, &mut rng);
    let world = crate::world::of_returns(&returns, noise, price(1));
    let hits = |target: &str| {
        let learner = build("linear", &json!({ "target": target }));
        let outcome = fit(learner.as_ref(), &world.train(), Some(&world.valid()), 1).unwrap();
        let test = world.test();
        let (out, mut y) = (predict(&outcome, &test), [0.0]);
        let right = (0..test.len()).filter(|&i| {
            test.returns_into(i, &mut y);
            out.mean[i] * y[0] > 0.0
        });
        right.count() as f64 / test.len() as f64
    };
    let (clipped, raw) = (hits("clipped"), hits("raw"));
    assert!(clipped > 0.505 && clipped > raw + 0.03, "{clipped} {raw}");
}
