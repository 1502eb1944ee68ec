//! Resampling of series that depend on themselves: blocks of values in a row, drawn with replacement.
//!
//! A statistic of a resample strays from that of the series as that of the series strays from the truth, as long as
//! blocks are long enough to hold what neighbours have in common ([`block_lengths`](super::block_lengths)) and many
//! enough to differ. With few independent values resamples stray too little: of 720 origins over 24 steps, which are 30
//! outcomes that do not overlap, a test of a mean at 5 % rejects 9 % (`cargo xtask verify luck`). That is why verdicts
//! go by [`mean_above_zero`](super::mean_above_zero), whose size holds there, and intervals of what is no plain mean by
//! resamples.

use candlecast_core::{Seed, Stream};

/// Values in a row, `start..start + len`; behind the last value of the series comes the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Number of the first value.
    pub start: usize,
    /// How many, at least 1 and at most those of the series.
    pub len: usize,
}

/// How long the blocks of a resample are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// Lengths are drawn, too, from a geometric distribution, so that resamples are stationary (Politis and Romano 1994).
    Stationary,
    /// All of the same length, rounded up (Politis and Romano 1992).
    Circular,
}

/// Draws resamples of a series of a given length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resampler {
    kind: Blocks,
    values: usize,
    length: f64,
}

impl Resampler {
    /// Resamples of `values` values in blocks of the mean length `length`, which is brought within 1 and `values`.
    pub fn new(kind: Blocks, values: usize, length: f64) -> Self {
        Self { kind, values, length: length.max(1.0).min(values.max(1) as f64) }
    }

    /// Draws one resample into `blocks`, in place of what is there: together they have as many values as the series.
    pub fn draw(&self, rng: &mut Stream, blocks: &mut Vec<Block>) {
        blocks.clear();
        let mut left = self.values;
        while left > 0 {
            let start = rng.below(self.values);
            let len = self.block_length(rng).min(left);
            blocks.push(Block { start, len });
            left -= len;
        }
    }

    fn block_length(&self, rng: &mut Stream) -> usize {
        match self.kind {
            Blocks::Circular => self.length.ceil() as usize,
            // A block ends behind each value with the probability `1 / length`.
            Blocks::Stationary if self.length <= 1.0 => 1,
            Blocks::Stationary => {
                let kept = 1.0 - 1.0 / self.length;
                1 + ((1.0 - rng.uniform()).ln() / kept.ln()) as usize
            }
        }
    }
}

/// Sums over blocks of several series side by side, each in the time of two look-ups.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockSums {
    values: usize,
    means: Vec<f64>,
    /// `[value, series]`: sums of what lies before, without the means.
    sums: Vec<f64>,
}

impl BlockSums {
    /// Of series of the same length; those that are longer than the shortest are cut off.
    pub fn of(series: &[&[f64]]) -> Self {
        let values = series.iter().map(|x| x.len()).min().unwrap_or(0);
        let means: Vec<f64> = series.iter().map(|x| x[..values].iter().sum::<f64>() / values.max(1) as f64).collect();
        let mut sums = vec![0.0; series.len()];
        sums.reserve(values * series.len());
        for i in 0..values {
            for (k, x) in series.iter().enumerate() {
                sums.push(sums[i * series.len() + k] + (x[i] - means[k]));
            }
        }
        Self { values, means, sums }
    }

    /// Means of the series.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Means of the resample that consists of `blocks`, which must have a value, `[series]`.
    pub fn resampled_means(&self, blocks: &[Block], means: &mut [f64]) {
        means.fill(0.0);
        let (mut drawn, width) = (0, self.means.len());
        let before = |value: usize| &self.sums[value * width..(value + 1) * width];
        for block in blocks {
            drawn += block.len;
            let end = block.start + block.len;
            let inner = before(end.min(self.values)).iter().zip(before(block.start));
            means.iter_mut().zip(inner).for_each(|(mean, (to, from))| *mean += to - from);
            if end > self.values {
                means.iter_mut().zip(before(end - self.values)).for_each(|(mean, sum)| *mean += sum);
            }
        }
        means.iter_mut().zip(&self.means).for_each(|(mean, whole)| *mean = whole + *mean / drawn as f64);
    }

