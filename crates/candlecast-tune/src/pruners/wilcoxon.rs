//! `wilcoxon`: trials that are worse than the best one on the same stretches.

use candlecast_core::catalog::{Entry, read_config};

use super::{PruneView, Pruner};
use crate::signed_rank::signed_rank_p;
use crate::trial::Trial;

/// Catalog id.
const ID: &str = "wilcoxon";
/// Pairs that a test takes at least.
const FEWEST_PAIRS: usize = 2;

candlecast_core::params! {
    /// Gives a trial up that is worse than the best one on the stretches that both were scored on, by Wilcoxon's
    /// signed-rank test (Optuna's `WilcoxonPruner`). Steps are stretches, such as folds, not the course of one fit, and
    /// their mean is the value of a trial.
    ///
    /// With fewer stretches than it takes to be as sure as `level` it never gives a trial up: 4 at 0.1.
    #[derive(Copy)]
    pub struct WilcoxonConfig {
        "level" => level: f64 = 0.1, float(0.0..=1.0), "p-value below which a trial is given up";
        "startupSteps" => startup_steps: usize = 2, int(0..=10_000), "stretches of a trial before it may be given up";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Pruner> = Entry {
    id: ID,
    aliases: &[],
    summary: "gives up what is worse than the best trial on the same folds, by a signed-rank test",
    params: WilcoxonConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<WilcoxonConfig>(ID, config)?)),
};

impl Pruner for WilcoxonConfig {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let final_loss = |t: &Trial| t.values.first().map_or(f64::INFINITY, |value| view.goal.loss(*value));
        let Some(best) = view.complete().min_by(|a, b| final_loss(a).total_cmp(&final_loss(b))) else { return false };
        let is_sound = |t: &Trial| !t.curve.is_empty() && t.curve.values().all(|value| value.is_finite());
        if !is_sound(trial) || !is_sound(best) {
            return false;
        }
        let loss = |value: &f64| view.goal.loss(*value);
        let pairs = trial.curve.iter().filter_map(|(step, own)| Some(loss(own) - loss(best.curve.get(step)?)));
        let differences: Vec<f64> = pairs.collect();
        if differences.len() < FEWEST_PAIRS.max(self.startup_steps) {
            return false;
        }
        // The means say the opposite of the test where a few stretches are far better: then nothing is certain.
        let mean = |t: &Trial| t.curve.values().map(loss).sum::<f64>() / t.curve.len() as f64;
        signed_rank_p(&differences) < self.level && mean(best) < mean(trial)
    }
}
