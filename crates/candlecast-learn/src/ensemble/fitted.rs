//! [`FittedEnsemble`]: fitted members, whose forecasts are combined.

use super::learnt::{Learnt, names};
use super::mixture::{Mixture, parts};
use super::tally::{Tally, agreement};
use super::{Combine, Mixing, Votes};
use crate::conformal::MemberClaim;
use crate::dataset::Panel;
use crate::forecaster::{FittedForecaster, ForecasterState};
use crate::recipe::Recipe;
use crate::smearing::Smearing;
use crate::task::Task;
use crate::walk_forward::Forecasts;

/// Fitted members, whose forecasts are combined.
#[derive(Debug)]
pub struct FittedEnsemble {
    pub(crate) mixing: Mixing,
    /// The factor of a mean of logarithms; of others 1.
    pub(crate) smearing: Smearing,
    /// What it has learnt from out-of-fold forecasts of its members; nothing in models saved before there was such a thing,
    /// and in ensembles within ensembles.
    pub(crate) learnt: Option<Learnt>,
    pub(crate) members: Vec<FittedForecaster>,
}

/// What the members of an ensemble say of one forecast beside each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
    /// `average`, `weighted`, `voting` or `stacking`.
    pub strategy: &'static str,
    /// What votes weigh, where there are votes.
    pub votes: Option<&'static str>,
    /// Types of what is weighed: the members, and where it takes part the neutral forecast, which of prices is `naive`.
    pub members: Vec<String>,
    /// `[claim]`.
    pub claims: Vec<ClaimOpinion>,
}

/// What the members say of one claim.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimOpinion {
    /// Weight of each in the forecast, `[member]`; of votes its share in them.
    pub weights: Vec<f64>,
    /// Members on the side that most are on, over those that have a direction; 0 where none has, `None` of a volatility.
    pub consensus: Option<f64>,
    /// Mean confidence of the members that have a direction times the consensus; `None` where nothing was learnt of them.
    pub raw_confidence: Option<f64>,
    /// 1 - standard deviation of the members' means beside the mean half-width of their intervals, within 0 and 1; `None` of
    /// classes, and where nothing was learnt of the members.
    pub agreement: Option<f64>,
}

/// How a fitted ensemble weighs its members.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighing {
    /// `average`, `weighted`, `voting` or `stacking`.
    pub strategy: &'static str,
    /// What votes weigh, where there are votes.
    pub votes: Option<&'static str>,
    /// Types of what is weighed: the members, and where it takes part the neutral forecast, which of prices is `naive`.
    pub members: Vec<String>,
    /// Names of the states of the market that weights are of; none where they do not depend on it.
    pub states: &'static [&'static str],
    /// Weights, `[state][member]`, each summing to 1; one state where they do not depend on it.
    pub by_state: Vec<Vec<f64>>,
    /// Origins that they were learnt from; 0 of weights that were given, and of equal ones for want of origins.
    pub origins: usize,
}

impl FittedEnsemble {
    /// Of `members` that were fitted before, nothing being known of how they did.
    pub(super) fn of_fitted(combine: Combine, members: Vec<FittedForecaster>) -> Result<Self, String> {
        if combine.is_of_logarithms() {
            return Err("a mean of logarithms has a factor of its fit: train it as a model of its own".into());
        }
        let tasks: Vec<Task> = members.iter().map(FittedForecaster::task).collect();
        let first = tasks.first().copied();
        let same = |task: &Task| match (first, *task) {
            (Some(Task::Price { .. }), Task::Price { .. }) => true,
            (first, task) => first == Some(task),
        };
        if !tasks.iter().all(same) {
            return Err(
                "its members forecast different things: they must have one task, horizon and kind of labels".into()
            );
        }
        if members.windows(2).any(|pair| pair[0].max_fill() != pair[1].max_fill()) {
            return Err("its members fill gaps of different lengths: train them alike".into());
        }
        let recipes: Vec<Recipe> = members.iter().map(FittedForecaster::recipe).collect();
        Ok(Self { mixing: Mixing::new(combine, &recipes)?, smearing: Smearing::NONE, learnt: None, members })
    }

    /// From data: `members` restored.
    pub(crate) fn restored(
        combine: Combine,
        smearing: Option<Smearing>,
        learnt: Option<Learnt>,
        members: Vec<FittedForecaster>,
    ) -> Result<Self, String> {
        let recipes: Vec<Recipe> = members.iter().map(FittedForecaster::recipe).collect();
        let mixing = Mixing::new(combine, &recipes)?;
        if members.windows(2).any(|pair| pair[0].task() != pair[1].task()) {
            return Err("its members forecast different things".into());
        }
        let differ =
            |pair: &[FittedForecaster]| pair[0].level() != pair[1].level() || pair[0].max_fill() != pair[1].max_fill();
        if members.windows(2).any(differ) {
            return Err("its members differ in the level of their intervals or in the gaps they fill".into());
        }
        let smearing = match smearing {
            Some(found) if mixing.combine.is_of_logarithms() && found.is_sound() => found,
            None if !mixing.combine.is_of_logarithms() => Smearing::NONE,
            Some(_) | None => return Err("a mean of logarithms has a factor above 0, and no other".into()),
        };
        Self { mixing, smearing, learnt: None, members }.with_learnt(learnt)
    }

