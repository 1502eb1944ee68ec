//! Candle files in the store that are not what was written.

use std::fs;

use serde_json::{Value, json};

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, line};

/// Into February 2025.
const N_ROWS: usize = 10_000;
/// Hours of 2024.
const FIRST_YEAR_ROWS: usize = 366 * 24;

#[test]
fn a_changed_byte_in_a_column_is_found_and_the_other_year_is_still_read() {
    let program = Program::new();
    let file = program.write("BTCUSDT-1h.csv", csv(&rows(N_ROWS, HOUR_MS, 1)));
    program.json(&["import", &file]);
    let series = program.data_dir().join("candles/venue=binance/symbol=BTCUSDT/interval=1h");
    let year = series.join("year=2024.parquet");
    let mut bytes = fs::read(&year).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&year, bytes).unwrap();

    let remedy: &[&str] = &["year=2024.parquet", "import the year 2024 again"];
    assert_eq!(program.json(&["data", "list"])[0]["damaged"], json!([]), "the list reads footers only");
    let check = program.run(&["--json", "data", "check"]);
    let found = check.document()[0].clone();
    assert_eq!((check.code, check.problem()["code"].as_str()), (Some(1), Some("corrupt-file")), "{check:?}");
    assert_eq!(found["rows"], N_ROWS - FIRST_YEAR_ROWS, "the year after the damaged one is read");
    assert_eq!(found["gaps"]["count"], 0, "damage is no gap");
    assert_names(&found["damaged"][0], remedy);

    let doctor = program.run(&["--json", "doctor"]);
    assert_eq!((doctor.code, doctor.problem()["code"].as_str()), (Some(1), Some("unhealthy")), "{doctor:?}");
    let report = doctor.document();
    let candles = report["checks"].as_array().unwrap().iter().find(|c| c["check"] == "candles").unwrap();
    assert_eq!(candles["ok"], false, "{report}");
    assert_names(&candles["detail"], remedy);

    let train: &[&str] = &["train", "--model", "linear", "--symbol", "BTCUSDT", "--from", "2025-01-01"];
    program.refuse(train, 1, "corrupt-file", remedy);
    let whole_year =
        line(&[&["data", "export", "--output", "2025.csv", "--from", "2025-01-01"], &["--symbol", "BTCUSDT"]]);
    assert_eq!(program.json(&whole_year)["rows"], N_ROWS - FIRST_YEAR_ROWS);
    fs::remove_file(&year).unwrap();
    program.json(&["import", &file]);
    assert_eq!(program.json(&["data", "check"])[0]["rows"], N_ROWS);
}

fn assert_names(text: &Value, words: &[&str]) {
    for word in words {
        assert!(text.as_str().unwrap().contains(word), "no `{word}` in {text}");
    }
}
