//! Growing one boosted tree level by level from histograms.

use std::ops::Range;

use rayon::prelude::*;

use super::binning::Binned;
use super::histogram::{self, EMPTY, Histogram, LANES};
use super::node::Tree;
use super::split::{Candidate, SplitRules, best_split};

/// Gains up to here are rounding (XGBoost's `kRtEps`).
const LEAST_GAIN: f64 = 1e-6;

/// Shape and regularisation of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GrowConfig {
    /// Most questions from root to leaf.
    pub(crate) max_depth: usize,
    /// Least gain of a split, `G_l^2/(H_l+lambda) + G_r^2/(H_r+lambda) - G^2/(H+lambda)`.
    pub(crate) min_split_loss: f64,
    /// What splits must respect.
    pub(crate) rules: SplitRules,
    /// Factor on leaf values.
    pub(crate) learning_rate: f64,
}

/// Grows trees; keeps its buffers from tree to tree, so that growing allocates only the tree.
#[derive(Debug, Default)]
pub(crate) struct Grower {
    blocks: Vec<BlockScratch>,
    rows: Vec<u32>,
    spare: Vec<u32>,
    leaves: Vec<(Range<usize>, f32)>,
}

/// What a growth reads.
#[derive(Clone, Copy)]
pub(crate) struct GrowInput<'a> {
    /// Codes.
    pub(crate) data: &'a Binned,
    /// `[gradient, Hessian]` of each row.
    pub(crate) gradients: &'a [[f32; 2]],
    /// Features that may be split, `[feature]`.
    pub(crate) features: &'a [bool],
    /// Blocks of features run in parallel; the result does not depend on it.
    pub(crate) parallel: bool,
}

/// A node of the level that is being split.
struct Active {
    node: usize,
    rows: Range<usize>,
    sum: [f64; 2],
    /// Number of its histogram in every block.
    slot: usize,
    source: Source,
}

/// Where a node's histogram comes from.
#[derive(Clone, Copy)]
enum Source {
    /// Its rows.
    Rows,
    /// Its slot holds the parent's; this slot's is taken off.
    Sibling(usize),
}

/// Histograms of one block of features and the best split of each node within it.
#[derive(Debug, Default)]
struct BlockScratch {
    slots: Vec<Histogram>,
    found: Vec<Option<Candidate>>,
}

/// Numbers of histogram slots in use.
#[derive(Default)]
struct Slots {
    free: Vec<usize>,
    count: usize,
}

impl Slots {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        })
    }
}

/// A node that has its rows and nothing else yet.
struct Child {
    node: usize,
    rows: Range<usize>,
    sum: [f64; 2],
}

impl Child {
    fn active(self, slot: usize, source: Source) -> Active {
        Active { node: self.node, rows: self.rows, sum: self.sum, slot, source }
    }
}

/// One tree in the making.
struct Growth<'a> {
    tree: Tree,
    slots: Slots,
    /// Nodes of the level below the one that is being split.
    next: Vec<Active>,
    /// Its depth.
    depth: usize,
    input: GrowInput<'a>,
    config: &'a GrowConfig,
}

impl Growth<'_> {
    /// True for a node of the level below that may be split.
    fn can_split(&self, sum: [f64; 2]) -> bool {
        let weight = sum[1];
        self.depth < self.config.max_depth && weight > 0.0 && weight >= 2.0 * self.config.rules.min_child_weight
    }
}

impl Grower {
    /// Grows a tree on `rows`, ascending and not empty.
    pub(crate) fn grow(&mut self, input: GrowInput<'_>, rows: impl Iterator<Item = u32>, config: &GrowConfig) -> Tree {
        self.rows.clear();
        self.rows.extend(rows);
        self.spare.resize(self.rows.len(), 0);
        self.leaves.clear();
        self.blocks.resize_with(input.data.n_blocks(), BlockScratch::default);
        let mut growth = Growth { tree: Tree::new(1), slots: Slots::default(), next: vec![], depth: 0, input, config };
        self.plant(&mut growth);
        while !growth.next.is_empty() {
            let level = std::mem::take(&mut growth.next);
            self.search(&level, growth.slots.count, input, config.rules);
            growth.depth += 1;
            for (i, active) in level.iter().enumerate() {
                self.divide_or_finish(&mut growth, active, self.best(i));
            }
        }
        growth.tree
    }

