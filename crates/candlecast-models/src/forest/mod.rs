//! `random-forest`: averaged trees on bootstrap samples of the features at the origin.

mod fitted;
mod grow;
mod learner;
mod raw;

use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::{Learner, PriceTarget, TargetKind};

pub use raw::{ForestKind, ForestModel, MAX_OUTPUTS};

/// Catalog id.
const ID: &str = "random-forest";

candlecast_core::params! {
    /// A random forest (Breiman 2001): each tree is grown on a bootstrap sample and tries a random draw of the features
    /// in each node; predictions are means over the trees.
    ///
    /// Prices: one forest forecasts the targets ([`PriceTarget`]) of up to twelve steps ahead together (its leaves hold
    /// as many values, each step in units of its root mean square), interpolated between them. A forest has no early
    /// stopping, and its raw forecasts of noise are noise; so each step's is multiplied by a factor within 0 and 1,
    /// found by least squares and shrunk by its t-value on the validation part, or without one on the newest 15 % of the
    /// training part by a forest of the rest. Directions: probabilities of the classes. A warm start has nothing to
    /// begin from, since trees do not build on each other.
    #[derive(Copy)]
    pub struct ForestConfig {
        "trees" => trees: usize = 300, int(1..=5000), search(100..=500, step 100), "number of trees";
        "minLeaf" => min_leaf: usize = 5, int(1..=10_000), search(2, 5, 10, 20, 50, 100), "samples in a leaf at least";
        "maxFeatures" => max_features: Option<usize> = null, int(1..=10_000), search(null, 5, 10, 20),
            "features tried in a node; null: the square root of their number";
        "maxDepth" => max_depth: Option<usize> = null, int(1..=64), search(null, 4, 6, 8, 12),
            "questions from root to leaf at most; null: no bound";
        "maxBins" => max_bins: usize = 256, int(2..=256), "bins a feature";
        "shrink" => shrink: bool = true, bool,
            "shrink price forecasts as far as they had no power on the validation part";
        /// Of the price task, see [`TargetKind`].
        "target" => target: TargetKind = "clipped", choice("clipped", "wide", "raw"),
            "what is learnt of prices: the return in units of sigma sqrt(h), clipped or clipped at 3, or as it is";
        /// Of the price task.
        "targetBound" => target_bound: Option<f64> = null, float(0.05..=10.0),
            "bound k of the clipped target in units of sigma sqrt(h); null: 1 up to 4 steps, 0.5 from 24 on";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["rf", "forest"],
    summary: "random forest, all steps in one",
    params: ForestConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<ForestConfig>(ID, config)?)),
};

impl ForestConfig {
    /// Features tried in a node.
    fn features_a_node(&self, n_features: usize) -> usize {
        self.max_features.unwrap_or(n_features.isqrt()).clamp(1, n_features.max(1))
    }

    /// What is learnt of prices.
    fn price_target(&self) -> PriceTarget {
        PriceTarget::new(self.target, self.target_bound)
    }
}