    /// Means of `replicates` resamples, `[replicate, series]`; nothing without values.
    pub fn replicated_means(&self, resampler: &Resampler, replicates: usize, seed: Seed) -> Vec<f64> {
        if self.values == 0 || resampler.values != self.values {
            return Vec::new();
        }
        let mut rng = seed.derive("bootstrap", 0).stream();
        let mut blocks = Vec::new();
        let mut means = vec![0.0; replicates * self.means.len()];
        for replicate in means.chunks_mut(self.means.len().max(1)) {
            resampler.draw(&mut rng, &mut blocks);
            self.resampled_means(&blocks, replicate);
        }
        means
    }
}

/// What `statistic` says of `replicates` resamples of `records`, which are drawn whole: what belongs together stays
/// together. Resamples for which it is undefined are left out.
pub fn replicated<T: Clone>(
    records: &[T],
    resampler: &Resampler,
    replicates: usize,
    seed: Seed,
    statistic: impl Fn(&[T]) -> Option<f64>,
) -> Vec<f64> {
    if records.is_empty() || resampler.values != records.len() {
        return Vec::new();
    }
    let mut rng = seed.derive("bootstrap", 0).stream();
    let (mut blocks, mut resample) = (Vec::new(), Vec::with_capacity(records.len()));
    let mut drawn = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        resampler.draw(&mut rng, &mut blocks);
        resample.clear();
        for block in &blocks {
            resample.extend((block.start..block.start + block.len).map(|i| records[i % records.len()].clone()));
        }
        drawn.extend(statistic(&resample).filter(|value| value.is_finite()));
    }
    drawn
}

/// A statistic and what it was in resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples {
    estimate: f64,
    /// Ascending.
    drawn: Vec<f64>,
}

impl Resamples {
    /// Of the statistic `estimate` of the series, which was `drawn` in its resamples. `None` with fewer than two of them
    /// or where anything is not finite.
    pub fn new(estimate: f64, mut drawn: Vec<f64>) -> Option<Self> {
        if drawn.len() < 2 || !estimate.is_finite() || drawn.iter().any(|value| !value.is_finite()) {
            return None;
        }
        drawn.sort_by(f64::total_cmp);
        Some(Self { estimate, drawn })
    }

