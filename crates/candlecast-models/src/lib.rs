//! Forecasters that are no neural networks: ridge and logistic regression, the trend and smoothing hybrid, boosted
//! trees and the random forest.
//!
//! Each is a [`candlecast_learn::Learner`] built from [`catalog()`]. Fits are deterministic for a seed at any number
//! of threads. No I/O, no clock. A fit fails with [`candlecast_learn::FitError`], a configuration with
//! [`candlecast_core::catalog::RecipeError`], so the crate has no error type of its own.

mod catalog;
mod checks;
mod forest;
mod gbdt;
mod holdout;
mod hybrid;
mod linear;
mod permutation;
mod shrinkage;
mod softmax;
mod stretches;
mod tree;

pub use catalog::catalog;
pub use forest::{ForestConfig, ForestKind, ForestModel, MAX_OUTPUTS};
pub use gbdt::{GbdtConfig, GbdtInputs, GbdtModel, Objective};
pub use hybrid::HybridConfig;
pub use linear::{LinearConfig, Logistic, Ridge, logistic, ridge};
pub use permutation::permutation_importance;
pub use tree::Matrix;
