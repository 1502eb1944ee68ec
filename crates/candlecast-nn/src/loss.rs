//! [`Loss`]: the losses and their gradients, one row at a time.

use candlecast_learn::CLASSES;
use serde::{Deserialize, Serialize};

/// A training loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Loss {
    /// Mean squared error.
    Mse,
    /// Huber's loss: `e^2 / 2` within `delta`, `delta (|e| - delta / 2)` beyond.
    Huber {
        /// Where the square turns into the straight line, in units of the target; above 0.
        delta: f64,
    },
    /// Quantile loss: `quantile e` for a target above the output by `e`, `(quantile - 1) e` below.
    Pinball {
        /// Share of targets that should lie below the output, within (0, 1).
        quantile: f64,
    },
    /// Cross-entropy of the softmax against smoothed labels.
    CrossEntropy {
        /// Share of the label that is spread over all classes, within `[0, 1)`.
        smoothing: f64,
    },
    /// Focal loss (Lin et al. 2017): cross-entropy with each term weighted by `(1 - p)^gamma`.
    Focal {
        /// Focus on badly predicted samples; 0 is cross-entropy.
        gamma: f64,
        /// As in cross-entropy.
        smoothing: f64,
    },
}

impl Loss {
    /// True for the losses of classes, false for those of values.
    pub fn is_of_classes(self) -> bool {
        matches!(self, Self::CrossEntropy { .. } | Self::Focal { .. })
    }

    /// Mean loss of one row of outputs against its targets; each output is replaced by `scale` times the loss's
    /// derivative to it. 0 for a loss of classes.
    pub(crate) fn of_values(self, out: &mut [f32], targets: &[f32], scale: f32) -> f64 {
        let share = scale / out.len() as f32;
        let mut sum = 0.0;
        for (out, &target) in out.iter_mut().zip(targets) {
            let (loss, derivative) = self.of_error(*out - target);
            sum += f64::from(loss);
            *out = derivative * share;
        }
        sum / targets.len() as f64
    }

    /// Loss and derivative of one error `output - target`.
    fn of_error(self, e: f32) -> (f32, f32) {
        match self {
            Self::Mse => (e * e, 2.0 * e),
            Self::Huber { delta } => {
                let delta = delta as f32;
                if e.abs() <= delta { (0.5 * e * e, e) } else { (delta * (e.abs() - 0.5 * delta), delta * e.signum()) }
            }
            Self::Pinball { quantile } => {
                let q = quantile as f32;
                if e < 0.0 { (-q * e, -q) } else { ((1.0 - q) * e, 1.0 - q) }
            }
            Self::CrossEntropy { .. } | Self::Focal { .. } => (0.0, 0.0),
        }
    }

    /// Loss of one row of class scores; each score is replaced by `scale` times the loss's derivative to it.
    /// 0 for a loss of values.
    pub(crate) fn of_classes(self, scores: &mut [f32], class: usize, scale: f64) -> f64 {
        let (gamma, smoothing) = match self {
            Self::CrossEntropy { smoothing } => (0.0, smoothing),
            Self::Focal { gamma, smoothing } => (gamma, smoothing),
            Self::Mse | Self::Huber { .. } | Self::Pinball { .. } => return 0.0,
        };
        let (p, log_p) = log_softmax(scores);
        let (mut loss, mut slope, mut sum) = (0.0, [0.0; CLASSES], 0.0);
        for c in 0..CLASSES {
            let label = smoothing / CLASSES as f64 + if c == class { 1.0 - smoothing } else { 0.0 };
            let (l, s) = focal_term(p[c], log_p[c], gamma);
            loss += label * l;
            slope[c] = label * s;
            sum += slope[c];
        }
        for c in 0..CLASSES {
            scores[c] = (scale * (slope[c] - p[c] * sum)) as f32;
        }
        loss
    }
}

