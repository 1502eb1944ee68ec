//! [`Ranks`]: a column by the order of its values, for Spearman's correlation.

/// Average ranks of a column, centred and brought to unit length, `[sample]`: the correlation of two is their product.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranks {
    unit: Vec<f64>,
}

impl Ranks {
    /// Ranks of `values`, ties at their mean rank; `None` where all are equal, one is not finite, or there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let mut unit = average_ranks(values);
        let mean = f64::midpoint(values.len() as f64, 1.0);
        unit.iter_mut().for_each(|r| *r -= mean);
        let length = unit.iter().map(|r| r * r).sum::<f64>().sqrt();
        if length <= 0.0 {
            return None;
        }
        unit.iter_mut().for_each(|r| *r /= length);
        Some(Self { unit })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.unit.len()
    }

    /// True without samples, which [`Ranks::of`] does not make.
    pub fn is_empty(&self) -> bool {
        self.unit.is_empty()
    }

    /// Spearman's rank correlation with `other`, from -1 to 1, where sample `i` meets sample `(i + shift) mod n` of
    /// `other`. Columns must have one length.
    pub fn correlation(&self, other: &Self, shift: usize) -> f64 {
        debug_assert_eq!(self.len(), other.len(), "columns of one table have one length");
        let (end, start) = other.unit.split_at(shift % other.len().max(1));
        let (head, tail) = self.unit.split_at(start.len().min(self.len()));
        (product(head, start) + product(tail, end)).clamp(-1.0, 1.0)
    }
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Ranks from 1, ties at their mean.
fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = before as f64 + f64::midpoint(tied.len() as f64, 1.0);
        for &i in tied {
            ranks[i] = rank;
        }
        before += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    const X: [f64; 6] = [1.0, 2.0, 2.0, 4.0, 5.0, 0.5];
    const Y: [f64; 6] = [3.0, 1.0, 4.0, 4.0, 9.0, 2.0];

    #[test]
    fn ties_take_their_mean_rank() {
        assert_eq!(average_ranks(&X), [2.0, 3.5, 3.5, 5.0, 6.0, 1.0]);
        assert_eq!(average_ranks(&[0.0, -0.0, 1.0]), [1.5, 1.5, 3.0]);
    }

    #[test]
    fn correlations_are_spearmans() {
        let (x, y) = (Ranks::of(&X).unwrap(), Ranks::of(&Y).unwrap());
        // Pearson's correlation of the ranks above and [3, 1, 4.5, 4.5, 6, 2]: 12.25 / 17.
        assert!((x.correlation(&y, 0) - 0.720_588_235_294_117_7).abs() < 1e-14);
        let turned: Vec<f64> = Y[2..].iter().chain(&Y[..2]).copied().collect();
        let direct = x.correlation(&Ranks::of(&turned).unwrap(), 0);
        assert!((x.correlation(&y, 2) - direct).abs() < 1e-14 && (x.correlation(&y, 8) - direct).abs() < 1e-14);
    }

    #[test]
    fn only_order_counts() {
        let mut rng = Seed(1).stream();
        let x: Vec<f64> = (0..500).map(|_| rng.normal()).collect();
        let grown: Vec<f64> = x.iter().map(|v| (3.0 * v).exp()).collect();
        let fallen: Vec<f64> = x.iter().map(|v| -v.powi(3)).collect();
        let ranks = Ranks::of(&x).unwrap();
        assert!((ranks.correlation(&Ranks::of(&grown).unwrap(), 0) - 1.0).abs() < 1e-12);
        assert!((ranks.correlation(&Ranks::of(&fallen).unwrap(), 0) + 1.0).abs() < 1e-12);
        assert!(ranks.correlation(&ranks, 250).abs() < 0.25);
    }

    #[test]
    fn what_has_no_order_has_no_ranks() {
        assert_eq!(Ranks::of(&[]), None);
        assert_eq!(Ranks::of(&[7.0; 4]), None);
        assert_eq!(Ranks::of(&[1.0, f64::NAN]), None);
    }
}
