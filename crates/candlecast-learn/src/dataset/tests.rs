//! Tests of markets, panels and samples.

use super::*;
use crate::Labels;
use crate::made::{closes_of, market_of, origins};
use candlecast_core::market::{MarketConfig, generate};

fn market() -> Arc<Market> {
    let g = generate(&MarketConfig { n_candles: 300, ..MarketConfig::default() });
    Arc::new(Market::new(FilledSeries::new(&g[0].series, 3)))
}

#[test]
fn windows_and_targets_are_read_in_place() {
    let market = market();
    let n = market.series().len();
    let table = FeatureTable {
        names: vec!["a".into(), "b".into()],
        columns: vec![
            (0..n).map(|i| if i < 10 { f64::NAN } else { i as f64 }).collect(),
            (0..n).map(|i| -(i as f64)).collect(),
        ],
    };
    let data = Dataset::single(Panel::new(Arc::clone(&market), &table));
    let panel = &data.panels()[0];
    assert!(!panel.is_origin(40, 32) && panel.is_origin(41, 32));
    assert!(market.has_targets(n - 4, 3) && !market.has_targets(n - 3, 3));
    let ids = [SampleId { panel: 0, row: 50 }];
    let samples = Samples::new(&data, &ids, 2, Task::Price { horizon: 3 }, None);
    assert_eq!(samples.window(0), [49.0, -49.0, 50.0, -50.0]);
    let mut y = [0.0; 3];
    samples.returns_into(0, &mut y);
    let c = &market.series().columns().close;
    assert!((y[2] - (c[53] / c[50]).ln()).abs() < 1e-12);
    let scaled = panel.mapped(40..60, &[1], |_, v| v * 2.0);
    assert_eq!(scaled.row(50), [-100.0]);
}

#[test]
fn volatility_looks_only_back() {
    let g = generate(&MarketConfig { n_candles: 300, ..MarketConfig::default() });
    let whole = Market::new(FilledSeries::new(&g[0].series, 3));
    let cut = g[0].series.columns().slice(0..200);
    let cut = candlecast_core::CandleSeries::new(g[0].series.key().clone(), cut).unwrap();
    let part = Market::new(FilledSeries::new(&cut, 3));
    for row in 0..200 {
        assert!(whole.volatility()[row].to_bits() == part.volatility()[row].to_bits());
    }
}

#[test]
fn the_variance_ahead_is_the_sum_of_squared_returns_and_its_base_looks_back() {
    let returns: Vec<f64> = (0..60).map(|i| if i % 3 == 0 { 0.02 } else { -0.01 }).collect();
    let market = market_of(&returns);
    let (data, ids) = (closes_of(Arc::clone(&market)), origins([40, 41]));
    let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 2 }, None);
    // Returns 41 and 42 are -0.01 and 0.02, returns 42 and 43 are 0.02 and -0.01.
    assert!((market.realised_variance(40, 2) - 5e-4).abs() < 1e-15);
    for i in 0..2 {
        assert!((samples.log_variance(i) - 5e-4_f64.ln()).abs() < 1e-10);
        let base = (2.0 * market.volatility()[ids[i].row as usize].powi(2)).ln();
        assert!((samples.base_log_variance(i) - base).abs() < 1e-12);
        assert!((samples.relative_log_variance(i) - (5e-4_f64.ln() - base)).abs() < 1e-10);
        assert_eq!(samples.origin_time(i), market.series().close_time(ids[i].row as usize));
    }
}

#[test]
fn variances_of_a_standstill_and_of_a_bad_tick_are_bounded() {
    let mut returns = vec![0.0; 60];
    returns[50] = 64.0;
    returns[51] = -64.0;
    let (data, ids) = (closes_of(market_of(&returns)), origins([40, 49, 51]));
    let samples = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 4 }, None);
    assert!((samples.log_variance(0) - 4e-10_f64.ln()).abs() < 1e-12);
    assert_eq!(samples.relative_log_variance(0), 0.0);
    assert_eq!([1, 2].map(|i| samples.relative_log_variance(i)), [8.0, -8.0]);
    assert!((samples.return_scale(0) - 2e-5).abs() < 1e-18);
}

#[test]
fn adaptive_classes_are_returns_in_units_of_the_volatility_at_the_origin() {
    // Calm first, then four times as wild: of each five returns the one of -3 is SELL, in both.
    let size = |i: usize| if i < 200 { 0.001 } else { 0.004 };
    let returns: Vec<f64> = (0..400).map(|i| size(i) * [-3.0, 1.0, 2.0, -1.0, 0.0][i % 5]).collect();
    let (data, ids) = (closes_of(market_of(&returns)), origins((100..190).chain(300..390)));
    let task = Task::Direction { horizon: 1, labels: Labels::Adaptive { low: 0.195, high: 0.805 } };
    let thresholds = Samples::new(&data, &ids, 1, task, None).fit_thresholds().unwrap();
    assert_eq!(thresholds.unit, ThresholdUnit::Volatility);
    let samples = Samples::new(&data, &ids, 1, task, Some(thresholds));
    let count = |range: Range<usize>| range.filter(|&i| samples.class(i) == 0).count();
    assert_eq!((count(0..90), count(90..180)), (18, 18));
    let other = Samples::new(&data, &ids, 1, Task::Volatility { horizon: 1 }, None);
    assert!(other.fit_thresholds().is_none());
}
