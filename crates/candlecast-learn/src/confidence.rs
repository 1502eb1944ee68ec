//! [`ConfidenceMap`]: from what a model says of its class to the probability that the class is right.

use serde::{Deserialize, Serialize};

/// Outcomes below which confidence is 0.5 and not calibrated.
pub const MIN_OUTCOMES: usize = 200;
/// Bins of equal count before the isotonic fit.
const BINS: usize = 10;
/// Weight of the prior at chance, in independent outcomes.
const PRIOR_OUTCOMES: f64 = 20.0;

/// A non-decreasing map from the probability that a model gives its class to the probability that the class is right.
///
/// Out-of-fold outcomes are put into bins of equal count. The share of right ones among all is shrunk to chance by a
/// prior of twenty independent outcomes, where `horizon` overlapping outcomes count as one; each bin's share is shrunk
/// to that of all by twenty more; the pool of adjacent violators makes the shares non-decreasing (isotonic
/// regression). Overlap is why the shrinking is needed: at 24 steps, 1,500 hourly outcomes are about 62 independent
/// ones, and a plain isotonic fit on noise would promise 60 % and more at its upper end. Shrinking every bin to chance
/// would count the prior ten times, and tell a model that is right in 56 % as one of 51.5 %.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceMap {
    /// Mean of `|mean| / scale` in each bin, ascending.
    at: Vec<f64>,
    /// Probability in each bin, non-decreasing.
    probability: Vec<f64>,
}

impl ConfidenceMap {
    /// Fits the map on outcomes `(|mean| / scale, right)` of step `step`, shrunk to `chance`; `None` for fewer than [`MIN_OUTCOMES`].
    pub fn fit(outcomes: &[(f32, bool)], step: usize, chance: f64) -> Option<Self> {
        if outcomes.len() < MIN_OUTCOMES {
            return None;
        }
        let mut sorted = outcomes.to_vec();
        // A stable sort: outcomes of one size stay in time order.
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let independent = outcomes.len() as f64 / step as f64;
        let right = outcomes.iter().filter(|o| o.1).count() as f64 / step as f64;
        let all = (right + chance * PRIOR_OUTCOMES) / (independent + PRIOR_OUTCOMES);
        let bins: Vec<(f64, f64, f64)> = equal_bins(&sorted)
            .map(|bin| {
                let n = bin.len() as f64;
                let at = bin.iter().map(|o| f64::from(o.0)).sum::<f64>() / n;
                let right = bin.iter().filter(|o| o.1).count() as f64 / n;
                let weight = n / step as f64;
                let p = (right * weight + all * PRIOR_OUTCOMES) / (weight + PRIOR_OUTCOMES);
                (at, p, weight)
            })
            .collect();
        let probability = isotonic(&bins.iter().map(|b| (b.1, b.2)).collect::<Vec<_>>());
        Some(Self { at: bins.iter().map(|b| b.0).collect(), probability })
    }

    /// False for a map that no outcomes can have given.
    pub(crate) fn is_sound(&self) -> bool {
        !self.at.is_empty()
            && self.at.len() == self.probability.len()
            && self.at.iter().all(|at| at.is_finite())
            && self.probability.iter().all(|p| (0.0..=1.0).contains(p))
    }

    /// Probability that the direction is right at `|mean| / scale`; linear between bins, flat beyond.
    pub fn probability(&self, size: f64) -> f64 {
        let k = self.at.partition_point(|&a| a <= size);
        if k == 0 {
            return self.probability[0];
        }
        if k == self.at.len() {
            return self.probability[k - 1];
        }
        let (a, b) = (self.at[k - 1], self.at[k]);
        let share = if b > a { (size - a) / (b - a) } else { 1.0 };
        self.probability[k - 1] + share * (self.probability[k] - self.probability[k - 1])
    }
}

/// Bins of about equal count; outcomes of one size are never parted.
fn equal_bins(sorted: &[(f32, bool)]) -> impl Iterator<Item = &[(f32, bool)]> {
    let per_bin = sorted.len().div_ceil(BINS).max(1);
    let mut rest = sorted;
    std::iter::from_fn(move || {
        let last = rest.get(per_bin.min(rest.len()).checked_sub(1)?)?.0;
        let end = rest.partition_point(|o| o.0.total_cmp(&last).is_le());
        let (bin, after) = rest.split_at(end);
        rest = after;
        Some(bin)
    })
}

