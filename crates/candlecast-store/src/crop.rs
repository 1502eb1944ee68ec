//! Cutting columns down to a range of time, or that range out of them.

use candlecast_core::{Columns, TimeRange};

use crate::overlay::overlay;

/// Keeps the rows that open within `range` and drops optional columns in which nothing is left. Returns how many
/// rows were cut off at the front. Open times must increase.
pub(crate) fn crop(columns: &mut Columns, range: TimeRange) -> usize {
    let start = columns.open_time.partition_point(|&t| t < range.from.0);
    let end = columns.open_time.partition_point(|&t| t < range.to.0).max(start);
    keep(&mut columns.open_time, start, end);
    for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close, &mut columns.volume] {
        keep(column, start, end);
    }
    for column in [&mut columns.quote_volume, &mut columns.trades, &mut columns.taker_buy_base] {
        if let Some(values) = column {
            keep(values, start, end);
            if values.iter().all(|v| v.is_nan()) {
                *column = None;
            }
        }
    }
    start
}

/// The rows that open outside `range`, and how many open within. Open times must increase.
pub(crate) fn without(columns: &Columns, range: TimeRange) -> (Columns, usize) {
    let start = columns.open_time.partition_point(|&t| t < range.from.0);
    let end = columns.open_time.partition_point(|&t| t < range.to.0).max(start);
    let kept = overlay(columns.slice(0..start), &columns.slice(end..columns.len())).columns;
    (kept, end - start)
}

fn keep<T>(values: &mut Vec<T>, start: usize, end: usize) {
    values.truncate(end);
    values.drain(..start.min(values.len()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Candle, Timestamp};

    #[test]
    fn rows_outside_and_empty_columns_go() {
        let mut columns = Columns::default();
        for time in 0..6 {
            columns.push(&Candle {
                open_time: Timestamp(time),
                open: 1.0,
                high: 2.0,
                low: 1.0,
                close: 1.0 + time as f64,
                volume: 1.0,
                quote_volume: (time == 0).then_some(1.0),
                trades: (time == 3).then_some(1.0),
                taker_buy_base: None,
            });
        }
        let range = TimeRange { from: Timestamp(2), to: Timestamp(5) };
        assert_eq!(crop(&mut columns, range), 2);
        assert_eq!(columns.open_time, [2, 3, 4]);
        assert_eq!(columns.close, [3.0, 4.0, 5.0]);
        assert_eq!(columns.quote_volume, None);
        assert_eq!(columns.candle(1).trades, Some(1.0));
        crop(&mut columns, TimeRange { from: Timestamp(9), to: Timestamp(1) });
        assert!(columns.is_empty() && columns.trades.is_none());
    }

    #[test]
    fn what_is_cut_out_and_what_remains_make_the_whole() {
        let mut columns = Columns { open_time: (0..10).collect(), ..Columns::default() };
        for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close, &mut columns.volume]
        {
            *column = (1..11).map(f64::from).collect();
        }
        for (from, to) in [(0, 10), (3, 7), (-5, 2), (8, 99), (4, 4), (7, 3)] {
            let range = TimeRange { from: Timestamp(from), to: Timestamp(to) };
            let (rest, n) = without(&columns, range);
            let mut inside = columns.clone();
            crop(&mut inside, range);
            assert_eq!((inside.len(), rest.len()), (n, 10 - n), "{from}..{to}");
            assert_eq!(overlay(rest, &inside).columns, columns, "{from}..{to}");
        }
    }
}
