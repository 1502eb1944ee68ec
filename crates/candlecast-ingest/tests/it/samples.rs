//! Files made for the tests, and reading them back.

use std::io::Write;

use candlecast_core::{Candle, CandleSeries, Columns, Interval, Timestamp};
use candlecast_ingest::{Import, ImportOptions, IngestError, QualityReport, open_bytes};

/// 2024-01-01, a Monday.
pub(crate) const START: i64 = 1_704_067_200_000;

/// `n` candles that wander, with all optional columns.
pub(crate) fn candles(n: usize, interval: Interval) -> Columns {
    let mut columns = Columns::default();
    let mut price = 100.0_f64;
    for i in 0..n {
        let open = price;
        let step = ((i * 37 % 101) as f64 - 50.0) / 2_000.0;
        price = (open * (1.0 + step) * 100.0).round() / 100.0;
        columns.push(&Candle {
            open_time: Timestamp(START + i as i64 * interval.ms()),
            open,
            high: open.max(price) + 0.25,
            low: open.min(price) - 0.25,
            close: price,
            volume: 1.5 + (i % 7) as f64,
            quote_volume: Some(150.0 + (i % 7) as f64),
            trades: Some((10 + i % 5) as f64),
            taker_buy_base: Some(0.5 + (i % 3) as f64),
        });
    }
    columns
}

/// The 12 fields of a Binance row.
pub(crate) fn binance_fields(c: &Candle, per_ms: i64) -> Vec<String> {
    let optional = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    vec![
        (c.open_time.ms() * per_ms).to_string(),
        c.open.to_string(),
        c.high.to_string(),
        c.low.to_string(),
        c.close.to_string(),
        c.volume.to_string(),
        ((c.open_time.ms() + 59_999) * per_ms).to_string(),
        optional(c.quote_volume),
        optional(c.trades),
        optional(c.taker_buy_base),
        "0".into(),
        "0".into(),
    ]
}

pub(crate) const NINE: &str = "open_time,open,high,low,close,volume,quote_volume,trades,taker_buy_base";

/// The nine columns of one candle.
pub(crate) fn nine(c: &Candle) -> String {
    let fields = binance_fields(c, 1);
    [&fields[..6], &fields[7..10]].concat().join(",")
}

/// A CSV of nine columns with a header.
pub(crate) fn csv(columns: &Columns) -> String {
    let rows: Vec<String> = (0..columns.len()).map(|i| nine(&columns.candle(i))).collect();
    format!("{NINE}\n{}\n", rows.join("\n"))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// All chunks of an import, one laid over the other, and the report.
pub(crate) fn drain(mut import: Import) -> Result<(CandleSeries, QualityReport), IngestError> {
    let mut all = CandleSeries::empty(import.key().clone());
    while let Some(chunk) = import.next_chunk()? {
        assert!(!chunk.is_empty());
        all = all.merged(&chunk).unwrap();
    }
    assert!(import.next_chunk()?.is_none());
    let report = import.report();
    assert_eq!(report.rows_read, report.rows_kept + report.duplicates + report.rejected);
    assert_eq!(report.rows_kept, all.len() as u64);
    Ok((all, report))
}

pub(crate) fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<(CandleSeries, QualityReport), IngestError> {
    read_with(name, bytes, &ImportOptions::default())
}

pub(crate) fn read_with(
    name: &str,
    bytes: impl AsRef<[u8]>,
    options: &ImportOptions,
) -> Result<(CandleSeries, QualityReport), IngestError> {
    drain(open_bytes(name, bytes.as_ref().to_vec(), options)?)
}
