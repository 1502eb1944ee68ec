//! Documents of `compare` and `backtest`.

use serde_json::{Value, json};

use crate::program::{Program, SERIES, SHORT, line};
use crate::shape::{
    Is, assert_fields, count, elements, flag, instant, list, number, number_or_null, object, object_or_null, share,
    share_or_null, text,
};

const BASELINES: [&str; 4] = ["naive", "drift", "seasonal-naive", "ewma"];
const HORIZON: usize = 6;
const RANGE: &[&str] = &["--from", "2024-03-10", "--to", "2024-03-20"];
/// Hours in [`RANGE`]: every one of them can be an origin.
const ORIGINS: u64 = 240;

const REPORT: &[(&str, Is)] = &[
    ("symbol", text),
    ("interval", text),
    ("horizonSteps", count),
    ("origins", count),
    ("independent", count),
    ("looks", count),
    ("models", list),
    ("fingerprint", text),
    ("venue", text),
    ("synthetic", flag),
    ("leftOut", count),
    ("from", instant),
    ("to", instant),
    ("intervalLevel", share),
    ("notes", list),
    ("confidenceSet", object_or_null),
    ("differences", list),
    ("overfitting", object_or_null),
    ("seed", count),
    ("instructionSet", text),
    ("program", text),
];
const METRICS: &[(&str, Is)] = &[
    ("mae", number),
    ("rmse", number),
    ("mape", number),
    ("r2", number),
    ("r2Price", number),
    ("directionalAccuracy", share_or_null),
    ("coverage", share),
    ("skill", number),
    ("skillScaled", number),
];
const STEP: &[(&str, Is)] = &[
    ("step", count),
    ("mae", number),
    ("coverage", share),
    ("directionalAccuracy", share_or_null),
    ("pValue", share_or_null),
    ("verdictCode", text),
];
const VS_NAIVE: &[(&str, Is)] = &[
    ("verdict", text),
    ("verdictCode", text),
    ("test", text),
    ("statistic", number_or_null),
    ("pValue", share_or_null),
    ("pValueHolm", share_or_null),
    ("origins", count),
    ("independent", count),
    ("looks", count),
    ("against", text),
    ("triesInLedger", count),
];

pub(super) const HIT_RATE: &[(&str, Is)] = &[
    ("from", instant),
    ("to", instant),
    ("rate", share),
    ("lower", share_or_null),
    ("upper", share_or_null),
    ("origins", count),
];
const CONFIDENCE_SET: &[(&str, Is)] = &[("level", share), ("models", list), ("pValues", list)];
const DIFFERENCE: &[(&str, Is)] = &[
    ("better", text),
    ("worse", text),
    ("saved", number),
    ("pValue", share),
    ("pValueHolm", share),
    ("beyondLuck", flag),
];
const OVERFITTING: &[(&str, Is)] = &[
    ("pbo", share),
    ("probabilityOfLoss", share),
    ("medianLogit", number),
    ("degradation", object_or_null),
    ("tries", count),
    ("effectiveTries", number),
    ("leftOut", count),
    ("looks", count),
    ("days", count),
    ("blocks", count),
    ("splits", count),
];
const SELECTED: &[(&str, Is)] = &[
    ("threshold", share),
    ("share", share),
    ("hitRate", share_or_null),
    ("lower", share_or_null),
    ("upper", share_or_null),
    ("count", count),
];

/// Checks a report of `models` beside the baselines.
pub(super) fn assert_report(report: &Value, models: &[&str]) {
    assert_fields("report", report, REPORT);
    let expected: Vec<&str> = BASELINES.iter().chain(models).copied().collect();
    let found: Vec<&str> = elements("models", &report["models"]).iter().filter_map(|m| m["model"].as_str()).collect();
    assert_eq!(found, expected);
    assert_eq!((report["symbol"].as_str(), report["interval"].as_str()), (Some("BTCUSDT"), Some("1h")));
    assert_eq!(report["horizonSteps"], HORIZON);
    assert_eq!(report["origins"].as_u64().unwrap() + report["leftOut"].as_u64().unwrap(), ORIGINS);
    let fingerprint = report["fingerprint"].as_str().unwrap();
    assert!(fingerprint.len() == 64 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()), "{fingerprint}");
    report["models"].as_array().unwrap().iter().for_each(assert_model);
    let set = &report["confidenceSet"];
    if !set.is_null() {
        assert_fields("confidenceSet", set, CONFIDENCE_SET);
        assert_eq!(elements("pValues", &set["pValues"]).len(), expected.len());
        assert!(elements("models", &set["models"]).iter().all(|name| expected.contains(&name.as_str().unwrap())));
    }
    for difference in report["differences"].as_array().unwrap() {
        assert_fields("difference", difference, DIFFERENCE);
    }
    if !report["overfitting"].is_null() {
        assert_fields("overfitting", &report["overfitting"], OVERFITTING);
    }
}

