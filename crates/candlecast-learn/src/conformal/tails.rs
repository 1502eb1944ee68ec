//! [`Tails`]: the scores of one step in one state of the market, and how far to either side they reach.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::split::CALIBRATION_OUTCOMES;

/// Step size of the adaptation for outcomes that do not overlap.
const GAMMA: f64 = 0.01;
/// Known scores kept.
pub(super) const WINDOW: usize = CALIBRATION_OUTCOMES;
/// Scores below which a tail is that of the normal distribution.
const MIN_SCORES: usize = 50;
/// Scores of one state of the market below which those of all states are taken together.
const MIN_OWN: usize = 250;
/// Greatest miss rate that a side aims at.
const MAX_ALPHA: f64 = 0.5;

/// Signed scores `(actual - mean) / scale` of known outcomes, and the miss rate that each side aims at now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tails {
    below: f64,
    above: f64,
    /// Oldest first.
    scores: VecDeque<f32>,
    /// `scores` in ascending order.
    #[serde(skip)]
    sorted: Vec<f32>,
}

/// Of sorted lists together, the value of rank `rank` (1 is the least).
fn ranked(lists: &[&[f32]], rank: usize) -> f64 {
    if let [only] = lists {
        return f64::from(only[rank - 1]);
    }
    // Bisection over the bit patterns, which are in the order of the numbers.
    let (mut low, mut high) = (0_u32, u32::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        let value = of_key(middle);
        let up_to: usize = lists.iter().map(|list| list.partition_point(|s| s.total_cmp(&value).is_le())).sum();
        if up_to >= rank {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from(of_key(low))
}

/// The number whose place among all numbers, in the order of `total_cmp`, is `key`.
fn of_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key ^ (1 << 31) } else { !key })
}

/// Standard normal quantile of a share.
pub(super) fn normal(share: f64) -> f64 {
    statrs::function::erf::erf_inv(2.0 * share - 1.0) * std::f64::consts::SQRT_2
}

/// The scores that a quantile is taken from: those of one state of the market, or of all while it has few.
pub(super) struct Scores<'a> {
    lists: Vec<&'a [f32]>,
    n: usize,
}

impl<'a> Scores<'a> {
    pub(super) fn of(states: &'a [Tails], state: usize) -> Self {
        let own = states[state].sorted.as_slice();
        let lists = if own.len() >= MIN_OWN || states.len() == 1 {
            vec![own]
        } else {
            states.iter().map(|s| s.sorted.as_slice()).filter(|s| !s.is_empty()).collect()
        };
        let n = lists.iter().map(|list| list.len()).sum();
        Self { lists, n }
    }

    /// True where there are enough for quantiles of their own.
    pub(super) fn are_known(&self) -> bool {
        self.n >= MIN_SCORES
    }

    /// The score below which a share of outcomes is expected to lie: the order statistic of rank
    /// `floor((n + 1) share)` on the lower half and `ceil((n + 1) share)` on the upper one, so that a pair of tails
    /// covers at least what it claims.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        if self.n < MIN_SCORES {
            return normal(share);
        }
        let exact = (self.n as f64 + 1.0) * share;
        let rank = if share < 0.5 { exact.floor() } else { exact.ceil() };
        ranked(&self.lists, (rank as usize).clamp(1, self.n))
    }

    /// Share of the scores that are below `score`, ties counting half; `None` with fewer than 50.
    pub(super) fn place(&self, score: f64) -> Option<f64> {
        if self.n < MIN_SCORES {
            return None;
        }
        let count = |list: &&[f32]| {
            let below = list.partition_point(|&s| f64::from(s) < score);
            let ties = list[below..].partition_point(|&s| f64::from(s) <= score);
            below as f64 + 0.5 * ties as f64
        };
        Some((self.lists.iter().map(count).sum::<f64>() + 0.5) / (self.n as f64 + 1.0))
    }
}

impl Tails {
    /// Nothing known, for intervals that cover `level`.
    pub(super) fn new(level: f64) -> Self {
        let side = (1.0 - level) / 2.0;
        Self { below: side, above: side, scores: VecDeque::new(), sorted: vec![] }
    }

    /// With `scores`, oldest first, and miss rates `below` and `above`.
    pub(super) fn with(below: f64, above: f64, scores: impl Iterator<Item = f32>) -> Self {
        Self { below, above, scores: scores.collect(), sorted: vec![] }
    }

