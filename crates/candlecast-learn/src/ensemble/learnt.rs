//! [`Learnt`]: what an ensemble has learnt by the time it is fitted.

use candlecast_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Mixing, Votes};
use crate::conformal::{ForecastRow, FrozenCalibration, MemberClaim, Origin};
use crate::dataset::Market;
use crate::task::Task;

/// States of the market that stacking has weights of, in the order of [`state_of`].
const STATES: [&str; N_STATES] =
    ["sideways, calm", "sideways, middle", "sideways, wild", "trend, calm", "trend, middle", "trend, wild"];
/// Number of them.
pub(super) const N_STATES: usize = 6;

/// The state of the market at `row`, below [`N_STATES`], by what is known at its close: whether the price trends
/// ([`Market::trending`]), and the tercile of its volatility ([`Market::tercile`]).
pub(super) fn state_of(market: &Market, row: usize) -> usize {
    usize::from(market.tercile()[row]).min(2) + 3 * usize::from(market.trending()[row])
}

/// What an ensemble has learnt from out-of-fold forecasts of its members whose outcomes were known at the fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Learnt {
    /// Weights, `[state][member]`, one state where they do not depend on it, each summing to 1. Where the neutral forecast
    /// takes part it comes last.
    pub(super) weights: Vec<Vec<f64>>,
    /// Origins that weights were learnt from; 0 of those that were given.
    pub(super) origins: usize,
    /// What the calibration of each member told at the fit.
    pub(super) members: Vec<FrozenCalibration>,
}

impl Learnt {
    /// Weights, `[state][member]`, one state where they do not depend on it. Where the neutral forecast takes part it comes
    /// last.
    pub fn weights(&self) -> &[Vec<f64>] {
        &self.weights
    }

    /// Origins that weights were learnt from; 0 of those that were given, and where there were too few.
    pub fn origins(&self) -> usize {
        self.origins
    }

    /// Names of the states that weights are of, in their order; none where they do not depend on it.
    pub fn states(&self) -> &'static [&'static str] {
        if self.weights.len() > 1 { &STATES } else { &[] }
    }

    /// Weights at `row` of `market`.
    pub(super) fn weights_at(&self, market: &Market, row: usize) -> &[f64] {
        self.weights.get(state_of(market, row)).unwrap_or(&self.weights[0])
    }

    /// What the members' forecasts from `origin` are told as, `[member][claim]`.
    pub(super) fn told(&self, task: Task, origin: Origin, parts: &[ForecastRow<'_>]) -> Vec<Vec<MemberClaim>> {
        self.members.iter().zip(parts).map(|(frozen, &part)| frozen.tell(task, origin, part)).collect()
    }

    /// False for what no ensemble of `task` that combines `n_members` by `mixing` can have learnt, such as what a file that
    /// was edited says.
    pub(super) fn is_sound(&self, task: &Task, mixing: &Mixing, n_members: usize) -> bool {
        let is_weights = |weights: &Vec<f64>| {
            weights.len() == mixing.given.len()
                && weights.iter().all(|weight| (0.0..=1.0 + 1e-9).contains(weight))
                && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-9
        };
        (self.weights.len() == 1 || self.weights.len() == N_STATES)
            && self.weights.iter().all(is_weights)
            && self.members.len() == n_members
            && self.members.iter().all(|frozen| frozen.is_sound(task))
    }
}

/// Weights of one fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitWeights {
    /// When the fold was fitted.
    pub fit_at: Timestamp,
    /// Origins that they were learnt from; 0 of weights that were given, and of equal ones for want of origins.
    pub origins: usize,
    /// `[state][member]`, each summing to 1; one state where they do not depend on it.
    pub by_state: Vec<Vec<f64>>,
}

/// How an ensemble weighed its members in a walk-forward, fit by fit, and what it has learnt at the end.
#[derive(Debug, Clone, PartialEq)]
pub struct EnsembleFits {
    /// `average`, `weighted`, `voting` or `stacking`.
    pub strategy: &'static str,
    /// What votes weigh, where there are votes.
    pub votes: Option<&'static str>,
    /// Names of what is weighed: the members, and where it takes part the neutral forecast.
    pub members: Vec<String>,
    /// Weights by fit, in time order.
    pub fits: Vec<FitWeights>,
    /// What it has learnt from all of the walk-forward: what is saved with a model.
    pub learnt: Learnt,
}

impl EnsembleFits {
    /// Of an ensemble of `task` whose members are called `members`.
    pub(crate) fn new(
        mixing: &Mixing,
        task: Task,
        members: Vec<String>,
        fits: Vec<FitWeights>,
        learnt: Learnt,
    ) -> Self {
        Self {
            strategy: mixing.combine.strategy(),
            votes: mixing.combine.votes().map(Votes::as_str),
            members: names(mixing, task, members),
            fits,
            learnt,
        }
    }
}

/// `members` and where it takes part the neutral forecast, which of prices is `naive`.
pub(super) fn names(mixing: &Mixing, task: Task, mut members: Vec<String>) -> Vec<String> {
    if mixing.has_neutral {
        members.push(if matches!(task, Task::Price { .. }) { "naive".into() } else { "neutral".into() });
    }
    members
}