/// Pool of adjacent violators on `(value, weight)`: the closest non-decreasing sequence.
fn isotonic(values: &[(f64, f64)]) -> Vec<f64> {
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for &(value, weight) in values {
        let mut block = (value, weight, 1);
        while let Some(&(v, w, n)) = blocks.last() {
            if v <= block.0 {
                break;
            }
            blocks.pop();
            block = ((v * w + block.0 * block.1) / (w + block.1), w + block.1, n + block.2);
        }
        blocks.push(block);
    }
    blocks.iter().flat_map(|&(v, _, n)| std::iter::repeat_n(v, n)).collect()
}

/// Calibration of confidences against what happened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reliability {
    /// `(mean confidence, share right, count)` by tenths of confidence that occur.
    pub table: Vec<(f64, f64, usize)>,
    /// Expected calibration error: mean absolute difference of the two, weighted by count.
    pub ece: Option<f64>,
    /// Brier score; 0.25 is a coin toss said to be one.
    pub brier: Option<f64>,
}

/// Sums for [`Reliability`].
#[derive(Debug, Clone, Copy, Default)]
pub struct ReliabilityAccumulator {
    bins: [(f64, f64, usize); 10],
    brier: f64,
}

impl ReliabilityAccumulator {
    /// Adds one confidence and whether the direction was right.
    pub fn add(&mut self, confidence: f64, right: bool) {
        let k = ((confidence * 10.0) as usize).min(9);
        let y = f64::from(u8::from(right));
        self.bins[k].0 += confidence;
        self.bins[k].1 += y;
        self.bins[k].2 += 1;
        self.brier += (confidence - y).powi(2);
    }

    /// The table and its scores.
    pub fn finish(&self) -> Reliability {
        let n: usize = self.bins.iter().map(|b| b.2).sum();
        let table: Vec<(f64, f64, usize)> =
            self.bins.iter().filter(|b| b.2 > 0).map(|&(c, y, k)| (c / k as f64, y / k as f64, k)).collect();
        let weighted: f64 = table.iter().map(|&(c, y, k)| (c - y).abs() * k as f64).sum();
        let per = |sum: f64| (n > 0).then(|| sum / n as f64);
        Reliability { ece: per(weighted), brier: per(self.brier), table }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn noise_is_called_a_coin_toss() {
        for k in 0..50 {
            let mut rng = Seed(3).derive("noise", k).stream();
            // Overlapping outcomes: the sign of a moving sum against a slowly changing forecast.
            let shocks: Vec<f64> = (0..1_600).map(|_| rng.normal()).collect();
            let outcomes: Vec<(f32, bool)> =
                (0..1_500).map(|i| (rng.uniform() as f32, shocks[i..i + 24].iter().sum::<f64>() > 0.0)).collect();
            let map = ConfidenceMap::fit(&outcomes, 24, 0.5).unwrap();
            for x in [0.0, 0.5, 1.0] {
                assert!((map.probability(x) - 0.5).abs() < 0.12, "{k}: {}", map.probability(x));
            }
        }
    }

    #[test]
    fn signal_is_found_and_monotone() {
        let mut rng = Seed(4).stream();
        let outcomes: Vec<(f32, bool)> = (0..4_000)
            .map(|_| {
                let x = rng.uniform();
                (x as f32, rng.uniform() < 0.5 + 0.4 * x)
            })
            .collect();
        let map = ConfidenceMap::fit(&outcomes, 1, 0.5).unwrap();
        assert!((map.probability(0.05) - 0.52).abs() < 0.06);
        assert!((map.probability(0.95) - 0.88).abs() < 0.06);
        let grid: Vec<f64> = (0..100).map(|i| map.probability(f64::from(i) / 100.0)).collect();
        assert!(grid.windows(2).all(|w| w[0] <= w[1]));
        assert!(ConfidenceMap::fit(&outcomes[..199], 1, 0.5).is_none());
    }

    #[test]
    fn coin_tosses_of_one_size_stay_coin_tosses() {
        let mut rng = Seed(8).stream();
        for sizes in [1, 3] {
            let outcomes: Vec<(f32, bool)> = (0..4_000).map(|i| ((i % sizes) as f32, rng.uniform() < 0.5)).collect();
            let map = ConfidenceMap::fit(&outcomes, 1, 0.5).unwrap();
            for size in 0..sizes {
                assert!((map.probability(f64::from(size)) - 0.5).abs() < 0.05);
            }
        }
    }

    #[test]
    fn isotonic_pools_violators() {
        assert_eq!(isotonic(&[(1.0, 1.0), (3.0, 1.0), (2.0, 1.0), (4.0, 1.0)]), [1.0, 2.5, 2.5, 4.0]);
        assert_eq!(isotonic(&[(3.0, 2.0), (0.0, 1.0)]), [2.0, 2.0]);
    }
}
