//! How many of the things that were tried are different in what came of them.

/// The number of independent trials that would be as different from each other as those that were made, from the
/// correlations `r` of their returns or losses, in three ways. It tells how broad a search was. The deflated Sharpe ratio
/// takes the plain number ([`SharpeRatio::deflated`](super::SharpeRatio::deflated) says why).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectiveTrials {
    /// From the eigenvalues `l` of the correlation matrix: `(sum l)^2 / sum l^2`, which is `N^2 / sum r^2` over all pairs
    /// and the diagonal. `N` where nothing is correlated, 1 where all is the same.
    pub by_eigenvalues: f64,
    /// The same without what chance adds: over `T` observations independent series have a mean `r^2` of `1 / (T - 1)`,
    /// so many of them would look alike. Each `r^2` is replaced by `r^2 - (1 - r^2) / (T - 2)`, the adjusted share of
    /// variance that is explained; their sum is never below 0.
    pub without_chance: f64,
    /// From the mean correlation `r` of the pairs: `r + (1 - r) N` (Lopez de Prado and Lewis 2019), at least 1.
    pub by_mean_correlation: f64,
}

impl EffectiveTrials {
    /// Those of `columns`, one a trial, with the same number of observations. A column without variance is correlated
    /// with nothing. `None` without columns, with fewer than three observations, columns of different lengths, or values
    /// that are not finite.
    pub fn of(columns: &[&[f64]]) -> Option<Self> {
        let observations = columns.first()?.len();
        let ragged = columns.iter().any(|column| column.len() != observations);
        if observations < 3 || ragged || columns.iter().any(|column| column.iter().any(|x| !x.is_finite())) {
            return None;
        }
        let unit: Vec<Vec<f64>> = columns.iter().map(|column| standardised(column)).collect();
        let (n, mut squares, mut adjusted, mut sum) = (columns.len() as f64, 0.0, 0.0, 0.0);
        for (i, a) in unit.iter().enumerate() {
            for b in &unit[..i] {
                let r: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                squares += r * r;
                adjusted += r * r - (1.0 - r * r).max(0.0) / (observations - 2) as f64;
                sum += r;
            }
        }
        let pairs = 0.5 * n * (n - 1.0);
        let mean = if pairs > 0.0 { sum / pairs } else { 0.0 };
        Some(Self {
            by_eigenvalues: n * n / (n + 2.0 * squares),
            without_chance: n * n / (n + 2.0 * adjusted.max(0.0)),
            by_mean_correlation: (mean + (1.0 - mean) * n).max(1.0),
        })
    }
}

/// `x` with mean 0 and a sum of squares of 1; zeros where it has no variance.
fn standardised(x: &[f64]) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let size = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
    if size <= mean.abs() * 1e-12 {
        return vec![0.0; x.len()];
    }
    x.iter().map(|x| (x - mean) / size).collect()
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f64> {
        let mut rng = Seed(seed).derive("trials", 0).stream();
        (0..n).map(|_| rng.normal()).collect()
    }

    fn of(columns: &[Vec<f64>]) -> EffectiveTrials {
        EffectiveTrials::of(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn copies_count_once_and_strangers_each() {
        let one = noise(500, 1);
        let copies: Vec<Vec<f64>> = (1..=6).map(|k| one.iter().map(|x| f64::from(k) * x + 0.1).collect()).collect();
        let found = of(&copies);
        for n in [found.by_eigenvalues, found.without_chance, found.by_mean_correlation] {
            assert!((n - 1.0).abs() < 1e-9, "{found:?}");
        }
        let strangers: Vec<Vec<f64>> = (0..40).map(|k| noise(100, 10 + k)).collect();
        let found = of(&strangers);
        // Chance correlations of 100 observations take 28 % away.
        assert!(found.by_eigenvalues < 32.0 && found.without_chance > 37.0, "{found:?}");
        assert!(found.by_mean_correlation > 38.0, "{found:?}");
    }

    #[test]
    fn two_groups_of_copies_are_two() {
        let (a, b) = (noise(20_000, 1), noise(20_000, 2));
        let columns: Vec<Vec<f64>> = (0..10).map(|k| if k % 2 == 0 { a.clone() } else { b.clone() }).collect();
        let found = of(&columns);
        assert!((found.by_eigenvalues - 2.0).abs() < 0.01 && (found.without_chance - 2.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn what_does_not_vary_is_like_nothing() {
        let found = of(&[vec![0.0; 50], vec![0.1; 50], noise(50, 3)]);
        assert_eq!((found.by_eigenvalues, found.by_mean_correlation), (3.0, 3.0));
        assert_eq!(of(&[noise(50, 3)]).by_eigenvalues, 1.0);
        assert_eq!(EffectiveTrials::of(&[]), None);
        assert_eq!(EffectiveTrials::of(&[&[1.0, 2.0]]), None);
        assert_eq!(EffectiveTrials::of(&[&[1.0, 2.0, 3.0], &[1.0, 2.0]]), None);
        assert_eq!(EffectiveTrials::of(&[&[1.0, f64::NAN, 3.0]]), None);
    }
}
