//! Ensembles: forecasts of several members combined into one.
//!
//! What an ensemble learns (weights, what is told of the confidence of its members) it learns from out-of-fold forecasts
//! of its members whose outcomes are known, in time order ([`Chain`]), and freezes at each fit ([`Learnt`]). From then on
//! its forecast is a pure function of those of its members and of the market at the origin.

mod chain;
mod evidence;
mod fitted;
mod learnt;
mod mixture;
mod out_of_fold;
mod tally;

use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::task::Task;

pub(crate) use chain::{Chain, ChainFit, MemberTable};
pub use fitted::{ClaimOpinion, FittedEnsemble, Opinion, Weighing};
pub use learnt::{EnsembleFits, FitWeights, Learnt};
pub(crate) use mixture::Mixture;
pub use out_of_fold::CommonOrigins;

/// Members of an ensemble, at most.
const MOST_MEMBERS: usize = 100;

/// How the forecasts of members are combined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "strategy", deny_unknown_fields)]
pub enum Combine {
    /// The mean.
    Average,
    /// The weighted mean.
    Weighted {
        /// One a member, not negative, not all 0; they are made to sum to 1.
        weights: Vec<f64>,
    },
    /// The weighted mean of the logarithms of variances, which is the logarithm of their geometric mean, and a factor
    /// that makes an expected variance of it ([`crate::Smearing`]). Of the volatility task only.
    Logarithmic {
        /// As those of `Weighted`; without any, all members weigh alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<Vec<f64>>,
    },
    /// The mean, each member weighed by the inverse of its mean loss on out-of-fold forecasts whose outcomes were known at
    /// the fit; equally while there are fewer than 200 of them.
    Auto,
    /// The mean of the members that forecast the direction, or the class, that most votes are for. Not of the volatility
    /// task.
    Voting {
        /// What a vote weighs.
        #[serde(default)]
        votes: Votes,
    },
    /// The weighted mean of the members and of the neutral forecast (of prices the naive one), with weights of each state of
    /// the market, learnt from out-of-fold forecasts whose outcomes were known at the fit; equal ones while there are fewer
    /// than 200 of them.
    Stacking,
}

/// What the vote of a member weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Votes {
    /// As much as any other.
    #[default]
    Equal,
    /// The calibrated probability that its direction or class is right.
    Confidence,
}

impl Votes {
    /// `equal` or `confidence`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Confidence => "confidence",
        }
    }
}

/// Everything that determines an ensemble besides data and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnsembleConfig {
    /// How forecasts are combined.
    pub combine: Combine,
    /// The members, at least two, of one task.
    pub members: Vec<Recipe>,
}

impl Combine {
    /// Weights of `n` members, summing to 1, before anything is learnt; why there are none, for people.
    pub fn weights(&self, n: usize) -> Result<Vec<f64>, String> {
        if n < 2 {
            return Err(format!("an ensemble of {n} is none: name two members or more"));
        }
        if n > MOST_MEMBERS {
            return Err(format!("an ensemble of {n} is too large: name {MOST_MEMBERS} members at most"));
        }
        let weights = match self {
            Self::Weighted { weights } | Self::Logarithmic { weights: Some(weights) } => weights,
            Self::Average | Self::Logarithmic { weights: None } | Self::Auto | Self::Voting { .. } | Self::Stacking => {
                return Ok(vec![1.0 / n as f64; n]);
            }
        };
        if weights.len() != n {
            return Err(format!("{} weights for {n} members: give one each", weights.len()));
        }
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) || sum.is_nan() || sum <= 0.0 || sum.is_infinite() {
            return Err("weights must be numbers from 0 on, at least one of them above 0".into());
        }
        Ok(weights.iter().map(|w| w / sum).collect())
    }

    /// `average`, `weighted`, `voting` or `stacking`.
    pub fn strategy(&self) -> &'static str {
        match self {
            Self::Average => "average",
            Self::Weighted { .. } | Self::Logarithmic { .. } | Self::Auto => "weighted",
            Self::Voting { .. } => "voting",
            Self::Stacking => "stacking",
        }
    }

    /// What votes weigh; `None` where nobody votes.
    pub fn votes(&self) -> Option<Votes> {
        match *self {
            Self::Voting { votes } => Some(votes),
            _ => None,
        }
    }

    /// True where weights are learnt from out-of-fold forecasts.
    pub fn is_learnt(&self) -> bool {
        matches!(self, Self::Auto | Self::Stacking)
    }

    /// True where something that is learnt from out-of-fold forecasts decides what is forecast: weights, or votes by
    /// confidence. It takes a forward chain.
    pub fn takes_chain(&self) -> bool {
        self.is_learnt() || self.votes() == Some(Votes::Confidence)
    }

    /// True for the mean of logarithms.
    pub(crate) fn is_of_logarithms(&self) -> bool {
        matches!(self, Self::Logarithmic { .. })
    }

    /// True for tasks whose forecasts can be combined so.
    pub fn suits(&self, task: &Task) -> bool {
        match self {
            Self::Logarithmic { .. } => matches!(task, Task::Volatility { .. }),
            Self::Voting { .. } => !matches!(task, Task::Volatility { .. }),
            Self::Average | Self::Weighted { .. } | Self::Auto | Self::Stacking => true,
        }
    }
}

