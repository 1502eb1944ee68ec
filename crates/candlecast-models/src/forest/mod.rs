//! `random-forest`: averaged trees on bootstrap samples of the features at the origin.

mod fitted;
mod grow;
mod learner;
mod raw;

use candlecast_core::catalog::{Entry, Param, ParamKind};
use candlecast_learn::Learner;
use serde::{Deserialize, Serialize};

pub use raw::{ForestKind, ForestModel, MAX_OUTPUTS};

use crate::catalog::read_config;

/// Catalog id.
const ID: &str = "random-forest";

/// A random forest (Breiman 2001): each tree is grown on a bootstrap sample and tries a random draw of the features
/// in each node; predictions are means over the trees.
///
/// Prices: one forest forecasts up to twelve steps ahead together (its leaves hold as many values, each step in
/// units of its root mean square), and the steps between are interpolated. A forest has no early stopping, and its
/// raw forecasts of noise are noise; so each step's is multiplied by a factor within 0 and 1, found by least squares
/// and shrunk by its t-value on the validation part, or without one on the newest 15 % of the training part by a
/// forest of the rest. Directions: probabilities of the classes. A warm start has nothing to begin from, since
/// trees do not build on each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ForestConfig {
    /// Number of trees.
    pub trees: usize,
    /// Samples in a leaf at least.
    pub min_leaf: usize,
    /// Features tried in a node; `None` takes the square root of their number.
    pub max_features: Option<usize>,
    /// Questions from root to leaf at most; `None` sets no bound.
    pub max_depth: Option<usize>,
    /// Bins a feature, from 2 to 256.
    pub max_bins: usize,
    /// Shrinks price forecasts as far as they had no power on the validation part.
    pub shrink: bool,
}

impl Default for ForestConfig {
    fn default() -> Self {
        Self { trees: 300, min_leaf: 5, max_features: None, max_depth: None, max_bins: 256, shrink: true }
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["rf", "forest"],
    summary: "random forest, all steps in one",
    params: &[
        Param { name: "trees", kind: ParamKind::Int { min: 1, max: 5000 }, default: "300", summary: "number of trees" },
        Param {
            name: "minLeaf",
            kind: ParamKind::Int { min: 1, max: 10_000 },
            default: "5",
            summary: "samples in a leaf at least",
        },
        Param {
            name: "maxFeatures",
            kind: ParamKind::Int { min: 1, max: 10_000 },
            default: "null",
            summary: "features tried in a node; null: the square root of their number",
        },
        Param {
            name: "maxDepth",
            kind: ParamKind::Int { min: 1, max: 64 },
            default: "null",
            summary: "questions from root to leaf at most; null: no bound",
        },
        Param { name: "maxBins", kind: ParamKind::Int { min: 2, max: 256 }, default: "256", summary: "bins a feature" },
        Param {
            name: "shrink",
            kind: ParamKind::Bool,
            default: "true",
            summary: "shrink price forecasts as far as they had no power on the validation part",
        },
    ],
    build: |config| Ok(Box::new(read_config::<ForestConfig>(ID, config)?)),
};

impl ForestConfig {
    /// Features tried in a node.
    fn features_a_node(&self, n_features: usize) -> usize {
        self.max_features.unwrap_or(n_features.isqrt()).clamp(1, n_features.max(1))
    }
}
