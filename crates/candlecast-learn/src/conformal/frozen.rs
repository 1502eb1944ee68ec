//! [`FrozenCalibration`]: what a calibration tells of forecasts at one moment.

use serde::{Deserialize, Serialize};

use super::pooled::{Logistic, PooledConfidence};
use super::tails::{Scores, normal};
use super::{Calibrator, ForecastRow, Origin, REFERENCE, STATES, StepState, smooth};
use crate::confidence::ConfidenceMap;
use crate::task::Task;

/// Factors, widths of intervals and confidences as a calibration told them at one moment, without the outcomes that it
/// goes on learning by: what a forecast is told as is then a pure function of the forecast and its origin. Of the members
/// of an ensemble, that of the moment at which the ensemble was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenCalibration {
    /// Share of outcomes that intervals were to cover.
    level: f64,
    /// Power of the scales that scores are measured in.
    power: f64,
    /// `[claim]`.
    factors: Vec<f64>,
    /// Widths of the intervals in scores, in calm, middle and wild times, `[claim]`; none while too few outcomes were known,
    /// and of classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    widths: Vec<[f64; STATES]>,
    /// Confidence of directions (price task); none before 200 outcomes were known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directions: Option<Logistic>,
    /// Confidence of classes (direction task); likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    classes: Option<ConfidenceMap>,
}

/// What a member of an ensemble says of one claim, told by its own calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct MemberClaim {
    /// The mean times its factor, in log returns or log variance.
    pub(crate) mean: f64,
    /// Half the width of its interval, in the same unit; of no meaning for classes.
    pub(crate) half_width: f64,
    /// Probability that its direction or class is right, that of chance for want of outcomes; `None` where it has no
    /// direction.
    pub(crate) confidence: Option<f64>,
}

impl Calibrator {
    /// What it tells now.
    pub(crate) fn frozen(&self) -> FrozenCalibration {
        let state = &self.state;
        let knows = |step: &StepState| !step.states.is_empty() && Scores::of(&step.states, 0).are_known();
        let width = |step: &StepState, tercile: u8| {
            let (below, above) = step.reach(tercile, 1.0, 1.0);
            below + above
        };
        let widths = |step: &StepState| -> [f64; STATES] { std::array::from_fn(|tercile| width(step, tercile as u8)) };
        FrozenCalibration {
            level: state.level,
            power: state.power,
            factors: state.factors(),
            widths: if state.steps.iter().all(knows) { state.steps.iter().map(widths).collect() } else { vec![] },
            directions: state.pooled.as_ref().and_then(PooledConfidence::map),
            classes: state.steps.first().and_then(|step| step.confidence.clone()),
        }
    }
}

impl FrozenCalibration {
    /// What a forecast of `task` from `origin` is told as, `[claim]`. Half-widths are smoothed over the steps and do not
    /// shrink, as those of a [`Calibrator`]; without known scores they are those of a normal distribution.
    pub(crate) fn tell(&self, task: Task, origin: Origin, forecast: ForecastRow<'_>) -> Vec<MemberClaim> {
        let kind = task.kind();
        let claims = kind.claim(forecast, origin.sigma);
        let tercile = usize::from(origin.tercile).min(STATES - 1);
        let mut half_widths: Vec<f64> = self.widths.iter().map(|by_tercile| 0.5 * by_tercile[tercile]).collect();
        smooth::smooth(&mut half_widths);
        for (half_width, claim) in half_widths.iter_mut().zip(&claims) {
            *half_width *= REFERENCE * (claim.scale / REFERENCE).powf(self.power);
        }
        if half_widths.is_empty() {
            let plain = normal(0.5 * (1.0 + self.level));
            half_widths = claims.iter().map(|claim| plain * claim.scale).collect();
        }
        smooth::not_shrinking(&mut half_widths);
        let confidence = |size: f64, step: usize| match (self.directions, &self.classes) {
            (Some(map), _) => map.probability(size, step),
            (None, Some(map)) => map.probability(size),
            (None, None) => kind.chance(),
        };
        let told = |(k, claim): (usize, &crate::tasks::Claim)| MemberClaim {
            mean: self.factors[k] * claim.mean,
            half_width: half_widths[k],
            confidence: claim.size.map(|size| confidence(size, k + 1)),
        };
        claims.iter().enumerate().map(told).collect()
    }

