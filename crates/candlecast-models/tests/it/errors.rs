//! What cannot be fitted says so.

use std::sync::Arc;

use candlecast_core::FeatureTable;
use candlecast_learn::{Dataset, FitError, Labels, Panel, SampleId, Samples, Task, ThresholdUnit, Thresholds};
use candlecast_models::catalog;

use crate::world::{build, fit, of_returns, price, quick, reverting};

#[test]
fn a_price_that_never_moves_is_refused() {
    let world = of_returns(&[0.0; 600], vec![0.5; 600], price(3));
    for entry in catalog() {
        let result = fit(&*build(entry.id, &quick(entry.id)), &world.train(), Some(&world.valid()), 1);
        let error = result.expect_err(entry.id);
        assert!(matches!(error, FitError::Degenerate(_)), "{} {error}", entry.id);
        assert!(error.to_string().contains("never moves"), "{error}");
    }
}

#[test]
fn too_few_samples_are_refused() {
    let world = reverting(600, 0.0, 2, price(3));
    for entry in catalog() {
        let few = world.part(0.0, 0.05);
        let error = fit(&*build(entry.id, &quick(entry.id)), &few, None, 1).expect_err(entry.id);
        assert_eq!(error, FitError::TooFewSamples { have: few.len(), need: 50 }, "{}", entry.id);
    }
}

#[test]
fn two_hundred_candles_are_enough_to_fit() {
    let world = reverting(200, 0.0, 3, price(24));
    for entry in catalog() {
        let outcome = fit(&*build(entry.id, &quick(entry.id)), &world.train(), None, 1);
        assert!(outcome.is_ok(), "{} {outcome:?}", entry.id);
    }
}

#[test]
fn a_single_class_is_refused() {
    let task = Task::Direction { horizon: 2, labels: Labels::Fixed { threshold: 10.0 } };
    let world = reverting(600, 0.0, 4, task);
    assert_eq!(world.thresholds, Some(Thresholds { sell: -10.0, buy: 10.0, unit: ThresholdUnit::Return }));
    for id in ["linear", "gbdt", "random-forest"] {
        let error = fit(&*build(id, &quick(id)), &world.train(), None, 1).expect_err(id);
        assert_eq!(error, FitError::OneClass { class: 1, samples: world.train().len() }, "{id}");
    }
    let error = fit(&*build("hybrid", &quick("hybrid")), &world.train(), None, 1).expect_err("hybrid");
    assert!(matches!(error, FitError::Unsupported { .. }), "{error}");
}

#[test]
fn nan_among_the_features_is_named() {
    let world = reverting(600, 0.0, 5, price(3));
    let market = Arc::clone(world.data.panels()[0].market());
    let mut column = vec![1.0; 600];
    column[100] = f64::NAN;
    let table = FeatureTable { names: vec!["good".into(), "bad".into()], columns: vec![vec![0.5; 600], column] };
    let data = Dataset::single(Panel::new(market, &table));
    let ids: Vec<SampleId> = (50..500).map(|row| SampleId { panel: 0, row }).collect();
    let samples = Samples::new(&data, &ids, 1, world.task, None);
    for id in ["linear", "gbdt", "random-forest"] {
        let error = fit(&*build(id, &quick(id)), &samples, None, 1).expect_err(id);
        assert!(matches!(&error, FitError::NotFinite { what, .. } if what.contains("feature bad")), "{id} {error}");
    }
}

#[test]
fn trees_without_features_are_refused() {
    let world = reverting(600, 0.0, 6, price(3));
    let market = Arc::clone(world.data.panels()[0].market());
    let data = Dataset::single(Panel::new(market, &FeatureTable::default()));
    let samples = Samples::new(&data, &world.ids, 1, world.task, None);
    for id in ["gbdt", "random-forest"] {
        let error = fit(&*build(id, &quick(id)), &samples, None, 1).expect_err(id);
        assert!(matches!(error, FitError::Degenerate(_)), "{id} {error}");
    }
}

#[test]
fn parameters_out_of_bounds_are_all_named() {
    let entry = catalog().iter().find(|e| e.id == "gbdt").unwrap();
    let error = entry.build(&serde_json::json!({ "maxDepth": 11, "learningRate": 0, "eta": 1 })).unwrap_err();
    assert_eq!(error.violations.len(), 3, "{error}");
}
