//! Hyper-parameter search: which configuration to try next, which trial to give up, and what mattered.
//!
//! [`Space`] says what is varied, [`Sampler`] proposes, [`Pruner`] gives up, and [`Study`] holds them together: it is
//! asked for trials and told what came of them. No I/O, no clock; every random number comes from the study's seed, and
//! trials that run side by side may end in any order without changing what is proposed. The reference is Optuna 5.
//!
//! A space is refused with [`candlecast_core::catalog::RecipeError`], everything else with [`TuneError`].

mod density;
mod domain;
mod error;
mod importance;
mod pareto;
mod pruners;
mod samplers;
mod signed_rank;
mod space;
mod split;
mod study;
mod trial;

#[cfg(test)]
mod tests;

pub use domain::Domain;
pub use error::TuneError;
pub use importance::Importance;
pub use pruners::{
    HalvingConfig, HyperbandConfig, KeepAll, MedianConfig, PercentileConfig, PruneView, Pruner, WilcoxonConfig, pruners,
};
pub use samplers::{DEFAULT_TRIALS, Grid, Random, Sampler, TpeConfig, View, samplers};
pub use space::{Dimension, Point, Space, Vocabulary};
pub use study::{Ask, MAX_PARALLEL, Study, StudyPlan};
pub use trial::{Goal, Outcome, Trial, TrialRecord, TrialState};