/// Checks one model of a report.
pub(super) fn assert_model(model: &Value) {
    let name = model["model"].as_str().unwrap();
    let parts: &[(&str, Is)] =
        &[("baseline", flag), ("metrics", object), ("perHorizon", list), ("vsNaive", object), ("fitSeconds", number)];
    assert_fields(name, model, parts);
    assert_eq!(model["baseline"], BASELINES.contains(&name), "{name}");
    assert_fields(name, &model["metrics"], METRICS);
    assert_fields(name, &model["vsNaive"], VS_NAIVE);
    let steps = elements(name, &model["perHorizon"]);
    assert_eq!(steps.len(), HORIZON, "{name}");
    for (i, step) in steps.iter().enumerate() {
        assert_fields(name, step, STEP);
        assert_eq!(step["step"], i + 1, "{name}");
    }
    let has_direction = !model["metrics"]["directionalAccuracy"].is_null();
    let has_confidence = model["reliability"]["table"].as_array().is_some_and(|table| !table.is_empty());
    for (field, parts, is_there) in
        [("recentDirection", HIT_RATE, has_direction), ("selected", SELECTED, has_confidence)]
    {
        assert_eq!(model[field].is_object(), is_there, "{name} {field}: {model}");
        if is_there {
            assert_fields(name, &model[field], parts);
        }
    }
    if name == "naive" {
        assert_naive(model);
    }
}

/// What is undefined for the reference is null, neither NaN nor a number that looks like one.
fn assert_naive(model: &Value) {
    assert!(model["metrics"]["directionalAccuracy"].is_null(), "naive has no direction");
    assert_eq!(model["metrics"]["skill"], 0.0);
    assert!(model["vsNaive"]["statistic"].is_null() && model["vsNaive"]["pValue"].is_null());
    assert_eq!(
        (&model["vsNaive"]["verdictCode"], &model["vsNaive"]["against"]),
        (&json!("reference"), &json!("naive"))
    );
    assert!(model["vsNaive"]["signal"].is_null());
    for step in model["perHorizon"].as_array().unwrap() {
        assert!(step["pValue"].is_null() && step["directionalAccuracy"].is_null(), "{step}");
        assert_eq!(step["verdictCode"], "reference", "{step}");
    }
}

#[test]
fn a_comparison_sets_every_model_beside_the_baselines() {
    let program = Program::with_candles();
    let compare = line(&[&["compare", "--models", "linear,hybrid"], SERIES, SHORT, RANGE]);
    let report = program.json(&compare);
    assert_report(&report, &["linear", "hybrid"]);
    assert_eq!((&report["independent"], &report["looks"]), (&json!(ORIGINS / HORIZON as u64), &json!(2)));
    for model in report["models"].as_array().unwrap() {
        let vs = &model["vsNaive"];
        assert!(vs["signal"].is_null() || model["baseline"] == false, "{model}");
        assert_eq!((&vs["looks"], &vs["triesInLedger"]), (&json!(2), &json!(0)));
    }
    // Forty outcomes do not overlap, so there is something to tell.
    assert_eq!(report["confidenceSet"]["level"], 0.9);
    // One of the two again: the other one was tried on this period.
    let alone = program.json(&line(&[&["compare", "--models", "linear"], SERIES, SHORT, RANGE]));
    let linear = &alone["models"].as_array().unwrap().last().unwrap()["vsNaive"];
    assert_eq!((&linear["looks"], &linear["triesInLedger"]), (&json!(2), &json!(1)));
    let notes = elements("notes", &alone["notes"]);
    assert!(notes.iter().any(|note| note.as_str().unwrap().starts_with("1 other configuration was")), "{notes:?}");
}

