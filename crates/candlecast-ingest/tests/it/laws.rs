//! Laws: the order of rows does not matter, and no bytes make the importer panic.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use candlecast_core::{Interval, Seed};
use candlecast_ingest::{ImportOptions, open_bytes};
use proptest::prelude::*;

use crate::samples::{candles, csv, gzip, read_with, zip};

#[test]
fn shuffled_rows_give_the_same_candles() {
    let columns = candles(3_000, Interval::M5);
    let text = csv(&columns);
    let (header, body) = text.split_once('\n').unwrap();
    let mut rows: Vec<&str> = body.lines().collect();
    let sorted = read_with("BTCUSDT-5m.csv", &text, &ImportOptions::default()).unwrap();
    for seed in 0..5 {
        let mut rng = Seed(seed).stream();
        for i in (1..rows.len()).rev() {
            rows.swap(i, rng.below(i + 1));
        }
        let shuffled = format!("{header}\n{}", rows.join("\n"));
        for chunk_rows in [100, 131_072] {
            let options = ImportOptions { chunk_rows, ..ImportOptions::default() };
            // Without an interval in the name it must come out of the shuffled times.
            let (series, report) = read_with("BTCUSDT.csv", &shuffled, &options).unwrap();
            assert_eq!(series, sorted.0);
            assert_eq!((report.gaps, report.range), (sorted.1.gaps, sorted.1.range));
            assert!(report.out_of_order > 1_000);
        }
    }
}

/// One valid file of every format, small.
fn valid_files() -> Vec<(&'static str, Vec<u8>)> {
    let columns = candles(60, Interval::H1);
    let text = csv(&columns);
    let row = |i: usize| crate::samples::binance_fields(&columns.candle(i), 1).join(",");
    let json: Vec<String> = (0..60).map(|i| format!("[{}]", row(i))).collect();
    let archive: Vec<String> = (0..60).map(row).collect();
    let numbers = |v: &Vec<f64>| Arc::new(Float64Array::from(v.clone())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("date", Arc::new(TimestampMillisecondArray::from(columns.open_time.clone())) as ArrayRef),
        ("open", numbers(&columns.open)),
        ("high", numbers(&columns.high)),
        ("low", numbers(&columns.low)),
        ("close", numbers(&columns.close)),
        ("volume", numbers(&columns.volume)),
    ])
    .unwrap();
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let mut arrow = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    arrow.write(&batch).unwrap();
    arrow.finish().unwrap();
    let mut parquet = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    parquet.write(&batch).unwrap();
    vec![
        ("BTCUSDT-1h.csv", text.clone().into_bytes()),
        ("BTCUSDT-1h-2024-01.csv", archive.join("\n").into_bytes()),
        ("BTCUSDT-1h.json", format!("[{}]", json.join(",")).into_bytes()),
        ("BTCUSDT-1h.csv.gz", gzip(text.as_bytes())),
        ("BTCUSDT-1h.zip", zip(&[("BTCUSDT-1h.csv", text.as_bytes())])),
        ("BTC_USDT-1h.feather", arrow.into_inner().unwrap()),
        ("BTCUSDT-1h.parquet", parquet.into_inner().unwrap()),
    ]
}

/// Reads to the end whatever comes; what is handed out must be sorted, which `CandleSeries` guarantees, and counted.
fn survive(name: &str, bytes: Vec<u8>) {
    let options = ImportOptions { chunk_rows: 16, ..ImportOptions::default() };
    let Ok(mut import) = open_bytes(name, bytes, &options) else { return };
    while let Ok(Some(chunk)) = import.next_chunk() {
        assert!(!chunk.is_empty() && chunk.len() <= 16);
    }
    let report = import.report();
    assert_eq!(report.rows_read, report.rows_kept + report.duplicates + report.rejected);
}

#[test]
fn the_valid_files_are_valid() {
    for (name, bytes) in valid_files() {
        let (series, report) = read_with(name, bytes, &ImportOptions::default()).unwrap();
        assert_eq!((series.len(), report.rejected), (60, 0), "{name}");
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<usize>(), 1..=255_u8).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        1 => any::<usize>().prop_map(Damage::Cut),
        1 => (any::<usize>(), 1..200_usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        1 => (any::<usize>(), 1..200_usize).prop_map(|(at, n)| Damage::Repeat(at, n)),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let len = bytes.len();
    let span = |at: usize, n: usize| (at % len)..(at % len + n).min(len);
    match *damage {
        Damage::Flip(at, mask) => bytes[at % len] ^= mask,
        Damage::Cut(at) => bytes.truncate(at % len),
        Damage::Remove(at, n) => drop(bytes.drain(span(at, n))),
        Damage::Repeat(at, n) => {
            let copy = bytes[span(at, n)].to_vec();
            drop(bytes.splice(at % len..at % len, copy));
        }
    }
}

/// Beginnings that lead soup into every reader.
const MAGIC: [&[u8]; 8] = [
    b"",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"PAR1",
    b"ARROW1\0\0",
    b"[[",
    b"open_time,open,high,low,close,volume\n",
    b"\xef\xbb\xbf",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(which in 0..7_usize, damages in prop::collection::vec(damage(), 1..6)) {
        let (name, mut bytes) = valid_files().swap_remove(which);
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        survive(name, bytes);
    }

    #[test]
    fn byte_soup_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2_000), magic in 0..8_usize) {
        survive("BTCUSDT-1h.csv", [MAGIC[magic], &bytes].concat());
    }
}
