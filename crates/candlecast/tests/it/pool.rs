//! `--pool`: models that learn from what else is stored, at the command line.

use serde_json::{Value, json};

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{N_CANDLES, Program, Run, SERIES, SHORT, line};

const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];
const TRAIN: &[&str] = &["train", "--model", "linear"];
const POOL: &[&str] = &["--pool"];
const NOTHING_ELSE: &str = "--pool changes nothing: no other series of the same venue and interval is stored";

/// With candles of ETHUSDT and SOLUSDT beside those of BTCUSDT.
fn with_others() -> Program {
    let program = Program::with_candles();
    for (seed, symbol) in [(2, "ETHUSDT"), (3, "SOLUSDT")] {
        let file = program.write(&format!("good/{symbol}-1h.csv"), csv(&rows(N_CANDLES, HOUR_MS, seed)));
        program.json(&["import", &file]);
    }
    program
}

fn done(run: Run) -> Run {
    assert_eq!(run.code, Some(0), "{run:?}");
    run
}

#[test]
fn a_training_with_a_pool_saves_one_model_that_forecasts_as_any_other() {
    let program = with_others();
    let trained = program.json(&line(&[TRAIN, SERIES, SHORT, POOL, NOW]));
    let model = &trained["model"];
    assert_eq!(model["trainedOn"], json!(["binance:BTCUSDT:1h"]));
    assert_eq!(model["pool"], json!(["binance:ETHUSDT:1h", "binance:SOLUSDT:1h"]));
    assert_eq!(program.json(&["models", "list"]), json!([model]));
    assert_eq!(program.json(&["models", "show", "BTCUSDT_LINEAR_1.0.0"]), *model);
    let words = "learnt from a pool of 2 other series, too: binance:ETHUSDT:1h, binance:SOLUSDT:1h";
    let shown = done(program.run(&["models", "show", "BTCUSDT_LINEAR_1.0.0"]));
    assert!(shown.stdout.contains(words), "{shown:?}");
    let jobs = program.json(&["jobs", "list"]);
    assert!(jobs["jobs"][0]["what"].as_str().unwrap().ends_with("6 steps, pool of 2"), "{jobs}");

    let predict = line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW]);
    let pooled = program.json(&predict)["predictions"].clone();
    let again = program.json(&line(&[TRAIN, SERIES, SHORT, NOW]));
    assert_eq!((&again["model"]["version"], &again["model"]["pool"]), (&json!("1.1.0"), &json!([])));
    assert_eq!(again["active"], false, "without a pool it is another configuration");
    assert_eq!(program.json(&predict)["predictions"], pooled);
}

#[test]
fn several_symbols_are_saved_for_and_the_others_are_the_pool() {
    let program = with_others();
    let symbols: &[&str] = &["--symbols", "BTCUSDT,ETHUSDT", "--interval", "1h"];
    let document = program.json(&line(&[TRAIN, symbols, SHORT, POOL, NOW]));
    let trained = document["trained"].as_array().unwrap();
    assert_eq!(trained.len(), 2);
    for model in trained.iter().map(|trained| &trained["model"]) {
        assert_eq!(model["trainedOn"], json!(["binance:BTCUSDT:1h", "binance:ETHUSDT:1h"]));
        assert_eq!(model["pool"], json!(["binance:SOLUSDT:1h"]));
    }
}

#[test]
fn a_comparison_and_a_training_say_where_nothing_else_is_stored() {
    let program = Program::with_candles();
    let compare: &[&str] = &["compare", "--models", "linear"];
    for command in [TRAIN, compare] {
        let run = done(program.run(&line(&[command, SERIES, SHORT, POOL, NOW])));
        assert!(run.stderr.contains(NOTHING_ELSE), "{run:?}");
    }
    let trained = program.json(&line(&[TRAIN, SERIES, SHORT, POOL, NOW]));
    assert_eq!(trained["model"]["pool"], json!([]));
    let with_others = with_others();
    let run = done(with_others.run(&line(&[compare, SERIES, SHORT, POOL, NOW])));
    assert!(!run.stderr.contains(NOTHING_ELSE), "{run:?}");
}

#[test]
fn a_scheduled_training_may_have_a_pool() {
    let program = Program::new();
    let entry = "[[schedule]]\nmodels = ['linear']\nsymbol = 'BTCUSDT'\nevery = '7d'\n";
    program.write("candlecast.toml", format!("{entry}\n{entry}pool = true\n"));
    let document = program.json(&["doctor", "--config"]);
    let pools: Vec<&Value> = document["schedule"].as_array().unwrap().iter().map(|entry| &entry["pool"]).collect();
    assert_eq!(pools, [&json!(false), &json!(true)]);
    let shown = done(program.run(&["doctor", "--config"]));
    assert!(shown.stdout.contains("| pool |"), "{shown:?}");
    program.write("candlecast.toml", format!("{entry}pool = 'all'\n"));
    let run = program.run(&["data", "list"]);
    assert!(run.code == Some(2) && run.stderr.contains("pool is \"all\": write true or false"), "{run:?}");
}
