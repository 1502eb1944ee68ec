//! `grid`: every point once.

use candlecast_core::Stream;
use candlecast_core::catalog::Entry;

use super::{Sampler, View};
use crate::TuneError;
use crate::space::{Dimension, Point, Space};

/// Every point once, in an order that the seed of the study draws: a search that ends early has looked everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grid;

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Sampler> = Entry {
    id: "grid",
    aliases: &["exhaustive"],
    summary: "every point once, in random order",
    params: &[],
    build: |_| Ok(Box::new(Grid)),
};

impl Sampler for Grid {
    /// All points, or the first `asked` of them. Refused where there are more than `max`, or no end.
    fn n_trials(&self, space: &Space, asked: Option<u32>, max: u32) -> Result<u32, TuneError> {
        let Some(points) = space.n_points() else {
            let param = space.endless().map(Dimension::name).unwrap_or_default().to_owned();
            return Err(TuneError::NoGrid { param });
        };
        let all = u32::try_from(points).ok().filter(|all| *all <= max);
        let all = all.ok_or(TuneError::GridTooLarge { points, max })?;
        match asked {
            Some(0) => Err(TuneError::OutOfRange { field: "trials", value: 0, least: 1, most: max }),
            Some(asked) => Ok(asked.min(all)),
            None => Ok(all),
        }
    }

    fn propose(&self, view: &View<'_>, _: &mut Stream) -> Option<Point> {
        let mut points = view.space.points(u128::from(u32::MAX))?;
        view.seed.derive("grid", 0).stream().shuffle(&mut points);
        let at = view.number as usize;
        (at < points.len()).then(|| points.swap_remove(at))
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;
    use serde_json::json;

    use super::*;
    use crate::domain::Domain;
    use crate::trial::Goal;

    fn int(name: &str, n: i64) -> Dimension {
        Dimension::new(name, Domain::int(1, n, 1, false).unwrap())
    }

    #[test]
    fn too_many_points_are_refused_with_their_number() {
        let space = Space::new(vec![int("a", 30), int("b", 20)]).unwrap();
        assert_eq!(Grid.n_trials(&space, None, 600), Ok(600));
        assert_eq!(Grid.n_trials(&space, Some(7), 600), Ok(7));
        let error = Grid.n_trials(&space, None, 500).unwrap_err().to_string();
        assert!(error.starts_with("the grid has 600 points, and a search at most 500 trials"), "{error}");
        let line = Dimension::new("rate", Domain::float(0.1, 1.0, None, true).unwrap());
        let error = Grid.n_trials(&Space::new(vec![int("a", 3), line]).unwrap(), None, 500).unwrap_err().to_string();
        assert!(error.starts_with("parameterSpace: rate is a range without a step"), "{error}");
    }

    #[test]
    fn every_point_comes_once_and_the_seed_draws_the_order() {
        let space = Space::new(vec![int("a", 3), int("b", 4).when("a", vec![json!(2)])]).unwrap();
        let order = |seed: Seed| -> Vec<Point> {
            let propose = |number: u32| {
                let goals = [Goal::Minimize];
                let view = View { space: &space, goals: &goals, number, known: &[], running: &[], seed };
                Grid.propose(&view, &mut seed.stream())
            };
            assert_eq!(propose(6), None);
            (0..6).map(|number| propose(number).unwrap()).collect()
        };
        let points = order(Seed(1));
        assert!(points.iter().enumerate().all(|(i, point)| !points[..i].contains(point)));
        assert_eq!(points, order(Seed(1)));
        assert_ne!(points, order(Seed(2)));
    }
}
