//! Every format, read back to the candles it was written from.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use candlecast_core::{Columns, Interval, Symbol, Timestamp, Venue};
use candlecast_ingest::{FormatKind, ImportOptions, VolumeUnit, open, open_bytes};

use crate::samples::{START, binance_fields, candles, csv, gzip, read, read_with, zip};

fn format_of(name: &str, bytes: &[u8]) -> FormatKind {
    open_bytes(name, bytes.to_vec(), &ImportOptions::default()).unwrap().format()
}

fn rows(columns: &Columns, line: impl Fn(usize) -> String) -> String {
    (0..columns.len()).map(|i| line(i) + "\n").collect()
}

#[test]
fn csv_in_every_dress() {
    let columns = candles(300, Interval::H1);
    let text = csv(&columns);
    let quoted = text.replace(',', "\",\"").replace('\n', "\"\n\"");
    let quoted = format!("\"{}", quoted.trim_end_matches('"'));
    let dresses = [
        text.clone(),
        text.replace(',', ";"),
        text.replace(',', "\t"),
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        format!("# a comment\n\n{text}"),
        text.trim_end().to_string(),
        quoted,
    ];
    for dress in &dresses {
        let (series, report) = read("BTCUSDT-1h.csv", dress).unwrap();
        assert_eq!(series.columns(), &columns, "{}", &dress[..200]);
        assert_eq!((report.rejected, report.gaps.missing), (0, 0));
    }
    let (series, _) = read("BTCUSDT-1h.csv.gz", gzip(text.as_bytes())).unwrap();
    assert_eq!(series.columns(), &columns);
    let (head, tail) = text.split_at(5_000);
    let members = [gzip(head.as_bytes()), gzip(tail.as_bytes())].concat();
    assert_eq!(read("BTCUSDT-1h.csv.gz", members).unwrap().0.columns(), &columns);
}

