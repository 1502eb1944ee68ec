//! Golden values: TA-Lib's C library and NumPy on a generated path, made by `golden/make_golden.py`.

use std::collections::BTreeSet;

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureSet, FilledSeries, Interval, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_features::Engine;
use serde_json::Value;

use crate::market::{listed, same, scale};
use crate::reversal;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");

fn path() -> FilledSeries {
    let mut reader = csv::Reader::from_path(format!("{FOLDER}/path.csv")).expect("the golden path is in the crate");
    let mut columns = Columns::default();
    for record in reader.records() {
        let record = record.expect("a record");
        let number = |i: usize| record[i].parse::<f64>().expect("a number");
        columns.push(&Candle {
            open_time: Timestamp(record[0].parse().expect("a time")),
            open: number(1),
            high: number(2),
            low: number(3),
            close: number(4),
            volume: number(5),
            quote_volume: Some(number(6)),
            trades: Some(number(7)),
            taker_buy_base: Some(number(8)),
        });
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("GOLDUSDT").expect("a symbol"), Interval::H1);
    FilledSeries::new(&CandleSeries::new(key, columns).expect("valid candles"), 0)
}

fn expected() -> Value {
    let text = std::fs::read_to_string(format!("{FOLDER}/expected.json")).expect("the golden values are in the crate");
    serde_json::from_str(&text).expect("JSON")
}

fn assert_agrees(part: &str, relative: f64) {
    let expected = expected();
    let rows: Vec<usize> =
        expected["rows"].as_array().expect("rows").iter().map(|r| r.as_u64().expect("a row") as usize).collect();
    let references = expected[part].as_object().expect("outputs");
    let names: Vec<&str> = references.keys().map(String::as_str).collect();
    let engine = Engine::new(&FeatureSet::of(&names)).expect("every golden output exists");
    let table = engine.compute(&path());
    assert_eq!(table.names, names);
    for (name, column) in table.names.iter().zip(&table.columns) {
        let first = column.iter().position(|v| v.is_finite());
        assert_eq!(first, references[name]["first"].as_u64().map(|f| f as usize), "{name}: first value");
        let values = references[name]["values"].as_array().expect("values");
        assert_eq!(values.len(), rows.len());
        let size = scale(column);
        for (&row, want) in rows.iter().zip(values) {
            let want = want.as_f64().unwrap_or(f64::NAN);
            assert!(same(column[row], want, relative, size), "{name} row {row}: {} {want}", column[row]);
        }
    }
}

#[test]
fn values_agree_with_talib() {
    assert_agrees("byTalib", 1e-8);
}

#[test]
fn own_formulas_agree_with_numpy() {
    assert_agrees("byNumpy", 1e-9);
}

#[test]
fn every_listed_output_has_golden_values() {
    let (expected, of_reversal) = (expected(), reversal::expected());
    let parts = [&expected["byTalib"], &expected["byNumpy"], &of_reversal["values"]];
    let golden: BTreeSet<&String> = parts.iter().flat_map(|part| part.as_object().expect("outputs").keys()).collect();
    for l in listed() {
        for output in l.indicator.outputs() {
            assert!(golden.contains(&output), "{output} of {} has no golden values", l.id);
        }
    }
}
