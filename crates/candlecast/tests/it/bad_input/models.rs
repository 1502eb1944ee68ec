//! Model files that are not what was written.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::program::{Program, SERIES, SHORT, line};

const ID: &str = "BTCUSDT_LINEAR_1.0.0";
const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];

fn train(program: &Program) -> PathBuf {
    let trained = program.json(&line(&[&["train", "--model", "linear"], SERIES, SHORT, NOW]));
    PathBuf::from(trained["model"]["path"].as_str().unwrap())
}

fn predict() -> Vec<&'static str> {
    line(&[&["predict", "--model", "linear"], SERIES, NOW])
}

/// `bytes` cut in half, with one byte altered at `at`, and cut to nothing.
fn damages(bytes: &[u8], at: usize) -> [Vec<u8>; 3] {
    let mut altered = bytes.to_vec();
    altered[at] ^= 1;
    [bytes[..bytes.len() / 2].to_vec(), altered, Vec::new()]
}

fn find(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|window| window == text).unwrap()
}

fn status(program: &Program, id: &str) -> Value {
    let listed = program.json(&["models", "list"]);
    let entry = listed.as_array().unwrap().iter().find(|m| m["id"] == id);
    entry.unwrap_or_else(|| panic!("{id} is not listed: {listed}"))["status"].clone()
}

fn assert_unhealthy(program: &Program, words: &[&str]) {
    let doctor = program.run(&["--json", "doctor"]);
    assert_eq!((doctor.code, doctor.problem()["code"].as_str()), (Some(1), Some("unhealthy")), "{doctor:?}");
    for word in words {
        assert!(doctor.stdout.contains(word), "no `{word}` in {doctor:?}");
    }
}

#[test]
fn a_damaged_model_is_never_used_and_serves_again_once_restored() {
    let program = Program::with_candles();
    let model = train(&program);
    let (candles, forecast) = (program.stored(), program.json(&predict()));
    for file in [model.clone(), model.with_extension("meta.json")] {
        let whole = fs::read(&file).unwrap();
        // Both files hold these words in places that mean something; white space does not count.
        let at = find(&whole, b"candlecast") + 3;
        for damaged in damages(&whole, at) {
            fs::write(&file, &damaged).unwrap();
            program.refuse(&predict(), 1, "corrupt-model", &["is damaged", "backup", "train again"]);
            program.refuse(&["models", "show", ID], 1, "corrupt-model", &[ID, "is damaged"]);
            if damaged.len() != whole.len() {
                assert_eq!(status(&program, ID), "corrupt");
            }
            // The doctor reads the files whole, so a single byte shows too.
            assert_unhealthy(&program, &["is damaged", ID, "models promote ID"]);
        }
        fs::write(&file, &whole).unwrap();
        assert_eq!(program.json(&predict()), forecast);
    }
    assert_eq!(program.stored(), candles);
}

#[test]
fn the_version_before_answers_for_a_damaged_one_and_says_so() {
    let program = Program::with_candles();
    train(&program);
    let newest = train(&program);
    let forecast = program.json(&predict());
    assert_eq!((&forecast["modelVersion"], forecast.get("fellBack")), (&json!("1.0.1"), None));
    let whole = fs::read(&newest).unwrap();
    for damaged in damages(&whole, whole.len() / 2) {
        fs::write(&newest, damaged).unwrap();
        let fallen = program.json(&predict());
        assert_eq!(fallen["modelVersion"], "1.0.0");
        assert!(fallen["fellBack"].as_str().unwrap().contains("is damaged"), "{fallen}");
        assert_eq!(fallen["predictions"], forecast["predictions"], "same data and configuration, same forecast");
    }
}

#[test]
fn training_again_replaces_a_damaged_model() {
    let program = Program::with_candles();
    let model = train(&program);
    let forecast = program.json(&predict());
    fs::write(&model, "{").unwrap();
    program.refuse(&predict(), 1, "corrupt-model", &["train again"]);
    train(&program);
    assert_eq!(program.json(&predict())["predictions"], forecast["predictions"]);
    assert_eq!(status(&program, ID), "corrupt");
}

#[test]
fn all_failures_of_predict_are_one_problem() {
    let program = Program::with_candles();
    let linear = train(&program);
    let hybrid = program.json(&line(&[&["train", "--model", "hybrid"], SERIES, SHORT, NOW]));
    let hybrid = PathBuf::from(hybrid["model"]["path"].as_str().unwrap());
    let all = line(&[&["--json", "predict", "--all"], NOW]);
    // Of the same size, so that the lists do not see it.
    let alter = |file: &PathBuf| {
        let whole = fs::read(file).unwrap();
        fs::write(file, &damages(&whole, find(&whole, b"candlecast") + 3)[1]).unwrap();
    };
    alter(&linear);
    let one = program.run(&all);
    assert_eq!((one.code, one.document().as_array().unwrap().len()), (Some(1), 1), "{one:?}");
    assert_eq!(one.problem()["code"], "corrupt-model");
    alter(&hybrid);
    let both = program.run(&all);
    let detail = both.problem()["detail"].as_str().unwrap().to_owned();
    for words in ["2 of 2 forecasts failed", "LINEAR", "HYBRID"] {
        assert!(detail.contains(words), "{detail}");
    }
}

#[test]
fn models_that_do_not_exist_are_named() {
    let program = Program::with_candles();
    program.refuse(&["models", "show", "nonsense"], 2, "bad-model-id", &["nonsense", "BTCUSDT_LSTM_1.0.0"]);
    for command in ["show", "promote"] {
        program.refuse(&["models", command, ID], 1, "model-not-trained", &[ID, "models list"]);
    }
    program.refuse(
        &predict(),
        1,
        "model-not-trained",
        &["candlecast train --symbol BTCUSDT --interval 1h --model linear"],
    );
}
