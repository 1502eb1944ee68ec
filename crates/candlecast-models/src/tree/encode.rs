//! Trees as tensors of a model file, and back with every reference checked.

use std::collections::BTreeMap;

use candlecast_learn::{ModelState, RestoreError, Tensor};

use super::Tree;
use super::node::Node;

/// Numbers below this are exact in single precision.
const EXACT: f32 = 16_777_216.0;

/// Tensors `treeSizes` `[tree, 2]` (nodes, leaves), `treeNodes` `[node, 4]` (feature or leaf, threshold, left child,
/// gain) and `treeValues` `[leaf, output]` of all trees one after another.
pub(crate) fn encode<'a>(trees: impl Iterator<Item = &'a Tree>, outputs: usize) -> BTreeMap<String, Tensor> {
    let (mut sizes, mut nodes, mut values) = (vec![], vec![], vec![]);
    for tree in trees {
        sizes.extend([tree.nodes.len() as f64, (tree.values.len() / outputs) as f64]);
        nodes.extend(tree.nodes.iter().flat_map(|n| [n.feature as f32, n.threshold, n.left as f32, n.gain]));
        values.extend_from_slice(&tree.values);
    }
    [
        ("treeSizes".to_owned(), Tensor::f64(&[sizes.len() / 2, 2], sizes)),
        ("treeNodes".to_owned(), Tensor::f32(&[nodes.len() / 4, 4], nodes)),
        ("treeValues".to_owned(), Tensor::f32(&[values.len() / outputs, outputs], values)),
    ]
    .into()
}

/// The trees that [`encode`] wrote: `n_trees` with `outputs` values a leaf over `n_features` features.
pub(crate) fn decode(
    state: &ModelState,
    n_trees: usize,
    n_features: usize,
    outputs: usize,
) -> Result<Vec<Tree>, RestoreError> {
    let sizes: Vec<usize> = state.f64("treeSizes", &[n_trees, 2])?.iter().map(|&v| v as usize).collect();
    let sum = |at: usize| sizes.iter().skip(at).step_by(2).fold(0_usize, |s, &v| s.saturating_add(v));
    let mut nodes = state.f32("treeNodes", &[sum(0), 4])?.chunks_exact(4);
    let mut values = state.f32("treeValues", &[sum(1), outputs])?.chunks_exact(outputs);
    sizes
        .chunks_exact(2)
        .map(|size| {
            let tree = Tree {
                nodes: nodes.by_ref().take(size[0]).map(node).collect::<Option<_>>().ok_or_else(broken)?,
                values: values.by_ref().take(size[1]).flatten().copied().collect(),
                outputs,
            };
            if is_tree(&tree, n_features) { Ok(tree) } else { Err(broken()) }
        })
        .collect()
}

fn node(fields: &[f32]) -> Option<Node> {
    let whole = |v: f32| ((0.0..EXACT).contains(&v) && v.fract() == 0.0).then_some(v as u32);
    Some(Node { feature: whole(fields[0])?, threshold: fields[1], left: whole(fields[2])?, gain: fields[3] })
}

/// Children come after their parents, so that no walk is endless; features and leaves exist.
fn is_tree(tree: &Tree, n_features: usize) -> bool {
    let n_leaves = tree.values.len() / tree.outputs;
    !tree.nodes.is_empty()
        && tree.nodes.iter().enumerate().all(|(i, node)| match node.left as usize {
            0 => (node.feature as usize) < n_leaves,
            left => left > i && left + 1 < tree.nodes.len() && (node.feature as usize) < n_features,
        })
}

fn broken() -> RestoreError {
    RestoreError::Fact { name: "treeNodes".into(), reason: "its nodes are no trees: the file is damaged".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_come_back_and_broken_ones_do_not() {
        let mut tree = Tree::new(1);
        let left = tree.split(0, 1, 0.5, 3.0);
        tree.make_leaf(left, [1.0]);
        tree.make_leaf(left + 1, [2.0]);
        let trees = [tree.clone(), tree];
        let state = |trees: &[Tree]| ModelState { tensors: encode(trees.iter(), 1), ..ModelState::default() };
        assert_eq!(decode(&state(&trees), 2, 2, 1).unwrap(), trees);
        assert!(decode(&state(&trees), 3, 2, 1).is_err());
        assert!(decode(&state(&trees), 2, 1, 1).is_err());
        let mut cyclic = trees.clone();
        cyclic[1].nodes[2] = Node { feature: 0, threshold: 0.0, left: 1, gain: 0.0 };
        assert!(decode(&state(&cyclic), 2, 2, 1).is_err());
        assert_eq!(decode(&state(&[]), 0, 2, 1).unwrap(), []);
    }
}
