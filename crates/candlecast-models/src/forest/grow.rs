//! Growing one tree of the forest, node by node, on a bootstrap sample.

use std::ops::Range;

use candlecast_core::Stream;

use crate::tree::{Columns, Tree};

/// Bins a feature at most.
const MAX_BINS: usize = 256;
/// A gain this small relative to the node's own score is rounding.
const LEAST_RELATIVE_GAIN: f64 = 1e-12;

/// Shape of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Samples a leaf has at least.
    pub(super) min_leaf: usize,
    /// Features tried in each node.
    pub(super) max_features: usize,
    /// Questions from root to leaf at most.
    pub(super) max_depth: usize,
}

/// Weight and weighted targets of a row; `C` groups of four targets, zeros beyond the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowStat<const C: usize> {
    weight: f32,
    sums: [[f32; 4]; C],
}

/// Sums over rows.
#[derive(Debug, Clone, Copy)]
struct Stat<const C: usize> {
    weight: f64,
    count: f64,
    sums: [[f64; 4]; C],
}

impl<const C: usize> RowStat<C> {
    /// A row drawn `weight` times with targets `y`, at most `4 C`.
    pub(super) fn new(weight: u32, y: &[f32]) -> Self {
        let mut sums = [[0.0; 4]; C];
        for (sum, &y) in sums.as_flattened_mut().iter_mut().zip(y) {
            *sum = weight as f32 * y;
        }
        Self { weight: weight as f32, sums }
    }
}

impl<const C: usize> Stat<C> {
    const ZERO: Self = Self { weight: 0.0, count: 0.0, sums: [[0.0; 4]; C] };

    fn add_row(&mut self, row: &RowStat<C>) {
        self.weight += f64::from(row.weight);
        self.count += 1.0;
        for (group, add) in self.sums.iter_mut().zip(&row.sums) {
            for (sum, &add) in group.iter_mut().zip(add) {
                *sum += f64::from(add);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.weight += other.weight;
        self.count += other.count;
        for (group, add) in self.sums.iter_mut().zip(&other.sums) {
            for (sum, add) in group.iter_mut().zip(add) {
                *sum += add;
            }
        }
    }

    /// Squared length of the sums.
    fn square(&self) -> f64 {
        self.sums.as_flattened().iter().map(|s| s * s).sum()
    }

    /// Squared length of `total`'s sums less these.
    fn square_of_rest(&self, total: &Self) -> f64 {
        total.sums.as_flattened().iter().zip(self.sums.as_flattened()).map(|(t, s)| (t - s).powi(2)).sum()
    }
}

/// The best split of a node so far.
struct Best {
    feature: usize,
    bin: usize,
    score: f64,
}

/// Grows a tree; the buffers it needs in every node.
pub(super) struct TreeGrower<'a, const C: usize> {
    columns: &'a Columns,
    shape: Shape,
    outputs: usize,
    histogram: Vec<Stat<C>>,
    /// Features, those of the last draw in front.
    features: Vec<usize>,
    rows: Vec<u32>,
    spare: Vec<u32>,
}

impl<'a, const C: usize> TreeGrower<'a, C> {
    /// A grower for trees with `outputs` values a leaf.
    pub(super) fn new(columns: &'a Columns, shape: Shape, outputs: usize) -> Self {
        Self {
            columns,
            shape,
            outputs,
            histogram: vec![Stat::ZERO; MAX_BINS],
            features: (0..columns.n_features()).collect(),
            rows: vec![],
            spare: vec![],
        }
    }

    /// Grows a tree on `rows`, whose statistics are in `stats`, `[row]`.
    pub(super) fn grow(&mut self, stats: &[RowStat<C>], rows: Vec<u32>, rng: &mut Stream) -> Tree {
        self.spare.resize(rows.len(), 0);
        self.rows = rows;
        let mut tree = Tree::new(self.outputs);
        let mut open = vec![(0, 0..self.rows.len(), 0)];
        while let Some((node, range, depth)) = open.pop() {
            let mut total = Stat::ZERO;
            for &row in &self.rows[range.clone()] {
                total.add_row(&stats[row as usize]);
            }
            let own = total.square() / total.weight;
            let divisible = depth < self.shape.max_depth && range.len() >= 2 * self.shape.min_leaf;
            let best = if divisible { self.best_split(stats, &range, &total, rng) } else { None };
            if let Some(best) = best.filter(|best| best.score - own > LEAST_RELATIVE_GAIN * own) {
                let left = tree.split(node, best.feature, self.columns.cut(best.feature, best.bin), best.score - own);
                let middle = self.partition(&range, best.feature, best.bin as u8);
                open.push((left + 1, middle..range.end, depth + 1));
                open.push((left, range.start..middle, depth + 1));
            } else {
                let means = total.sums.as_flattened().iter().take(self.outputs);
                tree.make_leaf(node, means.map(|sum| (sum / total.weight) as f32));
            }
        }
        tree
    }

    /// Tries randomly drawn features, as many as the shape says and more until one is not constant in the node.
    fn best_split(
        &mut self,
        stats: &[RowStat<C>],
        range: &Range<usize>,
        total: &Stat<C>,
        rng: &mut Stream,
    ) -> Option<Best> {
        let (mut best, mut varied) = (None, false);
        for drawn in 0..self.features.len() {
            if drawn >= self.shape.max_features && varied {
                break;
            }
            let other = drawn + rng.below(self.features.len() - drawn);
            self.features.swap(drawn, other);
            let feature = self.features[drawn];
            let occupied = self.fill(stats, range, feature);
            varied |= occupied.iter().map(|word| word.count_ones()).sum::<u32>() > 1;
            self.scan(feature, occupied, total, &mut best);
        }
        best
    }

