//! [`Stretches`]: standard errors of means over samples whose outcomes overlap.

use candlecast_learn::Samples;

/// Steps of a stretch at least: what is wild or calm stays so for hours, and so do the errors of neighbours.
const LEAST_STEPS: usize = 24;

/// Samples in order of time, cut into stretches that are at least as long as their outcomes reach, so that an outcome
/// reaches into the next stretch and no farther.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stretches {
    /// Where each ends, `[stretch]`.
    ends: Vec<usize>,
}

impl Stretches {
    /// Stretches of `max(step, 24)` candles of `samples`, which are in order of time and whose outcomes reach over
    /// `step` candles. They are cut by time: samples of several series at one time lie in one stretch.
    pub(crate) fn of(samples: &Samples<'_>, step: usize) -> Self {
        let Some(first) = samples.ids().first() else { return Self { ends: vec![] } };
        let interval = samples.data().panels()[first.panel as usize].market().series().key().interval.ms();
        let length = step.max(LEAST_STEPS) as i64 * interval;
        let mut ends = Vec::new();
        let mut start = samples.origin_time(0).0;
        for i in 1..samples.len() {
            let time = samples.origin_time(i).0;
            if time - start >= length {
                ends.push(i);
                start = time;
            }
        }
        ends.push(samples.len());
        Self { ends }
    }

    /// Mean of `values`, `[sample]`, and its standard error; `None` of fewer than two stretches.
    ///
    /// With `e` the sum of a stretch's deviations from the mean, `B` stretches and `n` samples, the variance of the mean
    /// is `B / (B - 1) (sum e_b^2 + 2 max(0, sum e_b e_(b+1))) / n^2`: since only neighbours share outcomes, no other
    /// product has an expected value. That stretches are of different sizes does no harm (cluster-robust errors, Liang
    /// and Zeger 1986).
    pub(crate) fn mean_and_error(&self, values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
        let count = self.ends.len();
        if count < 2 {
            return None;
        }
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let mut start = 0;
        let deviations: Vec<f64> = self
            .ends
            .iter()
            .map(|&end| {
                let sum = values[start..end].iter().map(|value| value - mean).sum::<f64>();
                start = end;
                sum
            })
            .collect();
        let own: f64 = deviations.iter().map(|e| e * e).sum();
        let neighbours: f64 = deviations.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let few = count as f64 / (count as f64 - 1.0);
        Some((mean, (few * (own + 2.0 * neighbours.max(0.0))).sqrt() / n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{FeatureTable, Seed};
    use candlecast_learn::{Dataset, SampleId, Task};
    use candlecast_testkit::{World, normals};

    fn world(n: usize, horizon: usize) -> World {
        let returns: Vec<f64> = normals(n, &mut Seed(1).stream()).iter().map(|v| 0.01 * v).collect();
        World::new(&returns, &FeatureTable::default(), 32, 1, Task::Price { horizon })
    }

    #[test]
    fn stretches_are_a_day_or_an_outcome_long() {
        let world = world(232, 1);
        let samples = world.part(0.0, 1.0);
        assert_eq!(samples.len(), 199);
        assert_eq!(Stretches::of(&samples, 1).ends, [24, 48, 72, 96, 120, 144, 168, 192, 199]);
        assert_eq!(Stretches::of(&samples, 80).ends, [80, 160, 199]);
        assert_eq!(Stretches::of(&samples, 288).ends, [199]);
        assert!(Stretches::of(&samples.slice(0..0), 1).ends.is_empty());
    }

    #[test]
    fn samples_of_one_time_lie_in_one_stretch_and_gaps_count() {
        let world = world(232, 1);
        let panel = &world.data.panels()[0];
        let data = Dataset::new(vec![panel.clone(), panel.clone()]);
        let at = |row: u32| [SampleId { panel: 0, row }, SampleId { panel: 1, row }];
        let ids: Vec<SampleId> = (40..60).chain(100..120).flat_map(at).collect();
        let samples = Samples::new(&data, &ids, 1, world.task, None);
        assert_eq!(Stretches::of(&samples, 1).ends, [40, 80]);
    }

    #[test]
    fn a_single_stretch_has_no_error() {
        assert_eq!(Stretches { ends: vec![3] }.mean_and_error([1.0, 2.0, 3.0].into_iter()), None);
        assert_eq!(Stretches { ends: vec![] }.mean_and_error(std::iter::empty()), None);
    }

    #[test]
    fn the_error_is_that_of_the_formula() {
        // Mean 3; deviations of the stretches -3, 0, 3: no neighbours agree.
        let stretches = Stretches { ends: vec![2, 3, 5] };
        let (mean, error) = stretches.mean_and_error([1.0, 2.0, 3.0, 4.0, 5.0].into_iter()).unwrap();
        assert_eq!(mean, 3.0);
        assert!((error - (1.5 * 18.0_f64).sqrt() / 5.0).abs() < 1e-12, "{error}");
        // Mean 2.5; deviations -3, -1, 4 of one stretch each: the first two agree, the last two do not.
        let stretches = Stretches { ends: vec![2, 3, 4] };
        let (mean, error) = stretches.mean_and_error([0.0, 2.0, 1.5, 6.5].into_iter()).unwrap();
        assert_eq!(mean, 2.5);
        assert!((error - (1.5 * 26.0_f64).sqrt() / 4.0).abs() < 1e-12, "{error}");
        let (_, error) = stretches.mean_and_error([0.0, 1.0, 2.0, 7.0].into_iter()).unwrap();
        // Deviations -4, -0.5, 4.5: 36.5 and 2 (2 - 2.25) < 0.
        assert!((error - (1.5 * 36.5_f64).sqrt() / 4.0).abs() < 1e-12, "{error}");
    }

    /// Returns over 12 candles from every candle: their mean has twelve times the variance of independent ones.
    #[test]
    fn means_of_overlapping_returns_are_as_uncertain_as_said() {
        let horizon = 12;
        let (mut squares, mut stated) = (0.0, 0.0);
        for seed in 0..300 {
            let returns: Vec<f64> = normals(700, &mut Seed(seed).stream()).iter().map(|v| 0.01 * v).collect();
            let world = World::new(&returns, &FeatureTable::default(), 32, 1, Task::Price { horizon });
            let samples = world.part(0.0, 1.0);
            let values = (0..samples.len()).map(|i| samples.return_over_horizon(i));
            let (mean, error) = Stretches::of(&samples, horizon).mean_and_error(values).unwrap();
            squares += mean * mean;
            stated += error * error;
        }
        let ratio = stated / squares;
        assert!((0.75..1.35).contains(&ratio), "the stated variance is {ratio} of the true one");
    }
}
