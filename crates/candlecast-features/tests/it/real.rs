//! Real candles: streams equal batch over years of hourly candles with gaps.

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureSet, FilledSeries, Interval, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_features::{AuditConfig, Engine, Observation, audit};

use crate::market::{batch, listed, same, scale};

fn hourly(symbol: &str) -> Option<FilledSeries> {
    let path = candlecast_testenv::real_data()?.join(format!("candles/{symbol}-1h.csv.gz"));
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
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
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
    }
    let key = SeriesKey::new(Venue::binance(), Symbol::new(symbol).expect("a symbol"), Interval::H1);
    Some(FilledSeries::new(&CandleSeries::new(key, columns).expect("valid candles"), 3))
}

#[test]
fn streams_equal_batch_over_years_with_gaps() {
    let Some(series) = hourly("BTCUSDT") else { return };
    assert!(series.len() > 50_000 && series.segment_ranges().len() > 5);
    for l in listed() {
        let width = l.indicator.outputs().len();
        let mut row_values = vec![0.0; width];
        for segment in series.segments() {
            let expected = batch(&*l.indicator, &segment);
            let sizes: Vec<f64> = expected.iter().map(|c| scale(c)).collect();
            // Half of the segments are joined midway, as a restarted server would.
            let from = if segment.first_row % 2 == 0 { 0 } else { segment.len() / 2 };
            let mut stream = l.indicator.open(&segment.prefix(from));
            for row in from..segment.len() {
                stream.update(&Observation::of(&segment, row), &mut row_values);
                for output in 0..width {
                    let (value, want) = (row_values[output], expected[output][row]);
                    assert!(same(value, want, 1e-9, sizes[output]), "{} {output} row {row}: {value} {want}", l.id);
                    assert!(!want.is_infinite(), "{} {output} row {row}", l.id);
                }
            }
        }
    }
}

#[test]
fn sets_are_complete_on_real_candles() {
    let Some(series) = hourly("ETHUSDT") else { return };
    assert_complete("default", &series);
    assert_complete("reversal", &series);
}

fn assert_complete(set: &str, series: &FilledSeries) {
    let engine = Engine::new(&FeatureSet::of(&[set])).expect("known names");
    let table = engine.compute(series);
    for range in series.segment_ranges() {
        for row in range.start + engine.warmup()..range.end {
            let missing: Vec<&str> = (0..table.width())
                .filter(|&c| table.columns[c][row].is_nan())
                .map(|c| table.names[c].as_str())
                .collect();
            assert!(missing.is_empty(), "row {row} lacks {missing:?}");
        }
    }
}

#[test]
fn no_feature_looks_ahead_on_real_candles() {
    let Some(series) = hourly("XRPUSDT") else { return };
    let config = AuditConfig { cuts: 3, segments: 1, ..AuditConfig::default() };
    let set =
        FeatureSet::of(&["default", "reversal", "group:trend", "group:volatility", "group:volume", "group:regime"]);
    assert_eq!(audit(&set, &series, &config), Ok(Vec::new()));
}