    /// Miss rates aimed at below and above.
    pub(super) fn alphas(&self) -> (f64, f64) {
        (self.below, self.above)
    }

    /// Known scores.
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Learns from an outcome known `lag` steps after its origin. Successive outcomes of step `lag` share all but one of
    /// their returns, so that one market move is counted `lag` times: each counts for that much less.
    pub(super) fn absorb(&mut self, score: f32, missed: Option<Missed>, level: f64, lag: usize) {
        if let Some(missed) = missed.filter(|_| self.sorted.len() >= MIN_SCORES) {
            let (side, rate) = ((1.0 - level) / 2.0, GAMMA / lag as f64);
            let least = 1.0 / (self.sorted.len() as f64 + 2.0);
            let moved = |alpha: f64, missed: bool| {
                (alpha + rate * (side - f64::from(u8::from(missed)))).clamp(least, MAX_ALPHA)
            };
            self.below = moved(self.below, missed == Missed::Below);
            self.above = moved(self.above, missed == Missed::Above);
        }
        if self.scores.len() == WINDOW
            && let Some(oldest) = self.scores.pop_front()
        {
            let at = self.sorted.partition_point(|s| s.total_cmp(&oldest).is_lt());
            self.sorted.remove(at);
        }
        self.scores.push_back(score);
        let at = self.sorted.partition_point(|s| s.total_cmp(&score).is_lt());
        self.sorted.insert(at, score);
    }

    pub(super) fn restore(&mut self) {
        self.sorted = self.scores.iter().copied().collect();
        self.sorted.sort_by(f32::total_cmp);
    }

    /// False for a state that no outcomes can have given.
    pub(super) fn is_sound(&self) -> bool {
        let rate = |alpha: f64| alpha > 0.0 && alpha <= MAX_ALPHA;
        rate(self.below)
            && rate(self.above)
            && self.scores.len() <= WINDOW
            && self.scores.iter().all(|score| score.is_finite())
    }
}

/// Where an outcome lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// Within the interval.
    Not,
    /// Below it.
    Below,
    /// Above it.
    Above,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(scores: impl Iterator<Item = f32>) -> Tails {
        let mut tails = Tails::with(0.05, 0.05, scores);
        tails.restore();
        tails
    }

    #[test]
    fn quantiles_are_order_statistics_and_normal_ones_before_there_are_any() {
        let states = [filled((1..=299).map(|i| i as f32))];
        let scores = Scores::of(&states, 0);
        assert_eq!((scores.quantile(0.05), scores.quantile(0.95), scores.quantile(0.5)), (15.0, 285.0, 150.0));
        assert!((scores.place(15.0).unwrap() - 0.05).abs() < 1e-9);
        let none = [Tails::new(0.9)];
        assert!((Scores::of(&none, 0).quantile(0.95) - 1.644_853_6).abs() < 1e-6);
        assert!(Scores::of(&none, 0).place(0.0).is_none());
    }

    #[test]
    fn a_state_with_few_scores_borrows_those_of_the_others() {
        let states = [filled((0..100).map(|i| 2.0 * i as f32)), filled((0..100).map(|i| 2.0 * i as f32 + 1.0))];
        assert_eq!(Scores::of(&states, 0).quantile(0.5), 100.0);
        assert_eq!(Scores::of(&states, 1).n, 200);
    }

    #[test]
    fn overlapping_outcomes_move_the_rate_by_as_much_less_and_never_out_of_bounds() {
        let mut tails = filled((0..1_500).map(|i| i as f32));
        tails.absorb(1.0, Some(Missed::Below), 0.9, 1);
        assert!((tails.below - (0.05 + 0.01 * (0.05 - 1.0))).abs() < 1e-12);
        assert!((tails.above - (0.05 + 0.01 * 0.05)).abs() < 1e-12);
        let mut slow = filled((0..1_500).map(|i| i as f32));
        slow.absorb(1.0, Some(Missed::Below), 0.9, 24);
        assert!((slow.below - (0.05 - 0.01 / 24.0 * 0.95)).abs() < 1e-12);
        for _ in 0..1_000 {
            tails.absorb(1.0, Some(Missed::Below), 0.9, 1);
        }
        assert!((tails.below - 1.0 / 1_502.0).abs() < 1e-12 && tails.above <= 0.5);
        let before = tails.alphas();
        tails.absorb(0.0, None, 0.9, 1);
        assert_eq!(tails.alphas(), before, "an interval without width teaches nothing of misses");
    }
}
