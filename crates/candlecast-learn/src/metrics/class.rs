//! [`ClassMetrics`] of forecasts of the classes SELL, HOLD, BUY.

use serde::{Deserialize, Serialize};

use crate::CLASSES;

/// Probabilities are kept this far from 0 and 1 in the log loss, so that one wrong certainty does not make it infinite.
const CLIP: f64 = 1e-15;

/// Metrics of one model over all scored origins. The class that a forecast names is the most probable one, the first
/// of equal ones. Shares are in 0..1; `None` where a value is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClassMetrics {
    /// Share of right classes.
    pub accuracy: Option<f64>,
    /// Mean recall of the classes that came true.
    pub balanced_accuracy: Option<f64>,
    /// Share of the forecasts of a class that were right, `[class]`; undefined for a class that was never forecast.
    pub precision: [Option<f64>; CLASSES],
    /// Share of the outcomes of a class that were forecast, `[class]`; undefined for a class that never came true.
    pub recall: [Option<f64>; CLASSES],
    /// Harmonic mean of both, `2 right / (forecast + actual)`, `[class]`; undefined for a class that is neither.
    pub f1: [Option<f64>; CLASSES],
    /// Mean precision of the classes that were forecast or came true; one that was never forecast counts as 0.
    pub macro_precision: Option<f64>,
    /// Mean recall of the same classes; one that never came true counts as 0.
    pub macro_recall: Option<f64>,
    /// Mean F1 of the same classes.
    pub macro_f1: Option<f64>,
    /// Matthews correlation coefficient of several classes (Gorodkin 2004); undefined when all forecasts or all
    /// outcomes are of one class.
    pub mcc: Option<f64>,
    /// Mean of `-ln p` of the class that came true, in nats; probabilities are clipped to `1e-15..1 - 1e-15`.
    pub log_loss: Option<f64>,
    /// Mean squared distance of the probabilities from the class that came true, summed over the classes: 0 to 2.
    pub brier: Option<f64>,
    /// Number of outcomes, `[actual class][forecast class]`.
    pub confusion: [[usize; CLASSES]; CLASSES],
    /// Number of outcomes.
    pub count: usize,
}

/// Sums for [`ClassMetrics`], fed one outcome at a time. They add up ([`merge`](Self::merge)), and are written into
/// records when the outcomes themselves are forgotten, so the fields keep their names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClassAccumulator {
    confusion: [[usize; CLASSES]; CLASSES],
    log_loss: f64,
    brier: f64,
}

impl ClassAccumulator {
    /// Adds one forecast, the probabilities of the classes, and the class that came true.
    pub fn add(&mut self, probabilities: [f64; CLASSES], actual: usize) {
        self.confusion[actual][most_probable(probabilities)] += 1;
        self.log_loss -= probabilities[actual].clamp(CLIP, 1.0 - CLIP).ln();
        for (class, p) in probabilities.into_iter().enumerate() {
            self.brier += (p - f64::from(u8::from(class == actual))).powi(2);
        }
    }

    /// Adds the outcomes that `other` was fed: counts are exact, sums those of all outcomes to rounding.
    pub fn merge(&mut self, other: &Self) {
        for (row, more) in self.confusion.iter_mut().zip(other.confusion) {
            for (count, more) in row.iter_mut().zip(more) {
                *count += more;
            }
        }
        self.log_loss += other.log_loss;
        self.brier += other.brier;
    }

    /// The metrics.
    pub fn finish(&self) -> ClassMetrics {
        let actual = self.confusion.map(|row| row.iter().sum::<usize>());
        let forecast: [usize; CLASSES] = std::array::from_fn(|c| self.confusion.iter().map(|row| row[c]).sum());
        let right: [usize; CLASSES] = std::array::from_fn(|c| self.confusion[c][c]);
        let count: usize = actual.iter().sum();
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let precision: [Option<f64>; CLASSES] = std::array::from_fn(|c| share(right[c], forecast[c]));
        let recall: [Option<f64>; CLASSES] = std::array::from_fn(|c| share(right[c], actual[c]));
        let f1: [Option<f64>; CLASSES] = std::array::from_fn(|c| share(2 * right[c], forecast[c] + actual[c]));
        // Of a class that is neither forecast nor actual F1 is undefined; these are the others.
        let occurring = f1.iter().flatten().count();
        let mean = |values: &[Option<f64>], n: usize| (n > 0).then(|| values.iter().flatten().sum::<f64>() / n as f64);
        let per = |sum: f64| (count > 0).then(|| sum / count as f64);
        ClassMetrics {
            accuracy: share(right.iter().sum(), count),
            balanced_accuracy: mean(&recall, recall.iter().flatten().count()),
            macro_precision: mean(&precision, occurring),
            macro_recall: mean(&recall, occurring),
            macro_f1: mean(&f1, occurring),
            mcc: matthews(right, forecast, actual),
            log_loss: per(self.log_loss),
            brier: per(self.brier),
            confusion: self.confusion,
            precision,
            recall,
            f1,
            count,
        }
    }
}

/// The class with the greatest probability, the first of equal ones.
fn most_probable(probabilities: [f64; CLASSES]) -> usize {
    (1..CLASSES).fold(0, |best, c| if probabilities[c] > probabilities[best] { c } else { best })
}

