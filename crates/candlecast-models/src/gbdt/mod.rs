//! `gbdt`: gradient-boosted trees on the features at the origin.

mod booster;
mod fitted;
mod learner;
mod objective;
mod raw;
mod rounds;
mod twice;

use candlecast_core::Stream;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::Learner;

pub use objective::Objective;
pub use raw::GbdtModel;

use crate::tree::{GrowConfig, SplitRules};

/// Catalog id.
const ID: &str = "gbdt";

candlecast_core::params! {
    /// Gradient-boosted trees with second-order gains (Chen and Guestrin 2016) from histograms.
    ///
    /// Prices: at most twelve steps ahead are boosted, each on its own with squared error on log returns divided by
    /// their root mean square, and the steps between are interpolated. Margins begin at 0, which is the naive forecast,
    /// and each step keeps the rounds that its validation loss was best at: none, if no tree helps. Directions: softmax
    /// from the class shares. Without a validation part the newest 15 % of the training part chooses the rounds, and
    /// all of it is then fitted with so many (`patience` 0: no choice, all rounds).
    #[derive(Copy)]
    pub struct GbdtConfig {
        /// A tree each for every step or class.
        "rounds" => rounds: usize = 500, int(1..=10_000), search(100..=1000, step 100), "boosting rounds at most";
        "maxDepth" => max_depth: usize = 6, int(1..=10), search(2..=8), "questions from root to leaf at most";
        /// XGBoost's `eta`.
        "learningRate" => learning_rate: f64 = 0.05, float(0.001..=1.0, log), search(0.01..=0.3, log),
            "factor on each tree (eta)";
        "lambda" => lambda: f64 = 1.0, float(0.0..=1000.0), search(0.1..=100.0, log), "L2 penalty on leaf values";
        /// XGBoost's `gamma`.
        "minSplitLoss" => min_split_loss: f64 = 0.0, float(0.0..=1000.0), "least gain of a split (gamma)";
        /// For squared error a number of samples.
        "minChildWeight" => min_child_weight: f64 = 1.0, float(0.0..=10_000.0), search(1.0..=100.0, log),
            "least sum of Hessians in a leaf";
        "maxBins" => max_bins: usize = 256, int(2..=256), "bins a feature";
        /// Drawn independently.
        "subsample" => subsample: f64 = 1.0, float(0.1..=1.0), search(0.5..=1.0),
            "share of the samples that each tree sees";
        "colsample" => colsample: f64 = 1.0, float(0.1..=1.0), search(0.3..=1.0),
            "share of the features that each tree may use";
        "patience" => patience: usize = 30, int(0..=1000),
            "rounds without a lower validation loss before stopping; 0: never";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["xgboost"],
    summary: "gradient-boosted trees with early stopping",
    params: GbdtConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<GbdtConfig>(ID, config)?)),
};

impl GbdtConfig {
    fn grow_config(&self) -> GrowConfig {
        GrowConfig {
            max_depth: self.max_depth,
            min_split_loss: self.min_split_loss,
            rules: SplitRules { lambda: self.lambda, min_child_weight: self.min_child_weight },
            learning_rate: self.learning_rate,
        }
    }

    /// Features that a tree may ask about; at least one.
    fn draw_features(&self, n: usize, rng: &mut Stream) -> Vec<bool> {
        if self.colsample >= 1.0 {
            return vec![true; n];
        }
        let n_drawn = ((n as f64 * self.colsample).round() as usize).clamp(1, n);
        let mut drawn: Vec<bool> = (0..n).map(|j| j < n_drawn).collect();
        rng.shuffle(&mut drawn);
        drawn
    }

    /// Rows that a tree sees, ascending; at least one.
    fn draw_rows(&self, n: usize, rng: &mut Stream) -> Vec<u32> {
        let all = 0..n as u32;
        if self.subsample >= 1.0 {
            return all.collect();
        }
        let drawn: Vec<u32> = all.clone().filter(|_| rng.uniform() < self.subsample).collect();
        if drawn.is_empty() { all.collect() } else { drawn }
    }
}
