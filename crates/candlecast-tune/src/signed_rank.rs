//! Wilcoxon's signed-rank test, as scipy decides between its exact and its asymptotic form.

use crate::density::normal;

/// Differences up to which the exact distribution is used where no two are equally large and none is 0.
const EXACT: usize = 50;
/// The same where there are ties or zeros.
const EXACT_WITH_TIES: usize = 13;

/// One-sided p-value of the hypothesis that `differences` are as often above as below 0, against their being above.
/// Zeros count half on either side. Exact by the distribution of the sum of ranks over
/// all signs; for many differences, or more than a few with ties, by the normal approximation with its correction for
/// ties (scipy's `wilcoxon` with `zero_method="zsplit"` and `alternative="greater"`).
pub(crate) fn signed_rank_p(differences: &[f64]) -> f64 {
    let n = differences.len();
    let (doubled_ranks, tie_sizes) = ranks(differences);
    let of = |sign: fn(f64) -> bool| -> u64 {
        differences.iter().zip(&doubled_ranks).filter(|(d, _)| sign(**d)).map(|(_, rank)| rank).sum()
    };
    let (positive, zero) = (of(|d| d > 0.0), of(|d| d == 0.0));
    let has_ties = zero > 0 || tie_sizes.iter().any(|size| *size > 1);
    if n <= EXACT_WITH_TIES || (n <= EXACT && !has_ties) {
        let signed = differences.iter().zip(&doubled_ranks).filter(|(d, _)| **d != 0.0).map(|(_, rank)| *rank as usize);
        return exact(positive as usize, signed);
    }
    let n = n as f64;
    let tied: f64 = tie_sizes.iter().map(|size| (*size as f64).powi(3) - *size as f64).sum();
    let deviation = ((n * (n + 1.0) * (2.0 * n + 1.0) - tied / 2.0) / 24.0).sqrt();
    let rank_sum = positive as f64 / 2.0 + zero as f64 / 4.0;
    normal::above((rank_sum - n * (n + 1.0) / 4.0) / deviation)
}

/// Twice the rank of each difference by its size, ties sharing theirs, and the sizes of the groups of equal ones.
fn ranks(differences: &[f64]) -> (Vec<u64>, Vec<usize>) {
    let mut order: Vec<usize> = (0..differences.len()).collect();
    order.sort_by(|&a, &b| differences[a].abs().total_cmp(&differences[b].abs()));
    let mut doubled = vec![0; differences.len()];
    let mut sizes = Vec::new();
    let mut from = 0;
    for group in order.chunk_by(|&a, &b| differences[a].abs() == differences[b].abs()) {
        for &at in group {
            doubled[at] = (2 * from + group.len() + 1) as u64;
        }
        sizes.push(group.len());
        from += group.len();
    }
    (doubled, sizes)
}

/// Probability that the sum of `ranks`, each taken with probability one half, is `sum` at least.
fn exact(sum: usize, ranks: impl Iterator<Item = usize>) -> f64 {
    let mut probability = vec![1.0];
    for rank in ranks {
        let mut longer = vec![0.0; probability.len() + rank];
        for (at, p) in probability.iter().enumerate() {
            longer[at] += 0.5 * p;
            longer[at + rank] += 0.5 * p;
        }
        probability = longer;
    }
    probability.iter().skip(sum).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_samples_are_counted_out() {
        assert_eq!(signed_rank_p(&[1.0, 2.0, 3.0]), 0.125);
        assert_eq!(signed_rank_p(&[-1.0, 2.0, 3.0]), 0.25);
        assert_eq!(signed_rank_p(&[-1.0, -2.0, -3.0]), 1.0);
        assert_eq!(signed_rank_p(&[1.0, 1.0]), 0.25);
        assert_eq!(signed_rank_p(&[0.0, 2.0]), 0.5, "a zero takes no side");
        assert_eq!(signed_rank_p(&[0.0; 4]), 1.0);
        assert_eq!(signed_rank_p(&[0.0; 60]), 0.5);
        assert_eq!(signed_rank_p(&[]), 1.0);
    }
}