    /// Rows of each leaf of the tree grown last, and the leaf's value.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (&[u32], f32)> {
        self.leaves.iter().map(|(range, value)| (&self.rows[range.clone()], *value))
    }

    fn plant(&mut self, growth: &mut Growth<'_>) {
        let gradients = growth.input.gradients;
        let sum = self.rows.iter().fold([0.0_f64; 2], |[g, h], &row| {
            let [row_g, row_h] = gradients[row as usize];
            [g + f64::from(row_g), h + f64::from(row_h)]
        });
        let rows = 0..self.rows.len();
        if growth.can_split(sum) {
            let slot = growth.slots.take();
            growth.next.push(Active { node: 0, rows, sum, slot, source: Source::Rows });
        } else {
            self.finish(growth, Child { node: 0, rows, sum });
        }
    }

    /// Histograms and best splits of every node of `level` in every block.
    fn search(&mut self, level: &[Active], n_slots: usize, input: GrowInput<'_>, rules: SplitRules) {
        let rows = &self.rows;
        let run = |(b, block): (usize, &mut BlockScratch)| block.search(b, level, n_slots, rows, input, rules);
        if input.parallel {
            self.blocks.par_iter_mut().enumerate().for_each(run);
        } else {
            self.blocks.iter_mut().enumerate().for_each(run);
        }
    }

    /// Best split of node `i` of the level; the lowest feature wins a tie.
    fn best(&self, i: usize) -> Option<Candidate> {
        self.blocks.iter().filter_map(|block| block.found[i]).reduce(|a, b| if b.score > a.score { b } else { a })
    }

    fn divide_or_finish(&mut self, growth: &mut Growth<'_>, active: &Active, best: Option<Candidate>) {
        let least = growth.config.min_split_loss.max(LEAST_GAIN);
        let gain_of =
            |best: &Candidate| best.score - active.sum[0].powi(2) / (active.sum[1] + growth.config.rules.lambda);
        let split = best.map(|best| (best, gain_of(&best))).filter(|&(_, gain)| gain > least);
        if let Some((best, gain)) = split {
            self.divide(growth, active, &best, gain);
        } else {
            growth.slots.free.push(active.slot);
            let rows = active.rows.clone();
            self.finish(growth, Child { node: active.node, rows, sum: active.sum });
        }
    }

    fn divide(&mut self, growth: &mut Growth<'_>, active: &Active, best: &Candidate, gain: f64) {
        let data = growth.input.data;
        let left = growth.tree.split(active.node, best.feature, data.cut(best.feature, best.bin), gain);
        let codes = data.block(best.feature / LANES);
        let middle = self.partition(&active.rows, codes, best.feature % LANES, best.bin as u8);
        let right_sum = [active.sum[0] - best.left[0], active.sum[1] - best.left[1]];
        let left_child = Child { node: left, rows: active.rows.start..middle, sum: best.left };
        let right_child = Child { node: left + 1, rows: middle..active.rows.end, sum: right_sum };
        let (small, large) = if left_child.rows.len() <= right_child.rows.len() {
            (left_child, right_child)
        } else {
            (right_child, left_child)
        };
        match (growth.can_split(small.sum), growth.can_split(large.sum)) {
            (true, true) => {
                let slot = growth.slots.take();
                growth.next.push(small.active(slot, Source::Rows));
                growth.next.push(large.active(active.slot, Source::Sibling(slot)));
            }
            (true, false) => {
                growth.next.push(small.active(active.slot, Source::Rows));
                self.finish(growth, large);
            }
            (false, true) => {
                growth.next.push(large.active(active.slot, Source::Rows));
                self.finish(growth, small);
            }
            (false, false) => {
                growth.slots.free.push(active.slot);
                self.finish(growth, small);
                self.finish(growth, large);
            }
        }
    }

    fn finish(&mut self, growth: &mut Growth<'_>, leaf: Child) {
        let [g, h] = leaf.sum;
        let weight = h + growth.config.rules.lambda;
        let value = if weight > 0.0 { (-g / weight * growth.config.learning_rate) as f32 } else { 0.0 };
        growth.tree.make_leaf(leaf.node, [value]);
        self.leaves.push((leaf.rows, value));
    }

    /// Brings the rows of `range` with a code up to `bin` to its front, in order on both sides; returns where the
    /// others begin.
    fn partition(&mut self, range: &Range<usize>, codes: &[[u8; LANES]], lane: usize, bin: u8) -> usize {
        let rows = &mut self.rows[range.clone()];
        let spare = &mut self.spare[..rows.len()];
        let (mut n_left, mut n_right) = (0, 0);
        for i in 0..rows.len() {
            let row = rows[i];
            let left = usize::from(codes[row as usize][lane] <= bin);
            // Both writes are made and one is kept: the branch would be missed every other time.
            rows[n_left] = row;
            spare[n_right] = row;
            n_left += left;
            n_right += 1 - left;
        }
        rows[n_left..].copy_from_slice(&spare[..n_right]);
        range.start + n_left
    }
}

