//! Real files against the table that describes them.

use std::fs;
use std::path::Path;

use candlecast_core::{Gaps, Symbol, Timestamp};
use candlecast_ingest::{FormatKind, ImportOptions, open};

use crate::samples::drain;

/// What the table says of a file.
struct Described {
    name: String,
    rows: u64,
    from: Timestamp,
    to: Timestamp,
    gaps: Gaps,
    zero_volume: Option<u64>,
}

/// The rows `| file | rows | from | to | missing bars | remarks | …` of the table.
fn described(readme: &str) -> Vec<Described> {
    readme.lines().filter_map(describe).collect()
}

fn describe(line: &str) -> Option<Described> {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let name = cells.get(1)?.strip_prefix('`')?.strip_suffix('`')?;
    if !name.ends_with(".csv.gz") || cells.len() < 8 {
        return None;
    }
    let time = |text: &str| Timestamp::parse(&format!("{text}:00")).unwrap();
    let number = |text: &str| text.parse::<usize>().unwrap();
    // `122 bars in 27 runs, longest 33` or `none`.
    let words: Vec<&str> = cells[5].split_whitespace().collect();
    let gaps = match words.as_slice() {
        ["none"] => Gaps::default(),
        [missing, "bars", "in", count, "runs,", "longest", longest] => {
            Gaps { count: number(count), longest: number(longest), missing: number(missing) }
        }
        other => panic!("{name}: {other:?}"),
    };
    let zero = cells[6].split(';').find_map(|part| part.trim().strip_suffix(" zero-volume bars"));
    Some(Described {
        name: name.into(),
        rows: number(cells[2]) as u64,
        from: time(cells[3]),
        to: time(cells[4]),
        gaps,
        zero_volume: zero.map(|n| number(n) as u64),
    })
}

#[test]
fn candle_files_agree_with_their_description() {
    let Some(folder) = candlecast_testenv::real_data() else { return };
    let table = described(&fs::read_to_string(folder.join("README.md")).unwrap());
    let mut seen = 0;
    for kind in ["candles", "pumps/candles"] {
        for entry in fs::read_dir(folder.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if !name.ends_with(".csv.gz") {
                continue;
            }
            let expected = table.iter().find(|d| d.name == name).unwrap_or_else(|| panic!("{name} is not described"));
            check(&path, expected);
            seen += 1;
        }
    }
    assert_eq!(seen, table.len());
    assert!(seen >= 30, "{seen}");
}

fn check(path: &Path, expected: &Described) {
    let name = &expected.name;
    let import = open(path, &ImportOptions::default()).unwrap();
    let symbol = name.split('-').next().unwrap().trim_start_matches("BINANCEUS_").trim_end_matches("_PERP");
    assert_eq!(import.key().symbol.as_str(), symbol, "{name}");
    let venue = match name {
        n if n.starts_with("BINANCEUS_") => "binanceus",
        n if n.contains("_PERP-") => "binance-usdm",
        _ => "binance",
    };
    assert_eq!(import.key().venue.as_str(), venue, "{name}");
    assert_eq!(import.format(), FormatKind::Csv, "{name}");
    let interval = import.key().interval;
    assert!(name.contains(&format!("-{interval}.")), "{name}");
    let (series, report) = drain(import).unwrap();
    assert_eq!((report.rows_read, report.rows_kept), (expected.rows, expected.rows), "{name}");
    assert_eq!((report.rejected, report.duplicates, report.out_of_order), (0, 0, 0), "{name}");
    assert_eq!(report.gaps, expected.gaps, "{name}");
    assert_eq!(report.gaps, Gaps::of(series.open_time(), interval), "{name}");
    let range = report.range.unwrap();
    assert_eq!((range.from, range.to), (expected.from, expected.to.plus_ms(interval.ms())), "{name}");
    if let Some(zero) = expected.zero_volume {
        assert_eq!(report.zero_volume, zero, "{name}");
    }
}

#[test]
fn raw_binance_files_import() {
    let Some(folder) = candlecast_testenv::real_data() else { return };
    let cases = [
        ("BTCUSDT-1h-2023-01.with_header.csv", "binance:BTCUSDT:1h", None),
        ("BTCUSDT-1h-2024-12.tail48.csv", "binance:BTCUSDT:1h", Some(48)),
        ("BTCUSDT-1h-2025-01.head48.csv", "binance:BTCUSDT:1h", Some(48)),
        ("FILUSDT-1m-2023-09.futures.head1441.csv", "binance-usdm:FILUSDT:1m", Some(1_440)),
    ];
    let mut read = Vec::new();
    for (name, key, rows) in cases {
        let path = folder.join("raw/binance_vision").join(name);
        let import = open(&path, &ImportOptions::default()).unwrap();
        assert_eq!((import.key().to_string().as_str(), import.format()), (key, FormatKind::BinanceArchive), "{name}");
        let (series, report) = drain(import).unwrap();
        assert_eq!((report.rejected, report.duplicates, report.gaps), (0, 0, Gaps::default()), "{name}");
        assert!(rows.is_none_or(|n| n == series.len()), "{name}: {}", series.len());
        assert!(series.columns().taker_buy_base.is_some(), "{name}");
        read.push(series);
    }
    // Milliseconds before, microseconds after, no gap between.
    let (december, january) = (read[1].range().unwrap(), read[2].range().unwrap());
    assert_eq!(december.to, january.from);
}

#[test]
fn raw_rest_klines_import() {
    let Some(folder) = candlecast_testenv::real_data() else { return };
    let path = folder.join("raw/binance_rest/klines_1m_2024-11.json");
    assert!(open(&path, &ImportOptions::default()).unwrap_err().to_string().contains("--symbol"));
    let options = ImportOptions { symbol: Some(Symbol::new("XRPUSDT").unwrap()), ..ImportOptions::default() };
    let import = open(&path, &options).unwrap();
    assert_eq!((import.key().to_string().as_str(), import.format()), ("binance:XRPUSDT:1m", FormatKind::KlineJson));
    let (series, report) = drain(import).unwrap();
    assert_eq!((series.len(), report.rejected, report.gaps), (500, 0, Gaps::default()));
}
