//! `hyperband`: successive halving with several first rungs.

use candlecast_core::catalog::{Entry, RecipeError, read_config};

use super::{HalvingConfig, PruneView, Pruner};
use crate::trial::Trial;

/// Catalog id.
const ID: &str = "hyperband";

candlecast_core::params! {
    /// Hyperband (Li and others 2018; Optuna's `HyperbandPruner`): trials are spread over brackets, each a successive
    /// halving of its own, of which bracket `b` leaves out `b` rungs. There are as many as powers of `factor` lead from
    /// `minSteps` to `maxSteps`, and a bracket gets the share of trials that a whole round of Hyperband would give it.
    #[derive(Copy)]
    pub struct HyperbandConfig {
        "minSteps" => min_steps: u32 = 1, int(1..=1_000_000), "step of the first rung of the first bracket";
        "maxSteps" => max_steps: Option<u32> = null, int(1..=1_000_000),
            "steps of a whole trial; null: those of the first complete one";
        "factor" => factor: u32 = 3, int(2..=100), "one trial in so many goes on from a rung";
        /// Takes `maxSteps`.
        "bootstrap" => bootstrap: usize = 0, int(0..=10_000),
            "so many trials have to have come to a rung before any goes on from it";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Pruner> = Entry {
    id: ID,
    aliases: &[],
    summary: "successive halving that begins earlier for some trials and later for others",
    params: HyperbandConfig::PARAMS,
    build: |config| {
        let config: HyperbandConfig = read_config(ID, config)?;
        if config.bootstrap > 0 && config.max_steps.is_none() {
            return Err(RecipeError::one(ID, "bootstrap", "needs maxSteps"));
        }
        if config.max_steps.is_some_and(|most| most < config.min_steps) {
            return Err(RecipeError::one(ID, "maxSteps", "is below minSteps"));
        }
        Ok(Box::new(config))
    },
};

impl Pruner for HyperbandConfig {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let most = self.max_steps.or_else(|| view.complete().find_map(Trial::last_step).map(|(step, _)| step + 1));
        let Some(most) = most else { return false };
        let shares = self.shares(most);
        let bracket_of = |number: u32| bracket(&shares, view.seed.derive("bracket", u64::from(number)).0);
        self.judge_within(&bracket_of, view, trial)
    }
}

impl HyperbandConfig {
    /// As [`Pruner::judge`], with the bracket of each trial given.
    pub(crate) fn judge_within(
        &self,
        bracket_of: &dyn Fn(u32) -> u32,
        view: &PruneView<'_>,
        trial: &mut Trial,
    ) -> bool {
        let own = bracket_of(trial.number);
        let halving = HalvingConfig {
            min_steps: Some(self.min_steps),
            factor: self.factor,
            offset: own,
            bootstrap: self.bootstrap,
        };
        let rivals: Vec<&Trial> = view.known.iter().filter(|rival| bracket_of(rival.number) == own).collect();
        halving.gives_up(self.min_steps, rivals, trial, view)
    }

    /// For each bracket how many of the trials of a round are its own, where a whole trial has `most` steps.
    pub(crate) fn shares(&self, most: u32) -> Vec<u64> {
        let factor = u64::from(self.factor);
        let ratio = u64::from(most) / u64::from(self.min_steps);
        let n = (0..).take_while(|power| factor.saturating_pow(*power) <= ratio).count().max(1) as u64;
        (0..n).rev().map(|left| (n * factor.saturating_pow(left as u32)).div_ceil(left + 1)).collect()
    }
}

/// The bracket that a random number falls into.
pub(crate) fn bracket(shares: &[u64], random: u64) -> u32 {
    let mut left = random % shares.iter().sum::<u64>().max(1);
    let place = shares.iter().position(|share| {
        let is_within = left < *share;
        left = left.saturating_sub(*share);
        is_within
    });
    place.unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_are_those_of_a_round() {
        let shares = |min_steps, most| HyperbandConfig { min_steps, ..HyperbandConfig::default() }.shares(most);
        // Li and others 2018, table 1: R = 81 and a factor of 3; n = 81, 34, 15, 8, 5.
        assert_eq!(shares(1, 81), [81, 34, 15, 8, 5]);
        assert_eq!(shares(1, 1), [1]);
        assert_eq!(shares(9, 81), [9, 5, 3]);
        assert_eq!(shares(5, 2), [1]);
    }

    #[test]
    fn trials_are_spread_as_their_shares_say() {
        let shares = [6, 3, 1];
        let mut counts = [0; 3];
        (0..20).for_each(|random| counts[bracket(&shares, random) as usize] += 1);
        assert_eq!(counts, [12, 6, 2]);
    }
}
