//! Whether what a fit has gained on the validation part is more than luck.

use std::collections::BTreeMap;

use candlecast_learn::Samples;

/// Candles of a block at least: losses of neighbouring origins hang together, whatever the horizon is.
const BLOCK_CANDLES: usize = 24;
/// Standard errors that a gain must exceed.
const STANDARD_ERRORS: f64 = 1.0;

/// The block of time of each of `samples`, of as many candles as the horizon has, at least [`BLOCK_CANDLES`]: losses
/// whose outcomes overlap fall into one block or into neighbours, in whichever market they are.
pub(super) fn blocks_of(samples: &Samples<'_>) -> Vec<i64> {
    let candles = samples.task().horizon().max(BLOCK_CANDLES) as i64;
    let interval = samples.data().panels().first().map_or(1, |panel| panel.market().series().key().interval.ms());
    (0..samples.len()).map(|i| samples.origin_time(i).ms().div_euclid(candles * interval)).collect()
}

/// True when the mean of `gains` is above 0 by more than one standard error that counts each of `blocks` as one
/// observation. With the mean `m` of `n` gains and the sum `s_b` of `gain - m` over block `b` of `k`, the standard
/// error is `sqrt(k / (k - 1) sum_b s_b^2) / n`. Fewer than two blocks prove nothing.
pub(super) fn is_beyond_luck(gains: &[f64], blocks: &[i64]) -> bool {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let mut sums: BTreeMap<i64, f64> = BTreeMap::new();
    for (gain, &block) in gains.iter().zip(blocks) {
        *sums.entry(block).or_insert(0.0) += gain - mean;
    }
    if sums.len() < 2 {
        return false;
    }
    let k = sums.len() as f64;
    let squares: f64 = sums.values().map(|sum| sum * sum).sum();
    mean > STANDARD_ERRORS * (k / (k - 1.0) * squares).sqrt() / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    /// Gains that are alike within a block of `length`: `mean` plus a normal number a block.
    fn gains(n: usize, length: usize, mean: f64, seed: u64) -> (Vec<f64>, Vec<i64>) {
        let mut rng = Seed(seed).stream();
        let of_block: Vec<f64> = (0..n.div_ceil(length)).map(|_| mean + rng.normal()).collect();
        ((0..n).map(|i| of_block[i / length]).collect(), (0..n).map(|i| (i / length) as i64).collect())
    }

    #[test]
    fn overlapping_gains_count_as_few() {
        // Without a mean, one standard error is exceeded in 16 % of draws whatever the length of the blocks.
        let share = |in_blocks: bool| {
            let lucky = (0..1_000).filter(|&seed| {
                let (gains, blocks) = gains(720, 24, 0.0, seed);
                let single: Vec<i64> = (0..720).collect();
                is_beyond_luck(&gains, if in_blocks { &blocks } else { &single })
            });
            lucky.count() as f64 / 1_000.0
        };
        assert!((share(true) - 0.16).abs() < 0.05, "{}", share(true));
        assert!(share(false) > 0.35, "taken for independent they would pass for {}", share(false));
    }

    #[test]
    fn a_gain_everywhere_is_beyond_luck_and_a_loss_is_not() {
        let blocks: Vec<i64> = (0..96).map(|i| i / 24).collect();
        assert!(is_beyond_luck(&[1e-6; 96], &blocks));
        assert!(!is_beyond_luck(&[0.0; 96], &blocks));
        assert!(!is_beyond_luck(&[-1e-6; 96], &blocks));
        let (gains, blocks) = gains(2_400, 24, 1.0, 3);
        assert!(is_beyond_luck(&gains, &blocks));
    }

    #[test]
    fn one_block_or_none_proves_nothing() {
        assert!(!is_beyond_luck(&[1.0; 20], &[7; 20]));
        assert!(!is_beyond_luck(&[], &[]));
    }

    #[test]
    fn the_standard_error_is_that_of_the_mean_of_the_blocks() {
        // Of two blocks with means 3 and `low` the mean is (3 + low) / 2, and its standard error (3 - low) / 2.
        let gains = |low: f64| [3.0, 3.0, low, low];
        assert!(is_beyond_luck(&gains(1.0), &[0, 0, 1, 1]));
        assert!(is_beyond_luck(&gains(0.01), &[0, 0, 1, 1]));
        assert!(!is_beyond_luck(&gains(-0.01), &[0, 0, 1, 1]));
    }
}
