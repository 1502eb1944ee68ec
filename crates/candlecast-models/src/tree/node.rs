//! [`Tree`]: a binary tree as a flat array.

/// A node: either a question or a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    /// Feature asked about; the leaf's number in a leaf.
    pub(crate) feature: u32,
    /// Values up to here go left.
    pub(crate) threshold: f32,
    /// Left child, the right one follows it; 0 in a leaf.
    pub(crate) left: u32,
    /// Loss saved by the split; 0 in a leaf.
    pub(crate) gain: f32,
}

const LEAF: Node = Node { feature: 0, threshold: 0.0, left: 0, gain: 0.0 };

/// A tree whose leaves hold `outputs` values each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    /// The root first, children after their parents.
    pub(crate) nodes: Vec<Node>,
    /// `[leaf, output]`.
    pub(crate) values: Vec<f32>,
    /// Values a leaf.
    pub(crate) outputs: usize,
}

impl Tree {
    /// A root that is neither split nor given its values yet.
    pub(crate) fn new(outputs: usize) -> Self {
        Self { nodes: vec![LEAF], values: vec![], outputs }
    }

    /// Splits `node`; returns its left child.
    pub(crate) fn split(&mut self, node: usize, feature: usize, threshold: f32, gain: f64) -> usize {
        let left = self.nodes.len();
        self.nodes[node] = Node { feature: feature as u32, threshold, left: left as u32, gain: gain as f32 };
        self.nodes.extend([LEAF, LEAF]);
        left
    }

    /// Makes `node` a leaf with `values`, one an output.
    pub(crate) fn make_leaf(&mut self, node: usize, values: impl IntoIterator<Item = f32>) {
        self.nodes[node] = Node { feature: (self.values.len() / self.outputs) as u32, ..LEAF };
        self.values.extend(values);
    }

    /// Values of the leaf that `x`, `[feature]`, falls into.
    pub(crate) fn leaf_values(&self, x: &[f32]) -> &[f32] {
        let mut node = self.nodes[0];
        while node.left != 0 {
            let right = x[node.feature as usize] > node.threshold;
            node = self.nodes[node.left as usize + usize::from(right)];
        }
        let at = node.feature as usize * self.outputs;
        &self.values[at..at + self.outputs]
    }
}

/// Sum of the gains of each feature's splits, as shares of all; `None` without splits.
pub(crate) fn gain_importances<'a>(trees: impl Iterator<Item = &'a Tree>, n_features: usize) -> Option<Vec<f64>> {
    let mut gains = vec![0.0; n_features];
    for node in trees.flat_map(|tree| &tree.nodes).filter(|node| node.left != 0) {
        gains[node.feature as usize] += f64::from(node.gain);
    }
    let total: f64 = gains.iter().sum();
    (total > 0.0).then(|| gains.iter().map(|g| g / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_find_their_leaves() {
        let mut tree = Tree::new(2);
        let left = tree.split(0, 1, 0.5, 3.0);
        tree.make_leaf(left, [1.0, 2.0]);
        let deeper = tree.split(left + 1, 0, -1.0, 1.0);
        tree.make_leaf(deeper + 1, [5.0, 6.0]);
        tree.make_leaf(deeper, [3.0, 4.0]);
        assert_eq!(tree.leaf_values(&[9.0, 0.5]), [1.0, 2.0]);
        assert_eq!(tree.leaf_values(&[-1.0, 0.6]), [3.0, 4.0]);
        assert_eq!(tree.leaf_values(&[-0.9, 0.6]), [5.0, 6.0]);
        assert_eq!(gain_importances([&tree].into_iter(), 3), Some(vec![0.25, 0.75, 0.0]));
        assert_eq!(gain_importances(std::iter::empty(), 3), None);
    }
}
