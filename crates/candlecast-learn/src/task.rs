//! [`Task`]: what is predicted.

use serde::{Deserialize, Serialize};

/// What a learner predicts from an origin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Task {
    /// Log returns from the origin to each of the next `horizon` closes; width `horizon`.
    Price {
        /// Steps ahead.
        horizon: usize,
    },
    /// SELL, HOLD or BUY by the log return over `horizon` steps; width 3, probabilities in that order.
    Direction {
        /// Steps ahead.
        horizon: usize,
        /// How returns become classes.
        labels: Labels,
    },
    /// Natural logarithm of the realised variance of the next `horizon` steps, the sum of their squared log returns
    /// (not annualised); width 1.
    Volatility {
        /// Steps that the variance is summed over.
        horizon: usize,
    },
}

/// How returns over the horizon become the classes SELL, HOLD, BUY.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Labels {
    /// Percentiles of the training part's returns over the horizon in units of their expected size, `sigma sqrt(h)`
    /// with the volatility `sigma` at the origin: below `low` is SELL, above `high` is BUY (shares, 0.25 and 0.75).
    /// The classes keep their shares in calm and in wild times.
    Adaptive {
        /// Lower percentile as a share.
        low: f64,
        /// Upper percentile as a share.
        high: f64,
    },
    /// Log returns over the horizon beyond `threshold` either way.
    Fixed {
        /// Log return, above 0.
        threshold: f64,
    },
}

/// Number of direction classes: SELL, HOLD, BUY.
pub const CLASSES: usize = 3;

impl Task {
    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        match *self {
            Self::Price { horizon } | Self::Direction { horizon, .. } | Self::Volatility { horizon } => horizon,
        }
    }

    /// Outputs a sample: the horizon for prices, the number of classes for directions, 1 for the volatility.
    pub fn width(&self) -> usize {
        match *self {
            Self::Price { horizon } => horizon,
            Self::Direction { .. } => CLASSES,
            Self::Volatility { .. } => 1,
        }
    }

    /// `price`, `direction` or `volatility`.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Price { .. } => "price",
            Self::Direction { .. } => "direction",
            Self::Volatility { .. } => "volatility",
        }
    }
}

impl Labels {
    /// What the thresholds of these labels are measured in.
    pub fn unit(self) -> ThresholdUnit {
        match self {
            Self::Adaptive { .. } => ThresholdUnit::Volatility,
            Self::Fixed { .. } => ThresholdUnit::Return,
        }
    }
}

/// What [`Thresholds`] are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ThresholdUnit {
    /// The log return over the horizon. Thresholds that were saved without a unit are of this kind.
    #[default]
    Return,
    /// The log return over the horizon divided by the volatility at the origin times the root of the horizon.
    Volatility,
}

impl ThresholdUnit {
    /// A log return over the horizon in this unit; `scale` is the volatility at the origin times the root of the
    /// horizon, above 0.
    pub fn measure(self, log_return: f64, scale: f64) -> f64 {
        match self {
            Self::Return => log_return,
            Self::Volatility => log_return / scale,
        }
    }
}

/// Returns that separate the classes, found on the training part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// At or below: SELL (class 0).
    pub sell: f64,
    /// At or above: BUY (class 2).
    pub buy: f64,
    /// What both are measured in.
    #[serde(default)]
    pub unit: ThresholdUnit,
}

impl Thresholds {
    /// Thresholds of `labels` on the returns of the training part over the horizon, in [`Labels::unit`]; `None`
    /// without returns.
    pub fn fit(labels: Labels, training_returns: &[f64]) -> Option<Self> {
        let unit = labels.unit();
        match labels {
            Labels::Fixed { threshold } => Some(Self { sell: -threshold, buy: threshold, unit }),
            Labels::Adaptive { low, high } => {
                let mut sorted: Vec<f64> = training_returns.iter().copied().filter(|r| r.is_finite()).collect();
                sorted.sort_by(f64::total_cmp);
                let at = |share: f64| sorted.get(((sorted.len() as f64 - 1.0) * share).round() as usize).copied();
                Some(Self { sell: at(low)?, buy: at(high)?, unit })
            }
        }
    }

    /// Class of a log return over the horizon: 0 SELL, 1 HOLD, 2 BUY. `scale` is the volatility at the origin times
    /// the root of the horizon.
    pub fn class(self, log_return: f64, scale: f64) -> usize {
        let measured = self.unit.measure(log_return, scale);
        if measured <= self.sell {
            0
        } else if measured >= self.buy {
            2
        } else {
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adaptive_thresholds_are_percentiles_of_the_scaled_returns_of_the_training_part() {
        let returns: Vec<f64> = (-100..=100).map(f64::from).collect();
        let t = Thresholds::fit(Labels::Adaptive { low: 0.25, high: 0.75 }, &returns).unwrap();
        assert_eq!((t.sell, t.buy, t.unit), (-50.0, 50.0, ThresholdUnit::Volatility));
        assert_eq!([t.class(-60.0, 1.0), t.class(0.0, 1.0), t.class(60.0, 1.0)], [0, 1, 2]);
        assert_eq!([t.class(-60.0, 2.0), t.class(-100.0, 2.0), t.class(60.0, 1.2)], [1, 0, 2]);
        assert!(Thresholds::fit(Labels::Adaptive { low: 0.25, high: 0.75 }, &[]).is_none());
    }

    #[test]
    fn fixed_thresholds_are_plain_log_returns_whatever_the_volatility() {
        let t = Thresholds::fit(Labels::Fixed { threshold: 0.02 }, &[]).unwrap();
        assert_eq!(t.unit, ThresholdUnit::Return);
        for scale in [1e-5, 1.0, 100.0] {
            assert_eq!([t.class(-0.03, scale), t.class(0.01, scale), t.class(0.02, scale)], [0, 1, 2]);
        }
    }

    #[test]
    fn thresholds_saved_without_a_unit_are_log_returns() {
        let old: Thresholds = serde_json::from_str(r#"{"sell": -0.01, "buy": 0.02}"#).unwrap();
        assert_eq!(old, Thresholds { sell: -0.01, buy: 0.02, unit: ThresholdUnit::Return });
        let new = Thresholds { unit: ThresholdUnit::Volatility, ..old };
        let text = serde_json::to_string(&new).unwrap();
        assert!(text.contains(r#""unit":"volatility""#), "{text}");
        assert_eq!(serde_json::from_str::<Thresholds>(&text).unwrap(), new);
    }

    #[test]
    fn every_task_has_its_id_in_its_json() {
        let labels = Labels::Fixed { threshold: 0.01 };
        let tasks = [
            (Task::Price { horizon: 5 }, 5),
            (Task::Direction { horizon: 5, labels }, CLASSES),
            (Task::Volatility { horizon: 5 }, 1),
        ];
        for (task, width) in tasks {
            assert_eq!((task.horizon(), task.width()), (5, width));
            let value = serde_json::to_value(task).unwrap();
            assert_eq!(value["kind"], task.id());
            assert_eq!(serde_json::from_value::<Task>(value).unwrap(), task);
        }
    }
}
