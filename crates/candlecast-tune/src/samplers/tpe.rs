//! `tpe`: tree-structured Parzen estimators.

use candlecast_core::Stream;
use candlecast_core::catalog::{Entry, read_config};

use super::{Sampler, View};
use crate::density::{KernelOptions, Parzen, recency_weights};
use crate::domain::Axis;
use crate::space::{Point, Space};
use crate::split::{Split, split};
use crate::trial::Trial;

/// Catalog id.
const ID: &str = "tpe";
/// Times that candidates are drawn before a point is drawn at random instead, since all of them have been tried.
const ROUNDS: usize = 4;

candlecast_core::params! {
    /// Tree-structured Parzen estimators (Bergstra and others 2011), as Optuna's `TPESampler` makes them (Watanabe 2023):
    /// one density `l` over the good trials, another, `g`, over the others, and of a number of points drawn from `l` the
    /// one where `l / g` is greatest. Trials that run count to the others.
    ///
    /// Two things differ. Which parameters depend on which is known from the space, not found out from trials, so
    /// parameters that exist together always share a density (Optuna's `group`). And a configuration that has been tried
    /// is not proposed again: the evaluation of a configuration gives the same result each time.
    #[derive(Copy)]
    pub struct TpeConfig {
        "startupTrials" => startup_trials: usize = 10, int(1..=10_000),
            "trials at random before the sampler learns from those that have ended";
        "candidates" => candidates: usize = 24, int(1..=10_000), "points drawn for each choice";
        /// With several, splits are too coarse to say what goes with what.
        "multivariate" => multivariate: Option<bool> = null, bool,
            "one density over parameters that exist together; null: with one metric";
        "constantLiar" => constant_liar: bool = true, bool, "trials that run count as poor ones";
    }
}

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Sampler> = Entry {
    id: ID,
    aliases: &["optuna", "bayesian"],
    summary: "points that are likely among the good trials and unlikely among the others (Optuna's sampler)",
    params: TpeConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<TpeConfig>(ID, config)?)),
};

impl Sampler for TpeConfig {
    fn propose(&self, view: &View<'_>, rng: &mut Stream) -> Option<Point> {
        if view.known.iter().filter(|trial| trial.is_told()).count() < self.startup_trials {
            return view.untried(rng);
        }
        let running: &[Trial] = if self.constant_liar { view.running } else { &[] };
        let parts = split(view.known, running, view.goals);
        let groups = view.space.groups(self.multivariate.unwrap_or(view.goals.len() == 1));
        for _ in 0..ROUNDS {
            let point = self.choose(view, &parts, &groups, rng);
            if !view.is_tried(&point) {
                return Some(point);
            }
        }
        view.untried(rng)
    }
}

impl TpeConfig {
    /// A point, group by group; of the last group the best candidate that makes a new point, if there is one.
    fn choose(&self, view: &View<'_>, parts: &Split<'_>, groups: &[Vec<usize>], rng: &mut Stream) -> Point {
        let space = view.space;
        let mut point = Point(vec![None; space.dimensions().len()]);
        for (g, group) in groups.iter().enumerate() {
            if !space.is_active(group[0], &point) {
                continue;
            }
            let (single, several): (Vec<usize>, Vec<usize>) =
                group.iter().partition(|&&at| space.dimensions()[at].domain().is_single());
            for at in single {
                point.0[at] = Some(space.dimensions()[at].domain().code_at(0));
            }
            let with = |candidate: &[f64]| {
                let mut point = point.clone();
                for (at, code) in several.iter().zip(candidate) {
                    point.0[*at] = Some(*code);
                }
                point
            };
            let is_new = |point: &Point| {
                groups[g + 1..].iter().any(|later| space.is_active(later[0], point)) || !view.is_tried(point)
            };
            let ranked = self.ranked(view, parts, &several, rng);
            let first_new = ranked.iter().map(|candidate| with(candidate)).find(is_new);
            let next = first_new.or_else(|| ranked.first().map(|candidate| with(candidate)));
            if let Some(next) = next {
                point = next;
            }
        }
        point
    }

    /// Candidates for the dimensions `at`, the one with the greatest ratio of densities first.
    fn ranked(&self, view: &View<'_>, parts: &Split<'_>, at: &[usize], rng: &mut Stream) -> Vec<Vec<f64>> {
        if at.is_empty() {
            return vec![vec![]];
        }
        let good = observed(&parts.below, at);
        let weights = if view.goals.len() > 1 { vec![1.0; good.len()] } else { recency_weights(good.len()) };
        let good = density(view.space, at, &good, weights);
        let others = observed(&parts.above, at);
        let others = density(view.space, at, &others, recency_weights(others.len()));
        let mut ranked: Vec<(f64, Vec<f64>)> = (0..self.candidates)
            .map(|_| {
                let codes = good.draw(rng);
                (good.ln_density(&codes) - others.ln_density(&codes), codes)
            })
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranked.into_iter().map(|(_, codes)| codes).collect()
    }
}

/// The codes of the dimensions `at` in the trials in which they exist.
fn observed(trials: &[&Trial], at: &[usize]) -> Vec<Vec<f64>> {
    trials.iter().filter_map(|trial| at.iter().map(|&at| trial.point.0[at]).collect()).collect()
}

