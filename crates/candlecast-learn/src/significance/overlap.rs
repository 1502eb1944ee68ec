//! How much outcomes that overlap can tell: 24 hourly forecasts of the next day share most of what happens in it.

use std::ops::Add;

/// How many of `origins` (ascending) have an outcome of their own: counted in time order, those whose outcome does not
/// overlap with that of the one counted before. Outcomes reach `reach` ahead, in the unit of the origins.
pub fn independent<T: Copy + PartialOrd + Add<Output = T>>(origins: &[T], reach: T) -> usize {
    let mut free_from: Option<T> = None;
    let mut count = 0;
    for &origin in origins {
        if free_from.is_none_or(|from| origin >= from) {
            free_from = Some(origin + reach);
            count += 1;
        }
    }
    count
}

/// The most outcomes in a row of `origins` (ascending) that overlap with the first of them, itself included; at least
/// 1.
pub fn overlap(origins: &[i64], reach: i64) -> usize {
    let mut end = 0;
    let mut most = 1;
    for (i, origin) in origins.iter().enumerate() {
        while end < origins.len() && origins[end] < origin.saturating_add(reach) {
            end += 1;
        }
        most = most.max(end - i.min(end));
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_outcomes_count_once() {
        let hourly: Vec<i64> = (0..48).collect();
        assert_eq!((independent(&hourly, 24), overlap(&hourly, 24)), (2, 24));
        assert_eq!((independent(&hourly, 1), overlap(&hourly, 1)), (48, 1));
        // Once a day a forecast of the next day: nothing overlaps.
        let daily = [0, 24, 48, 72];
        assert_eq!((independent(&daily, 24), overlap(&daily, 24)), (4, 1));
        // Two bursts far apart.
        let bursts = [0, 1, 2, 100, 101];
        assert_eq!((independent(&bursts, 10), overlap(&bursts, 10)), (2, 3));
        assert_eq!((independent::<i64>(&[], 5), overlap(&[], 5)), (0, 1));
    }

    #[test]
    fn rows_with_gaps_are_counted_in_time_order() {
        // 10 is counted, 11 to 13 overlap with it, 14 does not; 19 does not overlap with 14, but 17 does.
        let rows: [usize; 7] = [10, 11, 13, 14, 17, 19, 30];
        assert_eq!(independent(&rows, 4), 4);
        assert_eq!(independent(&rows, 1), rows.len());
    }
}
