//! [`Classes`]: values as a small number of classes, the form in which information is counted.

/// Most classes that [`Classes::equal_count`] makes.
pub const MAX_CLASSES: usize = 256;

/// Bins a variable for the mutual information of `n` samples: as many as leave at least five samples a cell of the
/// square table when the variables are independent (Cochran's rule, as in Cellucci, Albano and Rapp 2005), from 2
/// to 10.
pub fn equal_count_bins(n: usize) -> usize {
    ((n as f64 / 5.0).sqrt() as usize).clamp(2, 10)
}

/// A column as classes `0..n_classes`, `[sample]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classes {
    of: Vec<u8>,
    n_classes: usize,
}

impl Classes {
    /// Bins of about equally many samples; `bins` from 1 to [`MAX_CLASSES`], others are brought within. Equal values
    /// share a bin, so that a column with many ties has fewer and uneven ones. NaN sorts after all numbers.
    pub fn equal_count(values: &[f64], bins: usize) -> Self {
        let bins = bins.clamp(1, MAX_CLASSES);
        // The order of bits sets -0 before 0, which are equal: adding 0 makes them one.
        let values: Vec<f64> = values.iter().map(|v| v + 0.0).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..bins).filter_map(|k| sorted.get(k * sorted.len() / bins).copied()).collect();
        edges.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let of = values.iter().map(|v| edges.partition_point(|e| e.total_cmp(v).is_le()) as u8).collect();
        Self { of, n_classes: edges.len() + 1 }
    }

    /// Below zero, zero, above zero: classes 0, 1 and 2. NaN counts as zero.
    pub fn signs(values: &[f64]) -> Self {
        let class = |v: &f64| if *v < 0.0 { 0 } else { 1 + u8::from(*v > 0.0) };
        Self { of: values.iter().map(class).collect(), n_classes: 3 }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Number of classes, empty ones included.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Class of each sample, `[sample]`.
    pub fn of(&self) -> &[u8] {
        &self.of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_equally_many_samples() {
        let values: Vec<f64> = (0..1_000).map(|i| f64::from((i * 7_919) % 1_000)).collect();
        let classes = Classes::equal_count(&values, 8);
        assert_eq!((classes.n_classes(), classes.len()), (8, 1_000));
        let mut counts = [0; 8];
        for &class in classes.of() {
            counts[class as usize] += 1;
        }
        assert_eq!(counts, [125; 8]);
        let (low, high) =
            (values.iter().position(|v| *v == 0.0).unwrap(), values.iter().position(|v| *v == 999.0).unwrap());
        assert_eq!((classes.of()[low], classes.of()[high]), (0, 7));
    }

    #[test]
    fn ties_share_a_bin() {
        let values = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0, 3.0];
        let classes = Classes::equal_count(&values, 8);
        let zeros: Vec<u8> = classes.of()[1..6].to_vec();
        assert!(zeros.iter().all(|c| *c == zeros[0]), "{classes:?}");
        assert!(classes.of()[0] > zeros[0] && classes.of()[7] > classes.of()[0], "{classes:?}");
        assert_eq!(Classes::equal_count(&[5.0; 9], 4).of(), [1; 9]);
        assert_eq!(Classes::equal_count(&[0.0, -0.0, 0.0, -0.0], 2).of(), [1; 4]);
        assert!(Classes::equal_count(&[], 4).is_empty());
        assert_eq!(Classes::equal_count(&values, 0).n_classes(), 1);
        assert!(Classes::equal_count(&values, 9_999).n_classes() <= MAX_CLASSES);
    }

    #[test]
    fn signs_are_three_classes() {
        assert_eq!(Classes::signs(&[-2.0, 0.0, -0.0, 3.0, f64::NAN]).of(), [0, 1, 1, 2, 1]);
    }

    #[test]
    fn bins_follow_the_number_of_samples() {
        assert_eq!([0, 30, 125, 499, 500, 1_000_000].map(equal_count_bins), [2, 2, 5, 9, 10, 10]);
    }
}
