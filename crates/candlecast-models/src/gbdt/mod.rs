//! `gbdt`: gradient-boosted trees on the features at the origin.

mod booster;
mod fitted;
mod learner;
mod objective;
mod raw;
mod rounds;
mod twice;

use candlecast_core::Stream;
use candlecast_core::catalog::{Entry, Param, ParamKind};
use candlecast_learn::Learner;
use serde::{Deserialize, Serialize};

pub use objective::Objective;
pub use raw::GbdtModel;

use crate::catalog::read_config;
use crate::tree::{GrowConfig, SplitRules};

/// Catalog id.
const ID: &str = "gbdt";

/// Gradient-boosted trees with second-order gains (Chen and Guestrin 2016) from histograms.
///
/// Prices: at most twelve steps ahead are boosted, each on its own with squared error on log returns divided by their
/// root mean square, and the steps between are interpolated. Margins begin at 0, which is the naive forecast, and
/// each step keeps the rounds that its validation loss was best at: none, if no tree helps. Directions: softmax from
/// the class shares. Without a validation part the newest 15 % of the training part chooses the rounds, and all of
/// it is then fitted with so many (`patience` 0: no choice, all rounds).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct GbdtConfig {
    /// Rounds at most, a tree each for every step or class.
    pub rounds: usize,
    /// Questions from root to leaf at most.
    pub max_depth: usize,
    /// Factor on each tree (XGBoost's `eta`), above 0 up to 1.
    pub learning_rate: f64,
    /// L2 penalty on leaf values.
    pub lambda: f64,
    /// Least gain of a split (XGBoost's `gamma`).
    pub min_split_loss: f64,
    /// Least sum of Hessians in a leaf; for squared error a number of samples.
    pub min_child_weight: f64,
    /// Bins a feature, from 2 to 256.
    pub max_bins: usize,
    /// Share of the samples that each tree sees, drawn independently.
    pub subsample: f64,
    /// Share of the features that each tree may ask about.
    pub colsample: f64,
    /// Rounds without a lower validation loss after which boosting stops; 0 never stops early.
    pub patience: usize,
}

impl Default for GbdtConfig {
    fn default() -> Self {
        Self {
            rounds: 500,
            max_depth: 6,
            learning_rate: 0.05,
            lambda: 1.0,
            min_split_loss: 0.0,
            min_child_weight: 1.0,
            max_bins: 256,
            subsample: 1.0,
            colsample: 1.0,
            patience: 30,
        }
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Learner> = Entry {
    id: ID,
    aliases: &["xgboost"],
    summary: "gradient-boosted trees with early stopping",
    params: &[
        int("rounds", 1, 10_000, "500", "boosting rounds at most"),
        int("maxDepth", 1, 10, "6", "questions from root to leaf at most"),
        float("learningRate", 0.001, 1.0, true, "0.05", "factor on each tree (eta)"),
        float("lambda", 0.0, 1000.0, false, "1.0", "L2 penalty on leaf values"),
        float("minSplitLoss", 0.0, 1000.0, false, "0.0", "least gain of a split (gamma)"),
        float("minChildWeight", 0.0, 10_000.0, false, "1.0", "least sum of Hessians in a leaf"),
        int("maxBins", 2, 256, "256", "bins a feature"),
        float("subsample", 0.1, 1.0, false, "1.0", "share of the samples that each tree sees"),
        float("colsample", 0.1, 1.0, false, "1.0", "share of the features that each tree may use"),
        int("patience", 0, 1000, "30", "rounds without a lower validation loss before stopping; 0: never"),
    ],
    build: |config| Ok(Box::new(read_config::<GbdtConfig>(ID, config)?)),
};

const fn int(name: &'static str, min: i64, max: i64, default: &'static str, summary: &'static str) -> Param {
    Param { name, kind: ParamKind::Int { min, max }, default, summary }
}

const fn float(
    name: &'static str,
    min: f64,
    max: f64,
    log: bool,
    default: &'static str,
    summary: &'static str,
) -> Param {
    Param { name, kind: ParamKind::Float { min, max, log }, default, summary }
}

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
