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
    len: usize,
    block: Vec<A>,
    prefix: A,
    /// `suffix[k]` joins items `k..` of the last full block; empty before there is one.
    suffix: Vec<A>,
}

impl<A: Aggregate> Window<A> {
    /// A window of `len` items; 0 is taken as 1.
    pub(crate) fn new(len: usize) -> Self {
        let len = len.max(1);
        Self { len, block: Vec::with_capacity(len), prefix: A::EMPTY, suffix: Vec::new() }
    }

    /// Takes an item; the aggregate of the newest `len` items once there are as many.
    #[inline]
    pub(crate) fn push(&mut self, item: A) -> Option<A> {
        self.block.push(item);
        self.prefix = self.prefix.join(item);
        if self.block.len() < self.len {
            return self.suffix.get(self.block.len()).map(|older| older.join(self.prefix));
        }
        Some(self.turn())
    }

    /// Turns the full block into suffixes; its aggregate.
    fn turn(&mut self) -> A {
        let whole = self.prefix;
        self.suffix.clear();
        self.suffix.resize(self.len, A::EMPTY);
        let mut joined = A::EMPTY;
        for (slot, item) in self.suffix.iter_mut().zip(&self.block).rev() {
            joined = item.join(joined);
            *slot = joined;
        }
        self.block.clear();
        self.prefix = A::EMPTY;
        whole
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
