//! `gbdt`: gradient-boosted trees on the features at the origin, or, of volatilities, on the regressors of `har-x`.

mod booster;
mod fitted;
mod inputs;
mod learner;
mod objective;
mod raw;
mod rounds;
mod twice;

use candlecast_core::Stream;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_learn::{Learner, PriceTarget, TargetKind, Task};

pub use inputs::GbdtInputs;
pub use objective::Objective;
pub use raw::GbdtModel;

use crate::tree::{GrowConfig, SplitRules};

/// Catalog id.
const ID: &str = "gbdt";

candlecast_core::params! {
    /// Gradient-boosted trees with second-order gains (Chen and Guestrin 2016) from histograms.
    ///
    /// Prices: at most twelve steps ahead are boosted, each on its own, with squared error on the target
    /// ([`PriceTarget`]) divided by its root mean square; the target is interpolated between them. Trees learn how
    /// samples differ; the level is the mean target, shrunk to the naive forecast as far as it is insignificant (of the
    /// raw target it is the naive forecast, and trees learn the rest). Directions: softmax from the class shares.
    /// Volatilities: the relative log variance from its mean; with `inputs` `har-x` it is relative to the level of
    /// `har-x`, and learnt from the regressors of `har-x` over the last 1,825 days.
    ///
    /// The rounds are those with the least loss on the validation part, or none where that is not lower than without
    /// them beyond its noise. Prices and volatilities are then fitted once more, to the validation part as well, with so
    /// many rounds. Without a validation part the newest 15 % of the training part choose, and all of it is then fitted.
    /// With `patience` 0 nothing is chosen, and all rounds are done.
    #[derive(Copy)]
    pub struct GbdtConfig {
        /// A tree each for every step or class.
        "rounds" => rounds: usize = 500, int(1..=10_000), search(100..=1000, step 100), "boosting rounds at most";
        "maxDepth" => max_depth: usize = 6, int(1..=10), search(2..=8), "questions from root to leaf at most";
        /// XGBoost's `eta`.
        "learningRate" => learning_rate: f64 = 0.05, float(0.001..=1.0, log), search(0.01..=0.3, log),
            "factor on each tree (eta)";
        "lambda" => lambda: Option<f64> = null, float(0.0..=1000.0), search(0.1..=100.0, log),
            "L2 penalty on leaf values; null: 1, of prices and with har-x a 150th of the samples within 1 and 50";
        /// XGBoost's `gamma`.
        "minSplitLoss" => min_split_loss: f64 = 0.0, float(0.0..=1000.0), "least gain of a split (gamma)";
        /// For squared error a number of samples.
        "minChildWeight" => min_child_weight: Option<f64> = null, float(0.0..=10_000.0), search(1.0..=100.0, log),
            "least sum of Hessians in a leaf; null: 1, of prices and with har-x a 50th of the samples within 1 and 150";
        "maxBins" => max_bins: usize = 256, int(2..=256), "bins a feature";
        /// Drawn independently.
        "subsample" => subsample: Option<f64> = null, float(0.1..=1.0), search(0.5..=1.0),
            "share of the samples that each tree sees; null: all, of prices and with har-x half";
        "colsample" => colsample: Option<f64> = null, float(0.1..=1.0), search(0.3..=1.0),
            "share of the features that each tree may use; null: all, of prices and with har-x 0.35 but at least 8";
        "patience" => patience: usize = 30, int(0..=1000),
            "rounds without a lower validation loss before stopping; 0: never";
        /// Of the price task, see [`TargetKind`].
        "target" => target: TargetKind = "clipped", choice("clipped", "wide", "raw"),
            "what is learnt of prices: the return in units of sigma sqrt(h), clipped or clipped at 3, or as it is";
        /// Of the price task.
        "targetBound" => target_bound: Option<f64> = null, float(0.05..=10.0),
            "bound k of the clipped target in units of sigma sqrt(h); null: 1 up to 4 steps, 0.5 from 24 on";
        /// With `har-x` the feature set is empty.
        "inputs" => inputs: GbdtInputs = "features", choice("features", "har-x"),
            "what is read: features, or, for volatilities only, the regressors of har-x";
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

/// What parameters mean that are left open.
#[derive(Debug, Clone, Copy)]
struct Open {
    lambda: f64,
    min_child_weight: f64,
    subsample: f64,
    colsample: f64,
}

impl Open {
    /// XGBoost's defaults.
    const XGBOOST: Self = Self { lambda: 1.0, min_child_weight: 1.0, subsample: 1.0, colsample: 1.0 };

    /// Of a fit to `task` on `n_samples` of `n_features`. What can be known of a price is little, and trees that are free
    /// to follow the noise follow it: leaves of prices are large and drawn to 0, and trees see different samples and
    /// features. The bounds are reached with about a year of hourly candles; few samples must still be parted, and few
    /// features be found. On the regressors of `har-x` the outcomes of neighbours are nearly the same and windows are
    /// long: there XGBoost's values fit single wild days (measured with XGBoost on five coins, 2021 to 2023, refitted
    /// twice a year: QLIKE 24 hours ahead is 2 % lower with these values).
    fn of(task: &Task, inputs: GbdtInputs, n_samples: usize, n_features: usize) -> Self {
        match (task, inputs) {
            (Task::Price { .. }, _) | (_, GbdtInputs::HarX) => Self {
                lambda: (n_samples as f64 / 150.0).clamp(1.0, 50.0),
                min_child_weight: (n_samples as f64 / 50.0).clamp(1.0, 150.0),
                subsample: 0.5,
                colsample: (8.0 / n_features.max(1) as f64).clamp(0.35, 1.0),
            },
            (Task::Direction { .. } | Task::Volatility { .. }, GbdtInputs::Features) => Self::XGBOOST,
        }
    }
}

/// How trees are made in one fit.
#[derive(Debug, Clone, Copy)]
struct Settings {
    /// Rounds at most.
    rounds: usize,
    /// Rounds without a lower validation loss before stopping; 0: never.
    patience: usize,
    /// Share of the samples that each tree sees.
    subsample: f64,
    /// Share of the features that each tree may use.
    colsample: f64,
    /// Shape and regularisation of a tree.
    grow: GrowConfig,
}

impl GbdtConfig {
    /// The settings of a fit in which open parameters mean `open`.
    fn settings(&self, open: &Open) -> Settings {
        let rules = SplitRules {
            lambda: self.lambda.unwrap_or(open.lambda),
            min_child_weight: self.min_child_weight.unwrap_or(open.min_child_weight),
        };
        Settings {
            rounds: self.rounds,
            patience: self.patience,
            subsample: self.subsample.unwrap_or(open.subsample),
            colsample: self.colsample.unwrap_or(open.colsample),
            grow: GrowConfig {
                max_depth: self.max_depth,
                min_split_loss: self.min_split_loss,
                rules,
                learning_rate: self.learning_rate,
            },
        }
    }

    /// What is learnt of prices.
    fn price_target(&self) -> PriceTarget {
        PriceTarget::new(self.target, self.target_bound)
    }
}

impl Settings {
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

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_learn::Labels;

    #[test]
    fn open_parameters_are_xgboosts_and_of_prices_and_har_x_go_with_the_samples_and_features() {
        let open = GbdtConfig::default();
        let of = |config: &GbdtConfig, task: &Task, n: usize, features: usize| {
            let settings = config.settings(&Open::of(task, config.inputs, n, features));
            let rules = settings.grow.rules;
            [rules.lambda, rules.min_child_weight, settings.subsample, settings.colsample]
        };
        let direction = Task::Direction { horizon: 1, labels: Labels::Fixed { threshold: 0.01 } };
        for task in [direction, Task::Volatility { horizon: 1 }] {
            assert_eq!(of(&open, &task, 8_760, 45), [1.0; 4]);
        }
        let har_x = GbdtConfig { inputs: GbdtInputs::HarX, ..open };
        assert_eq!(of(&har_x, &Task::Volatility { horizon: 1 }, 43_000, 31), [50.0, 150.0, 0.5, 0.35]);
        let price = Task::Price { horizon: 1 };
        assert_eq!(of(&open, &price, 8_760, 45), [50.0, 150.0, 0.5, 0.35]);
        assert_eq!(of(&open, &price, 1_500, 10), [10.0, 30.0, 0.5, 0.8]);
        assert_eq!(of(&open, &price, 40, 3), [1.0, 1.0, 0.5, 1.0]);
        let (lambda, min_child_weight) = (Some(2.0), Some(3.0));
        let given = GbdtConfig { lambda, min_child_weight, subsample: Some(0.7), colsample: Some(0.6), ..open };
        assert_eq!(of(&given, &price, 8_760, 45), [2.0, 3.0, 0.7, 0.6]);
    }
}
