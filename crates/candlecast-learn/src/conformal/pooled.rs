//! [`PooledConfidence`]: from the size of a forecast of a price to the probability that its direction is right, learnt
//! from all steps together.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::confidence::MIN_OUTCOMES;

/// Bins of the size, evenly spaced in `ln(size + 0.01)` from [`LEAST`] on.
const BINS: usize = 24;
/// Added to a size before its logarithm is taken, so that the least forecasts lie together.
const OFFSET: f64 = 0.01;
/// `ln(size + 0.01)` of the first bin, and the distance of bins: the last one begins at a size of about 5.
const LEAST: f64 = -4.605_170_185_988_091;
const SPACING: f64 = 0.27;
/// Days of a block of counts, and blocks kept: six months.
const BLOCK_DAYS: f64 = 7.0;
const BLOCKS: usize = 26;
/// Outcomes at chance that every fit begins with.
const PRIOR_OUTCOMES: f64 = 20.0;
/// The same for the slope over the steps: far ones have few independent outcomes, and steps differ little.
const STEP_PRIOR: f64 = 400.0;
/// Greatest confidence told.
const MAX: f64 = 0.99;
/// Steps of Newton's method.
const ITERATIONS: usize = 30;

/// Counts of a block by group of steps and bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counts {
    /// Origins that the block spans so far, by the outcomes of their first steps.
    origins: usize,
    /// Outcomes with a direction, `[group, bin]`; an outcome of step `h` counts `1 / h`, as successive ones overlap.
    all: Vec<f32>,
    /// Those whose direction was right.
    right: Vec<f32>,
}

/// `p = 1 / (1 + exp(-(a + b x + c ln h)))`, `x` being `ln(size + 0.01)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logistic {
    a: f64,
    b: f64,
    c: f64,
}

impl Logistic {
    /// Probability that the direction of a forecast of size `size` over `step` steps is right, 0.5 to 0.99.
    pub(super) fn probability(self, size: f64, step: usize) -> f64 {
        let bin = bin_of(size) as f64;
        // Beyond the bins there was nothing to learn from; within one, sizes differ.
        let x = (size + OFFSET).ln().clamp(LEAST, LEAST + SPACING * (bin + 1.0));
        sigmoid(self.a + self.b * x + self.c * (step as f64).ln()).clamp(0.5, MAX)
    }

    /// False for a map that no outcomes can have given.
    pub(super) fn is_sound(self) -> bool {
        self.a.is_finite() && self.b.is_finite() && self.c.is_finite()
    }
}

/// Logistic regression of "the direction was right" on the logarithm of the forecast's size, `|mean| / (sigma_t
/// sqrt h)`, and of the step, over the outcomes of the last six months and all steps. It begins with twenty outcomes at
/// chance, does not fall with the size, and tells no less than 0.5: a direction that is more often wrong than right is
/// told as a coin toss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PooledConfidence {
    /// Groups of steps: 1, 2, 3-4, 5-8, ...
    groups: usize,
    /// Outcomes of the first step since the beginning, up to where it no longer matters.
    known: usize,
    blocks: VecDeque<Counts>,
    map: Option<Logistic>,
}

fn group_of(step: usize) -> usize {
    step.next_power_of_two().trailing_zeros() as usize
}

fn bin_of(size: f64) -> usize {
    (((size + OFFSET).ln() - LEAST) / SPACING).clamp(0.0, BINS as f64 - 1.0) as usize
}

/// Least raw confidence that an ensemble has: that of a coin toss, half of the members going either way.
const LEAST_RAW: f64 = 0.25;

/// The size that stands for the raw confidence `raw` of an ensemble, 0 to 1: those from 0.25 to 1 lie evenly over all
/// bins, so that the logistic curve is one on the raw confidence itself.
pub(crate) fn size_of_confidence(raw: f64) -> f64 {
    let share = ((raw - LEAST_RAW) / (1.0 - LEAST_RAW)).clamp(0.0, 1.0);
    (LEAST + SPACING * BINS as f64 * share).exp() - OFFSET
}

impl PooledConfidence {
    /// Nothing known of forecasts over `horizon` steps.
    pub(super) fn new(horizon: usize) -> Self {
        Self { groups: group_of(horizon) + 1, known: 0, blocks: VecDeque::new(), map: None }
    }

