//! What the first open times of a file say about its interval and order.

use candlecast_core::{Interval, Timestamp};

/// Distinct times from which on a coarser spacing contradicts a finer declared interval.
const ENOUGH: usize = 4;

/// The interval of `times` (ms, any order): the most frequent difference of the sorted times where it is an
/// interval that at least 90 % of them fit; else the coarsest interval that as many fit, so that a random sample
/// of a shuffled file is read as well. `None` below two distinct times.
pub(crate) fn infer(times: &[i64]) -> Option<Interval> {
    let sorted = distinct(times);
    let frequent = most_frequent(&sorted).and_then(Interval::from_ms).filter(|&i| fits(&sorted, i));
    let coarsest = || Interval::all().filter(|&i| fits(&sorted, i)).last().filter(|_| sorted.len() >= ENOUGH);
    frequent.or_else(coarsest)
}

/// What contradicts `declared`, as text; `None` when the times agree with it.
pub(crate) fn contradiction(times: &[i64], declared: Interval) -> Option<String> {
    let sorted = distinct(times);
    if !fits(&sorted, declared) {
        return Some(infer(times).map_or_else(|| describe(&sorted), |i| i.to_string()));
    }
    let on_grid: Vec<i64> = sorted.into_iter().filter(|&t| declared.on_grid(Timestamp(t))).collect();
    let coarser = |i: &Interval| *i > declared && on_grid.iter().all(|&t| i.on_grid(Timestamp(t)));
    let found = Interval::all().filter(coarser).last().filter(|_| on_grid.len() >= ENOUGH)?;
    Some(found.to_string())
}

/// True when more of the steps go down than up.
pub(crate) fn newest_first(times: &[i64]) -> bool {
    let down = times.windows(2).filter(|w| w[1] < w[0]).count();
    let up = times.windows(2).filter(|w| w[1] > w[0]).count();
    down > up
}

fn distinct(times: &[i64]) -> Vec<i64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// At least 90 % of the times are on the grid.
fn fits(sorted: &[i64], interval: Interval) -> bool {
    let on_grid = sorted.iter().filter(|&&t| interval.on_grid(Timestamp(t))).count();
    on_grid * 10 >= sorted.len() * 9
}

/// Of equally frequent differences the shortest.
fn most_frequent(sorted: &[i64]) -> Option<i64> {
    let mut steps: Vec<i64> = sorted.windows(2).map(|w| w[1] - w[0]).collect();
    steps.sort_unstable();
    let runs = steps.chunk_by(|a, b| a == b);
    runs.map(|run| (run.len(), run[0])).reduce(|best, run| if run.0 > best.0 { run } else { best }).map(|run| run.1)
}

fn describe(sorted: &[i64]) -> String {
    most_frequent(sorted).map_or_else(|| "a single time off its grid".into(), |ms| format!("{} s", ms as f64 / 1_000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_704_067_200_000;

    fn times(interval: Interval, n: i64) -> Vec<i64> {
        (0..n).map(|i| START + i * interval.ms()).collect()
    }

    #[test]
    fn every_interval_is_inferred_in_any_order() {
        for interval in Interval::all() {
            let mut t = times(interval, 300);
            t.remove(100);
            assert_eq!(infer(&t), Some(interval));
            t.reverse();
            assert_eq!(infer(&t), Some(interval));
            assert_eq!(contradiction(&t, interval), None);
        }
        assert_eq!(infer(&[START]), None);
        assert_eq!(infer(&[START, START + 60_000]), Some(Interval::M1));
        let sample: Vec<i64> = (0..200).map(|i| START + (i * 7919 % 100_003) * 60_000).collect();
        assert_eq!(infer(&sample), Some(Interval::M1));
    }

    #[test]
    fn both_finer_and_coarser_rows_contradict() {
        assert_eq!(contradiction(&times(Interval::M1, 120), Interval::H1).as_deref(), Some("1m"));
        assert_eq!(contradiction(&times(Interval::H1, 120), Interval::M1).as_deref(), Some("1h"));
        let odd: Vec<i64> = (0..20).map(|i| START + i * 7_000).collect();
        assert_eq!(contradiction(&odd, Interval::M1).as_deref(), Some("7 s"));
    }

    #[test]
    fn a_few_rows_off_the_grid_do_not() {
        let mut t = times(Interval::H1, 100);
        for i in 0..9 {
            t[i * 11] += 1_234;
        }
        assert_eq!(contradiction(&t, Interval::H1), None);
        t[99] += 1_234;
        t[98] += 1_234;
        assert!(contradiction(&t, Interval::H1).is_some());
    }

    #[test]
    fn order_is_told_by_the_steps() {
        let mut t = times(Interval::H1, 10);
        assert!(!newest_first(&t));
        t.reverse();
        assert!(newest_first(&t));
        assert!(!newest_first(&[START]));
    }
}
