//! Against scikit-learn on the same numbers; `tests/golden/metrics.py` made them.

use candlecast_learn::{CLASSES, ClassAccumulator, VolatilityAccumulator, VolatilityOutcome};
use serde_json::Value;

/// Both sides compute the same sums in double precision.
const ROUNDING: f64 = 1e-12;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/metrics.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// Equal up to rounding, or both undefined.
fn assert_same(ours: Option<f64>, theirs: &Value, what: &str) {
    match (ours, theirs.as_f64()) {
        (Some(ours), Some(theirs)) => assert!((ours - theirs).abs() < ROUNDING, "{what}: {ours} against {theirs}"),
        (None, None) if theirs.is_null() => {}
        _ => panic!("{what}: {ours:?} against {theirs}"),
    }
}

#[test]
fn metrics_of_classes_are_scikit_learns() {
    let golden = golden();
    let cases = golden["classes"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut sums = ClassAccumulator::default();
        for (p, actual) in case["probabilities"].as_array().unwrap().iter().zip(case["actual"].as_array().unwrap()) {
            sums.add(numbers(p).try_into().unwrap(), actual.as_u64().unwrap() as usize);
        }
        let ours = sums.finish();
        for (value, key) in [
            (ours.accuracy, "accuracy"),
            (ours.balanced_accuracy, "balancedAccuracy"),
            (ours.macro_precision, "macroPrecision"),
            (ours.macro_recall, "macroRecall"),
            (ours.macro_f1, "macroF1"),
            (ours.mcc, "mcc"),
            (ours.log_loss, "logLoss"),
            (ours.brier, "brier"),
        ] {
            assert_same(value, &case[key], &format!("{name}: {key}"));
        }
        for (values, key) in [(ours.precision, "precision"), (ours.recall, "recall"), (ours.f1, "f1")] {
            for class in 0..CLASSES {
                assert_same(values[class], &case[key][class], &format!("{name}: {key} of class {class}"));
            }
        }
        assert_eq!(serde_json::json!(ours.confusion), case["confusion"], "{name}");
        assert_eq!(ours.count, case["actual"].as_array().unwrap().len(), "{name}");
    }
}

#[test]
fn metrics_of_volatilities_are_scikit_learns() {
    let golden = golden();
    let case = &golden["volatility"];
    let (forecasts, actuals) = (numbers(&case["forecast"]), numbers(&case["actual"]));
    let mut sums = VolatilityAccumulator::default();
    for (&forecast, &actual) in forecasts.iter().zip(&actuals) {
        sums.add(&VolatilityOutcome { forecast, actual, interval: None });
    }
    let ours = sums.finish();
    assert_eq!((ours.count, ours.zero_variance), (forecasts.len(), 0));
    for (value, key) in [(ours.qlike, "qlike"), (ours.rmse, "rmse"), (ours.mae, "mae"), (ours.r2, "r2")] {
        assert_same(value, &case[key], key);
    }
}
