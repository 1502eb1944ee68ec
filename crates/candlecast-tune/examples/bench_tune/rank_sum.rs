//! The rank-sum test of Mann and Whitney.

use statrs::function::erf::erfc;

/// One-sided p-value of the hypothesis that values of `a` are as often below as above those of `b`, against their being
/// below: normal approximation, corrected for ties and continuity (scipy's `mannwhitneyu`, `alternative="less"`).
pub(crate) fn rank_sum_p(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = a.iter().map(|x| (*x, true)).chain(b.iter().map(|x| (*x, false))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut rank_sum, mut tied, mut from) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|x, y| x.0 == y.0) {
        let size = group.len() as f64;
        let of_a = group.iter().filter(|(_, is_a)| *is_a).count() as f64;
        rank_sum += of_a * (from + f64::midpoint(size, 1.0));
        tied += size.powi(3) - size;
        from += size;
    }
    let (n_a, n_b) = (a.len() as f64, b.len() as f64);
    let n = n_a + n_b;
    let below = n_a * n_b + n_a * (n_a + 1.0) / 2.0 - rank_sum;
    let deviation = (n_a * n_b / 12.0 * (n + 1.0 - tied / (n * (n - 1.0)))).sqrt();
    let z = (below - n_a * n_b / 2.0 - 0.5) / deviation;
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}