/// How an ensemble of certain members combines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mixing {
    /// How.
    pub(crate) combine: Combine,
    /// Weights before anything is learnt, `[member]`; those of [`Mixing::has_neutral`] hold the neutral forecast, last.
    pub(crate) given: Vec<f64>,
    /// True where the neutral forecast is one of the forecasts that are combined.
    pub(crate) has_neutral: bool,
}

impl Mixing {
    /// `combine` of `members`; why they cannot be combined so, for people.
    pub(crate) fn new(combine: Combine, members: &[Recipe]) -> Result<Self, String> {
        let mut given = combine.weights(members.len())?;
        if let Some(reason) = unsuited(&combine, members) {
            return Err(reason.into());
        }
        let reference = members.first().and_then(Recipe::task).map(|task| task.kind().reference());
        let is_reference =
            |member: &Recipe| matches!(member, Recipe::Pipeline(config) if reference == Some(config.model.as_str()));
        let has_neutral = combine == Combine::Stacking && !members.iter().any(is_reference);
        if has_neutral {
            let n = given.len() + 1;
            given = vec![1.0 / n as f64; n];
        }
        Ok(Self { combine, given, has_neutral })
    }

    /// Weights of the members alone, by which what the neutral forecast has none of is averaged: they sum to 1.
    pub(crate) fn own(&self, weights: &[f64]) -> Vec<f64> {
        let n = if self.has_neutral { weights.len() - 1 } else { return weights.to_vec() };
        let sum: f64 = weights[..n].iter().sum();
        if sum > 0.0 { weights[..n].iter().map(|w| w / sum).collect() } else { vec![1.0 / n as f64; n] }
    }
}

