//! The points of a space, counted and listed, and a space with fewer of them.

use super::{Dimension, Point, Space};

/// Values of parameters that others depend on, up to which points are counted one by one.
const MAX_COUNTED: u32 = 1_000_000;
/// Values of a range in a grid over a space that nobody named.
const VALUES_OF_RANGE: u64 = 3;

impl Space {
    /// How many points there are; `None` where a parameter takes every number of a range. Where those that others depend
    /// on have more than a million combinations, what the number cannot exceed.
    pub fn n_points(&self) -> Option<u128> {
        let sizes: Option<Vec<u128>> = self.dimensions.iter().map(|d| d.domain.n_values().map(u128::from)).collect();
        let sizes = sizes?;
        let mut left = MAX_COUNTED;
        let counted = self.count_from(0, &mut Point(Vec::with_capacity(sizes.len())), &sizes, &mut left);
        Some(counted.unwrap_or_else(|| sizes.iter().fold(1, |all: u128, &size| all.saturating_mul(size))))
    }

    /// The first parameter that takes every number of a range.
    pub(crate) fn endless(&self) -> Option<&Dimension> {
        self.dimensions.iter().find(|d| d.domain.n_values().is_none())
    }

    /// All points, the value of the last parameter changing first; `None` where there are more than `max`, or no end.
    pub(crate) fn points(&self, max: u128) -> Option<Vec<Point>> {
        self.n_points().filter(|&n| n <= max)?;
        let mut points = vec![Point(Vec::new())];
        for (at, dimension) in self.dimensions.iter().enumerate() {
            let n = dimension.domain.n_values()?;
            let mut longer = Vec::new();
            for mut point in points {
                if !self.is_active(at, &point) {
                    point.0.push(None);
                    longer.push(point);
                    continue;
                }
                longer.extend((0..n).map(|i| {
                    let mut point = point.clone();
                    point.0.push(Some(dimension.domain.code_at(i)));
                    point
                }));
            }
            points = longer;
        }
        Some(points)
    }

    /// The same space where it has at most `max` points, else one that has: ranges give their lowest, middle and highest
    /// value, and while that is too many, the parameter with the most values gives one of them up, the last of several.
    /// Parameters that others depend on keep all. For spaces that nobody named: a named one is searched as given.
    #[must_use]
    pub fn thinned(&self, max: u32) -> Self {
        let fits = |space: &Self| space.n_points().is_some_and(|n| n <= u128::from(max));
        let mut space = self.clone();
        if fits(&space) {
            return space;
        }
        let may_change: Vec<bool> = (0..space.dimensions.len()).map(|at| !space.is_parent(at)).collect();
        for (dimension, _) in space.dimensions.iter_mut().zip(&may_change).filter(|(_, may_change)| **may_change) {
            if dimension.domain.is_range() {
                dimension.domain = dimension.domain.thinned(VALUES_OF_RANGE);
            }
        }
        while !fits(&space) {
            let dimensions = space.dimensions.iter_mut().zip(&may_change).filter(|(_, may_change)| **may_change);
            let most = dimensions.filter_map(|(d, _)| d.domain.n_values().map(|n| (n, d))).max_by_key(|(n, _)| *n);
            match most {
                Some((n, dimension)) if n > 1 => dimension.domain = dimension.domain.thinned(n - 1),
                _ => return space,
            }
        }
        space
    }

    /// Points that begin as `point` does, whose length is `at`; `None` where that takes more than `left` values.
    fn count_from(&self, at: usize, point: &mut Point, sizes: &[u128], left: &mut u32) -> Option<u128> {
        let Some(&size) = sizes.get(at) else { return Some(1) };
        if !self.is_active(at, point) {
            return self.count_with(None, at, point, sizes, left);
        }
        if !self.is_parent(at) {
            // Which of its values it has makes no difference to the others.
            return Some(size.saturating_mul(self.count_with(Some(0.0), at, point, sizes, left)?));
        }
        let mut count = 0_u128;
        for i in 0..size as u64 {
            *left = left.checked_sub(1)?;
            let code = self.dimensions[at].domain.code_at(i);
            count = count.saturating_add(self.count_with(Some(code), at, point, sizes, left)?);
        }
        Some(count)
    }

    fn count_with(
        &self,
        code: Option<f64>,
        at: usize,
        point: &mut Point,
        sizes: &[u128],
        left: &mut u32,
    ) -> Option<u128> {
        point.0.push(code);
        let count = self.count_from(at + 1, point, sizes, left);
        point.0.pop();
        count
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::Domain;

    fn int(name: &str, n: i64) -> Dimension {
        Dimension::new(name, Domain::int(1, n, 1, false).unwrap())
    }

    #[test]
    fn points_are_counted_as_they_are_listed() {
        let space = Space::new(vec![
            int("a", 3),
            int("b", 4).when("a", vec![json!(2), json!(3)]),
            int("c", 5).when("b", vec![json!(4)]),
            int("d", 2),
        ])
        .unwrap();
        // (1 + 2 (3 + 5)) * 2
        assert_eq!(space.n_points(), Some(34));
        let points = space.points(34).unwrap();
        assert_eq!(points.len(), 34);
        assert!(points.iter().enumerate().all(|(i, p)| !points[..i].contains(p)));
        assert!(points.iter().all(|p| space.point(&space.params(p)).unwrap() == *p));
        assert_eq!(space.points(33), None);
    }

    #[test]
    fn ranges_without_a_step_have_no_count_and_huge_spaces_a_bound() {
        let line = Dimension::new("x", Domain::float(0.0, 1.0, None, false).unwrap());
        let space = Space::new(vec![int("a", 3), line]).unwrap();
        assert_eq!((space.n_points(), space.endless().map(Dimension::name)), (None, Some("x")));
        let huge = Space::new(vec![
            int("a", 2000),
            int("b", 2000),
            int("c", 7).when("a", vec![json!(1)]),
            int("d", 7).when("b", vec![json!(1)]),
        ])
        .unwrap();
        assert_eq!(huge.n_points(), Some(2000 * 2000 * 49));
    }

    #[test]
    fn a_thinned_space_fits_and_keeps_what_fits() {
        let line = |name: &str| Dimension::new(name, Domain::float(0.01, 1.0, None, true).unwrap());
        let list = Dimension::new("list", Domain::list((0..6).map(|i| json!(i)).collect()).unwrap());
        let space = Space::new(vec![int("rounds", 100), line("rate"), list, line("share"), line("penalty")]).unwrap();
        let thinned = space.thinned(100);
        let sizes: Vec<_> = thinned.dimensions().iter().map(|d| d.domain().n_values().unwrap()).collect();
        // 3 * 3 * 6 * 3 * 3 = 486 gives up values of the longest lists, the last first.
        assert_eq!(sizes, [3, 3, 2, 2, 2]);
        assert_eq!(thinned.thinned(100), thinned);
        let parent = Space::new(vec![int("a", 9), int("b", 90).when("a", vec![json!(1)])]).unwrap().thinned(20);
        assert_eq!(parent.n_points(), Some(8 + 3));
    }
}
