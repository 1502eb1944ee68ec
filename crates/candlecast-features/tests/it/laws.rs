//! Laws that every listed feature keeps on a regular market.

use candlecast_core::{Columns, Segment};
use candlecast_features::Observation;

use crate::market::{batch, listed, regular, same, scale, streamed, whole};

#[test]
fn batch_equals_stream_from_any_point() {
    let series = regular(900);
    let segment = whole(&series);
    for l in listed() {
        let expected = batch(&*l.indicator, &segment);
        let warmup = l.indicator.warmup();
        for from in [0, 1, 2, warmup / 2, warmup, warmup + 1, 600] {
            let live = streamed(&*l.indicator, &segment, from);
            for (output, column) in live.iter().enumerate() {
                let size = scale(&expected[output]);
                for (k, &value) in column.iter().enumerate() {
                    let row = from + k;
                    let want = expected[output][row];
                    assert!(same(value, want, 1e-9, size), "{} {output} row {row} from {from}: {value} {want}", l.id);
                }
            }
        }
    }
}

#[test]
fn peeking_shows_the_update_and_changes_nothing() {
    let series = regular(400);
    let segment = whole(&series);
    for l in listed() {
        let width = l.indicator.outputs().len();
        let mut peeked = l.indicator.open(&segment.prefix(3));
        let mut plain = l.indicator.open(&segment.prefix(3));
        let (mut shown, mut seen, mut want) = (vec![0.0; width], vec![0.0; width], vec![0.0; width]);
        for row in 3..segment.len() {
            let next = Observation::of(&segment, row);
            let mut other = next;
            other.candle.close *= 1.07;
            other.candle.high *= 1.11;
            other.candle.volume *= 3.0;
            peeked.peek(&other, &mut shown);
            peeked.peek(&next, &mut shown);
            peeked.update(&next, &mut seen);
            plain.update(&next, &mut want);
            for output in 0..width {
                let bits = [shown[output], seen[output], want[output]].map(f64::to_bits);
                assert!(bits[0] == bits[1] && bits[1] == bits[2], "{} {output} row {row}", l.id);
            }
        }
    }
}

#[test]
fn a_prefix_has_the_same_values() {
    let series = regular(900);
    let segment = whole(&series);
    for l in listed() {
        let expected = batch(&*l.indicator, &segment);
        let warmup = l.indicator.warmup();
        for n in [0, 1, 2, warmup, warmup + 1, warmup + 2, 700] {
            let prefix = batch(&*l.indicator, &segment.prefix(n));
            for (output, column) in prefix.iter().enumerate() {
                for (row, value) in column.iter().enumerate() {
                    let want = expected[output][row];
                    assert_eq!(value.to_bits(), want.to_bits(), "{} {output} row {row} of {n}", l.id);
                }
            }
        }
    }
}

#[test]
fn the_warmup_is_exactly_as_stated_and_nothing_is_missing_after_it() {
    let series = regular(3_000);
    let segment = whole(&series);
    for l in listed() {
        let warmup = l.indicator.warmup();
        for (output, column) in batch(&*l.indicator, &segment).iter().enumerate() {
            assert!(column[..warmup].iter().all(|v| v.is_nan()), "{} {output} has a value in its warm-up", l.id);
            let missing = column[warmup..].iter().position(|v| !v.is_finite());
            assert_eq!(missing, None, "{} {output}: no value {missing:?} candles after the warm-up", l.id);
        }
    }
}

#[test]
fn values_scale_with_prices_and_volumes_as_stated() {
    // Powers of two keep every rounding where it was, so that no comparison may turn.
    let (a, b): (f64, f64) = (8.0, 1.0 / 64.0);
    let series = regular(900);
    let segment = whole(&series);
    let scaled = rescaled(&segment, a, b);
    let other = Segment {
        open: &scaled.open,
        high: &scaled.high,
        low: &scaled.low,
        close: &scaled.close,
        volume: &scaled.volume,
        quote_volume: scaled.quote_volume.as_deref(),
        taker_buy_base: scaled.taker_buy_base.as_deref(),
        ..segment
    };
    for l in listed() {
        let factor = a.powi(l.spec.scale.price) * b.powi(l.spec.scale.volume);
        let (plain, moved) = (batch(&*l.indicator, &segment), batch(&*l.indicator, &other));
        for (output, (x, y)) in plain.iter().zip(&moved).enumerate() {
            let size = scale(y);
            for row in 0..x.len() {
                let want = x[row] * factor;
                assert!(same(want, y[row], 1e-9, size), "{} {output} row {row}: {want} {}", l.id, y[row]);
            }
        }
    }
}

fn rescaled(segment: &Segment<'_>, price: f64, volume: f64) -> Columns {
    let times = |column: &[f64], factor: f64| -> Vec<f64> { column.iter().map(|v| v * factor).collect() };
    Columns {
        open_time: segment.open_time.to_vec(),
        open: times(segment.open, price),
        high: times(segment.high, price),
        low: times(segment.low, price),
        close: times(segment.close, price),
        volume: times(segment.volume, volume),
        quote_volume: segment.quote_volume.map(|v| times(v, price * volume)),
        trades: None,
        taker_buy_base: segment.taker_buy_base.map(|v| times(v, volume)),
    }
}

#[test]
fn the_stated_memory_is_enough() {
    // Two smoothings have half-lives of a month; what takes longer than that is declared as unbounded.
    let (short, long) = (regular(12_000), regular(32_000));
    for l in listed() {
        let Some(n) = l.indicator.memory().candles() else { continue };
        assert!(n > l.indicator.warmup() && n < 31_000, "{} remembers {n}", l.id);
        let series = if n < 11_000 { &short } else { &long };
        let expected = batch(&*l.indicator, &whole(series));
        for before_last in [800, 483, 207, 0] {
            let end = series.len() - before_last;
            let replayed = batch(&*l.indicator, &series.segment(end - n..end));
            for (output, column) in replayed.iter().enumerate() {
                let (value, want) = (column[n - 1], expected[output][end - 1]);
                let size = scale(&expected[output][l.indicator.warmup()..]);
                // Relative to the value's own scale: near zero a value is a difference of larger ones.
                let near = (value - want).abs() <= 1e-9 * size;
                assert!(near, "{} {output} at {end} from {n} candles: {value} {want}", l.id);
            }
        }
    }
}
