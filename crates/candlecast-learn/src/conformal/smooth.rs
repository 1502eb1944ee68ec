//! Half-widths over the steps of one forecast: smooth, and not shrinking.

/// Steps to either side that are averaged: a quarter of the step.
const REACH: usize = 4;

/// Averages quantiles of scores, one a step, over neighbouring steps. Each step has its own scores, and neighbours, which
/// share nearly all of their returns, differ by chance alone.
pub(super) fn smooth(quantiles: &mut [f64]) {
    let n = quantiles.len();
    let mut sums = Vec::with_capacity(n + 1);
    sums.push(0.0);
    for (i, &q) in quantiles.iter().enumerate() {
        sums.push(sums[i] + q);
    }
    for (i, q) in quantiles.iter_mut().enumerate() {
        let reach = (i + 1) / REACH;
        let (from, to) = (i - reach, (i + reach + 1).min(n));
        *q = (sums[to] - sums[from]) / (to - from) as f64;
    }
}

/// Makes each width at least that of the step before.
pub(super) fn not_shrinking(widths: &mut [f64]) {
    let mut least = 0.0;
    for width in widths {
        least = width.max(least);
        *width = least;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_steps_stay_and_far_ones_are_averaged() {
        let mut q: Vec<f64> = (1..=24).map(|h| if h % 2 == 0 { 1.2 } else { 0.8 }).collect();
        smooth(&mut q);
        assert!(q.iter().zip([0.8, 1.2, 0.8]).all(|(q, own)| (q - own).abs() < 1e-12), "{q:?}");
        assert!(q[12..].windows(2).all(|w| (w[0] - w[1]).abs() < 0.08), "{q:?}");
        let mut same = [1.5; 7];
        smooth(&mut same);
        assert!(same.iter().all(|v| (v - 1.5).abs() < 1e-12));
    }

    #[test]
    fn widths_do_not_shrink() {
        let mut widths = [1.0, 0.5, 2.0, 1.9];
        not_shrinking(&mut widths);
        assert_eq!(widths, [1.0, 1.0, 2.0, 2.0]);
    }
}