    /// Fills the histogram of `feature`; returns the set of bins that are not empty.
    fn fill(&mut self, stats: &[RowStat<C>], range: &Range<usize>, feature: usize) -> [u64; 4] {
        let codes = self.columns.codes(feature);
        let mut occupied = [0_u64; 4];
        for &row in &self.rows[range.clone()] {
            let bin = usize::from(codes[row as usize]);
            occupied[bin >> 6] |= 1 << (bin & 63);
            self.histogram[bin].add_row(&stats[row as usize]);
        }
        occupied
    }

    /// Looks for a better split among the bins that are not empty, and empties them. The score of a split is
    /// `|S_l|^2 / W_l + |S_r|^2 / W_r` (variance reduction summed over outputs; with one-hot targets, Gini's). The
    /// cut lies in the middle of the empty bins between two others.
    fn scan(&mut self, feature: usize, occupied: [u64; 4], total: &Stat<C>, best: &mut Option<Best>) {
        let least = self.shape.min_leaf as f64;
        let mut left = Stat::ZERO;
        let mut before = None;
        for (word, mut bits) in occupied.into_iter().enumerate() {
            while bits != 0 {
                let bin = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if let Some(before) = before
                    && left.count >= least
                    && total.count - left.count >= least
                {
                    let right_weight = total.weight - left.weight;
                    let score = left.square() / left.weight + left.square_of_rest(total) / right_weight;
                    if best.as_ref().is_none_or(|best| score > best.score) {
                        *best = Some(Best { feature, bin: (before + bin - 1) / 2, score });
                    }
                }
                left.add(&self.histogram[bin]);
                self.histogram[bin] = Stat::ZERO;
                before = Some(bin);
            }
        }
    }

    /// Brings the rows of `range` with a code up to `bin` to its front; returns where the others begin.
    fn partition(&mut self, range: &Range<usize>, feature: usize, bin: u8) -> usize {
        let codes = self.columns.codes(feature);
        let rows = &mut self.rows[range.clone()];
        let (mut n_left, mut n_right) = (0, 0);
        for i in 0..rows.len() {
            let row = rows[i];
            let left = usize::from(codes[row as usize] <= bin);
            rows[n_left] = row;
            self.spare[n_right] = row;
            n_left += left;
            n_right += 1 - left;
        }
        rows[n_left..].copy_from_slice(&self.spare[..n_right]);
        range.start + n_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Matrix;
    use candlecast_core::Seed;

    #[test]
    fn two_outputs_are_split_where_their_variances_fall_most() {
        let x: Vec<f32> = (0..90).flat_map(|i| [i as f32, (i * 31 % 90) as f32]).collect();
        let x = Matrix::new(&x, 2).unwrap();
        let columns = Columns::new(&x, 256);
        let stats: Vec<RowStat<1>> = (0..90)
            .map(|i| RowStat::new(1, &[if i < 30 { 5.0 } else { 1.0 }, if i < 60 { 0.0 } else { 2.0 }]))
            .collect();
        let shape = Shape { min_leaf: 1, max_features: 2, max_depth: 64 };
        let tree = TreeGrower::new(&columns, shape, 2).grow(&stats, (0..90).collect(), &mut Seed(1).stream());
        assert_eq!(tree.nodes.len(), 5);
        assert_eq!((tree.nodes[0].feature, tree.nodes[0].threshold), (0, 29.5));
        assert_eq!(tree.leaf_values(&[45.0, 0.0]), [1.0, 0.0]);
        assert_eq!(tree.leaf_values(&[75.0, 0.0]), [1.0, 2.0]);
    }

    #[test]
    fn leaves_keep_their_least_size_and_weights_count() {
        let mut rng = Seed(2).stream();
        let x: Vec<f32> = (0..300 * 3).map(|_| rng.normal() as f32).collect();
        let x = Matrix::new(&x, 3).unwrap();
        let columns = Columns::new(&x, 256);
        let y: Vec<f32> = (0..300).map(|_| rng.normal() as f32).collect();
        let weights: Vec<u32> = (0..300).map(|_| 1 + rng.below(3) as u32).collect();
        let stats: Vec<RowStat<1>> = y.iter().zip(&weights).map(|(&y, &w)| RowStat::new(w, &[y])).collect();
        let shape = Shape { min_leaf: 7, max_features: 1, max_depth: 64 };
        let tree = TreeGrower::new(&columns, shape, 1).grow(&stats, (0..300).collect(), &mut rng);
        let mut leaves = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for i in 0..300 {
            leaves.entry(tree.leaf_values(x.row(i))[0].to_bits()).or_default().push(i);
        }
        assert!(leaves.len() > 10);
        for (value, rows) in leaves {
            assert!(rows.len() >= 7);
            let weight: f64 = rows.iter().map(|&i| f64::from(weights[i])).sum();
            let mean = rows.iter().map(|&i| f64::from(weights[i]) * f64::from(y[i])).sum::<f64>() / weight;
            assert!((f64::from(f32::from_bits(value)) - mean).abs() < 1e-5);
        }
    }
}
