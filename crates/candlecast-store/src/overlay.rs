//! Laying newer candles over stored ones.

use candlecast_core::{Columns, Interval, TimeRange, Timestamp};

/// What an overlay gave.
pub(crate) struct Overlaid {
    /// Stored and newer candles, in time order.
    pub(crate) columns: Columns,
    /// First and last open time whose candle changed, in ms.
    pub(crate) changed: Option<(i64, i64)>,
}

/// Lays `newer` over `stored`, both with increasing open times; where both have a candle, `newer` wins. Stored candles
/// before the first newer one are not looked at: O(newer + stored from there on).
pub(crate) fn overlay(mut stored: Columns, newer: &Columns) -> Overlaid {
    let (Some(&first), Some(&last)) = (newer.open_time.first(), newer.open_time.last()) else {
        return Overlaid { columns: stored, changed: None };
    };
    let kept = stored.open_time.partition_point(|&t| t < first);
    if kept == stored.len() {
        return Overlaid { columns: appended(stored, newer), changed: Some((first, last)) };
    }
    if kept == 0 {
        return woven(&stored, newer);
    }
    let later = split_off(&mut stored, kept);
    let Overlaid { columns, changed } = woven(&later, newer);
    Overlaid { columns: appended(stored, &columns), changed }
}

/// The union of two spans of changed open times.
pub(crate) fn union(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some((a0, a1)), Some((b0, b1))) => Some((a0.min(b0), a1.max(b1))),
        (one, other) => one.or(other),
    }
}

/// From the first changed open time to the close of the last changed candle.
pub(crate) fn changed_range(changed: Option<(i64, i64)>, interval: Interval) -> Option<TimeRange> {
    changed.map(|(first, last)| TimeRange { from: Timestamp(first), to: Timestamp(last + interval.ms()) })
}

fn appended(mut stored: Columns, newer: &Columns) -> Columns {
    let (n, m) = (stored.len(), newer.len());
    extend_optional(&mut stored.quote_volume, newer.quote_volume.as_deref(), n, m);
    extend_optional(&mut stored.trades, newer.trades.as_deref(), n, m);
    extend_optional(&mut stored.taker_buy_base, newer.taker_buy_base.as_deref(), n, m);
    stored.open_time.extend_from_slice(&newer.open_time);
    stored.open.extend_from_slice(&newer.open);
    stored.high.extend_from_slice(&newer.high);
    stored.low.extend_from_slice(&newer.low);
    stored.close.extend_from_slice(&newer.close);
    stored.volume.extend_from_slice(&newer.volume);
    stored
}

/// Takes the rows from `at` on out of `columns`.
fn split_off(columns: &mut Columns, at: usize) -> Columns {
    let optional = |column: &mut Option<Vec<f64>>| column.as_mut().map(|values| values.split_off(at));
    Columns {
        open_time: columns.open_time.split_off(at),
        open: columns.open.split_off(at),
        high: columns.high.split_off(at),
        low: columns.low.split_off(at),
        close: columns.close.split_off(at),
        volume: columns.volume.split_off(at),
        quote_volume: optional(&mut columns.quote_volume),
        trades: optional(&mut columns.trades),
        taker_buy_base: optional(&mut columns.taker_buy_base),
    }
}

/// Extends a column of `n` values by `m`, NaN where a side has none.
fn extend_optional(column: &mut Option<Vec<f64>>, more: Option<&[f64]>, n: usize, m: usize) {
    if column.is_none() && more.is_none() {
        return;
    }
    let values = column.get_or_insert_with(|| vec![f64::NAN; n]);
    match more {
        Some(more) => values.extend_from_slice(more),
        None => values.resize(n + m, f64::NAN),
    }
}

fn woven(stored: &Columns, newer: &Columns) -> Overlaid {
    let mut columns = Columns::default();
    let mut changed = None;
    let mut i = 0;
    for j in 0..newer.len() {
        let candle = newer.candle(j);
        let time = candle.open_time.0;
        while stored.open_time.get(i).is_some_and(|&t| t < time) {
            columns.push(&stored.candle(i));
            i += 1;
        }
        let before = (stored.open_time.get(i) == Some(&time)).then(|| stored.candle(i));
        i += usize::from(before.is_some());
        if before != Some(candle) {
            changed = union(changed, Some((time, time)));
        }
        columns.push(&candle);
    }
    for rest in i..stored.len() {
        columns.push(&stored.candle(rest));
    }
    Overlaid { columns, changed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Candle;

    fn columns(candles: &[(i64, f64, Option<f64>)]) -> Columns {
        let mut columns = Columns::default();
        for &(time, price, quote_volume) in candles {
            columns.push(&Candle {
                open_time: Timestamp(time),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: 1.0,
                quote_volume,
                trades: None,
                taker_buy_base: None,
            });
        }
        columns
    }

    #[test]
    fn appending_fills_optional_columns_on_both_sides() {
        let with = columns(&[(1, 1.0, Some(5.0))]);
        let without = columns(&[(2, 2.0, None)]);
        let there = overlay(with.clone(), &without).columns;
        assert_eq!((there.candle(0).quote_volume, there.candle(1).quote_volume), (Some(5.0), None));
        let later = columns(&[(3, 2.0, Some(7.0))]);
        let back = overlay(without, &later);
        assert_eq!(back.changed, Some((3, 3)));
        assert_eq!((back.columns.candle(0).quote_volume, back.columns.candle(1).quote_volume), (None, Some(7.0)));
    }

    #[test]
    fn only_what_differs_counts_as_changed() {
        let stored = columns(&[(1, 1.0, None), (2, 2.0, Some(1.0)), (3, 3.0, None), (4, 4.0, None)]);
        assert_eq!(overlay(stored.clone(), &stored).changed, None);
        let newer = columns(&[(1, 1.0, None), (2, 2.0, None), (3, 30.0, None), (4, 4.0, None)]);
        let result = overlay(stored, &newer);
        assert_eq!(result.changed, Some((2, 3)));
        assert_eq!(result.columns.close, [1.0, 2.0, 30.0, 4.0]);
    }

    #[test]
    fn what_comes_before_stays_as_it_is() {
        let stored = columns(&[(1, 1.0, Some(1.0)), (2, 2.0, None), (3, 3.0, Some(3.0)), (5, 5.0, None)]);
        let newer = columns(&[(3, 30.0, None), (4, 4.0, Some(4.0))]);
        let result = overlay(stored, &newer);
        assert_eq!(result.changed, Some((3, 4)));
        let (c, n) = (result.columns, 5);
        assert_eq!(
            (c.open_time.as_slice(), c.close.as_slice()),
            ([1, 2, 3, 4, 5].as_slice(), [1.0, 2.0, 30.0, 4.0, 5.0].as_slice())
        );
        let quotes: Vec<Option<f64>> = (0..n).map(|i| c.candle(i).quote_volume).collect();
        assert_eq!(quotes, [Some(1.0), None, None, Some(4.0), None]);
        assert_eq!(c.quote_volume.map(|values| values.len()), Some(n));
    }

    #[test]
    fn candles_before_and_between_are_put_in_order() {
        let result = overlay(columns(&[(2, 2.0, None), (5, 5.0, None)]), &columns(&[(1, 1.0, None), (3, 3.0, None)]));
        assert_eq!(result.columns.open_time, [1, 2, 3, 5]);
        assert_eq!(result.changed, Some((1, 3)));
    }
}
