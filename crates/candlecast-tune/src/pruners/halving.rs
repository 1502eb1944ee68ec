//! `halving`: successive halving.

use candlecast_core::catalog::{Entry, RecipeError, read_config};

use super::{PruneView, Pruner};
use crate::trial::Trial;

/// Catalog id.
const ID: &str = "halving";

candlecast_core::params! {
    /// Asynchronous successive halving (Li and others 2020, "A System for Massively Parallel Hyperparameter Tuning";
    /// Optuna's `SuccessiveHalvingPruner`). Rung `r` is at step `minSteps * factor^(offset + r)`; a trial that comes there
    /// goes on if it is among the best `1 / factor` of those that have come there, and so does the best of fewer than
    /// `factor`.
    #[derive(Copy)]
    pub struct HalvingConfig {
        "minSteps" => min_steps: Option<u32> = null, int(1..=1_000_000),
            "step of the first rung; null: a hundredth of those of the first complete trial";
        "factor" => factor: u32 = 4, int(2..=100), "one trial in so many goes on from a rung";
        "offset" => offset: u32 = 0, int(0..=20), "rungs left out at the beginning";
        /// Takes `minSteps`.
        "bootstrap" => bootstrap: usize = 0, int(0..=10_000),
            "so many trials have to have come to a rung before any goes on from it";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Pruner> = Entry {
    id: ID,
    aliases: &["successive-halving", "asha"],
    summary: "lets the best share of trials go on from each of a few steps",
    params: HalvingConfig::PARAMS,
    build: |config| {
        let config: HalvingConfig = read_config(ID, config)?;
        if config.bootstrap > 0 && config.min_steps.is_none() {
            return Err(RecipeError::one(ID, "bootstrap", "needs minSteps"));
        }
        Ok(Box::new(config))
    },
};

impl Pruner for HalvingConfig {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let first = self.min_steps.or_else(|| {
            let (steps, _) = view.complete().find_map(Trial::last_step)?;
            Some((steps / 100).max(1))
        });
        first.is_some_and(|first| self.gives_up(first, view.known, trial, view))
    }
}

impl HalvingConfig {
    /// Brings `trial` to every rung that it has come to, the first at step `first`, among `rivals`.
    pub(super) fn gives_up<'a>(
        &self,
        first: u32,
        rivals: impl IntoIterator<Item = &'a Trial> + Clone,
        trial: &mut Trial,
        view: &PruneView<'_>,
    ) -> bool {
        let Some((step, value)) = trial.last_step() else { return false };
        loop {
            let rung = trial.rungs.len();
            let exponent = self.offset.saturating_add(u32::try_from(rung).unwrap_or(u32::MAX));
            let due = u64::from(self.factor).saturating_pow(exponent).saturating_mul(u64::from(first));
            if u64::from(step) < due {
                return false;
            }
            if value.is_nan() {
                return true;
            }
            trial.rungs.push(value);
            let others = rivals.clone().into_iter().filter_map(|rival| rival.rungs.get(rung));
            let mut losses: Vec<f64> = others.chain([&value]).map(|value| view.goal.loss(*value)).collect();
            if losses.len() <= self.bootstrap {
                return true;
            }
            losses.sort_by(f64::total_cmp);
            let last_to_go_on = (losses.len() / self.factor as usize).saturating_sub(1);
            if view.goal.loss(value) > losses[last_to_go_on] {
                return true;
            }
        }
    }
}
