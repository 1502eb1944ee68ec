//! The calendar years (UTC) that partition a series.

use candlecast_core::{Columns, TimeRange, Timestamp};

use crate::StoreError;

/// First year that can be stored.
pub const FIRST_YEAR: i32 = 1900;
/// Last year that can be stored: the last whole one that readers with nanosecond times can represent.
pub const LAST_YEAR: i32 = 2261;

/// The time from the first instant of `year` to its last.
pub(crate) fn span(year: i32) -> TimeRange {
    TimeRange { from: Timestamp::year_start(year), to: Timestamp::year_start(year + 1) }
}

/// True when some instant of `year` lies in `range`.
pub(crate) fn overlaps(year: i32, range: TimeRange) -> bool {
    let year = span(year);
    !range.is_empty() && year.from < range.to && range.from < year.to
}

/// Splits increasing candles by year, in the form in which they are stored.
pub(crate) fn split(columns: &Columns) -> Result<Vec<(i32, Columns)>, StoreError> {
    let times = &columns.open_time;
    for &time in times.first().into_iter().chain(times.last()) {
        check(Timestamp(time))?;
    }
    let mut parts = Vec::new();
    let mut start = 0;
    while start < times.len() {
        let year = Timestamp(times[start]).year();
        let next = span(year).to.0;
        let end = start + times[start..].partition_point(|&t| t < next);
        parts.push((year, stored_form(columns.slice(start..end))));
        start = end;
    }
    Ok(parts)
}

fn check(time: Timestamp) -> Result<(), StoreError> {
    let storable = TimeRange { from: span(FIRST_YEAR).from, to: span(LAST_YEAR).to };
    if storable.contains(time) { Ok(()) } else { Err(StoreError::OutsideYears { time }) }
}

/// Trade counts are stored as whole numbers. What does not fit 64 bits is no count; the cast saturates there.
fn stored_form(mut columns: Columns) -> Columns {
    for count in columns.trades.iter_mut().flatten().filter(|c| !c.is_nan()) {
        *count = (count.round() as i64) as f64;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Candle;

    fn columns(times: &[i64]) -> Columns {
        let mut columns = Columns::default();
        for &time in times {
            columns.push(&Candle {
                open_time: Timestamp(time),
                open: 1.0,
                high: 1.0,
                low: 1.0,
                close: 1.0,
                volume: 0.0,
                quote_volume: None,
                trades: Some(2.6),
                taker_buy_base: None,
            });
        }
        columns
    }

    #[test]
    fn years_part_at_midnight_of_new_year() {
        let border = Timestamp::year_start(2024).0;
        let parts = split(&columns(&[border - 60_000, border, border + 60_000])).unwrap();
        let shape: Vec<(i32, usize)> = parts.iter().map(|(y, c)| (*y, c.len())).collect();
        assert_eq!(shape, [(2023, 1), (2024, 2)]);
        assert_eq!(parts[0].1.trades, Some(vec![3.0]));
        assert!(split(&Columns::default()).unwrap().is_empty());
    }

    #[test]
    fn what_no_calendar_reaches_is_refused() {
        for time in [i64::MIN, i64::MAX, span(FIRST_YEAR).from.0 - 1, span(LAST_YEAR).to.0] {
            assert!(matches!(split(&columns(&[time])), Err(StoreError::OutsideYears { .. })), "{time}");
        }
        assert_eq!(split(&columns(&[span(LAST_YEAR).to.0 - 1])).unwrap()[0].0, LAST_YEAR);
    }

    #[test]
    fn ranges_touch_a_year_half_open() {
        let range = |from, to| TimeRange { from: Timestamp(from), to: Timestamp(to) };
        let year = span(2023);
        assert!(overlaps(2023, TimeRange::ALL));
        assert!(overlaps(2023, range(year.to.0 - 1, year.to.0)));
        assert!(!overlaps(2023, range(year.to.0, year.to.0 + 1)));
        assert!(!overlaps(2023, range(year.from.0 - 1, year.from.0)));
        assert!(!overlaps(2023, range(year.from.0 + 5, year.from.0 + 5)));
    }
}
