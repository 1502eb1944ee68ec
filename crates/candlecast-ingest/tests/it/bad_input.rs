//! Every kind of bad file, and the error or count it gives.

use std::fmt::Write as _;
use std::io::Write as _;

use candlecast_core::{Gaps, Interval};
use candlecast_ingest::{ImportOptions, IngestError, MAX_LINE_BYTES, open_bytes};

use crate::samples::{START, candles, csv, gzip, nine, read, read_with, zip};

const NAME: &str = "BTCUSDT-1h.csv";

fn error(name: &str, bytes: impl AsRef<[u8]>) -> IngestError {
    read(name, bytes).expect_err(name)
}

#[test]
fn files_without_candles() {
    assert!(matches!(error(NAME, ""), IngestError::Empty));
    assert!(matches!(error(NAME, gzip(b"")), IngestError::Empty));
    assert!(matches!(error(NAME, zip(&[])), IngestError::Empty));
    assert!(matches!(error(NAME, "\n\n"), IngestError::NoRows));
    assert!(matches!(error(NAME, "open_time,open,high,low,close,volume\n"), IngestError::NoRows));
    assert!(matches!(error("BTCUSDT-1h.json", "[]"), IngestError::NoRows));
    match error(NAME, "open_time,open,high,low,close,volume\nx,1,2,1,1,1\n1704067200000,0,2,1,1,1\n") {
        IngestError::NoValidRow { rejected: 2, reasons } => {
            assert!(reasons.contains("line 2: time `x`") && reasons.contains("line 3: open is 0"), "{reasons}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(error("x.csv", "time,open,high,low,close,volume\nx,1,2,1,1,1\n"), IngestError::NoValidRow { .. }));
    match error(NAME, "open_time,open,high,low\n1704067200000,1,2,1\n") {
        IngestError::MissingColumns { missing, found } => {
            assert_eq!((missing.as_str(), found.as_str()), ("close, volume", "open_time, open, high, low"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_rows_are_counted_and_named() {
    let columns = candles(40, Interval::H1);
    let mut lines: Vec<Vec<u8>> = csv(&columns).lines().map(|l| l.as_bytes().to_vec()).collect();
    let t = START + 3_600_000;
    let bad: [&[u8]; 5] =
        [b"\xff\xfe", b"1704070800000,1,2", b"", b"1704070800001,1,1,1,1,1,1,1,1", b"1704070800000,1,1,1,1,-1,1,1,1"];
    for (i, row) in bad.iter().enumerate() {
        lines.insert(10 + i, row.to_vec());
    }
    for row in ["NaN,2,1,1", "inf,2,1,1", "text,2,1,1", "3,2,1,1", "1,2,-1,1", "1,2,1,1e400"] {
        lines.push(format!("{t},{row},1,1,1,1").into_bytes());
    }
    let (series, report) = read(NAME, lines.join(&b"\n"[..])).unwrap();
    assert_eq!(series.columns(), &columns);
    assert_eq!((report.rejected, report.rows_read, report.first_rejected.len()), (10, 50, 10));
    assert_eq!(report.first_rejected[0].line, 11);
    assert!(report.first_rejected[0].reason.contains("UTF-8"));
    assert!(report.first_rejected[1].reason.contains("3 fields"));
    assert!(report.first_rejected[2].reason.contains("grid"), "{}", report.first_rejected[2].reason);
    assert_eq!(report.first_rejected[2].line, 14);
    let strict = ImportOptions { strict: true, ..ImportOptions::default() };
    assert!(matches!(read_with(NAME, lines.join(&b"\n"[..]), &strict), Err(IngestError::BadRow { line: 11, .. })));
    assert!(read_with(NAME, csv(&columns), &strict).is_ok());
}

#[test]
fn duplicates_gaps_and_disorder_are_exact() {
    let columns = candles(100, Interval::H1);
    let rows: Vec<String> =
        (0..100).filter(|i| !(20..23).contains(i) && *i != 50).map(|i| nine(&columns.candle(i))).collect();
    let mut text = format!("{}\n{}\n", crate::samples::NINE, rows.join("\n"));
    let stale = nine(&columns.candle(5));
    let corrected = format!("{},77", stale.rsplit_once(',').unwrap().0);
    writeln!(text, "{corrected}").unwrap();
    for chunk_rows in [1, 7, 1_000] {
        let options = ImportOptions { chunk_rows, ..ImportOptions::default() };
        let (series, report) = read_with(NAME, &text, &options).unwrap();
        assert_eq!((report.rows_kept, report.duplicates, report.out_of_order), (96, 1, 1));
        assert_eq!(report.gaps, Gaps { count: 2, longest: 3, missing: 4 });
        assert_eq!(series.candle(5).taker_buy_base, Some(77.0));
        let range = report.range.unwrap();
        assert_eq!((range.from.ms(), range.to.ms()), (START, START + 100 * 3_600_000));
    }
}

#[test]
fn halts_and_jumps_are_reported() {
    let mut columns = candles(200, Interval::H1);
    for i in [30, 31, 32, 90] {
        for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
            column[i] = 100.0;
        }
        columns.volume[i] = 0.0;
    }
    columns.volume[150] = 0.0;
    columns.close[120] = 5_000.0;
    columns.high[120] = 5_001.0;
    let (_, report) = read(NAME, csv(&columns)).unwrap();
    assert_eq!((report.zero_volume, report.zero_volume_share()), (5, Some(0.025)));
    assert_eq!((report.halts.count, report.halts.longest, report.halts.candles), (2, 3, 4));
    assert_eq!(report.jumps.total, 2);
    let mut at: Vec<i64> = report.jumps.list.iter().map(|j| (j.open_time.ms() - START) / 3_600_000).collect();
    at.sort_unstable();
    assert_eq!(at, [120, 121]);
}

#[test]
fn cut_archives_give_what_came_before() {
    let columns = candles(20_000, Interval::M1);
    let text = csv(&columns);
    let whole =
        [("BTCUSDT-1m.csv.gz", gzip(text.as_bytes())), ("BTCUSDT-1m.zip", zip(&[("BTCUSDT-1m.csv", text.as_bytes())]))];
    for (name, bytes) in whole {
        let mut import = open_bytes(name, bytes[..bytes.len() / 2].to_vec(), &ImportOptions::default()).unwrap();
        let mut rows = 0;
        let stated = loop {
            match import.next_chunk() {
                Ok(Some(chunk)) => {
                    assert_eq!(chunk.close(), &columns.close[rows..rows + chunk.len()], "{name}");
                    rows += chunk.len();
                }
                Err(IngestError::Truncated { rows, .. }) => break rows,
                other => panic!("{name}: {other:?}"),
            }
        };
        assert!(rows > 1_000, "{name}: {rows}");
        assert_eq!(stated, rows as u64, "{name}");
        assert!(import.next_chunk().unwrap().is_none());
    }
    let json = "[[1704067200000,\"1\",\"2\",\"1\",\"1\",\"5\"],[1704067260000,\"1\"";
    assert!(matches!(error("BTCUSDT-1m.json", json), IngestError::Truncated { rows: 1, .. }));
    assert!(matches!(error("BTCUSDT-1m.json", "[[1704067200000,1,2,1,1,5] 7]"), IngestError::Damaged { .. }));
    assert!(matches!(error("BTCUSDT-1m.json", "[[1704067200000,1,2,1,1,5]] 7"), IngestError::Damaged { .. }));
}

#[test]
fn bombs_are_refused() {
    let line = "1704067200000,1,1,1,1,1\n".repeat(4 << 20);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"open_time,open,high,low,close,volume\n").unwrap();
    encoder.write_all(line.as_bytes()).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let refused = open_bytes("BTCUSDT-1h.csv.gz", bomb, &ImportOptions::default()).and_then(drain_rows);
    assert!(matches!(refused, Err(IngestError::Bomb { .. })), "{refused:?}");
}

fn drain_rows(mut import: candlecast_ingest::Import) -> Result<(), IngestError> {
    while import.next_chunk()?.is_some() {}
    Ok(())
}

#[test]
fn odd_files_are_refused_by_name() {
    let text = csv(&candles(30, Interval::H1));
    let long = format!("{text}{}\n", "1".repeat(MAX_LINE_BYTES + 1));
    assert!(matches!(error(NAME, long), IngestError::LineTooLong { line: 32, .. }));
    for binary in [&b"\x7fELF\x02\x01\x01\0\0"[..], b"\xff\xfeo\0p\0", b"SQLite format 3\0"] {
        assert!(matches!(error(NAME, binary), IngestError::Binary { .. }));
    }
    for name in ["../../x.csv", "/etc/x.csv", "x.exe"] {
        assert!(matches!(error(NAME, zip(&[(name, text.as_bytes())])), IngestError::ArchiveName { .. }), "{name}");
    }
    let mixed = zip(&[("BTCUSDT-1h.csv", text.as_bytes()), ("ETHUSDT-1h.csv", text.as_bytes())]);
    assert!(matches!(error("all.zip", mixed), IngestError::MixedMembers { .. }));
    assert!(matches!(error("BTCUSDT.json", "{\"code\":-1121}"), IngestError::Unsupported { .. }));
    assert!(matches!(error("BTCUSDT.json", "[[1,2,3]]"), IngestError::Unsupported { .. }));
    assert!(matches!(error("BTCUSDT.feather", "FEA1xxxx"), IngestError::Unsupported { .. }));
    assert!(matches!(error("BTCUSDT.gz", gzip(b"PAR1xxxx")), IngestError::Unsupported { .. }));
    assert!(matches!(error("klines.csv", &text), IngestError::NoSymbol { .. }));
    assert!(error("klines.csv", &text).to_string().contains("--symbol"));
}

#[test]
fn spacing_must_agree_with_the_interval() {
    let minutes = csv(&candles(200, Interval::M1));
    match error("BTCUSDT-1h.csv", &minutes) {
        IngestError::IntervalMismatch { declared: Interval::H1, found, .. } => assert_eq!(found, "1m"),
        other => panic!("{other:?}"),
    }
    let hours = csv(&candles(200, Interval::H1));
    let options = ImportOptions { interval: Some(Interval::M1), ..ImportOptions::default() };
    match read_with("BTCUSDT-1h.csv", &hours, &options).unwrap_err() {
        IngestError::IntervalMismatch { origin: "--interval", found, .. } => assert_eq!(found, "1h"),
        other => panic!("{other:?}"),
    }
    let single = csv(&candles(1, Interval::H1));
    assert!(matches!(error("BTCUSDT.csv", &single), IngestError::NoInterval { .. }));
    assert!(read("BTCUSDT-1h.csv", &single).is_ok());
}

#[test]
fn several_symbols_in_one_file_do_not_mix() {
    let mut text = String::from("symbol,open_time,open,high,low,close,volume\n");
    for i in 0..20 {
        for symbol in ["BTC/USDT", "ETH/USDT"] {
            writeln!(text, "{symbol},{},1,2,1,1,5", START + i * 3_600_000).unwrap();
        }
    }
    let (series, report) = read("klines.csv", &text).unwrap();
    assert_eq!(series.key().symbol.as_str(), "BTCUSDT");
    assert_eq!((report.rows_kept, report.rejected, report.duplicates), (20, 20, 0));
}

/// A Parquet file of `times` batches, its numbers and text as they are given.
fn parquet_of(times: usize, open_time: Vec<i64>, volume: arrow::array::ArrayRef) -> Vec<u8> {
    use parquet::basic::{Compression, ZstdLevel};
    let prices: arrow::array::ArrayRef =
        std::sync::Arc::new(arrow::array::Float64Array::from(vec![1.0; open_time.len()]));
    let time: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(open_time));
    let mut columns = vec![("open_time", time)];
    columns.extend(["open", "high", "low", "close"].map(|name| (name, prices.clone())));
    columns.push(("volume", volume));
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_max_row_group_row_count(Some(usize::MAX))
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    for _ in 0..times {
        writer.write(&batch).unwrap();
    }
    writer.into_inner().unwrap()
}

#[test]
fn a_parquet_page_of_many_bytes_is_refused_before_it_is_unpacked() {
    let text = |len: usize| std::sync::Arc::new(arrow::array::StringArray::from(vec!["0".repeat(len)]));
    let (small, large) = (parquet_of(1, vec![START], text(1_000)), parquet_of(1, vec![START], text(65 << 20)));
    assert!(large.len() < 1 << 20, "{} bytes", large.len());
    let (series, _) = read("BTCUSDT-1h.parquet", small).unwrap();
    assert_eq!(series.len(), 1);
    match error("BTCUSDT-1h.parquet", large) {
        IngestError::Unsupported { what } => assert!(what.contains("a parquet page of 6815"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_parquet_file_of_more_rows_than_any_market_packs_into_its_bytes_is_refused() {
    let rows = 1 << 20;
    let volume = std::sync::Arc::new(arrow::array::Float64Array::from(vec![1.0; rows]));
    match error("BTCUSDT-1h.parquet", parquet_of(17, vec![START; rows], volume)) {
        IngestError::Bomb { what: "parquet file", .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_parquet_file_with_any_byte_changed_ends_in_an_answer() {
    let columns = candles(40, Interval::H1);
    let time = (0..40).map(|i| columns.candle(i).open_time.ms()).collect();
    let volume = std::sync::Arc::new(arrow::array::Float64Array::from(vec![1.0; 40]));
    let bytes = parquet_of(1, time, volume);
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            // Some changes are to values, which nothing protects: what matters is that every one is answered.
            let _ = read("BTCUSDT-1h.parquet", changed);
        }
    }
}
