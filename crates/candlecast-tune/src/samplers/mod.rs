//! [`Sampler`]: which configuration to try next.

mod grid;
mod random;
mod tpe;

use candlecast_core::catalog::Entry;
use candlecast_core::{Seed, Stream};

use crate::TuneError;
use crate::space::{Point, Space};
use crate::trial::{Goal, Trial};

pub use grid::Grid;
pub use random::Random;
pub use tpe::TpeConfig;

/// Trials of a search where nobody says how many.
pub const DEFAULT_TRIALS: u32 = 50;

/// Draws after which a point that no trial has is searched for instead.
const DRAWS: usize = 64;
/// Points of a space up to which such a one is searched for among all.
const LISTED: u128 = 10_000;

/// What a sampler goes by.
#[derive(Debug)]
pub struct View<'a> {
    /// Where it looks.
    pub space: &'a Space,
    /// Which values are better, for each metric.
    pub goals: &'a [Goal],
    /// Number of the trial that it proposes.
    pub number: u32,
    /// Trials that have ended.
    pub known: &'a [Trial],
    /// Trials of which nothing is known but their configurations.
    pub running: &'a [Trial],
    /// The root of the study's randomness; [`Sampler::propose`] is given a stream of the trial.
    pub seed: Seed,
}

/// Which configuration to try next. A proposal is a function of the view and the stream.
pub trait Sampler: std::fmt::Debug + Send + Sync {
    /// Trials of a search over `space` where `asked` are asked for, [`DEFAULT_TRIALS`] where nobody says, and `max` are
    /// allowed.
    fn n_trials(&self, space: &Space, asked: Option<u32>, max: u32) -> Result<u32, TuneError> {
        let _ = space;
        let n = asked.unwrap_or_else(|| DEFAULT_TRIALS.min(max));
        if (1..=max).contains(&n) {
            return Ok(n);
        }
        Err(TuneError::OutOfRange { field: "trials", value: n, least: 1, most: max })
    }

    /// The next point; `None` when every point has been tried.
    fn propose(&self, view: &View<'_>, rng: &mut Stream) -> Option<Point>;
}

/// All samplers, the default first.
pub fn samplers() -> &'static [Entry<dyn Sampler>] {
    &[tpe::ENTRY, random::ENTRY, grid::ENTRY]
}

impl View<'_> {
    /// True where a trial has this point. The same configuration would give the same result again.
    pub(crate) fn is_tried(&self, point: &Point) -> bool {
        self.known.iter().chain(self.running).any(|trial| trial.point == *point)
    }

    /// A point that no trial has, drawn at random; `None` where there is none left.
    pub(crate) fn untried(&self, rng: &mut Stream) -> Option<Point> {
        let mut point = self.space.draw(rng);
        for _ in 0..DRAWS {
            if !self.is_tried(&point) {
                return Some(point);
            }
            point = self.space.draw(rng);
        }
        let Some(mut left) = self.space.points(LISTED) else { return Some(point) };
        left.retain(|point| !self.is_tried(point));
        if left.is_empty() { None } else { Some(left.swap_remove(rng.below(left.len()))) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::Domain;
    use crate::space::Dimension;

    #[test]
    fn defaults_are_built_and_names_answer() {
        for entry in samplers() {
            entry.build(&Value::Null).unwrap();
        }
        let ids: Vec<&str> = samplers().iter().map(|entry| entry.id).collect();
        assert_eq!(ids, ["tpe", "random", "grid"]);
        assert!(["tpe", "optuna", "Bayesian"].into_iter().all(|name| samplers()[0].answers_to(name)));
    }

    #[test]
    fn the_number_of_trials_keeps_its_bounds() {
        let space = Space::new(vec![Dimension::new("x", Domain::int(1, 9, 1, false).unwrap())]).unwrap();
        let tpe = TpeConfig::default();
        assert_eq!([None, Some(7)].map(|asked| tpe.n_trials(&space, asked, 500)), [Ok(50), Ok(7)]);
        assert_eq!(tpe.n_trials(&space, None, 20), Ok(20));
        for asked in [0, 501] {
            let error = tpe.n_trials(&space, Some(asked), 500).unwrap_err().to_string();
            assert_eq!(error, format!("trials {asked} is not within 1 to 500"));
        }
    }

    #[test]
    fn every_point_is_found_before_there_are_none_left() {
        let space = Space::new(vec![
            Dimension::new("x", Domain::int(1, 9, 1, false).unwrap()),
            Dimension::new("y", Domain::int(1, 9, 1, false).unwrap()),
        ])
        .unwrap();
        let (goals, seed) = ([Goal::Minimize], Seed(9));
        let mut known: Vec<Trial> = Vec::new();
        for number in 0..81 {
            let view = View { space: &space, goals: &goals, number, known: &known, running: &[], seed };
            let point = view.untried(&mut seed.derive("trial", u64::from(number)).stream()).unwrap();
            assert!(!view.is_tried(&point));
            known.push(Trial::new(number, point));
        }
        let view = View { space: &space, goals: &goals, number: 81, known: &known, running: &[], seed };
        assert_eq!(view.untried(&mut seed.stream()), None);
    }
}
