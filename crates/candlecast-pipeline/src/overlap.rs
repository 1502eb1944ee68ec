//! How much outcomes that overlap can tell: 24 hourly forecasts of the next day share most of what happens in it.

/// Independent outcomes below which no model is called better or worse than another.
pub(crate) const MIN_INDEPENDENT: usize = 30;

/// How many of `origins` (ascending) lie at least `reach` apart: outcomes without a common stretch of time. Times in
/// any unit; `reach` is how far the outcomes lie ahead.
pub(crate) fn independent(origins: &[i64], reach: i64) -> usize {
    let mut free_from = i64::MIN;
    origins
        .iter()
        .filter(|&&origin| {
            let free = origin >= free_from;
            if free {
                free_from = origin.saturating_add(reach);
            }
            free
        })
        .count()
}

/// The most outcomes in a row that overlap with the first of them, itself included: what tests call the horizon.
/// At least 1.
pub(crate) fn overlap(origins: &[i64], reach: i64) -> usize {
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

/// What is said where too little is known.
pub(crate) fn too_few(independent: usize) -> String {
    format!("too few to tell: {independent} independent outcomes, {MIN_INDEPENDENT} are needed")
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
        assert_eq!((independent(&[], 5), overlap(&[], 5)), (0, 1));
    }
}
