//! The figures of one group of steps.

use candlecast_learn::significance::diebold_mariano;
use candlecast_learn::{Accumulator, Outcome};

use crate::accuracy::{GroupAccuracy, Scored};
use crate::overlap;

/// Figures of `scored`, which is in order of origin and step; `None` without any. The verdict is still to be written.
pub(super) fn accuracy(scored: &[Scored], step_ms: i64) -> Option<GroupAccuracy> {
    let (first, last) = (scored.iter().map(|s| s.step).min()?, scored.iter().map(|s| s.step).max()?);
    let (mut model, mut naive) = (Accumulator::default(), Accumulator::default());
    for s in scored {
        let actual = (s.actual / s.base).ln();
        let outcome = |forecast: f64| Outcome::point(s.base, forecast, actual);
        model.add(&outcome((s.prediction / s.base).ln()));
        naive.add(&outcome(0.0));
    }
    let (metrics, naive) = (model.finish(), naive.finish());
    let losses = Losses::of(scored);
    let reach = i64::from(last) * step_ms;
    let independent = overlap::independent(&losses.origins, reach);
    let test = (independent >= overlap::MIN_INDEPENDENT)
        .then(|| diebold_mariano(&losses.model, &losses.naive, overlap::overlap(&losses.origins, reach)))
        .flatten();
    let intervals: Vec<(f64, f64, f64, f64)> =
        scored.iter().filter_map(|s| s.interval.map(|(lower, upper, level)| (lower, upper, level, s.actual))).collect();
    let inside = intervals.iter().filter(|(lower, upper, _, actual)| lower <= actual && actual <= upper).count();
    let of_intervals = |sum: f64| (!intervals.is_empty()).then(|| sum / intervals.len() as f64);
    Some(GroupAccuracy {
        steps: (first, last),
        n: scored.len(),
        origins: losses.origins.len(),
        independent,
        metrics,
        naive,
        skill: metrics.mae.zip(naive.mae).filter(|&(_, naive)| naive > 0.0).map(|(mae, naive)| 1.0 - mae / naive),
        n_directional: scored.len() - metrics.ties,
        coverage: of_intervals(inside as f64),
        level: of_intervals(intervals.iter().map(|i| i.2).sum()),
        n_intervals: intervals.len(),
        test,
        corrected: None,
        verdict: String::new(),
    })
}

/// Mean absolute errors of log returns, by origin.
struct Losses {
    origins: Vec<i64>,
    model: Vec<f64>,
    naive: Vec<f64>,
}

impl Losses {
    fn of(scored: &[Scored]) -> Self {
        let mut losses = Self { origins: vec![], model: vec![], naive: vec![] };
        for steps in scored.chunk_by(|a, b| a.origin == b.origin) {
            let mean = |loss: fn(&Scored) -> f64| steps.iter().map(loss).sum::<f64>() / steps.len() as f64;
            losses.origins.push(steps[0].origin);
            losses.model.push(mean(|s| (s.prediction / s.actual).ln().abs()));
            losses.naive.push(mean(|s| (s.base / s.actual).ln().abs()));
        }
        losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let scored = |hour: i64, prediction: f64, actual: f64, interval| Scored {
            origin: hour * 3_600_000,
            step: 1,
            base: 100.0,
            prediction,
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
        let found = accuracy(&log, 3_600_000).unwrap();
        let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-10, "{a:?} {b}");
        close(found.metrics.mae, (1.0 + 6.0 + 1.0 + 1.0) / 4.0);
        close(found.naive.mae, (3.0 + 4.0 + 0.0 + 1.0) / 4.0);
        close(found.skill, 1.0 - 9.0 / 8.0);
        close(found.metrics.rmse, (39.0_f64 / 4.0).sqrt());
        close(found.naive.rmse, (26.0_f64 / 4.0).sqrt());
        close(found.metrics.mape, 25.0 * (1.0 / 103.0 + 6.0 / 104.0 + 1.0 / 100.0 + 1.0 / 101.0));
        close(found.metrics.directional_accuracy, 0.5);
        assert_eq!((found.n_directional, found.naive.directional_accuracy), (2, None));
        close(found.coverage, 2.0 / 3.0);
        close(found.level, 2.6 / 3.0);
        assert_eq!((found.n, found.origins, found.independent, found.n_intervals), (4, 4, 4, 3));
        assert_eq!((found.steps, found.test), ((1, 1), None));
        assert!(accuracy(&[], 3_600_000).is_none());
    }

    #[test]
    fn losses_are_means_over_the_steps_of_an_origin() {
        let at = |origin, step, prediction| Scored { origin, step, base: 1.0, prediction, actual: 1.0, interval: None };
        let e = std::f64::consts::E;
        let losses = Losses::of(&[at(0, 1, e), at(0, 2, e * e), at(5, 1, 1.0)]);
        assert_eq!(losses.origins, [0, 5]);
        assert!((losses.model[0] - 1.5).abs() < 1e-12 && losses.model[1] == 0.0);
        assert_eq!(losses.naive, [0.0, 0.0]);
    }
}