    /// The statistic of the series.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// Standard deviation of the resamples, with divisor n - 1: the standard error of the statistic.
    pub fn standard_error(&self) -> f64 {
        let n = self.drawn.len() as f64;
        let mean = self.drawn.iter().sum::<f64>() / n;
        (self.drawn.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
    }

    /// The middle share `level` (0 to 1) of the resamples (Efron's percentile interval).
    pub fn percentile_interval(&self, level: f64) -> (f64, f64) {
        let outside = 0.5 * (1.0 - level.clamp(0.0, 1.0));
        (self.quantile(outside), self.quantile(1.0 - outside))
    }

    /// The same turned round the statistic: by as much as resamples stray above it, the truth may lie below it (the basic
    /// interval).
    pub fn basic_interval(&self, level: f64) -> (f64, f64) {
        let (lower, upper) = self.percentile_interval(level);
        (2.0 * self.estimate - upper, 2.0 * self.estimate - lower)
    }

    /// One-sided p-value that the truth is not above `bound`: how often a resample strays up by as much as the statistic
    /// lies above it, the statistic itself counted among them (Davison and Hinkley 1997, "Bootstrap Methods", 4.2).
    pub fn p_value_above(&self, bound: f64) -> f64 {
        let as_far = self.drawn.iter().filter(|value| **value - self.estimate >= self.estimate - bound).count();
        (1 + as_far) as f64 / (1 + self.drawn.len()) as f64
    }

    /// Two-sided p-value that the truth is `value`: twice that of the smaller side, at most 1.
    pub fn p_value_of(&self, value: f64) -> f64 {
        let below = self.drawn.iter().filter(|drawn| **drawn - self.estimate <= self.estimate - value).count();
        let other_side = (1 + below) as f64 / (1 + self.drawn.len()) as f64;
        (2.0 * self.p_value_above(value).min(other_side)).min(1.0)
    }

    /// Linear between the two nearest, as numpy's default (type 7 of Hyndman and Fan 1996).
    fn quantile(&self, share: f64) -> f64 {
        let at = share * (self.drawn.len() - 1) as f64;
        let below = (at as usize).min(self.drawn.len() - 1);
        let above = (below + 1).min(self.drawn.len() - 1);
        self.drawn[below] + (at - below as f64) * (self.drawn[above] - self.drawn[below])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::significance::{Serial, block_lengths, mean_above_zero};

    fn stream(name: &str, run: u64) -> Stream {
        Seed(17).derive(name, run).stream()
    }

    #[test]
    fn resamples_have_as_many_values_as_the_series_and_blocks_their_mean_length() {
        for (kind, length) in [(Blocks::Stationary, 7.3), (Blocks::Circular, 6.4), (Blocks::Stationary, 1.0)] {
            let resampler = Resampler::new(kind, 1_000, length);
            let (mut rng, mut blocks, mut n_blocks) = (stream("lengths", 0), vec![], 0);
            let mut starts = vec![0_usize; 4];
            for _ in 0..400 {
                resampler.draw(&mut rng, &mut blocks);
                assert_eq!(blocks.iter().map(|block| block.len).sum::<usize>(), 1_000);
                assert!(blocks.iter().all(|block| block.len > 0 && block.start < 1_000));
                blocks.iter().for_each(|block| starts[block.start / 250] += 1);
                n_blocks += blocks.len();
            }
            let mean = 400_000.0 / n_blocks as f64;
            // The last one is cut off where the resample is full.
            let expected = if kind == Blocks::Circular { 7.0 } else { length };
            assert!((mean / expected - 1.0).abs() < 0.03, "{kind:?} {length}: {mean}");
            let quarter = n_blocks as f64 / 4.0;
            assert!(starts.iter().all(|&n| (n as f64 / quarter - 1.0).abs() < 0.05), "{starts:?}");
        }
    }

    #[test]
    fn lengths_beyond_the_series_are_its_own() {
        let mut blocks = vec![Block { start: 9, len: 9 }];
        Resampler::new(Blocks::Circular, 5, 1e9).draw(&mut stream("long", 0), &mut blocks);
        assert!(blocks.len() == 1 && blocks[0].len == 5, "{blocks:?}");
        Resampler::new(Blocks::Stationary, 5, f64::NAN).draw(&mut stream("long", 1), &mut blocks);
        assert_eq!(blocks.iter().map(|block| block.len).collect::<Vec<_>>(), [1; 5]);
        Resampler::new(Blocks::Stationary, 0, 3.0).draw(&mut stream("long", 2), &mut blocks);
        assert!(blocks.is_empty());
    }

    proptest! {
        #[test]
        fn means_by_sums_are_those_of_the_values(
            x in prop::collection::vec(-1e3..1e3_f64, 1..60),
            drawn in prop::collection::vec((0..1_000_usize, 0..1_000_usize), 1..20),
        ) {
            let n = x.len();
            let blocks: Vec<Block> =
                drawn.iter().map(|&(start, len)| Block { start: start % n, len: 1 + len % n }).collect();
            let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
            let sums = BlockSums::of(&[&x, &squares]);
            let mut means = [0.0; 2];
            sums.resampled_means(&blocks, &mut means);
            let values: Vec<f64> = blocks.iter().flat_map(|b| (b.start..b.start + b.len).map(|i| x[i % n])).collect();
            let by_hand = values.iter().sum::<f64>() / values.len() as f64;
            let of_squares = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
            prop_assert!((means[0] - by_hand).abs() < 1e-9 && (means[1] - of_squares).abs() < 1e-6);
        }
    }

    #[test]
    fn a_statistic_of_resamples_is_that_of_their_values() {
        let x: Vec<f64> = (0..50).map(|i| f64::from(i).sin()).collect();
        let resampler = Resampler::new(Blocks::Stationary, x.len(), 4.0);
        let mean = |x: &[f64]| Some(x.iter().sum::<f64>() / x.len() as f64);
        let plain = replicated(&x, &resampler, 30, Seed(3), mean);
        let by_sums = BlockSums::of(&[&x]).replicated_means(&resampler, 30, Seed(3));
        assert_eq!((plain.len(), by_sums.len()), (30, 30));
        assert!(plain.iter().zip(&by_sums).all(|(a, b)| (a - b).abs() < 1e-12), "{plain:?} {by_sums:?}");
        assert_ne!(plain, replicated(&x, &resampler, 30, Seed(4), mean));
        assert!(replicated(&x[1..], &resampler, 30, Seed(3), mean).is_empty(), "of another length");
        assert!(replicated(&x, &resampler, 30, Seed(3), |_| None).is_empty());
    }

    #[test]
    fn intervals_and_p_values_by_hand() {
        let resamples = Resamples::new(2.0, vec![5.0, 1.0, 2.0, 3.0, 0.0]).unwrap();
        assert_eq!(resamples.percentile_interval(0.5), (1.0, 3.0));
        assert_eq!(resamples.percentile_interval(0.75), (0.5, 4.0));
        assert_eq!(resamples.basic_interval(0.75), (0.0, 3.5));
        assert!((resamples.standard_error() - 3.7_f64.sqrt()).abs() < 1e-12);
        // Above 0 by 2: one resample strays up by as much, that of 5. Below 5 by 3: none strays down by as much.
        assert_eq!((resamples.p_value_above(0.0), resamples.p_value_above(3.0)), (2.0 / 6.0, 5.0 / 6.0));
        assert_eq!((resamples.p_value_of(0.0), resamples.p_value_of(5.0)), (2.0 * 2.0 / 6.0, 2.0 / 6.0));
        assert_eq!(resamples.p_value_of(2.0), 1.0);
        assert_eq!(Resamples::new(2.0, vec![1.0]), None);
        assert_eq!(Resamples::new(f64::NAN, vec![1.0, 2.0]), None);
    }

    /// Share of tests at 5 %, of either side, that reject a true mean of 0, by resamples and by cosines.
    fn sizes(kind: Blocks, n: usize, horizon: usize) -> (f64, f64) {
        let runs = 300;
        let (mut by_blocks, mut by_cosines) = (0, 0);
        for run in 0..runs {
            let mut rng = stream("sizes", run);
            let shocks: Vec<f64> = (0..n + horizon).map(|_| rng.normal()).collect();
            let x: Vec<f64> = (0..n).map(|i| shocks[i..i + horizon].iter().sum()).collect();
            let lengths = block_lengths(&x).unwrap();
            let length = if kind == Blocks::Circular { lengths.circular } else { lengths.stationary };
            let resampler = Resampler::new(kind, n, length.max(2.0 * horizon as f64));
            let sums = BlockSums::of(&[&x]);
            let drawn = sums.replicated_means(&resampler, 299, Seed(run));
            let resamples = Resamples::new(sums.means()[0], drawn).unwrap();
            let p = mean_above_zero(&x, Serial { horizon, refit: 0 }).unwrap().p_value;
            by_blocks += usize::from(resamples.p_value_of(0.0) <= 0.1);
            by_cosines += usize::from(p < 0.05) + usize::from(p > 0.95);
        }
        (by_blocks as f64 / (2 * runs) as f64, by_cosines as f64 / (2 * runs) as f64)
    }

    /// Of 400 runs of the same design in numpy with the block lengths of arch: 5.1 and 4.4 % of values that are
    /// independent, 5.9 and 5.4 % of 2,160 outcomes over 24 steps.
    #[test]
    fn size_is_right_where_there_are_many_independent_values() {
        for kind in [Blocks::Stationary, Blocks::Circular] {
            for (n, horizon) in [(365, 1), (2_160, 24)] {
                let (by_blocks, by_cosines) = sizes(kind, n, horizon);
                assert!((0.025..0.09).contains(&by_blocks), "{kind:?} {n} {horizon}: {by_blocks}");
                assert!((0.025..0.08).contains(&by_cosines), "{kind:?} {n} {horizon}: {by_cosines}");
            }
        }
    }
}
