//! Which trials are good and which are not: the split that a tree-structured Parzen estimator begins with (Bergstra and
//! others 2011; of several metrics, Ozaki and others 2022), as Optuna makes it.

use std::cmp::Ordering;

use crate::pareto;
use crate::trial::{Goal, Trial, TrialState};

/// Most good trials with one metric.
const MOST_BELOW: usize = 25;

/// Trials parted, each half by number.
#[derive(Debug)]
pub(crate) struct Split<'a> {
    /// The good ones.
    pub(crate) below: Vec<&'a Trial>,
    /// The others, those that run among them.
    pub(crate) above: Vec<&'a Trial>,
}

/// How many of `n` trials are good: a tenth, rounded up; with one metric 25 at most.
pub(crate) fn n_below(n: usize, n_metrics: usize) -> usize {
    let tenth = (0.1 * n as f64).ceil() as usize;
    if n_metrics > 1 { tenth } else { tenth.min(MOST_BELOW) }
}

/// Parts complete and pruned trials. Complete ones come first, by their metric or by the fronts they belong to, then
/// pruned ones, those that came farthest first. What runs is not good: so trials in parallel do not all go to one place
/// (Optuna's constant liar). Failed trials are left out.
pub(crate) fn split<'a>(known: &'a [Trial], running: &'a [Trial], goals: &[Goal]) -> Split<'a> {
    let of = |state: TrialState| known.iter().filter(move |t| t.state == state).collect::<Vec<&Trial>>();
    let (complete, mut pruned) = (of(TrialState::Complete), of(TrialState::Pruned));
    let n = n_below(complete.len() + pruned.len(), goals.len());
    let n_complete = n.min(complete.len());
    let n_pruned = (n - n_complete).min(pruned.len());

    let is_good = best_complete(&complete, goals, n_complete);
    let (mut below, mut above): (Vec<&Trial>, Vec<&Trial>) = (Vec::new(), Vec::new());
    for (trial, is_good) in complete.into_iter().zip(is_good) {
        if is_good { below.push(trial) } else { above.push(trial) }
    }
    let goal = goals.first().copied().unwrap_or(Goal::Minimize);
    pruned.sort_by(|a, b| by_progress(a, b, goal));
    above.extend(pruned.split_off(n_pruned));
    below.extend(pruned);
    above.extend(running);
    below.sort_by_key(|trial| trial.number);
    above.sort_by_key(|trial| trial.number);
    Split { below, above }
}

/// For each of `trials` whether it is among the `n` best.
pub(crate) fn best_complete(trials: &[&Trial], goals: &[Goal], n: usize) -> Vec<bool> {
    let losses: Vec<Vec<f64>> = trials.iter().map(|trial| trial.losses(goals)).collect();
    let places = if goals.len() > 1 {
        pareto::best(&losses, n)
    } else {
        let loss = |i: usize| losses[i].first().copied().unwrap_or(f64::INFINITY);
        let mut order: Vec<usize> = (0..losses.len()).collect();
        order.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)));
        order.truncate(n);
        order
    };
    let mut is_good = vec![false; trials.len()];
    for place in places {
        is_good[place] = true;
    }
    is_good
}

/// Pruned trials: the one that came farther is better, then the one with the lower loss there.
fn by_progress(a: &Trial, b: &Trial, goal: Goal) -> Ordering {
    let key = |trial: &Trial| match trial.last_step() {
        Some((step, value)) if value.is_nan() => (-i64::from(step), f64::INFINITY),
        Some((step, value)) => (-i64::from(step), goal.loss(value)),
        None => (1, 0.0),
    };
    let ((step_a, loss_a), (step_b, loss_b)) = (key(a), key(b));
    step_a.cmp(&step_b).then(loss_a.total_cmp(&loss_b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Point;

    fn trial(number: u32, state: TrialState, values: &[f64], curve: &[(u32, f64)]) -> Trial {
        let curve = curve.iter().copied().collect();
        Trial { state, values: values.to_vec(), curve, ..Trial::new(number, Point(vec![])) }
    }

    fn numbers(trials: &[&Trial]) -> Vec<u32> {
        trials.iter().map(|t| t.number).collect()
    }

    #[test]
    fn complete_trials_come_before_pruned_ones_and_the_running_are_not_good() {
        use TrialState::{Complete, Failed, Pruned, Running};
        let mut known: Vec<Trial> =
            (0..20).map(|i| trial(i, Pruned, &[], &[(i % 5, f64::from(i)), (i % 5 + 1, f64::NAN)])).collect();
        known.push(trial(20, Complete, &[9.0], &[]));
        known.push(trial(21, Failed, &[], &[]));
        known.push(trial(22, Pruned, &[], &[(7, 3.0)]));
        known.push(trial(23, Pruned, &[], &[(7, 4.0)]));
        let running = [trial(24, Running, &[], &[])];
        let split_of = |goal| split(&known, &running, &[goal]);
        let lower = split_of(Goal::Minimize);
        assert_eq!(numbers(&lower.below), [20, 22, 23], "three of 23 that were told");
        assert_eq!(lower.above.len(), 21);
        assert_eq!(numbers(&lower.above).last(), Some(&24));
        known.remove(23);
        known.remove(20);
        let higher = split(&known, &running, &[Goal::Maximize]);
        assert_eq!(numbers(&higher.below), [4, 9, 22], "those that came to step 5, the earliest first");
    }

    #[test]
    fn the_goal_says_which_end_is_good() {
        let known: Vec<Trial> = (0..30).map(|i| trial(i, TrialState::Complete, &[f64::from(i)], &[])).collect();
        assert_eq!(numbers(&split(&known, &[], &[Goal::Minimize]).below), [0, 1, 2]);
        assert_eq!(numbers(&split(&known, &[], &[Goal::Maximize]).below), [27, 28, 29]);
    }

    #[test]
    fn no_more_than_25_are_good_with_one_metric() {
        assert_eq!([0, 1, 10, 11, 250, 900].map(|n| n_below(n, 1)), [0, 1, 1, 2, 25, 25]);
        assert_eq!(n_below(900, 2), 90);
    }
}