    /// The same with what it has learnt; why it cannot have learnt that, for people.
    pub(super) fn with_learnt(self, learnt: Option<Learnt>) -> Result<Self, String> {
        let task = self.task();
        if learnt.as_ref().is_some_and(|learnt| !learnt.is_sound(&task, &self.mixing, self.members.len())) {
            return Err("what it has learnt of its members is damaged".into());
        }
        Ok(Self { learnt, ..self })
    }

    /// What it forecasts: of prices as many steps as all members do.
    pub(crate) fn task(&self) -> Task {
        match self.members[0].task() {
            Task::Price { horizon } => {
                let reach = self.members.iter().map(|member| member.task().horizon()).min();
                Task::Price { horizon: reach.unwrap_or(horizon) }
            }
            task => task,
        }
    }

    fn mixture(&self) -> Mixture<'_> {
        Mixture { mixing: &self.mixing, task: self.task(), learnt: self.learnt.as_ref() }
    }

    /// Forecasts of the members from `rows` of `panel`, over the steps of this one.
    fn of_members(&self, panel: &Panel, rows: &[usize]) -> Vec<Forecasts> {
        let width = self.task().width();
        self.members.iter().map(|member| member.predict(panel, rows).cut(width)).collect()
    }

    /// As [`FittedForecaster::predict`].
    pub(crate) fn predict(&self, panel: &Panel, rows: &[usize]) -> Forecasts {
        let members = self.of_members(panel, rows);
        let mut forecasts = self.mixture().combine(panel.market(), rows, &members.iter().collect::<Vec<_>>());
        if self.mixing.combine.is_of_logarithms() {
            self.smearing.apply(&mut forecasts.means);
        }
        forecasts
    }

    /// What its members say beside each other from `row` of `panel`.
    pub(crate) fn opinion(&self, panel: &Panel, row: usize) -> Opinion {
        let (mixture, members, market) = (self.mixture(), self.of_members(panel, &[row]), panel.market());
        let parts = parts(&members.iter().collect::<Vec<_>>(), 0);
        let told = mixture.told(market, row, &parts);
        let weights = mixture.weights(market, row);
        let has_direction = !matches!(mixture.task, Task::Volatility { .. });
        let tallies = mixture.tallies(&parts, told.as_deref());
        let claim = |(k, tally): (usize, &Tally)| {
            let of_members: Option<Vec<MemberClaim>> =
                told.as_ref().map(|told| told.iter().map(|member| member[k]).collect());
            let is_a_number = !matches!(mixture.task, Task::Direction { .. });
            ClaimOpinion {
                weights: if self.mixing.combine.votes().is_some() { tally.shares() } else { weights.to_vec() },
                consensus: has_direction.then(|| tally.consensus()),
                raw_confidence: (has_direction && told.is_some()).then(|| mixture.raw_confidence(tally)),
                agreement: of_members.filter(|_| is_a_number).and_then(|claims| agreement(&claims)),
            }
        };
        Opinion {
            strategy: self.mixing.combine.strategy(),
            votes: self.mixing.combine.votes().map(Votes::as_str),
            members: self.names(),
            claims: tallies.iter().enumerate().map(claim).collect(),
        }
    }

    /// How it weighs its members.
    pub fn weighing(&self) -> Weighing {
        Weighing {
            strategy: self.mixing.combine.strategy(),
            votes: self.mixing.combine.votes().map(Votes::as_str),
            members: self.names(),
            states: self.learnt.as_ref().map_or(&[], Learnt::states),
            by_state: self.learnt.as_ref().map_or_else(|| vec![self.mixing.given.clone()], |l| l.weights().to_vec()),
            origins: self.learnt.as_ref().map_or(0, Learnt::origins),
        }
    }

    /// Types of what is weighed.
    fn names(&self) -> Vec<String> {
        let name = |member: &FittedForecaster| match member.recipe() {
            Recipe::Pipeline(config) => config.model,
            Recipe::Ensemble(config) => {
                let first = config.members.first().and_then(Recipe::first);
                format!("{} x {}", config.members.len(), first.map_or("model", |first| first.model.as_str()))
            }
        };
        names(&self.mixing, self.task(), self.members.iter().map(name).collect())
    }

    /// As data.
    pub(crate) fn state(&self) -> ForecasterState {
        ForecasterState::Ensemble {
            combine: self.mixing.combine.clone(),
            smearing: self.mixing.combine.is_of_logarithms().then_some(self.smearing),
            learnt: self.learnt.clone(),
            members: self.members.iter().map(FittedForecaster::state).collect(),
        }
    }
}
