//! Markets that stand still, do not trade, or have hardly begun: values are finite or missing, never infinite.

use candlecast_features::catalog;

use crate::market::{batch, listed, same, series, streamed, whole};

fn assert_tame(rows: &[[f64; 5]], what: &str) {
    let series = series(rows);
    let segment = whole(&series);
    for l in listed() {
        let values = batch(&*l.indicator, &segment);
        let live = streamed(&*l.indicator, &segment, 0);
        for (output, column) in values.iter().enumerate() {
            for (row, &value) in column.iter().enumerate() {
                assert!(!value.is_infinite(), "{} {output} row {row} on {what}", l.id);
                let live = live[output][row];
                assert!(same(live, value, 1e-9, value.abs()), "{} {output} row {row} on {what}: {live} {value}", l.id);
            }
        }
    }
}

fn rising(n: usize) -> Vec<[f64; 5]> {
    (0..n).map(|i| 100.0 + i as f64).map(|p| [p, p + 1.5, p - 0.5, p + 1.0, 10.0]).collect()
}

#[test]
fn constant_prices_are_tame() {
    assert_tame(&[[60_000.1, 60_000.1, 60_000.1, 60_000.1, 3.7]; 260], "constant prices");
    assert_tame(&[[60_000.1, 60_000.1, 60_000.1, 60_000.1, 0.0]; 260], "constant prices without volume");
}

#[test]
fn markets_without_volume_are_tame() {
    let rows: Vec<[f64; 5]> = rising(260).into_iter().map(|[o, h, l, c, _]| [o, h, l, c, 0.0]).collect();
    assert_tame(&rows, "a rise without volume");
    assert_tame(&rising(260), "a straight rise");
}

#[test]
fn halts_are_tame() {
    let mut rows = rising(400);
    rows[200..300].fill([300.0, 300.0, 300.0, 300.0, 0.0]);
    assert_tame(&rows, "a halt");
}

#[test]
fn first_candles_are_tame() {
    for n in 1..=4 {
        assert_tame(&rising(n), "the first candles");
    }
}

#[test]
fn what_talib_makes_of_nothing_is_missing() {
    let flat = series(&[[50.0, 50.0, 50.0, 50.0, 1.0]; 120]);
    let still = whole(&flat);
    for id in
        ["rsi", "cmo", "willr", "cci", "mfi", "adx", "plus_di", "minus_di", "stoch", "stoch_rsi", "ultosc", "er", "bop"]
    {
        let spec = catalog().iter().find(|s| s.id == id).expect("listed");
        let indicator = spec.build(spec.listed[0]).expect("listed parameters");
        for column in batch(&*indicator, &still) {
            assert!(column.iter().all(|v| v.is_nan()), "{id} of constant prices is not missing");
        }
    }
}

#[test]
fn stochastics_are_missing_as_long_as_they_smooth_over_a_halt() {
    let mut rows = rising(200);
    rows[100..120].fill([200.0, 200.0, 200.0, 200.0, 0.0]);
    let market = series(&rows);
    let spec = catalog().iter().find(|s| s.id == "stoch").expect("listed");
    let indicator = spec.build(&[14, 3, 3]).expect("in bounds");
    let k = &batch(&*indicator, &whole(&market))[0];
    // Rows 113 to 119 have 14 flat candles; two means of three look back four more.
    let missing: Vec<usize> = (20..200).filter(|&row| k[row].is_nan()).collect();
    assert_eq!(missing, (113..124).collect::<Vec<_>>());
}
