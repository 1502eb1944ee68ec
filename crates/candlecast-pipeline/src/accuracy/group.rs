//! The figures of one group of steps.

use candlecast_learn::Metrics;
use candlecast_learn::significance::{EValue, MIN_INDEPENDENT, VerdictCode, independent, interleaved};

use super::sums::PriceSums;
use super::{GroupAccuracy, LiveTest, recent};

/// Figures of a group; `None` without any prediction. The verdict is still to be written.
pub(super) fn accuracy(sums: &PriceSums, step_ms: i64) -> Option<GroupAccuracy> {
    if sums.origins.is_empty() {
        return None;
    }
    let metrics = Metrics { information_coefficient: None, ..sums.model.finish() };
    let naive = sums.naive.finish();
    let losses = Losses::of(sums, step_ms);
    let independent = independent(&losses.origins, i64::from(sums.last));
    let test = (independent >= MIN_INDEPENDENT).then(|| losses.test(sums.last)).flatten();
    let directions = sums.origins.iter().map(|(&origin, o)| (origin, o.last, o.hits, o.directions));
    let (coverage, level) = sums.intervals.shares();
    Some(GroupAccuracy {
        steps: (sums.first, sums.last),
        n: metrics.count,
        origins: losses.origins.len(),
        independent,
        metrics,
        naive,
        skill: metrics.mae.zip(naive.mae).filter(|&(_, naive)| naive > 0.0).map(|(mae, naive)| 1.0 - mae / naive),
        n_directional: metrics.count - metrics.ties,
        recent: recent::recent(directions, step_ms),
        coverage,
        level,
        n_intervals: sums.intervals.n,
        test,
        corrected: None,
        code: VerdictCode::TooFew,
        verdict: String::new(),
    })
}

/// By how much the model's absolute errors of log returns were smaller than naive's, by origin, averaged over the steps
/// in units of the root of the step. The volatility at the origin, in whose units verdicts are, divides differences and
/// bounds alike, so that it does not matter here.
struct Losses {
    /// In candles.
    origins: Vec<i64>,
    differences: Vec<f64>,
    /// Bounds of the differences, known at the origin: the size of the forecast, by the triangle inequality.
    bounds: Vec<f64>,
    /// The last close with a known outcome, in candles.
    known_to: i64,
}

impl Losses {
    fn of(sums: &PriceSums, step_ms: i64) -> Self {
        let candle = |origin: i64| origin.div_euclid(step_ms);
        let known = sums.origins.iter().map(|(&origin, o)| candle(origin) + i64::from(o.last));
        let mean = |sum: f64, n: u32| sum / f64::from(n);
        Self {
            origins: sums.origins.keys().map(|&origin| candle(origin)).collect(),
            differences: sums.origins.values().map(|o| mean(o.difference, o.n)).collect(),
            bounds: sums.origins.values().map(|o| mean(o.bound, o.n)).collect(),
            known_to: known.max().unwrap_or(0),
        }
    }

    /// Both sides of the test on the origins whose outcomes over all of `last` steps are known: what is known of a part
    /// of an outcome may still turn.
    fn test(&self, last: u32) -> Option<LiveTest> {
        let reach = i64::from(last);
        let n = self.origins.partition_point(|origin| origin + reach <= self.known_to);
        let of = |differences: &[f64]| interleaved(&self.origins[..n], differences, &self.bounds[..n], last as usize);
        let better = of(&self.differences[..n]);
        let turned: Vec<f64> = self.differences[..n].iter().map(|d| -d).collect();
        let p = |e: EValue| e.p_value();
        let (p_value, worse) = p(better).zip(p(of(&turned)))?;
        Some(LiveTest { e_value: better.e_value, p_value, worse, outcomes: better.outcomes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accuracy::Scored;

    fn sums(log: &[Scored]) -> PriceSums {
        let mut sums = PriceSums::default();
        log.iter().for_each(|scored| sums.add(scored));
        sums
    }

    #[test]
    fn figures_by_hand() {
        let scored = |hour: i64, prediction: f64, actual: f64, interval| Scored {
            origin: hour * 3_600_000,
            step: 1,
            base: 100.0,
            prediction,
            direction: None,
            actual,
            interval,
        };
        let log = [
            // Right and inside, wrong and outside, a tie of the price without interval, a tie of the prediction.
            scored(0, 102.0, 103.0, Some((100.0, 104.0, 0.9))),
            scored(1, 98.0, 104.0, Some((96.0, 100.0, 0.8))),
            scored(2, 101.0, 100.0, None),
            scored(3, 100.0, 101.0, Some((99.0, 101.0, 0.9))),
        ];
        let found = accuracy(&sums(&log), 3_600_000).unwrap();
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-10, "{a:?} {b}");
        close(found.metrics.mae, (1.0 + 6.0 + 1.0 + 1.0) / 4.0);
        close(found.naive.mae, (3.0 + 4.0 + 0.0 + 1.0) / 4.0);
        close(found.skill, 1.0 - 9.0 / 8.0);
        close(found.metrics.rmse, (39.0_f64 / 4.0).sqrt());
        close(found.naive.rmse, (26.0_f64 / 4.0).sqrt());
        close(found.metrics.mape, 25.0 * (1.0 / 103.0 + 6.0 / 104.0 + 1.0 / 100.0 + 1.0 / 101.0));
        close(found.metrics.directional_accuracy, 0.5);
        assert_eq!((found.n_directional, found.naive.directional_accuracy), (2, None));
        let recent = found.recent.unwrap();
        assert_eq!((recent.hits, recent.directions, recent.origins, recent.interval), (1, 2, 2, None));
        assert_eq!((recent.from.ms(), recent.to.ms()), (-3_600_000, 3 * 3_600_000));
        close(found.coverage, 2.0 / 3.0);
        close(found.level, 2.6 / 3.0);
        assert_eq!((found.n, found.origins, found.independent, found.n_intervals), (4, 4, 4, 3));
        assert_eq!((found.steps, found.test), ((1, 1), None));
        assert!(accuracy(&sums(&[]), 3_600_000).is_none());
    }

    #[test]
    fn differences_and_bounds_are_means_over_the_steps_of_an_origin() {
        let at = |hour: i64, step, prediction: f64, actual: f64| Scored {
            origin: hour * 3_600_000,
            step,
            base: 1.0,
            prediction: prediction.exp(),
            direction: None,
            actual: actual.exp(),
            interval: None,
        };
        let log = [at(0, 1, 0.2, 0.3), at(0, 4, 0.2, -0.1), at(5, 1, 0.0, 0.1)];
        let losses = Losses::of(&sums(&log), 3_600_000);
        assert_eq!((losses.origins.as_slice(), losses.known_to), ([0, 5].as_slice(), 6));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        // Step 1: 0.3 - 0.1; step 4 in units of 2: 0.1 - 0.3.
        close(losses.differences[0], 0.5 * (0.2 - 0.2 / 2.0));
        close(losses.bounds[0], 0.5 * (0.2 + 0.2 / 2.0));
        close(losses.differences[1], 0.0);
        close(losses.bounds[1], 0.0);
        // Of the second origin step 4 is not known yet, so that there is one outcome, which is no evidence.
        let test = losses.test(4).unwrap();
        assert_eq!(test.outcomes, 1);
        assert!(test.p_value == 1.0 && test.worse == 1.0, "{test:?}");
        assert!(losses.test(7).is_none(), "nothing is known over seven steps");
    }
}
