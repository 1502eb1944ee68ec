//! Equal seeds give equal results at any number of threads; other seeds change what is drawn at random and nothing
//! else.

use candlecast_core::market::{MarketConfig, generate};
use serde_json::Value;

use crate::candle_files::csv;
use crate::program::{Program, SHORT, line};

/// Candles of the generated market.
const N_CANDLES: usize = 2_500;
/// Two models without and two with random draws; the forest unshrunk, so that its draws show.
const COMPARE: &[&str] = &[
    "compare",
    "--symbol",
    "BTCUSDT",
    "--models",
    "hybrid,linear,gbdt,random-forest",
    "--set",
    "gbdt.rounds=20",
    "--set",
    "gbdt.subsample=0.5",
    "--set",
    "random-forest.trees=20",
    "--set",
    "random-forest.shrink=false",
    "--from",
    "2022-03-20",
    "--to",
    "2022-04-10",
];

/// The first coin of the generated market, imported as synthetic.
fn generated_market() -> Program {
    let market = generate(&MarketConfig { n_candles: N_CANDLES, ..MarketConfig::default() });
    let rows: Vec<String> = (0..N_CANDLES)
        .map(|i| market[0].series.candle(i))
        .map(|c| format!("{},{},{},{},{},{}", c.open_time.ms(), c.open, c.high, c.low, c.close, c.volume))
        .collect();
    let program = Program::new();
    let file = program.write("BTCUSDT-1h.csv", csv(&rows));
    let imported = program.json(&["import", "--venue", "synthetic", &file]);
    assert_eq!(imported[0]["rowsKept"], N_CANDLES);
    program
}

/// A comparison without the times it took.
fn compare(program: &Program, more: &[&str]) -> Value {
    let mut report = program.json(&line(&[COMPARE, SHORT, more]));
    for model in report["models"].as_array_mut().unwrap() {
        assert!(model.as_object_mut().unwrap().remove("fitSeconds").is_some());
    }
    report
}

fn model<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["models"].as_array().unwrap().iter().find(|m| m["model"] == name).unwrap()
}

#[test]
fn neither_threads_nor_repetition_change_a_result_and_a_seed_only_what_it_should() {
    let program = generated_market();
    let one = compare(&program, &["--threads", "1"]);
    assert_eq!(one["synthetic"], true);
    assert_eq!(compare(&program, &["--threads", "2"]), one);
    assert_eq!(compare(&program, &["--threads", "2", "--seed", "42"]), one, "42 is the default");

    let other = compare(&program, &["--seed", "43"]);
    assert_ne!(other["fingerprint"], one["fingerprint"]);
    for name in ["naive", "drift", "seasonal-naive", "ewma", "hybrid", "linear"] {
        // The p-value corrected for all models compared hangs on the others too.
        for part in ["metrics", "perHorizon", "fits", "reliability"] {
            assert_eq!(model(&other, name)[part], model(&one, name)[part], "{name}");
        }
    }
    assert_ne!(model(&other, "random-forest")["metrics"], model(&one, "random-forest")["metrics"]);
}

#[test]
fn a_saved_model_does_not_depend_on_the_threads_that_trained_it() {
    let program = generated_market();
    let forecasts: Vec<Value> = ["1", "2"]
        .iter()
        .map(|threads| {
            let train: &[&str] = &["train", "--symbol", "BTCUSDT", "--model", "random-forest", "--set", "trees=20"];
            program.json(&line(&[train, SHORT, &["--threads", *threads]]));
            program.json(&["predict", "--symbol", "BTCUSDT", "--model", "random-forest"])
        })
        .collect();
    assert_eq!(
        (forecasts[0]["modelVersion"].as_str(), forecasts[1]["modelVersion"].as_str()),
        (Some("1.0.0"), Some("1.0.1"))
    );
    assert_eq!(forecasts[0]["predictions"], forecasts[1]["predictions"]);
}
