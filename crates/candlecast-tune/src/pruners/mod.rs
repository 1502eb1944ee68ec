//! [`Pruner`]: which trial to give up.

mod halving;
mod hyperband;
mod none;
mod percentile;
mod wilcoxon;

use candlecast_core::Seed;
use candlecast_core::catalog::Entry;

use crate::trial::{Goal, Trial, TrialState};

pub use halving::HalvingConfig;
pub use hyperband::HyperbandConfig;
pub use none::KeepAll;
pub use percentile::{MedianConfig, PercentileConfig};
pub use wilcoxon::WilcoxonConfig;

/// What a pruner goes by.
#[derive(Debug, Clone, Copy)]
pub struct PruneView<'a> {
    /// Which values are better.
    pub goal: Goal,
    /// The other trials, all of which have ended.
    pub known: &'a [Trial],
    /// The root of the study's randomness.
    pub seed: Seed,
}

/// Which trial to give up. A judgement is a function of the view and the trial.
pub trait Pruner: std::fmt::Debug + Send + Sync {
    /// True where `trial` is to be given up after the last step of its curve, which has been reported just now. What it
    /// has to remember of the trial it adds to its rungs.
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool;
}

/// All pruners, the default first.
pub fn pruners() -> &'static [Entry<dyn Pruner>] {
    &[percentile::MEDIAN, none::ENTRY, percentile::ENTRY, halving::ENTRY, hyperband::ENTRY, wilcoxon::ENTRY]
}

impl PruneView<'_> {
    /// The complete ones among the other trials.
    fn complete(&self) -> impl Iterator<Item = &Trial> {
        self.known.iter().filter(|trial| trial.state == TrialState::Complete)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn defaults_are_built() {
        let ids: Vec<&str> = pruners().iter().map(|entry| entry.id).collect();
        assert_eq!(ids, ["median", "none", "percentile", "halving", "hyperband", "wilcoxon"]);
        for entry in pruners() {
            entry.build(&Value::Null).unwrap();
        }
    }
}