impl BlockScratch {
    fn search(
        &mut self,
        block: usize,
        level: &[Active],
        n_slots: usize,
        rows: &[u32],
        input: GrowInput<'_>,
        rules: SplitRules,
    ) {
        if self.slots.len() < n_slots {
            self.slots.resize(n_slots, EMPTY);
        }
        let codes = input.data.block(block);
        for active in level.iter().filter(|a| matches!(a.source, Source::Rows)) {
            histogram::build(&mut self.slots[active.slot], codes, input.gradients, &rows[active.rows.clone()]);
        }
        for active in level {
            if let Source::Sibling(slot) = active.source {
                let [own, sibling] =
                    self.slots.get_disjoint_mut([active.slot, slot]).expect("a child and its sibling have two slots");
                histogram::subtract(own, sibling);
            }
        }
        self.found.clear();
        for active in level {
            let best = best_in_block(&self.slots[active.slot], block, active.sum, input, rules);
            self.found.push(best);
        }
    }
}

fn best_in_block(
    histogram: &Histogram,
    block: usize,
    sum: [f64; 2],
    input: GrowInput<'_>,
    rules: SplitRules,
) -> Option<Candidate> {
    let features = block * LANES..input.data.n_features().min((block + 1) * LANES);
    features
        .filter(|&j| input.features[j])
        .filter_map(|j| best_split(&histogram[j % LANES], input.data.n_bins(j), sum, rules, j))
        .reduce(|a, b| if b.score > a.score { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Matrix;
    use candlecast_core::Seed;

    fn config() -> GrowConfig {
        let rules = SplitRules { lambda: 0.0, min_child_weight: 1.0 };
        GrowConfig { max_depth: 4, min_split_loss: 0.0, rules, learning_rate: 1.0 }
    }

    #[test]
    fn a_step_function_is_found_exactly() {
        let x: Vec<f32> = (0..200).flat_map(|i| [(i * 37 % 200) as f32, i as f32, 1.0]).collect();
        let x = Matrix::new(&x, 3).unwrap();
        let data = Binned::new(&x, 256);
        let gradients: Vec<[f32; 2]> = (0..200).map(|i| [if i < 60 { -2.0 } else { 3.0 }, 1.0]).collect();
        let input = GrowInput { data: &data, gradients: &gradients, features: &[true; 3], parallel: false };
        let tree = Grower::default().grow(input, 0..200, &config());
        assert_eq!(tree.nodes.len(), 3);
        assert_eq!((tree.nodes[0].feature, tree.nodes[0].threshold), (1, 59.5));
        assert_eq!((tree.leaf_values(x.row(59)), tree.leaf_values(x.row(60))), (&[2.0][..], &[-3.0][..]));
        let masked = GrowInput { features: &[false; 3], ..input };
        assert_eq!(Grower::default().grow(masked, 0..200, &config()).nodes.len(), 1);
    }

    #[test]
    fn leaves_hold_the_mean_of_the_rows_that_fall_into_them() {
        let mut rng = Seed(5).stream();
        let values: Vec<f32> = (0..500 * 11).map(|_| rng.normal() as f32).collect();
        let x = Matrix::new(&values, 11).unwrap();
        let data = Binned::new(&x, 32);
        let y: Vec<f32> = x.rows().map(|r| r[0] * r[9] + r[10]).collect();
        let gradients: Vec<[f32; 2]> = y.iter().map(|y| [-y, 1.0]).collect();
        let input = GrowInput { data: &data, gradients: &gradients, features: &[true; 11], parallel: false };
        let mut grower = Grower::default();
        let tree = grower.grow(input, 0..500, &config());
        let mut seen = 0;
        for (rows, value) in grower.leaves() {
            let mean = rows.iter().map(|&r| f64::from(y[r as usize])).sum::<f64>() / rows.len() as f64;
            assert!((f64::from(value) - mean).abs() < 1e-5);
            assert!(rows.iter().all(|&r| tree.leaf_values(x.row(r as usize)) == [value]));
            seen += rows.len();
        }
        assert_eq!(seen, 500);
        // Buffers that were used before change nothing.
        assert_eq!(grower.grow(input, 0..500, &config()), tree);
        let parallel = GrowInput { parallel: true, ..input };
        assert_eq!(grower.grow(parallel, 0..500, &config()), tree);
    }
}