/// `-(1 - p)^gamma ln p` and its derivative to `ln p`.
fn focal_term(p: f64, log_p: f64, gamma: f64) -> (f64, f64) {
    if gamma == 0.0 {
        return (-log_p, -1.0);
    }
    // A rest of 0 would make its powers infinite for gamma below 1; the loss is 0 there in any case.
    let rest = (1.0 - p).max(1e-12);
    let weight = rest.powf(gamma);
    (-weight * log_p, gamma * weight / rest * p * log_p - weight)
}

/// Probabilities of class scores and their logarithms.
pub(crate) fn log_softmax(scores: &[f32]) -> ([f64; CLASSES], [f64; CLASSES]) {
    let mut log_p = [0.0; CLASSES];
    for (l, &s) in log_p.iter_mut().zip(scores) {
        *l = f64::from(s);
    }
    let top = log_p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = log_p.iter().map(|l| (l - top).exp()).sum::<f64>().ln() + top;
    for l in &mut log_p {
        *l -= log_sum;
    }
    (log_p.map(f64::exp), log_p)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences in f64 of a row's mean loss, against the derivatives that the loss writes. Both are
    /// rounded to f32: 2e-3 of the largest derivative.
    fn check_against_differences(row: &[f32], loss: impl Fn(&mut [f32]) -> f64) {
        let mut derivative = row.to_vec();
        loss(&mut derivative);
        let largest = derivative.iter().fold(0.0_f32, |a, d| a.max(d.abs()));
        for j in 0..row.len() {
            let h = 1e-3_f32;
            let at = |step: f32| {
                let mut moved = row.to_vec();
                moved[j] += step;
                (f64::from(moved[j]), loss(&mut moved))
            };
            let ((xa, a), (xb, b)) = (at(-h), at(h));
            let difference = (b - a) / (xb - xa);
            assert!(
                (difference - f64::from(derivative[j])).abs() <= 2e-3 * f64::from(largest),
                "{j}: {difference} {derivative:?}"
            );
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        let row = [0.7_f32, -1.4, 0.1, 2.5];
        let targets = [0.2_f32, 0.3, -2.0, 2.1];
        for loss in [Loss::Mse, Loss::Huber { delta: 1.0 }, Loss::Pinball { quantile: 0.3 }] {
            check_against_differences(&row, |r| loss.of_values(r, &targets, 1.0));
        }
        for loss in [
            Loss::CrossEntropy { smoothing: 0.0 },
            Loss::CrossEntropy { smoothing: 0.1 },
            Loss::Focal { gamma: 2.5, smoothing: 0.1 },
            Loss::Focal { gamma: 0.5, smoothing: 0.0 },
        ] {
            for class in 0..CLASSES {
                check_against_differences(&[0.3, -0.8, 1.1], |r| loss.of_classes(r, class, 1.0));
            }
        }
    }

    #[test]
    fn a_row_s_scale_reaches_its_gradient_and_nan_its_loss() {
        let (mut a, mut b) = ([0.3, -0.8, 1.1], [0.3, -0.8, 1.1]);
        let loss = Loss::CrossEntropy { smoothing: 0.0 };
        assert_eq!(loss.of_classes(&mut a, 1, 1.0), loss.of_classes(&mut b, 1, 0.25));
        assert!(a.iter().zip(b).all(|(a, b)| (a * 0.25 - b).abs() < 1e-7));
        assert!(loss.of_classes(&mut [f32::NAN, 0.0, 1.0], 0, 1.0).is_nan());
        assert!(loss.of_classes(&mut [0.0, f32::NAN, 1.0], 0, 1.0).is_nan());
        assert!(Loss::Huber { delta: 1.0 }.of_values(&mut [f32::NAN], &[0.0], 1.0).is_nan());
    }

    #[test]
    fn certain_predictions_have_finite_losses() {
        for gamma in [0.0, 0.5, 2.0] {
            let mut scores = [200.0, -200.0, 0.0];
            assert!(Loss::Focal { gamma, smoothing: 0.0 }.of_classes(&mut scores, 0, 1.0).abs() < 1e-9);
            assert!(scores.iter().all(|s| s.is_finite()));
        }
    }
}