    /// The outcome of the first step of another origin is known, whether or not its forecast had a direction; `per_day` is
    /// candles a day. A new block is begun where the last one is a week long, and
    /// then the map is fitted again.
    pub(super) fn pass(&mut self, per_day: f64) {
        let length = ((BLOCK_DAYS * per_day).round() as usize).max(1);
        if self.blocks.back().is_none_or(|block| block.origins >= length) {
            if self.blocks.len() == BLOCKS {
                self.blocks.pop_front();
            }
            let empty = vec![0.0; self.groups * BINS];
            self.blocks.push_back(Counts { origins: 0, all: empty.clone(), right: empty });
            self.refit();
        }
        if let Some(block) = self.blocks.back_mut() {
            block.origins += 1;
        }
        if self.map.is_none() && self.known >= MIN_OUTCOMES && self.known.is_multiple_of(24) {
            self.refit();
        }
    }

    /// Learns whether the direction of a forecast of size `size` over `step` steps was right.
    pub(super) fn absorb(&mut self, size: f64, step: usize, right: bool) {
        if step == 1 {
            self.known = (self.known + 1).min(1 << 20);
        }
        let at = group_of(step) * BINS + bin_of(size);
        let Some(block) = self.blocks.back_mut() else { return };
        if let (Some(all), Some(hits)) = (block.all.get_mut(at), block.right.get_mut(at)) {
            let weight = 1.0 / step as f32;
            *all += weight;
            *hits += if right { weight } else { 0.0 };
        }
    }

    /// Probability that the direction of a forecast of size `size` over `step` steps is right, 0.5 to 0.99; `None`
    /// before 200 outcomes are known.
    pub(super) fn probability(&self, size: f64, step: usize) -> Option<f64> {
        self.map.map(|map| map.probability(size, step))
    }

    /// The map as it is now; none before 200 outcomes are known.
    pub(super) fn map(&self) -> Option<Logistic> {
        self.map
    }

    fn refit(&mut self) {
        if self.known >= MIN_OUTCOMES {
            let sums = self.sums();
            let whole = fit(&sums, true);
            self.map = Some(if whole.b >= 0.0 { whole } else { fit(&sums, false) });
        }
    }

    /// `(x, ln step, outcomes, right ones)` of every cell that has any.
    fn sums(&self) -> Vec<[f64; 4]> {
        let mut sums = Vec::new();
        for group in 0..self.groups {
            // The middle of 2^(g-1)+1 .. 2^g on a logarithmic scale.
            let step = if group < 2 { (1 << group) as f64 } else { 0.75 * (1_u64 << group) as f64 };
            for bin in 0..BINS {
                let at = group * BINS + bin;
                let total = |counts: fn(&Counts) -> &Vec<f32>| {
                    self.blocks.iter().map(|block| f64::from(counts(block)[at])).sum::<f64>()
                };
                let (all, right) = (total(|c| &c.all), total(|c| &c.right));
                if all > 0.0 {
                    sums.push([LEAST + SPACING * (bin as f64 + 0.5), step.ln(), all, right]);
                }
            }
        }
        sums
    }

    /// False for a state that no outcomes can have given.
    pub(super) fn is_sound(&self, horizon: usize) -> bool {
        let cells = self.groups * BINS;
        let count = |block: &Counts| {
            block.all.len() == cells
                && block.right.len() == cells
                && block
                    .all
                    .iter()
                    .zip(&block.right)
                    .all(|(&all, &right)| all.is_finite() && (0.0..=all * 1.0001 + 1e-6).contains(&right))
        };
        self.groups == group_of(horizon) + 1
            && self.blocks.len() <= BLOCKS
            && self.blocks.iter().all(count)
            && self.map.is_none_or(Logistic::is_sound)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Penalised maximum likelihood by Newton's method; without `slope`, `b` is 0.
fn fit(sums: &[[f64; 4]], slope: bool) -> Logistic {
    let weight: f64 = sums.iter().map(|s| s[2]).sum();
    let mean = |k: usize| sums.iter().map(|s| s[2] * s[k]).sum::<f64>() / weight.max(f64::MIN_POSITIVE);
    let centre = [mean(0), mean(1)];
    // One outcome at chance carries the information 1/4 on the log odds.
    let prior = [PRIOR_OUTCOMES, PRIOR_OUTCOMES, STEP_PRIOR].map(|outcomes| outcomes / 4.0);
    let mut w = [0.0_f64; 3];
    for _ in 0..ITERATIONS {
        let (mut g, mut h) = ([0.0; 3], [[0.0; 3]; 3]);
        for s in sums {
            let x = [1.0, if slope { s[0] - centre[0] } else { 0.0 }, s[1] - centre[1]];
            let p = sigmoid(w[0] + w[1] * x[1] + w[2] * x[2]);
            for i in 0..3 {
                g[i] += (s[3] - s[2] * p) * x[i];
                for j in 0..3 {
                    h[i][j] += s[2] * p * (1.0 - p) * x[i] * x[j];
                }
            }
        }
        for i in 0..3 {
            g[i] -= prior[i] * w[i];
            h[i][i] += prior[i];
        }
        let step = solve(h, g);
        for i in 0..3 {
            w[i] += step[i].clamp(-2.0, 2.0);
        }
        if step.iter().all(|s| s.abs() < 1e-10) {
            break;
        }
    }
    Logistic { a: w[0] - w[1] * centre[0] - w[2] * centre[1], b: w[1], c: w[2] }
}

/// Solves a positive definite system of three equations.
fn solve(mut m: [[f64; 3]; 3], mut y: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        for j in i + 1..3 {
            let share = m[j][i] / m[i][i];
            let pivot = m[i];
            m[j].iter_mut().zip(pivot).for_each(|(v, p)| *v -= share * p);
            y[j] -= share * y[i];
        }
    }
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|j| m[i][j] * y[j]).sum();
        y[i] = (y[i] - known) / m[i][i];
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    /// Confidence at a typical size after `n` hourly origins whose forecasts over `steps` steps are right with
    /// probability `truth(size)`.
    fn told(n: usize, steps: &[usize], truth: impl Fn(f64) -> f64, seed: u64) -> PooledConfidence {
        let mut rng = Seed(seed).stream();
        let mut pooled = PooledConfidence::new(24);
        for _ in 0..n {
            pooled.pass(24.0);
            for &step in steps {
                let size = 0.2 * rng.uniform();
                let right = rng.uniform() < truth(size);
                pooled.absorb(size, step, right);
            }
        }
        pooled.refit();
        assert!(pooled.is_sound(24));
        pooled
    }

