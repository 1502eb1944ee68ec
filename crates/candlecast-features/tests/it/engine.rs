//! The engine: names to columns, segments on their own, the same bits at any number of threads.

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{CandleSeries, Columns, FeatureSet, FilledSeries};
use candlecast_features::{DEFAULT, Engine, Observation, regime_label};

use crate::market::{regular, whole};

fn with_gaps(n: usize) -> FilledSeries {
    let market = generate(&MarketConfig { n_candles: n, ..MarketConfig::default() });
    let series = &market[1].series;
    let mut columns = Columns::default();
    for i in 0..series.len() {
        // A short gap every 97 candles, a long one every 701.
        if i % 97 != 50 && i % 701 < 680 {
            columns.push(&series.candle(i));
        }
    }
    FilledSeries::new(&CandleSeries::new(series.key().clone(), columns).expect("still in order"), 3)
}

fn bits(columns: &[Vec<f64>]) -> Vec<Vec<u64>> {
    columns.iter().map(|c| c.iter().map(|v| v.to_bits()).collect()).collect()
}

#[test]
fn values_are_the_same_bits_at_any_number_of_threads() {
    let series = with_gaps(4_000);
    let engine = Engine::new(&FeatureSet::of(&["default", "reversal", "group:regime", "ohlcv"])).expect("known names");
    let at = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        bits(&pool.install(|| engine.compute(&series)).columns)
    };
    let one = at(1);
    assert_eq!(one, at(4));
    assert_eq!(one.len(), engine.outputs().len());
}

#[test]
fn every_segment_is_on_its_own() {
    let series = with_gaps(3_000);
    assert!(series.segment_ranges().len() > 3 && series.filled().contains(&true));
    let engine = Engine::new(&FeatureSet::of(&["default"])).expect("known names");
    let table = engine.compute(&series);
    assert_eq!(table.names, DEFAULT);
    for range in series.segment_ranges() {
        let mut live = engine.open(&series.segment(range.start..range.start));
        for row in range.clone() {
            let values = live.update(&Observation::of(&series.segment(range.clone()), row - range.start));
            for (column, value) in table.columns.iter().zip(values) {
                let want = column[row];
                let close = (value - want).abs() <= 1e-9 * want.abs().max(1e-6) || value.is_nan() && want.is_nan();
                assert!(close, "row {row}: {value} {want}");
            }
        }
        let complete = range.start + engine.warmup() < range.end;
        assert!(!complete || table.columns.iter().all(|c| c[range.end - 1].is_finite()));
    }
}

#[test]
fn a_set_keeps_its_order_and_its_versions() {
    let set = FeatureSet::of(&["hour_sin", "macd_hist_ratio_12_26_9", "rsi_7", "macd_line_ratio_12_26_9"]);
    let engine = Engine::new(&set).expect("known names");
    assert_eq!(engine.expanded(), set);
    let versions = engine.versions();
    assert_eq!(versions.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), set.0);
    assert!(versions.iter().all(|&(_, v)| v >= 1));
    assert_eq!(engine.warmup(), 33);
    let series = regular(200);
    let apart = Engine::new(&FeatureSet::of(&["macd_hist_ratio_12_26_9"])).expect("known").compute(&series);
    assert_eq!(bits(&engine.compute(&series).columns)[1], bits(&apart.columns)[0]);
}

#[test]
fn the_default_set_is_complete_soon_and_remembers_less_than_a_segment() {
    let engine = Engine::new(&FeatureSet::of(&["default"])).expect("known names");
    assert!(engine.warmup() < 60, "{}", engine.warmup());
    let memory = engine.memory().candles().expect("no part of the default set remembers the whole segment");
    let series = regular(memory + 700);
    let whole_table = engine.compute(&series);
    let history = series.segment(series.len() - 1 - memory..series.len() - 1);
    let mut live = engine.open(&history);
    let last = live.update(&Observation::of(&whole(&series), series.len() - 1));
    for ((name, column), value) in whole_table.names.iter().zip(&whole_table.columns).zip(last) {
        let want = column[series.len() - 1];
        let size = column.iter().filter(|v| !v.is_nan()).fold(0.0_f64, |m, v| v.abs().max(m));
        assert!((value - want).abs() <= 1e-9 * size, "{name}: {value} {want}");
    }
}

#[test]
fn the_regime_follows_the_trend() {
    let up: Vec<[f64; 5]> = (0..80)
        .map(|i| 100.0 * (0.004 * f64::from(i) + 0.004 * f64::from(i % 3)).exp())
        .map(|p| [p, p * 1.01, p * 0.99, p, 5.0])
        .collect();
    let down: Vec<[f64; 5]> = up.iter().rev().copied().collect();
    let flat: Vec<[f64; 5]> =
        (0..80).map(|i| 100.0 + f64::from(i % 2)).map(|p| [p, p * 1.02, p * 0.98, p, 5.0]).collect();
    let engine = Engine::new(&FeatureSet::of(&["regime_50"])).expect("known names");
    let label = |rows: &[[f64; 5]]| {
        let table = engine.compute(&crate::market::series(rows));
        let last: Vec<f64> = table.columns.iter().map(|c| c[c.len() - 1]).collect();
        assert!((last[0] + last[1] + last[2] - 1.0).abs() < 1e-12);
        regime_label([last[0], last[1], last[2], last[3]]).expect("complete").regime.to_string()
    };
    assert_eq!([label(&up), label(&down), label(&flat)], ["BULL", "BEAR", "SIDEWAYS"]);
}
