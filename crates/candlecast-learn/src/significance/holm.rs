//! Holm's correction for several tests at once.

/// Holm's step-down correction (1979): p-values valid for all tests at once, in the given order. `None` stays `None`
/// and does not count.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    holm_with(p_values, 0)
}

/// [`holm`] in a family with `further` tests besides, whose p-values are not known and count as 1: the `i`-th smallest
/// of `m` p-values is multiplied by `m + further - i + 1`.
pub fn holm_with(p_values: &[Option<f64>], further: usize) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let family = order.len() + further;
    let mut corrected = vec![None; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, &(i, p)) in order.iter().enumerate() {
        least = least.max(((family - rank) as f64 * p).min(1.0));
        corrected[i] = Some(least);
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holm_by_hand() {
        let p = holm(&[Some(0.01), None, Some(0.04), Some(0.03)]);
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-12;
        assert!(close(p[0], 0.03) && p[1].is_none() && close(p[3], 0.06) && close(p[2], 0.06));
    }

    #[test]
    fn further_tests_count_as_p_values_of_one() {
        let p_values = [Some(0.01), None, Some(0.04), Some(0.004)];
        for further in [0, 1, 7] {
            let mut all = p_values.to_vec();
            all.extend(vec![Some(1.0); further]);
            assert_eq!(holm_with(&p_values, further), holm(&all)[..4], "{further}");
        }
        assert_eq!(holm_with(&[Some(0.25)], 5), [Some(1.0)]);
        assert!(holm_with(&[], 3).is_empty());
    }
}