/// It tells more of the forecasts and makes no others, so that it is no other try.
#[test]
fn a_threshold_of_the_confidence_changes_what_is_told_of_the_surest_and_nothing_else() {
    // With the mean return left as it is, every forecast has a direction.
    const COMPARE: &[&str] = &["compare", "--models", "linear", "--set", "shrinkDrift=false"];
    let program = Program::with_candles();
    let compare = |more: &[&str]| {
        let mut report = program.json(&line(&[COMPARE, SERIES, SHORT, RANGE, more]));
        let models = report["models"].as_array_mut().unwrap();
        let selected: Vec<Value> = models
            .iter_mut()
            .map(|model| {
                let model = model.as_object_mut().unwrap();
                model.remove("fitSeconds");
                model.remove("selected").unwrap()
            })
            .collect();
        (report, selected.last().unwrap().clone())
    };
    let (plain, tenth) = compare(&[]);
    let (strict, selected) = compare(&["--confidence-threshold", "0.5"]);
    assert_eq!(plain, strict, "the fingerprint and the tries among it");
    assert!(tenth["share"].as_f64().unwrap() >= 0.1 && tenth["threshold"].as_f64().unwrap() >= 0.5, "{tenth}");
    // No confidence of a price is below chance.
    assert_eq!((&selected["threshold"], &selected["share"]), (&json!(0.5), &json!(1.0)));
    assert!(selected["count"].as_u64().unwrap() >= tenth["count"].as_u64().unwrap());

    let told = program.run(&line(&[COMPARE, SERIES, SHORT, RANGE, &["--confidence-threshold", "0.99"]])).stdout;
    assert!(
        told.contains("linear: confidence >= 0.99 in ") && told.contains("linear: direction of all origins"),
        "{told}"
    );
    let volatility = line(&[&["compare", "--models", "linear", "--task", "volatility"], SERIES, SHORT, RANGE]);
    let volatility = line(&[&volatility, &["--confidence-threshold", "0.6"]]);
    program.refuse(&volatility, 2, "bad-confidence-threshold", &["volatility", "confidence-threshold"]);
    let compare = line(&[&["compare", "--models", "linear", "--confidence-threshold", "60"], SERIES]);
    program.refuse(&compare, 2, "bad-usage", &["0.5 to 0.99"]);
}

#[test]
fn a_walk_forward_backtest_is_a_comparison_of_one() {
    let program = Program::with_candles();
    let backtest = line(&[&["backtest", "--model", "linear", "--method", "walk-forward"], SERIES, SHORT, RANGE]);
    let mut report = program.json(&backtest);
    assert_report(&report, &["linear"]);
    let mut compared = program.json(&line(&[&["compare", "--models", "linear"], SERIES, SHORT, RANGE]));
    for document in [&mut report, &mut compared] {
        for model in document["models"].as_array_mut().unwrap() {
            model.as_object_mut().unwrap().remove("fitSeconds");
        }
    }
    assert_eq!(report, compared);
}

#[test]
fn a_simple_backtest_fits_once() {
    let program = Program::with_candles();
    let split: &[&str] = &["--method", "simple", "--train-start", "2024-01-01", "--train-end", "2024-03-10"];
    let report = program.json(&line(&[&["backtest", "--model", "hybrid"], split, SERIES, SHORT, RANGE]));
    assert_report(&report, &["hybrid"]);
    assert_eq!(
        (report["from"].as_str(), report["to"].as_str()),
        (Some("2024-03-10T00:00:00Z"), Some("2024-03-20T00:00:00Z"))
    );
}

#[test]
fn a_range_without_history_trains_on_its_first_part_and_says_so() {
    let program = Program::with_candles();
    let report = program.json(&line(&[&["compare", "--models", "linear", "--from", "2024-01-02"], SERIES, SHORT]));
    let notes = elements("notes", &report["notes"]);
    assert!(notes[0].as_str().unwrap().contains("became training"), "{notes:?}");
    assert!(report["origins"].as_u64().unwrap() > 0);
}