/// `(n r - sum f a) / sqrt((n^2 - sum f^2) (n^2 - sum a^2))` with `r` of `n` right, `f` forecasts and `a` outcomes of
/// each class.
fn matthews(right: [usize; CLASSES], forecast: [usize; CLASSES], actual: [usize; CLASSES]) -> Option<f64> {
    let inner =
        |x: [usize; CLASSES], y: [usize; CLASSES]| x.iter().zip(y).map(|(&x, y)| x as f64 * y as f64).sum::<f64>();
    let n = actual.iter().sum::<usize>() as f64;
    let covariance = |product: f64, other: f64| n * product - other;
    let (ff, aa, fa) = (inner(forecast, forecast), inner(actual, actual), inner(forecast, actual));
    let denominator = (covariance(n, ff) * covariance(n, aa)).sqrt();
    (denominator > 0.0).then(|| covariance(right.iter().sum::<usize>() as f64, fa) / denominator)
}

/// Area under the ROC curve of `score` for `positive` (ties count half); `None` with one class only.
pub fn roc_auc(score: &[f64], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let n_pos = positive.iter().filter(|&&p| p).count() as f64;
    let n_neg = positive.len() as f64 - n_pos;
    if n_pos == 0.0 || n_neg == 0.0 {
        return None;
    }
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < order.len() {
        let tied = order[i..].iter().take_while(|&&k| score[k] == score[order[i]]).count();
        let rank = i as f64 + f64::midpoint(tied as f64, 1.0);
        rank_sum += rank * order[i..i + tied].iter().filter(|&&k| positive[k]).count() as f64;
        i += tied;
    }
    Some((rank_sum - n_pos * (n_pos + 1.0) / 2.0) / (n_pos * n_neg))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forecasts of a class with a probability of 0.8, `(actual, forecast)`.
    fn accumulate(pairs: &[(usize, usize)]) -> ClassMetrics {
        let mut sums = ClassAccumulator::default();
        for &(actual, forecast) in pairs {
            sums.add(std::array::from_fn(|c| if c == forecast { 0.8 } else { 0.1 }), actual);
        }
        sums.finish()
    }

    #[test]
    fn metrics_by_hand() {
        // SELL is forecast 3 times, twice right; HOLD once, wrong; BUY once, right.
        let m = accumulate(&[(0, 0), (0, 0), (1, 0), (2, 1), (2, 2)]);
        let close = |x: Option<f64>, y: f64| assert!((x.unwrap() - y).abs() < 1e-12, "{x:?} {y}");
        assert_eq!((m.confusion, m.count), ([[2, 0, 0], [1, 0, 0], [0, 1, 1]], 5));
        close(m.accuracy, 0.6);
        close(m.balanced_accuracy, 0.5);
        close(m.precision[0], 2.0 / 3.0);
        close(m.recall[2], 0.5);
        close(m.f1[0], 0.8);
        close(m.f1[1], 0.0);
        close(m.macro_precision, (2.0 / 3.0 + 0.0 + 1.0) / 3.0);
        close(m.log_loss, -(3.0 * 0.8_f64.ln() + 2.0 * 0.1_f64.ln()) / 5.0);
        close(m.brier, (3.0 * 0.06 + 2.0 * (0.64 + 0.81 + 0.01)) / 5.0);
        // n r - sum f a = 15 - (3 * 2 + 1 * 1 + 1 * 2) = 6, n^2 - sum f^2 = 14, n^2 - sum a^2 = 16.
        close(m.mcc, 6.0 / (14.0_f64 * 16.0).sqrt());
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let pairs = [(0, 0), (0, 2), (1, 0), (2, 1), (2, 2), (1, 1)];
        let whole = accumulate(&pairs);
        let mut sums = [ClassAccumulator::default(); 2];
        for (i, &(actual, forecast)) in pairs.iter().enumerate() {
            sums[i % 2].add(std::array::from_fn(|c| if c == forecast { 0.8 } else { 0.1 }), actual);
        }
        let [mut merged, other] = sums;
        merged.merge(&serde_json::from_str(&serde_json::to_string(&other).unwrap()).unwrap());
        let merged = merged.finish();
        assert_eq!((merged.confusion, merged.count, merged.mcc), (whole.confusion, whole.count, whole.mcc));
        let close = |x: Option<f64>, y: Option<f64>| assert!((x.unwrap() - y.unwrap()).abs() < 1e-12, "{x:?} {y:?}");
        close(merged.log_loss, whole.log_loss);
        close(merged.brier, whole.brier);
    }

    #[test]
    fn what_never_occurs_is_undefined_and_no_part_of_the_means() {
        let m = accumulate(&[(0, 0), (1, 0), (1, 0)]);
        assert_eq!((m.precision[1], m.recall[2], m.f1[2], m.mcc), (None, None, None, None));
        assert_eq!((m.recall[1], m.f1[1]), (Some(0.0), Some(0.0)));
        assert_eq!(m.macro_precision, Some(1.0 / 6.0));
        assert_eq!(m.balanced_accuracy, Some(0.5));
        let none = ClassAccumulator::default().finish();
        assert_eq!(none, ClassMetrics::default());
    }

    #[test]
    fn a_wrong_certainty_costs_much_but_not_everything() {
        let mut sums = ClassAccumulator::default();
        sums.add([1.0, 0.0, 0.0], 2);
        let m = sums.finish();
        assert!((m.log_loss.unwrap() + 1e-15_f64.ln()).abs() < 1e-12);
        assert_eq!(m.brier, Some(2.0));
    }

    #[test]
    fn of_equal_probabilities_the_first_class_counts() {
        assert_eq!(most_probable([0.4, 0.4, 0.2]), 0);
        assert_eq!(most_probable([0.2, 0.4, 0.4]), 1);
        assert_eq!(most_probable([0.2, 0.3, 0.5]), 2);
    }

    #[test]
    fn auc_counts_ties_half() {
        // sklearn.metrics.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.75
        assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
        assert_eq!(roc_auc(&[0.5, 0.5], &[false, true]), Some(0.5));
        assert_eq!(roc_auc(&[0.5, 0.5], &[true, true]), None);
    }
}
