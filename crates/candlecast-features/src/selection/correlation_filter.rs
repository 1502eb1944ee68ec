//! [`correlation_filter`]: features that repeat a better one.

use super::Ranks;

/// A feature that repeats another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Redundant {
    /// Index of the feature to drop.
    pub dropped: usize,
    /// Index of the feature of a higher score that it is most correlated with among those that stay.
    pub kept: usize,
    /// Their rank correlation, from -1 to 1.
    pub correlation: f64,
}

/// Of each pair of features whose absolute rank correlation is above `max_correlation`, the one with the lower
/// `scores` (the later, where they are equal) is dropped, in ascending order of index.
///
/// Features are taken in falling order of score, and each is held against those that stay: a feature is never dropped
/// for the sake of one that is dropped itself. `None` columns (constant ones) take no part; NaN scores come last.
/// Costs a product of columns for each pair of a feature and one that stays.
pub fn correlation_filter(columns: &[Option<Ranks>], scores: &[f64], max_correlation: f64) -> Vec<Redundant> {
    let score = |i: usize| scores.get(i).copied().filter(|s| !s.is_nan()).unwrap_or(f64::NEG_INFINITY);
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    let (mut stay, mut redundant): (Vec<(usize, &Ranks)>, Vec<Redundant>) = (Vec::new(), Vec::new());
    for i in order {
        let Some(ranks) = &columns[i] else { continue };
        match nearest(ranks, &stay).filter(|(_, correlation)| correlation.abs() > max_correlation) {
            Some((kept, correlation)) => redundant.push(Redundant { dropped: i, kept, correlation }),
            None => stay.push((i, ranks)),
        }
    }
    redundant.sort_by_key(|r| r.dropped);
    redundant
}

/// The one of `others` with the highest absolute correlation, the first of equals.
fn nearest(ranks: &Ranks, others: &[(usize, &Ranks)]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (index, other) in others {
        let correlation = ranks.correlation(other, 0);
        if best.is_none_or(|(_, b)| correlation.abs() > b.abs()) {
            best = Some((*index, correlation));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    /// Columns: x, x with a little noise, -x with a little noise, independent noise, a constant.
    fn columns() -> Vec<Option<Ranks>> {
        let mut rng = Seed(2).stream();
        let x: Vec<f64> = (0..2_000).map(|_| rng.normal()).collect();
        let near: Vec<f64> = x.iter().map(|v| v + 0.05 * rng.normal()).collect();
        let opposite: Vec<f64> = x.iter().map(|v| -v + 0.05 * rng.normal()).collect();
        let noise: Vec<f64> = x.iter().map(|_| rng.normal()).collect();
        [x, near, opposite, noise, vec![1.0; 2_000]].iter().map(|c| Ranks::of(c)).collect()
    }

    #[test]
    fn of_each_pair_the_lower_score_goes() {
        let found = correlation_filter(&columns(), &[0.1, 0.3, 0.2, 0.0, 0.0], 0.95);
        assert_eq!(found.iter().map(|r| (r.dropped, r.kept)).collect::<Vec<_>>(), [(0, 1), (2, 1)]);
        assert!(found[0].correlation > 0.99 && found[1].correlation < -0.99, "{found:?}");
    }

    #[test]
    fn equal_and_undefined_scores_have_an_order() {
        let found = correlation_filter(&columns(), &[0.0, 0.0, 0.0], 0.95);
        assert_eq!(found.iter().map(|r| (r.dropped, r.kept)).collect::<Vec<_>>(), [(1, 0), (2, 0)]);
        let found = correlation_filter(&columns(), &[f64::NAN, -1.0, -2.0], 0.95);
        assert_eq!(found.iter().map(|r| (r.dropped, r.kept)).collect::<Vec<_>>(), [(0, 1), (2, 1)]);
    }

    #[test]
    fn nothing_is_dropped_for_what_is_dropped_itself() {
        // A chain: each is close to its neighbour, the ends are not close to each other.
        let mut rng = Seed(4).stream();
        let steps: Vec<[f64; 3]> = (0..4_000).map(|_| [rng.normal(), rng.normal(), rng.normal()]).collect();
        let chain = |weights: [f64; 3]| -> Option<Ranks> {
            Ranks::of(&steps.iter().map(|s| s.iter().zip(weights).map(|(a, w)| a * w).sum()).collect::<Vec<f64>>())
        };
        let columns = [chain([1.0, 0.0, 0.0]), chain([1.0, 0.5, 0.0]), chain([1.0, 1.0, 0.0])];
        let correlation =
            |a: usize, b: usize| columns[a].as_ref().unwrap().correlation(columns[b].as_ref().unwrap(), 0);
        assert!(correlation(0, 1) > 0.8 && correlation(1, 2) > 0.8 && correlation(0, 2) < 0.8);
        let found = correlation_filter(&columns, &[3.0, 2.0, 1.0], 0.8);
        assert_eq!(found.iter().map(|r| r.dropped).collect::<Vec<_>>(), [1], "the third repeats only what is gone");
    }

    #[test]
    fn a_high_limit_keeps_all() {
        assert!(correlation_filter(&columns(), &[0.0; 5], 1.0).is_empty());
        assert!(correlation_filter(&[], &[], 0.5).is_empty());
    }
}
