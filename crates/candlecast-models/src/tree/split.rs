//! The best split of a node from its histogram.

use super::histogram::MAX_BINS;

/// Least weight of a child whatever the rules say: an empty child of a subtracted histogram has rounding errors.
const LEAST_WEIGHT: f64 = 1e-6;

/// What a split must respect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SplitRules {
    /// L2 penalty on leaf values.
    pub(crate) lambda: f64,
    /// Least sum of Hessians in a child.
    pub(crate) min_child_weight: f64,
}

/// A candidate split of one feature: rows with a code up to `bin` go left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// Feature.
    pub(crate) feature: usize,
    /// Last bin of the left child.
    pub(crate) bin: usize,
    /// `G_l^2 / (H_l + lambda) + G_r^2 / (H_r + lambda)`.
    pub(crate) score: f64,
    /// `[G_l, H_l]`.
    pub(crate) left: [f64; 2],
}

/// The split with the greatest score, the first among equals; `None` when none leaves enough weight on both sides.
///
/// Scores are compared as fractions without a division: the scan over the bins costs as much as building the
/// histogram in small nodes.
pub(crate) fn best_split(
    histogram: &[[f64; 2]; MAX_BINS],
    n_bins: usize,
    [g, h]: [f64; 2],
    rules: SplitRules,
    feature: usize,
) -> Option<Candidate> {
    let least = rules.min_child_weight.max(LEAST_WEIGHT);
    let (mut gl, mut hl) = (0.0, 0.0);
    let (mut top, mut bottom) = (-1.0, 1.0);
    let mut best = None;
    for (bin, [bin_g, bin_h]) in histogram.iter().take(n_bins.saturating_sub(1)).enumerate() {
        gl += bin_g;
        hl += bin_h;
        if hl < least {
            continue;
        }
        let hr = h - hl;
        if hr < least {
            break;
        }
        let gr = g - gl;
        let (dl, dr) = (hl + rules.lambda, hr + rules.lambda);
        let (numerator, denominator) = (gl * gl * dr + gr * gr * dl, dl * dr);
        if numerator * bottom > top * denominator {
            (top, bottom) = (numerator, denominator);
            best = Some((bin, [gl, hl]));
        }
    }
    best.map(|(bin, left)| Candidate { feature, bin, score: top / bottom, left })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn the_scan_agrees_with_trying_every_bin() {
        let mut rng = Seed(11).stream();
        for n_bins in [1, 2, 17, 256] {
            let mut histogram = [[0.0; 2]; MAX_BINS];
            for bin in &mut histogram[..n_bins] {
                *bin = [rng.normal(), rng.below(4) as f64];
            }
            let total = histogram.iter().fold([0.0, 0.0], |s, b| [s[0] + b[0], s[1] + b[1]]);
            let rules = SplitRules { lambda: 1.0, min_child_weight: 3.0 };
            let score = |bin: usize| {
                let l = histogram[..=bin].iter().fold([0.0, 0.0], |s, b| [s[0] + b[0], s[1] + b[1]]);
                let r = [total[0] - l[0], total[1] - l[1]];
                let fits = l[1] >= 3.0 && r[1] >= 3.0;
                fits.then(|| l[0] * l[0] / (l[1] + 1.0) + r[0] * r[0] / (r[1] + 1.0))
            };
            let expected =
                (0..n_bins - 1).filter_map(score).fold(None, |m: Option<f64>, s| Some(m.map_or(s, |m| m.max(s))));
            let found = best_split(&histogram, n_bins, total, rules, 0);
            assert_eq!(found.is_some(), expected.is_some());
            if let (Some(found), Some(expected)) = (found, expected) {
                assert!((found.score - expected).abs() < 1e-9 * expected.abs());
                assert!((score(found.bin).unwrap() - expected).abs() < 1e-9 * expected.abs());
            }
        }
    }
}