    /// False for one that no calibration of forecasts of `task` can have been, such as one from a file that was edited.
    pub(crate) fn is_sound(&self, task: &Task) -> bool {
        let (claims, is_price) = (task.claims(), matches!(task, Task::Price { .. }));
        let is_direction = matches!(task, Task::Direction { .. });
        let is_width = |width: &f64| width.is_finite() && *width >= 0.0;
        self.level > 0.0
            && self.level < 1.0
            && (0.1..=1.0).contains(&self.power)
            && self.factors.len() == claims
            && self.factors.iter().all(|factor| (0.0..=2.0).contains(factor))
            && (self.widths.is_empty() || self.widths.len() == claims && !is_direction)
            && self.widths.iter().flatten().all(is_width)
            && self.directions.is_none_or(|map| is_price && map.is_sound())
            && self.classes.as_ref().is_none_or(|map| is_direction && map.is_sound())
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;
    use crate::Labels;
    use crate::conformal::CalibrationState;
    use crate::tasks::Borders;

    fn at(row: usize) -> Origin {
        Origin { row, sigma: 0.01, tercile: (row % 3) as u8 }
    }

    fn walk(n: usize) -> Vec<f64> {
        let mut rng = Seed(8).stream();
        let mut log_close = vec![0.0];
        for i in 1..n {
            log_close.push(log_close[i - 1] + 0.01 * rng.student_t(4));
        }
        log_close
    }

    const MEANS: [f64; 4] = [0.001, -0.002, 0.003, 0.004];
    const SCALES: [f64; 4] = [0.01, 0.014, 0.017, 0.02];

    fn forecast() -> ForecastRow<'static> {
        ForecastRow { means: &MEANS, scales: &SCALES, borders: None, confidences: &[] }
    }

    /// A calibrator that has gone through `n` rows.
    fn after(task: Task, n: usize, forecast: ForecastRow<'_>) -> Calibrator {
        let log_close = walk(n.max(1));
        let mut calibrator = Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0));
        for row in 0..n {
            calibrator.advance(row, &log_close);
            calibrator.issue(at(row), forecast, true);
        }
        calibrator
    }

    #[test]
    fn it_tells_what_the_calibrator_would_tell_now() {
        let task = Task::Price { horizon: 4 };
        for n in [1, 100, 2_500] {
            let mut calibrator = after(task, n, forecast());
            let frozen = calibrator.frozen();
            assert!(frozen.is_sound(&task), "{n}");
            let read: FrozenCalibration = serde_json::from_str(&serde_json::to_string(&frozen).unwrap()).unwrap();
            assert_eq!(read, frozen);
            let issued = calibrator.issue(at(n + 1), forecast(), false);
            let told = frozen.tell(task, at(n + 1), forecast());
            for (told, issued) in told.iter().zip(&issued) {
                assert_eq!((told.mean, told.confidence), (issued.mean, Some(issued.confidence)), "{n}");
                // Widths are kept from shrinking on either side there, here together.
                let half_width = 0.5 * (issued.upper - issued.lower);
                assert!((told.half_width / half_width - 1.0).abs() < 0.05, "{n}: {told:?} {issued:?}");
            }
        }
    }

    #[test]
    fn later_outcomes_do_not_change_it_and_a_forecast_of_no_change_has_no_confidence() {
        let task = Task::Price { horizon: 4 };
        let mut calibrator = after(task, 600, forecast());
        let frozen = calibrator.frozen();
        let log_close = walk(1_200);
        for row in 600..1_200 {
            calibrator.advance(row, &log_close);
            calibrator.issue(at(row), forecast(), true);
        }
        assert_ne!(calibrator.frozen(), frozen, "more outcomes are known by now");
        let naive = ForecastRow { means: &[0.0; 4], ..forecast() };
        assert!(frozen.tell(task, at(1), naive).iter().all(|claim| claim.confidence.is_none() && claim.mean == 0.0));
    }

    #[test]
    fn classes_have_a_confidence_and_no_width() {
        let task = Task::Direction { horizon: 2, labels: Labels::Fixed { threshold: 0.01 } };
        let borders = Some(Borders { sell: -0.01, buy: 0.01 });
        let forecast = ForecastRow { means: &[0.2, 0.3, 0.5], scales: &[1.0; 3], borders, confidences: &[] };
        let fresh = after(task, 1, forecast).frozen();
        assert_eq!(fresh.tell(task, at(2), forecast)[0].confidence, Some(1.0 / 3.0));
        let mut calibrator = after(task, 1_000, forecast);
        let frozen = calibrator.frozen();
        let told = frozen.tell(task, at(1_001), forecast);
        assert!(frozen.is_sound(&task) && !frozen.is_sound(&Task::Price { horizon: 1 }));
        assert_eq!(told[0].confidence, Some(calibrator.issue(at(1_001), forecast, false)[0].confidence));
    }
}
