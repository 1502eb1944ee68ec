//! Suspicious jumps: returns far beyond the spread of the others, found in one pass and bounded memory.
//!
//! A jump is a log return between consecutive candles with `|r| > 10 s`. The robust scale `s` is 1.4826 x the
//! median of `|r|` over the non-zero returns, that is the median absolute deviation about zero (Rousseeuw and
//! Croux 1993 for the factor; the median return itself is taken as zero), at least one price tick. The tick is
//! the smallest change of close seen.
//!
//! What is approximate: the median comes from a histogram of 256 bins an octave (off by at most 0.2 %). The
//! total is exact up to 4,096 jumps and counts histogram bins beyond. In a file out of order, candles are
//! consecutive within a chunk; returns from one chunk to the next are taken where the chunks follow each other.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use candlecast_core::Timestamp;

/// Jumps that a report lists.
pub const MAX_LISTED_JUMPS: usize = 100;
const KEPT: usize = 4_096;
const DEVIATIONS: f64 = 10.0;
/// Turns the median absolute deviation of normal values into their standard deviation.
const MAD_TO_SD: f64 = 1.4826;

/// One suspicious return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jump {
    /// Open time of the candle that jumped.
    pub open_time: Timestamp,
    /// ln(close / close before).
    pub log_return: f64,
    /// Candles missing between the two.
    pub missing_before: u64,
}

/// All suspicious returns of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Jumps {
    /// How many.
    pub total: u64,
    /// Robust standard deviation of log returns, 0 without any non-zero return.
    pub robust_sd: f64,
    /// The largest, at most [`MAX_LISTED_JUMPS`], largest first.
    pub list: Vec<Jump>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    jump: Jump,
    /// Close before the jump, which turns a tick into a return.
    before: f64,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |c: &Self| c.jump.log_return.abs();
        size(self).total_cmp(&size(other)).then(other.jump.open_time.cmp(&self.jump.open_time))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Collects returns.
#[derive(Debug)]
pub(crate) struct JumpTracker {
    sizes: Histogram,
    largest: BinaryHeap<Reverse<Candidate>>,
    tick: f64,
}

impl JumpTracker {
    pub(crate) fn new() -> Self {
        Self { sizes: Histogram::new(), largest: BinaryHeap::new(), tick: f64::INFINITY }
    }

    /// Notes the step from close `before` to `after`, both above zero.
    pub(crate) fn observe(&mut self, open_time: i64, before: f64, after: f64, missing_before: u64) {
        let log_return = (after / before).ln();
        if log_return == 0.0 || !log_return.is_finite() {
            return;
        }
        self.sizes.add(log_return.abs());
        self.tick = self.tick.min((after - before).abs());
        let full = self.largest.len() == KEPT;
        if full && self.largest.peek().is_some_and(|least| least.0.jump.log_return.abs() >= log_return.abs()) {
            return;
        }
        if full {
            self.largest.pop();
        }
        let jump = Jump { open_time: Timestamp(open_time), log_return, missing_before };
        self.largest.push(Reverse(Candidate { jump, before }));
    }

    pub(crate) fn finish(&self) -> Jumps {
        let Some(median) = self.sizes.median() else { return Jumps::default() };
        let robust_sd = MAD_TO_SD * median;
        let is_jump = |c: &Candidate| {
            let scale = robust_sd.max(self.tick / c.before);
            c.jump.log_return.abs() > DEVIATIONS * scale
        };
        let mut found: Vec<Candidate> = self.largest.iter().map(|c| c.0).filter(is_jump).collect();
        let beyond = if found.len() == KEPT { self.sizes.above(DEVIATIONS * robust_sd) } else { 0 };
        let total = beyond.max(found.len() as u64);
        found.sort_unstable_by(|a, b| b.cmp(a));
        let list = found.iter().take(MAX_LISTED_JUMPS).map(|c| c.jump).collect();
        Jumps { total, robust_sd, list }
    }
}

/// Bits of the mantissa that choose a bin within an octave.
const MANTISSA_BITS: u32 = 8;
const SHIFT: u32 = 52 - MANTISSA_BITS;
/// Octaves covered: 2^-60 to 2^11, which holds every log return of finite prices (below 1,500).
const LOWEST_EXPONENT: u64 = 1023 - 60;
const OCTAVES: usize = 71;
const FIRST_BIN: u64 = LOWEST_EXPONENT << MANTISSA_BITS;

