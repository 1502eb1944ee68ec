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
}

/// How returns over the horizon become the classes SELL, HOLD, BUY.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum Labels {
    /// Percentiles of the training part's returns: below `low` is SELL, above `high` is BUY (shares, 0.25 and 0.75).
    Adaptive {
        /// Lower percentile as a share.
        low: f64,
        /// Upper percentile as a share.
        high: f64,
    },
    /// Log returns beyond `threshold` either way.
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
            Self::Price { horizon } | Self::Direction { horizon, .. } => horizon,
        }
    }

    /// Outputs a sample: the horizon for prices, the number of classes for directions.
    pub fn width(&self) -> usize {
        match *self {
            Self::Price { horizon } => horizon,
            Self::Direction { .. } => CLASSES,
        }
    }

    /// `price` or `direction`.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Price { .. } => "price",
            Self::Direction { .. } => "direction",
        }
    }
}

/// Log returns that separate the classes, found on the training part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// At or below: SELL (class 0).
    pub sell: f64,
    /// At or above: BUY (class 2).
    pub buy: f64,
}

impl Thresholds {
    /// Thresholds of `labels` on the log returns of the training part, `None` without returns.
    pub fn fit(labels: Labels, training_returns: &[f64]) -> Option<Self> {
        match labels {
            Labels::Fixed { threshold } => Some(Self { sell: -threshold, buy: threshold }),
            Labels::Adaptive { low, high } => {
                let mut sorted: Vec<f64> = training_returns.iter().copied().filter(|r| r.is_finite()).collect();
                sorted.sort_by(f64::total_cmp);
                let at = |share: f64| sorted.get(((sorted.len() as f64 - 1.0) * share).round() as usize).copied();
                Some(Self { sell: at(low)?, buy: at(high)? })
            }
        }
    }

    /// Class of a log return: 0 SELL, 1 HOLD, 2 BUY.
    pub fn class(self, log_return: f64) -> usize {
        if log_return <= self.sell {
            0
        } else if log_return >= self.buy {
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
    fn adaptive_thresholds_are_percentiles_of_the_training_part() {
        let returns: Vec<f64> = (-100..=100).map(f64::from).collect();
        let t = Thresholds::fit(Labels::Adaptive { low: 0.25, high: 0.75 }, &returns).unwrap();
        assert_eq!((t.sell, t.buy), (-50.0, 50.0));
        assert_eq!([t.class(-60.0), t.class(0.0), t.class(60.0)], [0, 1, 2]);
        assert!(Thresholds::fit(Labels::Adaptive { low: 0.25, high: 0.75 }, &[]).is_none());
    }
}