#[test]
fn files_on_disk_are_read_with_progress() {
    let columns = candles(5_000, Interval::M1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Binance_ETHUSDT_1m.csv.gz");
    let bytes = gzip(csv(&columns).as_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let options = ImportOptions { chunk_rows: 1_000, ..ImportOptions::default() };
    let mut import = open(&path, &options).unwrap();
    assert_eq!(import.key().to_string(), "binance:ETHUSDT:1m");
    assert_eq!(import.bytes_total(), bytes.len() as u64);
    let mut sizes = Vec::new();
    while let Some(chunk) = import.next_chunk().unwrap() {
        sizes.push(chunk.len());
    }
    assert_eq!(sizes, [1_000; 5]);
    assert_eq!(import.bytes_read(), import.bytes_total());
    assert!(open(folder.path(), &options).is_err());
    assert!(open(&folder.path().join("absent.csv"), &options).is_err());
}

#[test]
fn binance_archives_of_both_units() {
    let columns = candles(100, Interval::H1);
    let old = rows(&columns, |i| binance_fields(&columns.candle(i), 1).join(","));
    let new = rows(&columns, |i| binance_fields(&columns.candle(i), 1_000).join(","));
    let header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,\
        taker_buy_quote_volume,ignore\n";
    for text in [old.clone(), new.clone(), format!("{header}{old}")] {
        let name = "BTCUSDT-1h-2024-01.csv";
        assert_eq!(format_of(name, text.as_bytes()), FormatKind::BinanceArchive);
        assert_eq!(read(name, &text).unwrap().0.columns(), &columns);
    }
    let (first, second) = (old.lines().take(50), new.lines().skip(50));
    let halves = [first.collect::<Vec<_>>().join("\n"), second.collect::<Vec<_>>().join("\n")];
    let archive =
        zip(&[("BTCUSDT-1h-2024-12.csv", halves[0].as_bytes()), ("BTCUSDT-1h-2025-01.csv", halves[1].as_bytes())]);
    let (series, report) = read("download.zip", archive).unwrap();
    assert_eq!(series.key().to_string(), "binance:BTCUSDT:1h");
    assert_eq!((series.columns(), report.out_of_order), (&columns, 0));
}

#[test]
fn cryptodatadownload_is_newest_first() {
    let columns = candles(3_000, Interval::H1);
    let line = |i: usize| {
        let c = columns.candle(columns.len() - 1 - i);
        // The unix column of these files goes from milliseconds to seconds on the way back in time.
        let unix = if i < 1_000 { c.open_time.ms() } else { c.open_time.ms() / 1_000 };
        let date = c.open_time.to_string().replace('T', " ").replace('Z', "");
        let f = binance_fields(&c, 1);
        format!("{unix},{date},BTCUSDT,{},{},{},{},{},{},{}", f[1], f[2], f[3], f[4], f[5], f[7], f[8])
    };
    let header =
        "https://www.CryptoDataDownload.com\nUnix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT,tradecount\n";
    let text = format!("{header}{}", rows(&columns, line));
    assert_eq!(format_of("Binance_BTCUSDT_1h.csv", text.as_bytes()), FormatKind::CryptoDataDownload);
    for name in ["Binance_BTCUSDT_1h.csv", "unknown.csv"] {
        let options = ImportOptions { chunk_rows: 700, ..ImportOptions::default() };
        let (series, report) = read_with(name, &text, &options).unwrap();
        assert_eq!(series.key().to_string(), "binance:BTCUSDT:1h");
        assert_eq!(series.columns().close, columns.close);
        assert_eq!(series.columns().quote_volume, columns.quote_volume);
        assert_eq!((report.out_of_order, report.duplicates, report.newest_first), (0, 0, true));
        assert_eq!(series.columns().taker_buy_base, None);
    }
}

#[test]
fn json_of_binance_and_freqtrade() {
    let columns = candles(500, Interval::M1);
    let kline = |i: usize| {
        let f = binance_fields(&columns.candle(i), 1);
        format!(
            "[{},\"{}\",\"{}\",\"{}\",\"{}\",\"{}\",{},\"{}\",{},\"{}\",\"{}\",\"{}\"]",
            f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], f[11]
        )
    };
    let all: Vec<String> = (0..columns.len()).map(kline).collect();
    for text in [format!("[{}]", all.join(",")), format!(" [\n  {}\n]\n", all.join(",\n  "))] {
        assert_eq!(format_of("BTCUSDT-1m.json", text.as_bytes()), FormatKind::KlineJson);
        assert_eq!(read("BTCUSDT-1m.json", &text).unwrap().0.columns(), &columns);
    }
    let six: Vec<String> =
        (0..columns.len()).map(|i| format!("[{}]", binance_fields(&columns.candle(i), 1)[..6].join(", "))).collect();
    let (series, _) = read("BTC_USDT-1m.json.gz", gzip(format!("[{}]", six.join(",")).as_bytes())).unwrap();
    assert_eq!(series.columns().close, columns.close);
    assert_eq!(series.key().symbol.as_str(), "BTCUSDT");
}

fn batch(columns: &Columns, time_name: &str, time: ArrayRef) -> RecordBatch {
    let numbers = |v: &Vec<f64>| Arc::new(Float64Array::from(v.clone())) as ArrayRef;
    RecordBatch::try_from_iter([
        (time_name, time),
        ("open", numbers(&columns.open)),
        ("high", numbers(&columns.high)),
        ("low", numbers(&columns.low)),
        ("close", numbers(&columns.close)),
        ("volume", numbers(&columns.volume)),
    ])
    .unwrap()
}

#[test]
fn feather_as_freqtrade_writes_it() {
    let columns = candles(2_500, Interval::H1);
    let time = TimestampMillisecondArray::from(columns.open_time.clone()).with_timezone("UTC");
    let batch = batch(&columns, "date", Arc::new(time));
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        for at in [0, 1_000, 2_000] {
            writer.write(&batch.slice(at, (2_500 - at).min(1_000))).unwrap();
        }
        writer.finish().unwrap();
        let bytes = writer.into_inner().unwrap();
        assert_eq!(format_of("BTC_USDT-1h.feather", &bytes), FormatKind::ArrowIpc);
        let (series, report) = read("BTC_USDT-1h.feather", &bytes).unwrap();
        assert_eq!(series.key().to_string(), "binance:BTCUSDT:1h");
        assert_eq!((series.columns().close.clone(), report.rows_read), (columns.close.clone(), 2_500));
        assert_eq!(series.open_time(), &columns.open_time[..]);
    }
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn parquet_with_every_kind_of_time() {
    let columns = candles(5_000, Interval::M1);
    let text: Vec<String> =
        columns.open_time.iter().map(|&t| Timestamp(t).to_string().replace('T', " ").replace('Z', "")).collect();
    let times: [ArrayRef; 4] = [
        Arc::new(TimestampNanosecondArray::from_iter_values(columns.open_time.iter().map(|t| t * 1_000_000))),
        Arc::new(TimestampMillisecondArray::from(columns.open_time.clone())),
        Arc::new(arrow::array::Int64Array::from_iter_values(columns.open_time.iter().map(|t| t / 1_000))),
        Arc::new(StringArray::from(text)),
    ];
    for (name, time) in ["timestamp", "open_time", "unix", "date"].into_iter().zip(times) {
        let bytes = parquet(&batch(&columns, name, time));
        assert_eq!(format_of("BTCUSDT-1m.parquet", &bytes), FormatKind::Parquet);
        let (series, report) = read("BTCUSDT-1m.parquet", &bytes).unwrap();
        assert_eq!((series.open_time(), series.close()), (&columns.open_time[..], &columns.close[..]), "{name}");
        assert_eq!(report.rejected, 0);
    }
}

#[test]
fn quote_volume_becomes_base() {
    let text = "open_time,open,high,low,close,volume\n1704067200000,10,12,9,9,300\n1704070800000,10,12,9,9,0\n";
    let options = ImportOptions { volume_unit: VolumeUnit::Quote, ..ImportOptions::default() };
    let (series, report) = read_with("BTC_PERP-1h.csv", text, &options).unwrap();
    assert_eq!(series.columns().volume, [30.0, 0.0]);
    assert_eq!(series.columns().quote_volume, Some(vec![300.0, 0.0]));
    assert_eq!(series.key().to_string(), "binance-usdm:BTC:1h");
    assert_eq!(report.zero_volume, 1);
}

#[test]
fn options_override_names() {
    let options = ImportOptions {
        symbol: Some(Symbol::new("ETH-EUR").unwrap()),
        venue: Some(Venue::new("kraken").unwrap()),
        interval: Some(Interval::H1),
        ..ImportOptions::default()
    };
    let text = csv(&candles(50, Interval::H1));
    let (series, _) = read_with("BTCUSDT-1m.csv", &text, &options).unwrap();
    assert_eq!(series.key().to_string(), "kraken:ETHEUR:1h");
    let (series, _) = read("BTCUSDT.csv", &text).unwrap();
    assert_eq!((series.key().interval, series.open_time()[0]), (Interval::H1, START));
}