/// Log-linear histogram of positive numbers: a bin is an exponent and the first bits of the mantissa.
#[derive(Debug)]
struct Histogram {
    bins: Vec<u64>,
    count: u64,
}

impl Histogram {
    fn new() -> Self {
        Self { bins: vec![0; OCTAVES << MANTISSA_BITS], count: 0 }
    }

    fn add(&mut self, x: f64) {
        let bin = (x.to_bits() >> SHIFT).saturating_sub(FIRST_BIN) as usize;
        let last = self.bins.len() - 1;
        self.bins[bin.min(last)] += 1;
        self.count += 1;
    }

    /// Lower median to the middle of its bin.
    fn median(&self) -> Option<f64> {
        let rank = self.count.checked_sub(1)? / 2;
        let mut below = 0;
        let bin = self.bins.iter().position(|n| {
            below += n;
            below > rank
        })?;
        Some(f64::from_bits(((bin as u64 + FIRST_BIN) << SHIFT) + (1 << (SHIFT - 1))))
    }

    /// Numbers in bins that begin above `x`.
    fn above(&self, x: f64) -> u64 {
        let bin = (x.to_bits() >> SHIFT).saturating_sub(FIRST_BIN) as usize;
        self.bins.iter().skip(bin + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices that go up and down by `size` in turn, with a planted move at each of `at`.
    fn walk(n: usize, size: f64, at: &[usize], planted: f64) -> Jumps {
        let mut tracker = JumpTracker::new();
        let mut price = 100.0_f64;
        for i in 0..n {
            let own = if i % 2 == 0 { size } else { -size };
            let next = price * (if at.contains(&i) { planted } else { own }).exp();
            tracker.observe(i as i64, price, next, 0);
            price = next;
        }
        tracker.finish()
    }

    #[test]
    fn planted_jumps_are_found_and_nothing_else() {
        let jumps = walk(1_000, 0.001, &[100, 700], 0.05);
        assert_eq!((jumps.total, jumps.list.len()), (2, 2));
        assert!((jumps.robust_sd / 0.0014826 - 1.0).abs() < 0.002, "{}", jumps.robust_sd);
        assert_eq!(jumps.list[0].open_time, Timestamp(100));
        assert_eq!(walk(1_000, 0.001, &[], 0.0).total, 0);
        assert_eq!(walk(1_000, 0.001, &[10], 0.0140).total, 0);
    }

    #[test]
    fn the_list_is_capped_and_the_total_is_not() {
        let at: Vec<usize> = (0..20_000).step_by(10).collect();
        let jumps = walk(20_000, 0.001, &at, 0.05);
        assert_eq!((jumps.total, jumps.list.len()), (2_000, MAX_LISTED_JUMPS));
        let many: Vec<usize> = (0..60_000).step_by(10).collect();
        assert_eq!(walk(60_000, 0.001, &many, 0.05).total, 6_000);
    }

    #[test]
    fn one_tick_is_no_jump() {
        let mut tracker = JumpTracker::new();
        for i in 0..100 {
            tracker.observe(i, 1.00, 1.01, 0);
        }
        // The price has fallen to a few ticks: one of 0.01 now is a return of -0.41, 28 times the spread.
        tracker.observe(100, 0.03, 0.02, 0);
        assert_eq!(tracker.finish().total, 0);
        tracker.observe(101, 1.00, 1.50, 0);
        assert_eq!(tracker.finish().total, 1);
        assert_eq!(JumpTracker::new().finish(), Jumps::default());
    }

    #[test]
    fn the_median_is_close_to_exact() {
        let mut histogram = Histogram::new();
        let mut values: Vec<f64> =
            (1..2_000).map(|i| 1e-6 * f64::from(i * 7919 % 2_003)).filter(|x| *x > 0.0).collect();
        for &x in &values {
            histogram.add(x);
        }
        values.sort_unstable_by(f64::total_cmp);
        let exact = values[(values.len() - 1) / 2];
        assert!((histogram.median().unwrap() / exact - 1.0).abs() < 0.002);
    }
}
