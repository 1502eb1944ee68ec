//! [`importances`]: how much each parameter matters for being among the best trials.
//!
//! PED-ANOVA (Watanabe, Bansal and Hutter 2023; for parameters that do not always exist, Fukushima and others 2026) as
//! Optuna's `PedAnovaImportanceEvaluator` computes it: the Pearson divergence between the density of the best tenth of
//! the trials and that of all, parameter by parameter.

use std::f64::consts::LN_2;

use candlecast_core::Seed;

use crate::density::{Kernels, Parzen};
use crate::domain::{Axis, Domain, Line};
use crate::space::Space;
use crate::split::best_complete;
use crate::trial::{Goal, Trial};

/// Share of the trials that are the best.
const BEST: f64 = 0.1;
/// Places at which a range is looked at, at most.
const PLACES: usize = 50;
/// Trials in which a parameter has to exist.
const FEWEST: usize = 2;
/// Added to densities, so that none is 0.
const TINY: f64 = 1e-12;
/// Width of a kernel by Scott's rule, of the deviation times `n^(-1/5)`.
const SCOTT: f64 = 1.059;
/// Interquartile range of a normal distribution, in deviations.
const IQR: f64 = 1.34;
/// Least width of a kernel in places: 90 % of it then lies on one.
const NARROWEST: f64 = 0.5 / 1.64;
/// Samples drawn to tell how sure an importance is.
const RESAMPLES: u64 = 100;

/// How much a parameter matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// Name of the parameter.
    pub param: String,
    /// Its share, of 1 over all parameters. Without any difference between them, equal shares.
    pub value: f64,
    /// Standard deviation of the share over samples of the trials drawn with replacement.
    pub spread: f64,
}

