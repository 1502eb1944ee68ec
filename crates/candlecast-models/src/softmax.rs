//! Probabilities from scores.

/// Replaces scores by `exp(s) / sum(exp(s))`, without overflow.
pub(crate) fn softmax(scores: &mut [f64]) {
    let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for s in scores.iter_mut() {
        *s = (*s - top).exp();
        sum += *s;
    }
    for s in scores {
        *s /= sum;
    }
}
