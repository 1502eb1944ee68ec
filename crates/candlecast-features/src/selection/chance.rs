//! [`AgainstChance`]: a measure of dependence beside what the same columns give when they are out of step.
//!
//! Neighbouring returns over a horizon overlap, and most features move slowly: columns that have nothing to do with
//! each other look related far more often than independent samples would. Turning one of them around a circle keeps
//! how each moves in time and breaks what ties them to each other, so that what is measured then is chance.

use candlecast_core::Stream;

/// `k` random offsets around a circle of `n` samples, each at least `least` samples (at most a quarter of the circle)
/// from no offset at all; none for fewer than four samples. Offsets may repeat.
pub fn circular_shifts(n: usize, k: usize, least: usize, rng: &mut Stream) -> Vec<usize> {
    if n < 4 {
        return Vec::new();
    }
    let least = least.clamp(1, n / 4);
    (0..k).map(|_| least + rng.below(n - 2 * least + 1)).collect()
}

/// A statistic, high where dependence is strong, beside its values by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgainstChance {
    /// The statistic in step.
    pub value: f64,
    /// Its mean over the shifts; `None` without shifts.
    pub chance: Option<f64>,
    /// Share of values by chance that are no less, the value itself counted among them: `(1 + r) / (1 + k)` (Davison
    /// and Hinkley 1997). One-sided; with 50 shifts at least 0.0196. `None` without shifts.
    pub p_value: Option<f64>,
}

impl AgainstChance {
    /// `statistic(shift)` in step (shift 0) and at each of `shifts`.
    pub fn of(shifts: &[usize], statistic: impl Fn(usize) -> f64) -> Self {
        let value = statistic(0);
        if shifts.is_empty() {
            return Self { value, chance: None, p_value: None };
        }
        let by_chance: Vec<f64> = shifts.iter().map(|&shift| statistic(shift)).collect();
        let k = by_chance.len() as f64;
        let reached = by_chance.iter().filter(|v| **v >= value).count() as f64;
        Self { value, chance: Some(by_chance.iter().sum::<f64>() / k), p_value: Some((1.0 + reached) / (1.0 + k)) }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::super::{Classes, mutual_information};
    use super::*;

    #[test]
    fn shifts_keep_their_distance_and_repeat_for_a_seed() {
        let draw = |n, least| circular_shifts(n, 200, least, &mut Seed(3).stream());
        let shifts = draw(1_000, 50);
        assert_eq!(shifts, draw(1_000, 50));
        assert_eq!(shifts.len(), 200);
        assert!(shifts.iter().all(|s| (50..=950).contains(s)), "{shifts:?}");
        assert!(shifts.iter().any(|s| *s < 300) && shifts.iter().any(|s| *s > 700));
        assert!(draw(10, 5_000).iter().all(|s| (2..=8).contains(s)));
        assert!(draw(3, 1).is_empty());
    }

    #[test]
    fn p_values_count_what_reaches_the_value() {
        let rises = AgainstChance::of(&[1, 2, 3, 4], |shift| shift as f64);
        assert_eq!(rises, AgainstChance { value: 0.0, chance: Some(2.5), p_value: Some(1.0) });
        let falls = AgainstChance::of(&[1, 2, 3, 4], |shift| -(shift as f64));
        assert_eq!(falls, AgainstChance { value: 0.0, chance: Some(-2.5), p_value: Some(0.2) });
        assert_eq!(AgainstChance::of(&[], |_| 1.0).p_value, None);
    }

    /// Slow columns share information by chance; the shifts know it, the bias correction does not.
    #[test]
    fn slow_columns_are_not_taken_for_related() {
        let slow = |label: &str, k: u64| -> Vec<f64> {
            let mut rng = Seed(11).derive(label, k).stream();
            let mut level = 0.0;
            (0..3_000)
                .map(|_| {
                    level = 0.98 * level + rng.normal();
                    level
                })
                .collect()
        };
        let tests: Vec<AgainstChance> = (0..40)
            .map(|k| {
                let (x, y) = (Classes::equal_count(&slow("x", k), 10), Classes::equal_count(&slow("y", k), 10));
                let shifts = circular_shifts(3_000, 50, 200, &mut Seed(k).stream());
                AgainstChance::of(&shifts, |shift| mutual_information(&x, &y, shift))
            })
            .collect();
        assert!(tests.iter().all(|t| t.chance.is_some_and(|c| c > 0.01)), "chance is well above 0");
        // Expected are 4 of 40 at p <= 0.1; 13 or more would come once in 100,000 times.
        let false_alarms = tests.iter().filter(|t| t.p_value.is_some_and(|p| p <= 0.1)).count();
        assert!(false_alarms < 13, "{false_alarms}");
        let x = slow("x", 0);
        let y: Vec<f64> = x.iter().zip(slow("y", 0)).map(|(x, y)| x + 0.5 * y).collect();
        let (x, y) = (Classes::equal_count(&x, 10), Classes::equal_count(&y, 10));
        let shifts = circular_shifts(3_000, 50, 200, &mut Seed(1).stream());
        let related = AgainstChance::of(&shifts, |shift| mutual_information(&x, &y, shift));
        assert_eq!(related.p_value, Some(1.0 / 51.0));
    }
}
