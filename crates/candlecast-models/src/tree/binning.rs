//! Binning: features as one-byte codes, made once for all trees, horizons and rounds of a fit.

use super::Matrix;
use super::histogram::{LANES, MAX_BINS};

/// Codes of a feature block for each row.
pub(crate) type Block = Vec<[u8; LANES]>;

/// Cut points of each feature and the codes of the training rows: `code <= b` exactly where `value <= cut(b)`.
#[derive(Debug)]
pub(crate) struct Columns {
    cuts: Vec<Vec<f32>>,
    codes: Vec<Vec<u8>>,
}

impl Columns {
    /// Bins by quantiles of the rows: as many bins as there are distinct values, at most `max_bins` (2 to 256).
    pub(crate) fn new(x: &Matrix<'_>, max_bins: usize) -> Self {
        let mut out = Self { cuts: Vec::with_capacity(x.n_features()), codes: Vec::with_capacity(x.n_features()) };
        let mut sorted = Vec::with_capacity(x.n_rows());
        for j in 0..x.n_features() {
            let column: Vec<f32> = x.rows().map(|row| row[j]).collect();
            sorted.clear();
            sorted.extend_from_slice(&column);
            sorted.sort_unstable_by(f32::total_cmp);
            let cuts = cut_points(&sorted, max_bins.clamp(2, MAX_BINS));
            out.codes.push(column.iter().map(|v| cuts.partition_point(|c| c < v) as u8).collect());
            out.cuts.push(cuts);
        }
        out
    }

    /// Number of features.
    pub(crate) fn n_features(&self) -> usize {
        self.cuts.len()
    }

    /// Codes of feature `j`, `[row]`.
    pub(crate) fn codes(&self, j: usize) -> &[u8] {
        &self.codes[j]
    }

    /// Greatest value of feature `j` with a code up to `bin`.
    pub(crate) fn cut(&self, j: usize, bin: usize) -> f32 {
        self.cuts[j][bin]
    }
}

/// Codes in blocks of eight features, row by row, as histograms are built from them.
#[derive(Debug)]
pub(crate) struct Binned {
    columns: Columns,
    blocks: Vec<Block>,
    n_rows: usize,
}

impl Binned {
    /// Bins the rows of `x`, see [`Columns::new`].
    pub(crate) fn new(x: &Matrix<'_>, max_bins: usize) -> Self {
        let columns = Columns::new(x, max_bins);
        let blocks = (0..columns.n_features().div_ceil(LANES))
            .map(|b| {
                let mut block = vec![[0_u8; LANES]; x.n_rows()];
                for j in b * LANES..columns.n_features().min((b + 1) * LANES) {
                    for (lanes, &code) in block.iter_mut().zip(columns.codes(j)) {
                        lanes[j % LANES] = code;
                    }
                }
                block
            })
            .collect();
        Self { columns, blocks, n_rows: x.n_rows() }
    }

    /// Number of rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of features.
    pub(crate) fn n_features(&self) -> usize {
        self.columns.n_features()
    }

    /// Number of blocks of eight features.
    pub(crate) fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Codes of block `b`, `[row]`; lanes beyond the last feature are 0.
    pub(crate) fn block(&self, b: usize) -> &[[u8; LANES]] {
        &self.blocks[b]
    }

    /// Bins of feature `j`.
    pub(crate) fn n_bins(&self, j: usize) -> usize {
        self.columns.cuts[j].len() + 1
    }

    /// Greatest value of feature `j` with a code up to `bin`.
    pub(crate) fn cut(&self, j: usize, bin: usize) -> f32 {
        self.columns.cut(j, bin)
    }
}

/// Ascending cut points, at most `max_bins - 1`, each between two neighbouring values.
fn cut_points(sorted: &[f32], max_bins: usize) -> Vec<f32> {
    let ends: Vec<usize> = (1..sorted.len()).filter(|&i| sorted[i - 1] < sorted[i]).collect();
    if ends.len() < max_bins {
        return ends.iter().map(|&i| between(sorted[i - 1], sorted[i])).collect();
    }
    let mut cuts: Vec<f32> = Vec::with_capacity(max_bins - 1);
    let mut at = 0;
    for b in 1..max_bins {
        // The first change of value at or after the quantile; a run of ties is never cut.
        let quantile = b * sorted.len() / max_bins;
        at += ends[at..].partition_point(|&end| end < quantile);
        let Some(&end) = ends.get(at) else { break };
        let cut = between(sorted[end - 1], sorted[end]);
        if cuts.last() != Some(&cut) {
            cuts.push(cut);
        }
    }
    cuts
}

/// The middle of two values, below the greater one.
fn between(low: f32, high: f32) -> f32 {
    let middle = (f64::midpoint(f64::from(low), f64::from(high))) as f32;
    if middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn few_distinct_values_get_a_bin_each() {
        assert_eq!(cut_points(&[1.0, 1.0, 2.0, 5.0], 256), [1.5, 3.5]);
        assert_eq!(cut_points(&[3.0, 3.0], 256), [0.0_f32; 0]);
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        assert_eq!(cut_points(&[1.0, next], 256), [1.0]);
    }

    #[test]
    fn bins_hold_equal_counts_and_codes_agree_with_cuts() {
        let mut rng = Seed(3).stream();
        let values: Vec<f32> = (0..20_000).map(|_| rng.normal() as f32).collect();
        let x = Matrix::new(&values, 2).unwrap();
        let columns = Columns::new(&x, 64);
        for j in 0..2 {
            let mut counts = vec![0; 64];
            for (i, &code) in columns.codes(j).iter().enumerate() {
                counts[code as usize] += 1;
                let v = x.row(i)[j];
                assert!(code == 63 || v <= columns.cut(j, code as usize));
                assert!(code == 0 || v > columns.cut(j, code as usize - 1));
            }
            assert!(counts.iter().all(|c| (150..=163).contains(c)), "{counts:?}");
        }
    }

    #[test]
    fn ties_longer_than_a_bin_stay_together() {
        let mut values = vec![0.0_f32; 900];
        values.extend((1..=100).map(|i| i as f32));
        let cuts = cut_points(&values, 16);
        assert!(cuts.len() < 16 && cuts[0] == 0.5, "{cuts:?}");
        assert!(cuts.windows(2).all(|w| w[0] < w[1]));
    }
}
