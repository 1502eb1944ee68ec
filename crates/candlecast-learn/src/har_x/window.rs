//! [`WindowSum`]: the sum of the last values, without a rounding error that stays.

/// The sum of the last `span` values.
///
/// Values are cut into blocks of `span`. A window is the end of one block and the beginning of the next, and the sums
/// of both are at hand. Nothing is ever subtracted: a bad tick leaves no rounding error behind, zeros sum to zero, and
/// what is not negative has no negative sum. A value costs O(1) on average.
#[derive(Debug, Clone)]
pub(super) struct WindowSum {
    span: usize,
    /// Values of the block under way, fewer than `span`.
    block: Vec<f64>,
    /// Their sum.
    sum: f64,
    /// Of the block before, `[k]`: the sum of its values from number `k` on. Empty before there is one.
    ends: Vec<f64>,
}

impl WindowSum {
    /// Nothing taken yet; `span` is at least 1.
    pub(super) fn new(span: usize) -> Self {
        Self { span, block: Vec::with_capacity(span), sum: 0.0, ends: Vec::new() }
    }

    /// Takes the next value.
    pub(super) fn push(&mut self, value: f64) {
        self.block.push(value);
        self.sum += value;
        if self.block.len() == self.span {
            std::mem::swap(&mut self.block, &mut self.ends);
            for k in (0..self.span - 1).rev() {
                self.ends[k] += self.ends[k + 1];
            }
            self.block.clear();
            self.sum = 0.0;
        }
    }

    /// The mean of the last `span` values; before there are as many, their sum over `span`.
    pub(super) fn mean(&self) -> f64 {
        let end = self.ends.get(self.block.len()).copied().unwrap_or(0.0);
        (end + self.sum) / self.span as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn means_are_those_of_the_last_values() {
        let mut rng = Seed(6).stream();
        let values: Vec<f64> = (0..300).map(|_| rng.normal().powi(2)).collect();
        for span in [1, 2, 7, 24, 100] {
            let mut window = WindowSum::new(span);
            for (i, &value) in values.iter().enumerate() {
                window.push(value);
                let plain: f64 = values[(i + 1).saturating_sub(span)..=i].iter().sum();
                assert!((window.mean() * span as f64 - plain).abs() < 1e-12 * plain, "{span} {i}");
            }
        }
    }

    #[test]
    fn a_bad_tick_leaves_nothing_behind() {
        let mut window = WindowSum::new(24);
        for value in [1e-7; 30].into_iter().chain([1e12]).chain([0.0; 24]) {
            window.push(value);
            assert!(window.mean() >= 0.0);
        }
        assert_eq!(window.mean(), 0.0);
        (0..24).for_each(|_| window.push(1e-7));
        assert!((window.mean() / 1e-7 - 1.0).abs() < 1e-12);
    }
}
