//! [`Window`]: the aggregate of the newest `n` items by van Herk's and Gil-Werman's blocks.
//!
//! Items are never subtracted again: a window is the suffix of the last full block joined with the prefix of the
//! running one. Rounding therefore does not build up over a series, and a window of zeros is exactly zero.
//! Source: van Herk, Pattern Recognition Letters 13 (1992), generalised from minima to any associative join.

use std::fmt;

/// What a window keeps of its items: an associative join with an empty element.
pub(crate) trait Aggregate: fmt::Debug + Copy + Send + Sync + 'static {
    /// The aggregate of nothing.
    const EMPTY: Self;

    /// The aggregate of the items of `self` followed by those of `newer`.
    #[must_use]
    fn join(self, newer: Self) -> Self;
}

/// The newest `len` items.
#[derive(Debug, Clone)]
pub(crate) struct Window<A> {
    /// Items of the running block, the first `at` of them.
    block: Box<[A]>,
    at: usize,
    /// Those items joined.
    prefix: A,
    /// `suffix[k]` joins items `k..` of the last full block, once there is one.
    suffix: Box<[A]>,
    full: bool,
}

impl<A: Aggregate> Window<A> {
    /// A window of `len` items; 0 is taken as 1.
    pub(crate) fn new(len: usize) -> Self {
        let empty = vec![A::EMPTY; len.max(1)].into_boxed_slice();
        Self { block: empty.clone(), at: 0, prefix: A::EMPTY, suffix: empty, full: false }
    }

    /// Takes an item; the aggregate of the newest `len` items once there are as many.
    #[allow(clippy::inline_always, reason = "measured: out of line, aggregates go through memory at every row")]
    #[inline(always)]
    pub(crate) fn push(&mut self, item: A) -> Option<A> {
        self.block[self.at] = item;
        self.at += 1;
        self.prefix = self.prefix.join(item);
        match self.suffix.get(self.at) {
            Some(older) => self.full.then(|| older.join(self.prefix)),
            None => Some(self.turn()),
        }
    }

    /// Turns the full block into suffixes; its aggregate.
    #[inline(never)]
    fn turn(&mut self) -> A {
        let mut joined = A::EMPTY;
        for item in self.block.iter_mut().rev() {
            joined = item.join(joined);
            *item = joined;
        }
        std::mem::swap(&mut self.block, &mut self.suffix);
        self.at = 0;
        self.full = true;
        std::mem::replace(&mut self.prefix, A::EMPTY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolling::{Extremes, Moments, Sums};

    #[test]
    fn a_window_is_the_newest_items() {
        for len in [1, 2, 3, 7] {
            let mut sum = Window::new(len);
            let mut range = Window::new(len);
            let values: Vec<f64> = (0..50).map(|i| f64::from((i * 37) % 11)).collect();
            for i in 0..values.len() {
                let newest = (i + 1 >= len).then(|| &values[i + 1 - len..=i]);
                let s = sum.push(Sums([values[i]])).map(|s| s.0[0]);
                assert_eq!(s, newest.map(|v| v.iter().sum::<f64>()), "sum of {len} at {i}");
                let high = range.push(Extremes::of(values[i], values[i])).map(|e| e.high);
                assert_eq!(high, newest.map(|v| v.iter().copied().fold(f64::MIN, f64::max)));
            }
        }
    }

    #[test]
    fn nothing_is_left_of_a_great_value_that_went() {
        let mut window = Window::new(5);
        for x in [1e16, 0.1, 0.2, 0.3] {
            window.push(Sums([x]));
        }
        let mut last = None;
        for _ in 0..5 {
            last = window.push(Sums([0.0]));
        }
        assert_eq!(last.map(|s| s.0[0]), Some(0.0));
    }

    #[test]
    fn variance_survives_a_high_level() {
        let mut window = Window::new(100);
        let mut last = None;
        for i in 0..10_000 {
            last = window.push(Moments::of(1e9 + f64::from(i % 4)));
        }
        let variance = last.expect("the window is full").variance();
        assert!((variance - 1.25).abs() < 1e-6, "{variance}");
    }
}