/// The importance of each parameter with several values, the greatest first. Empty with fewer than two trials.
pub(crate) fn importances(space: &Space, goals: &[Goal], trials: &[&Trial], seed: Seed) -> Vec<Importance> {
    let searched: Vec<usize> =
        (0..space.dimensions().len()).filter(|&at| !space.dimensions()[at].domain().is_single()).collect();
    if trials.len() < 2 || searched.is_empty() {
        return Vec::new();
    }
    let shares = |trials: &[&Trial]| normalised(&divergences(space, goals, trials, &searched));
    let values = shares(trials);
    let mut rng = seed.derive("importance", 0).stream();
    let resampled: Vec<Vec<f64>> = (0..RESAMPLES)
        .map(|_| {
            let sample: Vec<&Trial> = (0..trials.len()).map(|_| trials[rng.below(trials.len())]).collect();
            shares(&sample)
        })
        .collect();
    let spread = |at: usize| {
        let n = resampled.len() as f64;
        let mean = resampled.iter().map(|shares| shares[at]).sum::<f64>() / n;
        (resampled.iter().map(|shares| (shares[at] - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    };
    let mut found: Vec<Importance> = searched
        .iter()
        .enumerate()
        .map(|(i, &at)| Importance {
            param: space.dimensions()[at].name().to_owned(),
            value: values[i],
            spread: spread(i),
        })
        .collect();
    found.sort_by(|a, b| b.value.total_cmp(&a.value));
    found
}

/// For each of the dimensions `searched` the divergence of the best trials from all.
pub(crate) fn divergences(space: &Space, goals: &[Goal], trials: &[&Trial], searched: &[usize]) -> Vec<f64> {
    let is_best = best_tenth(goals, trials);
    let n_best = is_best.iter().filter(|is_best| **is_best).count();
    if n_best == 0 {
        return vec![0.0; searched.len()];
    }
    let quantile = n_best as f64 / trials.len() as f64;
    let of = |&at: &usize| {
        let domain = space.dimensions()[at].domain();
        let exists = || {
            let pairs = trials.iter().zip(&is_best);
            pairs.filter_map(move |(trial, is_best)| Some((trial.point.0[at]?, *is_best)))
        };
        let all: Vec<f64> = exists().map(|(code, _)| code).collect();
        let best: Vec<f64> = exists().filter(|(_, is_best)| *is_best).map(|(code, _)| code).collect();
        if all.len() < FEWEST || best.is_empty() {
            return 0.0;
        }
        // Where it does not always exist: how much more often it does among the best.
        let share_of_best = best.len() as f64 / n_best as f64;
        let share_of_all = all.len() as f64 / trials.len() as f64;
        share_of_best.powi(2) / share_of_all * divergence(domain, &best, &all) * quantile.powi(2)
    };
    searched.iter().map(of).collect()
}

/// As shares of their sum; equal where all are 0.
fn normalised(divergences: &[f64]) -> Vec<f64> {
    let sum: f64 = divergences.iter().sum();
    let equal = 1.0 / divergences.len() as f64;
    divergences.iter().map(|divergence| if sum > 0.0 { divergence / sum } else { equal }).collect()
}

/// With one metric all trials that are as good as the last of the best tenth; with several as many as a tenth.
fn best_tenth(goals: &[Goal], trials: &[&Trial]) -> Vec<bool> {
    let n = (BEST * trials.len() as f64).ceil() as usize;
    let [goal] = goals else { return best_complete(trials, goals, n) };
    let losses: Vec<f64> = trials.iter().map(|trial| goal.loss(trial.values[0])).collect();
    let mut sorted = losses.clone();
    sorted.sort_by(f64::total_cmp);
    let last = n.checked_sub(1).and_then(|at| sorted.get(at)).copied().unwrap_or(f64::NEG_INFINITY);
    losses.iter().map(|loss| *loss <= last).collect()
}

/// Pearson divergence of the density over `best` from that over `all`, both on places of `domain`.
fn divergence(domain: &Domain, best: &[f64], all: &[f64]) -> f64 {
    let (of_best, of_all) = (on_places(domain, best), on_places(domain, all));
    of_best.iter().zip(of_all).map(|(best, all)| all * (best / all - 1.0).powi(2)).sum()
}

/// Density over the places of `domain`: its values, or 50 of a range that has more.
fn on_places(domain: &Domain, codes: &[f64]) -> Vec<f64> {
    let (density, n) = match domain.axis() {
        Axis::Choices(n) => {
            let counts = count(codes.iter().map(|code| *code as usize), n);
            (scott(&counts, None), n)
        }
        Axis::Line(line) => {
            let n = n_places(domain, line);
            let (low, high) = (line.on_scale(line.low), line.on_scale(line.high));
            let width = (high - low) / (n - 1) as f64;
            // Half-way between two places counts for the lower one.
            let place = |code: &f64| {
                let place = ((line.on_scale(*code) - low) / width - 0.5).ceil();
                place.clamp(0.0, (n - 1) as f64) as usize
            };
            let counts = count(codes.iter().map(place), n);
            (scott(&counts, Some(Line { low: 0.0, high: (n - 1) as f64, step: 1.0, log: false })), n)
        }
    };
    (0..n).map(|place| density.ln_density(&[place as f64]).exp() + TINY).collect()
}

fn n_places(domain: &Domain, line: Line) -> usize {
    let there = match domain.n_values() {
        None => PLACES,
        Some(_) if domain.is_int_range() && line.log => ((line.high - line.low + 1.0).ln() / LN_2).ceil() as usize + 1,
        Some(n) => usize::try_from(n).unwrap_or(PLACES),
    };
    there.clamp(2, PLACES)
}

fn count(places: impl Iterator<Item = usize>, n: usize) -> Vec<usize> {
    let mut counts = vec![0; n];
    for place in places {
        counts[place] += 1;
    }
    counts
}

/// A density with a kernel for each place that was counted, weighing as often, of Scott's width on a line; and a prior.
fn scott(counts: &[usize], line: Option<Line>) -> Parzen {
    let seen: Vec<usize> = (0..counts.len()).filter(|&place| counts[place] > 0).collect();
    let weights: Vec<f64> = seen.iter().map(|&place| counts[place] as f64).collect();
    let places: Vec<f64> = seen.iter().map(|&place| place as f64).collect();
    let kernels = match line {
        None => Kernels::choices(counts.len(), &places, 1.0),
        Some(line) => {
            let widths = vec![scott_width(&places, &weights).max(NARROWEST); places.len()];
            Kernels::on_line(line, places, widths, (line.high / 2.0, line.high + 1.0))
        }
    };
    Parzen::of(weights, 1.0, vec![kernels])
}

fn scott_width(places: &[f64], weights: &[f64]) -> f64 {
    let sum: f64 = weights.iter().sum();
    let mean = places.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() / sum;
    let squares: f64 = places.iter().zip(weights).map(|(x, w)| (x - mean).powi(2) * w).sum();
    let deviation = (squares / (sum - 1.0).max(1.0)).sqrt();
    let cumulated: Vec<f64> = weights
        .iter()
        .scan(0.0, |sum, w| {
            *sum += w;
            Some(*sum)
        })
        .collect();
    let last = places.len() - 1;
    let first_quarter = cumulated.partition_point(|c| *c < (sum / 4.0).floor()).min(last);
    let third_quarter = cumulated.partition_point(|c| *c <= (sum * 3.0 / 4.0).floor()).min(last);
    let range = places[third_quarter] - places[first_quarter];
    SCOTT * (range / IQR).min(deviation) * sum.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::space::Dimension;
    use crate::trial::TrialState;

    fn complete(space: &Space, n: u32, loss: impl Fn(&[Option<f64>]) -> f64) -> Vec<Trial> {
        let mut rng = Seed(8).stream();
        (0..n)
            .map(|number| {
                let point = space.draw(&mut rng);
                let values = vec![loss(&point.0)];
                Trial { state: TrialState::Complete, values, ..Trial::new(number, point) }
            })
            .collect()
    }

    fn of(space: &Space, trials: &[Trial]) -> Vec<(String, f64)> {
        let trials: Vec<&Trial> = trials.iter().collect();
        let found = importances(space, &[Goal::Minimize], &trials, Seed(1));
        assert!(found.iter().all(|importance| importance.spread.is_finite()));
        found.into_iter().map(|importance| (importance.param, importance.value)).collect()
    }

    #[test]
    fn what_matters_more_comes_first_and_shares_add_up() {
        let line = |name: &str| Dimension::new(name, Domain::float(-1.0, 1.0, None, false).unwrap());
        let words = Dimension::new("word", Domain::list(vec![json!("a"), json!("b")]).unwrap());
        let one = Dimension::new("one", Domain::int(3, 3, 1, false).unwrap());
        let space = Space::new(vec![line("weak"), words, line("strong"), one]).unwrap();
        let trials = complete(&space, 200, |p| p[0].unwrap() * 0.3 + 4.0 * p[2].unwrap().powi(2));
        let found = of(&space, &trials);
        assert_eq!(found[0].0, "strong");
        assert_eq!(found.len(), 3, "what has one value alone is left out");
        assert!((found.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(found[0].1 > 0.5, "{found:?}");
    }

    #[test]
    fn too_few_trials_tell_nothing() {
        let space = Space::new(vec![Dimension::new("x", Domain::int(1, 9, 1, false).unwrap())]).unwrap();
        assert!(of(&space, &complete(&space, 1, |_| 1.0)).is_empty());
        let equal = of(&space, &complete(&space, 9, |_| 1.0));
        assert_eq!(equal, [("x".to_owned(), 1.0)], "where all are as good, parameters are equal");
    }
}
