//! Ensembles: forecasts of several members combined into one.

use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;
use crate::task::Task;
use crate::walk_forward::Forecasts;

/// How the forecasts of members are combined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "strategy", deny_unknown_fields)]
pub enum Combine {
    /// The mean.
    Average,
    /// The weighted mean.
    Weighted {
        /// One a member, not negative, not all 0; they are made to sum to 1.
        weights: Vec<f64>,
    },
    /// The weighted mean of the logarithms of variances, which is the logarithm of their geometric mean, and a factor
    /// that makes an expected variance of it ([`crate::Smearing`]). Of the volatility task only.
    Logarithmic {
        /// As those of `Weighted`; without any, all members weigh alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        weights: Option<Vec<f64>>,
    },
}

/// Everything that determines an ensemble besides data and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnsembleConfig {
    /// How forecasts are combined.
    pub combine: Combine,
    /// The members, at least two, of one task.
    pub members: Vec<Recipe>,
}

impl Combine {
    /// Weights of `n` members, summing to 1; why there are none, for people.
    pub fn weights(&self, n: usize) -> Result<Vec<f64>, String> {
        if n < 2 {
            return Err(format!("an ensemble of {n} is none: name two members or more"));
        }
        let weights = match self {
            Self::Average | Self::Logarithmic { weights: None } => return Ok(vec![1.0 / n as f64; n]),
            Self::Weighted { weights } | Self::Logarithmic { weights: Some(weights) } => weights,
        };
        if weights.len() != n {
            return Err(format!("{} weights for {n} members: give one each", weights.len()));
        }
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) || sum.is_nan() || sum <= 0.0 || sum.is_infinite() {
            return Err("weights must be numbers from 0 on, at least one of them above 0".into());
        }
        Ok(weights.iter().map(|w| w / sum).collect())
    }

    /// True for the mean of logarithms.
    pub(crate) fn is_of_logarithms(&self) -> bool {
        matches!(self, Self::Logarithmic { .. })
    }

    /// True for tasks whose forecasts can be combined so.
    pub fn suits(&self, task: &Task) -> bool {
        !self.is_of_logarithms() || matches!(task, Task::Volatility { .. })
    }
}

/// The weighted mean of the members' forecasts of the same origins: of log returns, of class probabilities, of
/// variances (whose logarithms the rows hold), or of these logarithms, without a factor. Scales are weighted alike.
pub(crate) fn combine(task: Task, how: &Combine, weights: &[f64], members: &[&Forecasts]) -> Forecasts {
    let mut out = Forecasts { borders: members[0].borders.clone(), ..Forecasts::empty(task.width()) };
    let mean = |value: &dyn Fn(&Forecasts) -> f64| -> f64 {
        members.iter().zip(weights).map(|(member, weight)| weight * value(member)).sum()
    };
    for i in 0..members[0].means.len() {
        out.means.push(match task {
            Task::Volatility { .. } if !how.is_of_logarithms() => {
                // From the greatest, so that no exponential overflows.
                let top = members.iter().map(|m| m.means[i]).fold(f64::NEG_INFINITY, f64::max);
                top + mean(&|m| (m.means[i] - top).exp()).ln()
            }
            Task::Price { .. } | Task::Direction { .. } | Task::Volatility { .. } => mean(&|m| m.means[i]),
        });
        out.scales.push(mean(&|m| m.scales[i]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecasts(means: &[f64]) -> Forecasts {
        Forecasts { means: means.to_vec(), scales: vec![1.0; means.len()], ..Forecasts::empty(means.len()) }
    }

    #[test]
    fn weights_are_one_a_member_and_sum_to_one() {
        assert_eq!(Combine::Average.weights(4), Ok(vec![0.25; 4]));
        let weighted = |weights: &[f64]| Combine::Weighted { weights: weights.to_vec() };
        assert_eq!(weighted(&[3.0, 1.0]).weights(2), Ok(vec![0.75, 0.25]));
        let logarithmic = |weights: Option<&[f64]>| Combine::Logarithmic { weights: weights.map(<[f64]>::to_vec) };
        assert_eq!(logarithmic(None).weights(2), Ok(vec![0.5; 2]));
        assert_eq!(logarithmic(Some(&[3.0, 1.0])).weights(2), Ok(vec![0.75, 0.25]));
        assert!(logarithmic(Some(&[3.0, -1.0])).weights(2).is_err());
        for (bad, n) in [(vec![1.0], 2), (vec![0.0, 0.0], 2), (vec![1.0, -1.0], 2), (vec![1.0, f64::NAN], 2)] {
            assert!(weighted(&bad).weights(n).is_err(), "{bad:?}");
        }
        assert!(Combine::Average.weights(1).is_err());
    }

    #[test]
    fn returns_and_probabilities_are_averaged_and_variances_before_their_logarithm() {
        let (a, b) = (forecasts(&[0.01, 0.03]), forecasts(&[0.03, -0.01]));
        let close = |x: f64, y: f64| assert!((x - y).abs() < 1e-12, "{x} {y}");
        let price = combine(Task::Price { horizon: 2 }, &Combine::Average, &[0.75, 0.25], &[&a, &b]);
        close(price.means[0], 0.015);
        close(price.means[1], 0.02);
        let (calm, wild) = (forecasts(&[(1e-4_f64).ln()]), forecasts(&[(3e-4_f64).ln()]));
        let task = Task::Volatility { horizon: 2 };
        let volatility = combine(task, &Combine::Average, &[0.5, 0.5], &[&calm, &wild]);
        close(volatility.means[0], (2e-4_f64).ln());
    }

    #[test]
    fn a_mean_of_logarithms_is_a_geometric_mean() {
        let (calm, wild) = (forecasts(&[(1e-4_f64).ln()]), forecasts(&[(16e-4_f64).ln()]));
        let (task, how) = (Task::Volatility { horizon: 2 }, Combine::Logarithmic { weights: None });
        for (weights, expected) in [([0.5, 0.5], 4e-4_f64), ([0.75, 0.25], 2e-4)] {
            let mean = combine(task, &how, &weights, &[&calm, &wild]);
            assert!((mean.means[0].exp() / expected - 1.0).abs() < 1e-12, "{weights:?}");
            assert_eq!(mean.scales, [1.0]);
        }
        assert!(how.suits(&task) && !how.suits(&Task::Price { horizon: 2 }) && Combine::Average.suits(&task));
    }

    #[test]
    fn what_files_say_of_the_means_that_there_were_is_read_and_written_as_before() {
        let logarithmic = |weights: Option<Vec<f64>>| Combine::Logarithmic { weights };
        for (text, how) in [
            (r#"{"strategy":"average"}"#, Combine::Average),
            (r#"{"strategy":"weighted","weights":[3.0,1.0]}"#, Combine::Weighted { weights: vec![3.0, 1.0] }),
            (r#"{"strategy":"logarithmic"}"#, logarithmic(None)),
            (r#"{"strategy":"logarithmic","weights":[3.0,1.0]}"#, logarithmic(Some(vec![3.0, 1.0]))),
        ] {
            assert_eq!(serde_json::from_str::<Combine>(text).unwrap(), how);
            assert_eq!(serde_json::to_string(&how).unwrap(), text);
        }
    }
}
