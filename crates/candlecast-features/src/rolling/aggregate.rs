//! What windows keep: sums, extremes, moments and joint moments.

use super::Aggregate;

/// `K` sums side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sums<const K: usize>(pub(crate) [f64; K]);

impl<const K: usize> Aggregate for Sums<K> {
    const EMPTY: Self = Self([0.0; K]);

    #[inline]
    fn join(mut self, newer: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(newer.0) {
            *a += b;
        }
        self
    }
}

/// Highest and lowest value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extremes {
    pub(crate) high: f64,
    pub(crate) low: f64,
}

impl Extremes {
    /// One item that spans `low..=high`.
    #[inline]
    pub(crate) fn of(high: f64, low: f64) -> Self {
        Self { high, low }
    }
}

impl Aggregate for Extremes {
    const EMPTY: Self = Self { high: f64::NEG_INFINITY, low: f64::INFINITY };

    #[inline]
    fn join(self, newer: Self) -> Self {
        Self { high: self.high.max(newer.high), low: self.low.min(newer.low) }
    }
}

/// Count, mean and sum of squared deviations; joined as by Chan, Golub and LeVeque (1979).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    n: f64,
    mean: f64,
    m2: f64,
}

impl Moments {
    /// One item.
    #[inline]
    pub(crate) fn of(x: f64) -> Self {
        Self { n: 1.0, mean: x, m2: 0.0 }
    }

    /// Mean; NaN without items.
    #[inline]
    pub(crate) fn mean(&self) -> f64 {
        if self.n > 0.0 { self.mean } else { f64::NAN }
    }

    /// Population variance; NaN without items.
    #[inline]
    pub(crate) fn variance(&self) -> f64 {
        self.m2 / self.n
    }

    /// Sample variance; NaN with fewer than two items.
    #[inline]
    pub(crate) fn sample_variance(&self) -> f64 {
        if self.n > 1.0 { self.m2 / (self.n - 1.0) } else { f64::NAN }
    }
}

impl Aggregate for Moments {
    const EMPTY: Self = Self { n: 0.0, mean: 0.0, m2: 0.0 };

    #[inline]
    fn join(self, newer: Self) -> Self {
        if self.n == 0.0 {
            return newer;
        }
        if newer.n == 0.0 {
            return self;
        }
        let n = self.n + newer.n;
        let share = newer.n / n;
        let d = newer.mean - self.mean;
        Self { n, mean: self.mean + d * share, m2: self.m2 + newer.m2 + d * d * self.n * share }
    }
}

/// Count, means and sums of squared and mixed deviations of pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoMoments {
    n: f64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl CoMoments {
    /// One pair.
    #[inline]
    pub(crate) fn of(x: f64, y: f64) -> Self {
        Self { n: 1.0, mean_x: x, mean_y: y, xx: 0.0, yy: 0.0, xy: 0.0 }
    }

    /// Pearson's correlation, within [-1, 1]; NaN where one side does not vary.
    #[inline]
    pub(crate) fn correlation(&self) -> f64 {
        if self.xx > 0.0 && self.yy > 0.0 {
            (self.xy / (self.xx.sqrt() * self.yy.sqrt())).clamp(-1.0, 1.0)
        } else {
            f64::NAN
        }
    }

    /// Population covariance; NaN without pairs.
    #[inline]
    pub(crate) fn covariance(&self) -> f64 {
        self.xy / self.n
    }

    /// Slope of y on x; NaN where x does not vary.
    #[inline]
    pub(crate) fn slope(&self) -> f64 {
        if self.xx > 0.0 { self.xy / self.xx } else { f64::NAN }
    }
}

impl Aggregate for CoMoments {
    const EMPTY: Self = Self { n: 0.0, mean_x: 0.0, mean_y: 0.0, xx: 0.0, yy: 0.0, xy: 0.0 };

    #[inline]
    fn join(self, newer: Self) -> Self {
        if self.n == 0.0 {
            return newer;
        }
        if newer.n == 0.0 {
            return self;
        }
        let n = self.n + newer.n;
        let share = newer.n / n;
        let (dx, dy) = (newer.mean_x - self.mean_x, newer.mean_y - self.mean_y);
        let weight = self.n * share;
        Self {
            n,
            mean_x: self.mean_x + dx * share,
            mean_y: self.mean_y + dy * share,
            xx: self.xx + newer.xx + dx * dx * weight,
            yy: self.yy + newer.yy + dy * dy * weight,
            xy: self.xy + newer.xy + dx * dy * weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_have_no_variance_at_all() {
        let joined = (0..100).fold(Moments::EMPTY, |m, _| m.join(Moments::of(0.1)));
        assert_eq!(joined.variance(), 0.0);
        assert_eq!(joined.mean(), 0.1);
        assert!(Moments::EMPTY.mean().is_nan() && Moments::of(1.0).sample_variance().is_nan());
    }

    #[test]
    fn pairs_on_a_line_are_fully_correlated() {
        let line = |slope: f64| {
            (0..20).fold(CoMoments::EMPTY, |m, i| m.join(CoMoments::of(f64::from(i), 3.0 + slope * f64::from(i))))
        };
        assert!((line(-2.0).correlation() + 1.0).abs() < 1e-12);
        assert!((line(-2.0).slope() + 2.0).abs() < 1e-12);
        assert!(line(0.0).correlation().is_nan());
        assert!((line(2.0).covariance() - 2.0 * 33.25).abs() < 1e-9);
    }
}