    #[test]
    fn fifty_six_of_a_hundred_are_told_as_fifty_five() {
        let pooled = told(4_000, &[1, 4, 24], |_| 0.56, 1);
        for step in [1, 4, 24] {
            let p = pooled.probability(0.1, step).unwrap();
            assert!((0.54..0.575).contains(&p), "{step}: {p}");
        }
    }

    #[test]
    fn surer_forecasts_are_told_as_such() {
        let pooled = told(4_000, &[1], |size| 0.5 + size, 2);
        assert!((pooled.probability(0.19, 1).unwrap() - 0.67).abs() < 0.05);
        assert!(pooled.probability(0.01, 1).unwrap() < 0.55);
        let grid: Vec<f64> = (1..100).map(|i| pooled.probability(f64::from(i) / 100.0, 1).unwrap()).collect();
        assert!(grid.windows(2).all(|w| w[0] <= w[1]));
    }

    #[test]
    fn noise_and_worse_than_noise_are_coin_tosses() {
        for seed in 0..20 {
            let p = told(3_000, &[1, 2, 24], |_| 0.5, 10 + seed).probability(0.1, 24).unwrap();
            assert!((0.5..0.55).contains(&p), "{seed}: {p}");
        }
        assert_eq!(told(3_000, &[1], |_| 0.4, 3).probability(0.1, 1), Some(0.5));
        // Sizes that say the opposite are no sizes.
        let falling = told(3_000, &[1], |size| 0.7 - size, 4);
        assert!((falling.probability(0.01, 1).unwrap() - falling.probability(0.2, 1).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn raw_confidences_lie_evenly_over_the_bins_and_are_calibrated() {
        let raw = |bin: usize| 0.25 + 0.75 * (bin as f64 + 0.5) / BINS as f64;
        assert!((0..BINS).all(|bin| bin_of(size_of_confidence(raw(bin))) == bin));
        assert_eq!((bin_of(size_of_confidence(0.0)), bin_of(size_of_confidence(1.0))), (0, 23));
        // Of ensembles whose raw confidence is a third too low.
        let mut rng = Seed(12).stream();
        let mut pooled = PooledConfidence::new(1);
        for _ in 0..4_000 {
            pooled.pass(24.0);
            let raw = 0.3 + 0.3 * rng.uniform();
            let right = rng.uniform() < 1.5 * raw;
            pooled.absorb(size_of_confidence(raw), 1, right);
        }
        pooled.refit();
        let told = |raw: f64| pooled.probability(size_of_confidence(raw), 1).unwrap();
        assert!((told(0.4) - 0.6).abs() < 0.04 && (told(0.55) - 0.825).abs() < 0.05, "{} {}", told(0.4), told(0.55));
    }

    #[test]
    fn too_few_outcomes_tell_nothing_and_old_ones_are_forgotten() {
        assert!(told(199, &[1], |_| 0.9, 5).probability(0.1, 1).is_none());
        let mut pooled = told(4_368, &[1], |_| 0.9, 6);
        for _ in 0..4_368 {
            pooled.pass(24.0);
            pooled.absorb(0.1, 1, false);
        }
        assert_eq!(pooled.probability(0.1, 1), Some(0.5));
    }
}
