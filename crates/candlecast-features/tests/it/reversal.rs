//! The `reversal` set: golden values, its units at other intervals, and markets that stand still.

use candlecast_core::{
    Candle, CandleSeries, Columns, FeatureSet, FeatureTable, FilledSeries, Interval, SeriesKey, Symbol, Timestamp,
    Venue,
};
use candlecast_features::{Engine, REVERSAL};
use serde_json::Value;

use crate::market::{same, scale, series};

const HOUR_MS: i64 = 3_600_000;
const N_GOLDEN: usize = 3_000;
const GOLDEN_SEED: u64 = 20_240_103;
/// 2024-01-03T07:00Z, not the start of a day.
const GOLDEN_START_MS: i64 = 1_704_265_200_000;

/// What `golden/make_reversal.py` wrote.
pub(crate) fn expected() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/reversal.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the golden values are in the crate")).expect("JSON")
}

fn computed(names: &[&str], series: &FilledSeries) -> FeatureTable {
    Engine::new(&FeatureSet::of(names)).expect("known names").compute(series)
}

fn column<'a>(table: &'a FeatureTable, name: &str) -> &'a [f64] {
    let place = table.names.iter().position(|n| n == name).expect("a column");
    &table.columns[place]
}

/// Numbers in [0, 1) from the upper 53 bits of Knuth's linear congruential generator.
struct Uniforms(u64);

