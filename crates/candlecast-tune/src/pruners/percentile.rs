//! `median` and `percentile`: trials that are worse than most were at the same step.

use candlecast_core::catalog::{Entry, read_config};

use super::{PruneView, Pruner};
use crate::trial::Trial;

candlecast_core::params! {
    /// Gives a trial up whose best value so far is worse than the median of the complete trials at the same step
    /// (Optuna's `MedianPruner`; Golovin and others 2017).
    #[derive(Copy)]
    pub struct MedianConfig {
        "startupTrials" => startup_trials: usize = 5, int(0..=10_000), "complete trials before any is given up";
        "warmupSteps" => warmup_steps: u32 = 0, int(0..=1_000_000), "first step at which a trial may be given up";
        "intervalSteps" => interval_steps: u32 = 1, int(1..=1_000_000), "steps between judgements";
        "minTrials" => min_trials: usize = 1, int(1..=10_000), "complete trials with a value at the step that it takes";
    }
}

candlecast_core::params! {
    /// As the median, with another share of trials that are kept (Optuna's `PercentilePruner`).
    #[derive(Copy)]
    pub struct PercentileConfig {
        "percentile" => percentile: f64 = 25, float(0.0..=100.0), "share of the best trials to stay within, in percent";
        "startupTrials" => startup_trials: usize = 5, int(0..=10_000), "complete trials before any is given up";
        "warmupSteps" => warmup_steps: u32 = 0, int(0..=1_000_000), "first step at which a trial may be given up";
        "intervalSteps" => interval_steps: u32 = 1, int(1..=1_000_000), "steps between judgements";
        "minTrials" => min_trials: usize = 1, int(1..=10_000), "complete trials with a value at the step that it takes";
    }
}

/// The line of the median in the catalog.
pub(crate) const MEDIAN: Entry<dyn Pruner> = Entry {
    id: "median",
    aliases: &[],
    summary: "gives up what is worse than the median of complete trials at the same step",
    params: MedianConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<MedianConfig>("median", config)?)),
};

/// The line of the percentile in the catalog.
pub(crate) const ENTRY: Entry<dyn Pruner> = Entry {
    id: "percentile",
    aliases: &[],
    summary: "gives up what is not among the best share of complete trials at the same step",
    params: PercentileConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<PercentileConfig>("percentile", config)?)),
};

impl Pruner for MedianConfig {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let percentile = PercentileConfig {
            percentile: 50.0,
            startup_trials: self.startup_trials,
            warmup_steps: self.warmup_steps,
            interval_steps: self.interval_steps,
            min_trials: self.min_trials,
        };
        percentile.judge(view, trial)
    }
}

impl Pruner for PercentileConfig {
    fn judge(&self, view: &PruneView<'_>, trial: &mut Trial) -> bool {
        let n_complete = view.complete().count();
        let Some((step, _)) = trial.last_step() else { return false };
        if n_complete == 0 || n_complete < self.startup_trials || step < self.warmup_steps || !self.is_due(trial, step)
        {
            return false;
        }
        // A minimum that passes over what is no number; all of it may be none.
        let best = trial.curve.values().map(|value| view.goal.loss(*value)).fold(f64::NAN, f64::min);
        if best.is_nan() {
            return true;
        }
        let at_step: Vec<f64> =
            view.complete().filter_map(|t| t.curve.get(&step)).map(|v| view.goal.loss(*v)).collect();
        if at_step.len() < self.min_trials {
            return false;
        }
        percentile(at_step, self.percentile).is_some_and(|bound| best > bound)
    }
}

impl PercentileConfig {
    /// True for the first report since a judgement was due.
    fn is_due(&self, trial: &Trial, step: u32) -> bool {
        let due = (step - self.warmup_steps) / self.interval_steps * self.interval_steps + self.warmup_steps;
        trial.curve.range(..step).next_back().is_none_or(|(before, _)| *before < due)
    }
}

/// The percentile of those of `values` that are numbers, interpolated as numpy does; `None` without any.
fn percentile(mut values: Vec<f64>, percentile: f64) -> Option<f64> {
    values.retain(|value| !value.is_nan());
    values.sort_by(f64::total_cmp);
    let place = percentile / 100.0 * values.len().checked_sub(1)? as f64;
    let below = place.floor();
    let (a, b) = (values[below as usize], values[place.ceil() as usize]);
    let share = place - below;
    Some(if share < 0.5 { a + (b - a) * share } else { b - (b - a) * (1.0 - share) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated_and_pass_over_what_is_no_number() {
        assert_eq!(percentile(vec![4.0, f64::NAN, 1.0, 2.0], 50.0), Some(2.0));
        assert_eq!(percentile(vec![4.0, 1.0], 25.0), Some(1.75));
        assert_eq!(percentile(vec![1.0, 2.0, 3.0], 100.0), Some(3.0));
        assert_eq!(percentile(vec![f64::NAN], 50.0), None);
        assert_eq!(percentile(vec![], 50.0), None);
    }
}
