//! Documents of `features`.

use std::fs;

use serde_json::json;

use crate::candle_files::{HOUR_MS, START_MS, instant};
use crate::program::{N_CANDLES, Program, SERIES, line};
use crate::shape::{Is, assert_fields, count, elements, list, text};

const SPEC_FIELDS: &[(&str, Is)] = &[
    ("id", text),
    ("group", text),
    ("summary", text),
    ("unit", text),
    ("formula", text),
    ("source", text),
    ("cost", text),
    ("version", count),
    ("requires", list),
    ("params", list),
    ("outputs", list),
];

#[test]
fn the_list_describes_every_feature() {
    let program = Program::new();
    let listed = program.json(&["features", "list"]);
    for spec in elements("features list", &listed) {
        assert_fields("feature", spec, SPEC_FIELDS);
        assert!(!spec["outputs"].as_array().unwrap().is_empty(), "{spec}");
        for param in spec["params"].as_array().unwrap() {
            assert_fields("parameter", param, &[("name", text), ("min", count), ("max", count)]);
        }
    }
    let group = program.json(&["features", "list", "--group", "momentum"]);
    assert!(elements("group", &group).iter().all(|spec| spec["group"] == "momentum"));
    assert!(group.as_array().unwrap().len() < listed.as_array().unwrap().len());
}

#[test]
fn a_description_is_of_the_feature_asked_for() {
    let program = Program::new();
    let described = program.json(&["features", "describe", "rsi_21"]);
    assert_fields("features describe", &described, SPEC_FIELDS);
    assert_fields("features describe", &described, &[("warmup", count)]);
    assert_eq!((&described["id"], &described["warmup"]), (&json!("rsi"), &json!(21)), "{described}");
    assert_eq!(described["outputs"], json!(["rsi_21"]));
}

#[test]
fn computed_rows_are_null_while_a_feature_warms_up() {
    let program = Program::with_candles();
    let computed = program.json(&line(&[&["features", "compute", "--features", "rsi_14,sma_20"], SERIES]));
    let head: &[(&str, Is)] =
        &[("venue", text), ("symbol", text), ("interval", text), ("features", list), ("rows", list)];
    assert_fields("features compute", &computed, head);
    assert_eq!(computed["features"], json!(["rsi_14", "sma_20"]));
    let rows = elements("rows", &computed["rows"]);
    assert_eq!(rows.len(), N_CANDLES);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row["openTime"], instant(START_MS + i as i64 * HOUR_MS));
        let values = row["values"].as_array().unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!((values[0].is_null(), values[1].is_null()), (i < 14, i < 19), "row {i}: {row}");
    }
}

#[test]
fn computed_features_go_to_a_file() {
    let program = Program::with_candles();
    let to_file: &[&str] = &[
        "features",
        "compute",
        "--features",
        "rsi_14",
        "--output",
        "f.csv",
        "--from",
        "2024-02-01",
        "--to",
        "2024-02-03",
    ];
    let written = program.json(&line(&[to_file, SERIES]));
    assert_eq!(written, json!({ "file": "f.csv", "rows": 48, "features": ["rsi_14"] }));
    let text = fs::read_to_string(program.folder().join("f.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("open_time,rsi_14"));
    let values: Vec<f64> = lines.map(|l| l.split_once(',').unwrap().1.parse().unwrap()).collect();
    assert_eq!(values.len(), 48);
    assert!(values.iter().all(|v| (0.0..=100.0).contains(v)), "a warm-up lies before the range, not in it: {text}");
}