/// Why `members` cannot be combined by `combine`, if so.
fn unsuited(combine: &Combine, members: &[Recipe]) -> Option<&'static str> {
    if members.iter().any(|member| member.task().is_some_and(|task| !combine.suits(&task))) {
        return Some(if combine.is_of_logarithms() {
            "a mean of logarithms is of variances: its members must be of the volatility task"
        } else {
            "votes are for directions and classes: its members must be of the price or the direction task"
        });
    }
    let is_nested = |member: &Recipe| matches!(member, Recipe::Ensemble(_));
    if combine.is_of_logarithms() && members.iter().any(is_nested) {
        return Some("members of a mean of logarithms are no ensembles: name the members of theirs");
    }
    // What an ensemble has learnt is kept for itself, not for ensembles within it.
    let learns = |member: &Recipe| match member {
        Recipe::Pipeline(_) => false,
        Recipe::Ensemble(config) => config.combine.is_learnt() || config.combine.votes().is_some(),
    };
    members.iter().any(learns).then_some("an ensemble within an ensemble can only be a mean: name the members of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_one_a_member_and_sum_to_one() {
        assert_eq!(Combine::Average.weights(4), Ok(vec![0.25; 4]));
        let weighted = |weights: &[f64]| Combine::Weighted { weights: weights.to_vec() };
        assert_eq!(weighted(&[3.0, 1.0]).weights(2), Ok(vec![0.75, 0.25]));
        let logarithmic = |weights: Option<&[f64]>| Combine::Logarithmic { weights: weights.map(<[f64]>::to_vec) };
        assert_eq!(logarithmic(None).weights(2), Ok(vec![0.5; 2]));
        assert_eq!(logarithmic(Some(&[3.0, 1.0])).weights(2), Ok(vec![0.75, 0.25]));
        assert!(logarithmic(Some(&[3.0, -1.0])).weights(2).is_err());
        for (bad, n) in [(vec![1.0], 2), (vec![0.0, 0.0], 2), (vec![1.0, -1.0], 2), (vec![1.0, f64::NAN], 2)] {
            assert!(weighted(&bad).weights(n).is_err(), "{bad:?}");
        }
        for learnt in [Combine::Auto, Combine::Stacking, Combine::Voting { votes: Votes::Confidence }] {
            assert_eq!(learnt.weights(2), Ok(vec![0.5; 2]), "before anything is learnt all are alike");
        }
        assert!(Combine::Average.weights(1).is_err() && Combine::Average.weights(101).is_err());
    }

    #[test]
    fn what_files_say_of_the_strategies_is_read_and_written_as_before() {
        let logarithmic = |weights: Option<Vec<f64>>| Combine::Logarithmic { weights };
        for (text, how) in [
            (r#"{"strategy":"average"}"#, Combine::Average),
            (r#"{"strategy":"weighted","weights":[3.0,1.0]}"#, Combine::Weighted { weights: vec![3.0, 1.0] }),
            (r#"{"strategy":"logarithmic"}"#, logarithmic(None)),
            (r#"{"strategy":"logarithmic","weights":[3.0,1.0]}"#, logarithmic(Some(vec![3.0, 1.0]))),
            (r#"{"strategy":"auto"}"#, Combine::Auto),
            (r#"{"strategy":"voting","votes":"equal"}"#, Combine::Voting { votes: Votes::Equal }),
            (r#"{"strategy":"voting","votes":"confidence"}"#, Combine::Voting { votes: Votes::Confidence }),
            (r#"{"strategy":"stacking"}"#, Combine::Stacking),
        ] {
            assert_eq!(serde_json::from_str::<Combine>(text).unwrap(), how);
            assert_eq!(serde_json::to_string(&how).unwrap(), text);
        }
        let plain: Combine = serde_json::from_str(r#"{"strategy":"voting"}"#).unwrap();
        assert_eq!((plain.votes(), plain.strategy()), (Some(Votes::Equal), "voting"));
    }

    #[test]
    fn strategies_suit_the_tasks_that_they_have_a_meaning_for() {
        let (price, volatility) = (Task::Price { horizon: 2 }, Task::Volatility { horizon: 2 });
        let logs = Combine::Logarithmic { weights: None };
        let votes = Combine::Voting { votes: Votes::Equal };
        assert!(logs.suits(&volatility) && !logs.suits(&price));
        assert!(votes.suits(&price) && !votes.suits(&volatility));
        assert!([Combine::Average, Combine::Auto, Combine::Stacking].iter().all(|how| how.suits(&volatility)));
    }

    #[test]
    fn what_the_neutral_forecast_has_none_of_is_averaged_over_the_others() {
        let mixing = Mixing { combine: Combine::Stacking, given: vec![0.25; 4], has_neutral: true };
        assert_eq!(mixing.own(&[0.2, 0.3, 0.0, 0.5]), [0.4, 0.6, 0.0]);
        assert_eq!(mixing.own(&[0.0, 0.0, 1.0]), [0.5, 0.5]);
        let plain = Mixing { combine: Combine::Average, given: vec![0.5; 2], has_neutral: false };
        assert_eq!(plain.own(&[0.75, 0.25]), [0.75, 0.25]);
    }
}