fn density(space: &Space, at: &[usize], rows: &[Vec<f64>], weights: Vec<f64>) -> Parzen {
    let axes: Vec<Axis> = at.iter().map(|&at| space.dimensions()[at].domain().axis()).collect();
    Parzen::new(&axes, rows, weights, KernelOptions::default())
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;
    use serde_json::json;

    use super::*;
    use crate::domain::Domain;
    use crate::space::Dimension;
    use crate::trial::{Goal, TrialState};

    fn line(name: &str) -> Dimension {
        Dimension::new(name, Domain::float(0.0, 1.0, None, false).unwrap())
    }

    /// Trials on a grid of one dimension, good near 0.3.
    fn tried(space: &Space) -> Vec<Trial> {
        (0..40)
            .map(|i| {
                let x = f64::from(i * 7 % 40) / 40.0;
                let mut trial = Trial::new(i as u32, Point(vec![Some(x)]));
                (trial.state, trial.values) = (TrialState::Complete, vec![(x - 0.3).abs()]);
                assert!(space.params(&trial.point).contains_key("x"));
                trial
            })
            .collect()
    }

    fn propose(space: &Space, known: &[Trial], running: &[Trial], seed: u64) -> Point {
        let view = View { space, goals: &[Goal::Minimize], number: 40, known, running, seed: Seed(1) };
        TpeConfig::default().propose(&view, &mut Seed(seed).stream()).unwrap()
    }

    #[test]
    fn it_looks_where_trials_were_good_and_away_from_those_that_run() {
        let space = Space::new(vec![line("x")]).unwrap();
        let known = tried(&space);
        let mean_distance = |running: &[Trial]| {
            let distances: Vec<f64> =
                (0..50).map(|seed| (propose(&space, &known, running, seed).0[0].unwrap() - 0.3).abs()).collect();
            distances.iter().sum::<f64>() / 50.0
        };
        let alone = mean_distance(&[]);
        assert!(alone < 0.04, "{alone}");
        let running: Vec<Trial> = (0..12).map(|i| Trial::new(40 + i, Point(vec![Some(0.3)]))).collect();
        let beside = mean_distance(&running);
        assert!(beside > 2.0 * alone, "{beside} beside trials that run, {alone} alone");
    }

    #[test]
    fn a_proposal_is_repeated_by_seed_and_trials() {
        let space = Space::new(vec![line("x")]).unwrap();
        let known = tried(&space);
        assert_eq!(propose(&space, &known, &[], 3), propose(&space, &known, &[], 3));
        assert_ne!(propose(&space, &known, &[], 3), propose(&space, &known, &[], 4));
        assert_ne!(propose(&space, &known[..30], &[], 3), propose(&space, &known, &[], 3));
    }

    #[test]
    fn parameters_that_depend_on_others_are_chosen_where_they_exist() {
        let kind = Dimension::new("kind", Domain::list(vec![json!("a"), json!("b")]).unwrap());
        let space = Space::new(vec![
            kind,
            line("x").when("kind", vec![json!("a")]),
            line("y").when("kind", vec![json!("b")]),
            Dimension::new("one", Domain::int(7, 7, 1, false).unwrap()),
        ])
        .unwrap();
        let mut known: Vec<Trial> = Vec::new();
        for number in 0..120 {
            let goals = [Goal::Minimize];
            let view = View { space: &space, goals: &goals, number, known: &known, running: &[], seed: Seed(2) };
            let mut rng = Seed(2).derive("trial", u64::from(number)).stream();
            let point = TpeConfig::default().propose(&view, &mut rng).unwrap();
            let params = space.params(&point);
            assert_eq!(space.point(&params).unwrap(), point);
            assert_eq!(params["one"], json!(7));
            let loss = match params.get("y") {
                Some(y) => (y.as_f64().unwrap() - 0.8).abs(),
                None => 0.5 + params["x"].as_f64().unwrap(),
            };
            let mut trial = Trial::new(number, point);
            (trial.state, trial.values) = (TrialState::Complete, vec![loss]);
            known.push(trial);
        }
        let late = &known[60..];
        let of_b = late.iter().filter(|trial| trial.point.0[2].is_some()).count();
        assert!(of_b > 45, "the better kind is tried more often: {of_b} of 60");
        let best = known.iter().map(|t| t.values[0]).fold(f64::INFINITY, f64::min);
        assert!(best < 0.02, "{best}");
    }

    #[test]
    fn every_point_of_a_small_space_is_tried_once() {
        let space = Space::new(vec![
            Dimension::new("a", Domain::int(1, 5, 1, false).unwrap()),
            Dimension::new("b", Domain::list(vec![json!("p"), json!("q"), json!("r")]).unwrap()),
        ])
        .unwrap();
        let mut known: Vec<Trial> = Vec::new();
        for number in 0..15 {
            let view =
                View { space: &space, goals: &[Goal::Maximize], number, known: &known, running: &[], seed: Seed(4) };
            let point = TpeConfig::default().propose(&view, &mut Seed(u64::from(number)).stream()).unwrap();
            assert!(!view.is_tried(&point));
            let mut trial = Trial::new(number, point);
            (trial.state, trial.values) = (TrialState::Complete, vec![f64::from(number % 4)]);
            known.push(trial);
        }
        let view =
            View { space: &space, goals: &[Goal::Maximize], number: 15, known: &known, running: &[], seed: Seed(4) };
        assert_eq!(TpeConfig::default().propose(&view, &mut Seed(1).stream()), None);
    }
}