impl Uniforms {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Candles of any interval from open, high, low, close, volume rows.
fn at_interval(interval: Interval, start_ms: i64, rows: &[[f64; 5]]) -> FilledSeries {
    let mut columns = Columns::default();
    for (i, &[open, high, low, close, volume]) in rows.iter().enumerate() {
        columns.push(&Candle {
            open_time: Timestamp(start_ms + i as i64 * interval.ms()),
            open,
            high,
            low,
            close,
            volume,
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("GOLDUSDT").expect("a symbol"), interval);
    FilledSeries::new(&CandleSeries::new(key, columns).expect("valid candles"), 0)
}

/// The path of `golden/make_reversal.py`, bit by bit: the operations are the same, in the same order.
fn golden_rows() -> Vec<[f64; 5]> {
    let mut uniforms = Uniforms(GOLDEN_SEED);
    let (mut last, mut usual) = (2_000.0_f64, 0.004_f64);
    let mut rows = Vec::new();
    for i in 0..N_GOLDEN {
        let [a, b, c, d, e, f] = std::array::from_fn(|_| uniforms.draw());
        usual = 0.97 * usual + 0.03 * (0.001 + 0.006 * b);
        let side = 2.0 * a - 1.0;
        let change = usual * side / (1.1 - side * side);
        let open = last * (1.0 + 0.0002 * (c - 0.5));
        let close = open * (1.0 + change);
        let high = open.max(close) * (1.0 + 0.5 * usual * d);
        let low = open.min(close) * (1.0 - 0.5 * usual * e);
        let halted = (1_497..1_504).contains(&i);
        let volume = if halted || i % 53 == 52 { 0.0 } else { 20.0 + 900.0 * f * f * f * (1.0 + 40.0 * change.abs()) };
        let flat = halted || i % 101 == 100;
        let row = if flat { [last, last, last, last, volume] } else { [open, high, low, close, volume] };
        rows.push(row);
        last = row[3];
    }
    rows
}

#[test]
fn values_agree_with_numpy() {
    let expected = expected();
    let rows = golden_rows();
    // Paths that differ anywhere are far apart in the end; the parser may lose the last bit.
    for (value, want) in rows[N_GOLDEN - 1].iter().zip(expected["last"].as_array().expect("a candle")) {
        assert!(same(*value, want.as_f64().expect("a number"), 1e-14, 0.0), "not the same path: {value} {want}");
    }
    let table = computed(&["reversal"], &at_interval(Interval::H1, GOLDEN_START_MS, &rows));
    assert_eq!(table.names, REVERSAL);
    let at: Vec<usize> =
        expected["rows"].as_array().expect("rows").iter().map(|r| r.as_u64().expect("a row") as usize).collect();
    assert_eq!((at.len(), expected["values"].as_object().expect("outputs").len()), (60, REVERSAL.len()));
    for (name, values) in table.names.iter().zip(&table.columns) {
        let wanted = expected["values"][name].as_array().expect("values");
        assert_eq!(wanted.len(), at.len(), "{name}");
        let size = scale(values);
        for (&row, want) in at.iter().zip(wanted) {
            let want = want.as_f64().expect("a number");
            assert!(same(values[row], want, 1e-9, size), "{name} row {row}: {} {want}", values[row]);
        }
    }
}

/// Halts, a jump, candles without volume: `n` hours of them, after `n` of trading.
fn standstills(n: usize) -> Vec<[f64; 5]> {
    let mut rows = golden_rows();
    rows.truncate(n);
    let close = rows[n - 1][3];
    rows.resize(n + n / 4, [close, close, close, close, 0.0]);
    let high = close * 3.0;
    rows.push([close, high, close, high, 1e9]);
    rows.resize(n + n / 2, [high, high, high, high, 5.0]);
    rows.resize(2 * n, [high, high, high, high, 0.0]);
    rows
}

fn assert_tame(rows: &[[f64; 5]], what: &str) {
    let engine = Engine::new(&FeatureSet::of(&["reversal"])).expect("known names");
    assert_eq!(engine.warmup(), 199);
    let table = engine.compute(&series(rows));
    for (name, values) in table.names.iter().zip(&table.columns) {
        for (row, value) in values.iter().enumerate().skip(199) {
            // The widest is the sum of four seasonal means, each within 4.
            assert!(value.abs() <= 16.0, "{name} row {row} of {what}: {value}");
        }
    }
}

#[test]
fn every_value_is_defined_and_bounded_where_markets_stand_still() {
    assert_tame(&standstills(800), "halts after trading");
    assert_tame(&vec![[0.000_012, 0.000_012, 0.000_012, 0.000_012, 0.0]; 900], "a market that never traded");
    assert_tame(&vec![[60_000.1, 60_000.1, 60_000.1, 60_000.1, 3.7]; 900], "constant prices");
}

#[test]
fn a_standstill_is_neutral() {
    let table = computed(&["reversal"], &series(&vec![[50.0, 50.0, 50.0, 50.0, 0.0]; 900]));
    for (name, values) in table.names.iter().zip(&table.columns) {
        let calendar = ["hour", "week"].iter().any(|start| name.starts_with(start));
        // The logarithms of a volatility of nothing are bounded, not 0.
        let neutral = calendar || name.starts_with("log_vol_ratio") || values[899] == 0.0;
        assert!(neutral, "{name}: {}", values[899]);
    }
}

#[test]
fn harmonics_are_times_of_day_and_week_at_every_interval() {
    let rows = golden_rows();
    for interval in [Interval::M5, Interval::H1, Interval::D1] {
        let table = computed(
            &["hour_harmonic_sin_1", "hour_sin", "hour_harmonic_cos_3", "week_harmonic_sin_1", "weekday_sin"],
            &at_interval(interval, 1_704_067_200_000, &rows),
        );
        assert_eq!(column(&table, "hour_harmonic_sin_1"), column(&table, "hour_sin"));
        assert_eq!(column(&table, "week_harmonic_sin_1"), column(&table, "weekday_sin"));
        let day = (interval.ms() as f64 / (24 * HOUR_MS) as f64).fract();
        let third = (std::f64::consts::TAU * 3.0 * day).cos();
        assert!((column(&table, "hour_harmonic_cos_3")[0] - third).abs() < 1e-12, "{interval}");
    }
}

/// Weighted mean of what `z` was at the time of day of row `row + ahead`, on the days before.
fn seasonal_mean(z: &[f64], row: usize, ahead: usize, per_day: usize) -> f64 {
    let (mut sum, mut weight, mut days) = (0.0, 0.0, 0_i32);
    let mut at = row + ahead;
    while at >= per_day {
        at -= per_day;
        if at <= row && z[at].is_finite() {
            let w = 0.5_f64.powf(f64::from(days) / 20.0);
            sum += w * z[at];
            weight += w;
            days += 1;
        }
    }
    if days < 10 { 0.0 } else { sum / weight }
}

#[test]
fn seasonal_means_are_those_of_the_next_times_of_day() {
    let rows = golden_rows();
    for hours in [1, 2, 8] {
        let interval = Interval::from_ms(hours * HOUR_MS).expect("an interval");
        let per_day = (24 / hours) as usize;
        let table = computed(
            &["scaled_return_1", "seasonal_return", "seasonal_return_sum_4"],
            &at_interval(interval, 1_704_067_200_000 + 16 * HOUR_MS, &rows),
        );
        let z = column(&table, "scaled_return_1");
        for row in (32..N_GOLDEN).step_by(61) {
            let next = 3.0 * seasonal_mean(z, row, 1, per_day);
            let sum: f64 = (1..=4).map(|ahead| seasonal_mean(z, row, ahead, per_day)).sum();
            let (a, b) = (column(&table, "seasonal_return")[row], column(&table, "seasonal_return_sum_4")[row]);
            assert!((a - next).abs() < 1e-9, "{interval} row {row}: {a} {next}");
            assert!((b - sum).abs() < 1e-9, "{interval} row {row}: {b} {sum}");
        }
        assert!(column(&table, "seasonal_return")[N_GOLDEN - 1] != 0.0);
    }
}

#[test]
fn candles_of_a_day_or_longer_have_no_season() {
    let rows = golden_rows();
    let monday_ms = 1_704_067_200_000;
    for interval in [Interval::D1, Interval::from_ms(7 * 24 * HOUR_MS).expect("a week")] {
        let table =
            computed(&["seasonal_return", "seasonal_return_sum_4"], &at_interval(interval, monday_ms, &rows[..300]));
        for values in &table.columns {
            assert!(values[..32].iter().all(|v| v.is_nan()) && values[32..].iter().all(|&v| v == 0.0), "{interval}");
        }
    }
}
