//! [`Seed`] and [`Stream`]: every random number in candlecast comes from a named, counter-based stream.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// The root of all randomness of a run. Equal seeds give equal results, at any thread count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Default for Seed {
    fn default() -> Self {
        Self(42)
    }
}

impl Seed {
    /// A seed of its own for one part of a run, named by what it is for and its number; independent of the
    /// order in which parts run. FNV-1a over the label, finished by SplitMix64.
    #[must_use]
    pub fn derive(self, label: &str, index: u64) -> Self {
        let mut h: u64 = 0xcbf2_9ce4_8422_2325 ^ self.0.rotate_left(17);
        for byte in label.bytes().chain(index.to_le_bytes()).chain(self.0.to_le_bytes()) {
            h = (h ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(h ^ (h >> 31))
    }

    /// The stream of random numbers of this seed.
    pub fn stream(self) -> Stream {
        Stream { rng: ChaCha8Rng::seed_from_u64(self.0), spare: None }
    }
}

/// A stream of random numbers (ChaCha8), the same on every platform.
#[derive(Debug, Clone)]
pub struct Stream {
    rng: ChaCha8Rng,
    spare: Option<f64>,
}

impl Stream {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Uniform in `[0, 1)` with 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform integer in `0..n` without bias (Lemire's rejection); 0 for `n == 0`.
    pub fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        let reject_below = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if (wide as u64) >= reject_below {
                return (wide >> 64) as usize;
            }
        }
    }

    /// Standard normal (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(z) = self.spare.take() {
            return z;
        }
        loop {
            let (u, v) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let k = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(v * k);
                return u * k;
            }
        }
    }

    /// Student's t with `dof` degrees of freedom (a whole number of at least 3), scaled to unit variance.
    pub fn student_t(&mut self, dof: usize) -> f64 {
        let z = self.normal();
        let chi2: f64 = (0..dof).map(|_| self.normal().powi(2)).sum();
        z / (chi2 / dof as f64).sqrt() * ((dof as f64 - 2.0) / dof as f64).sqrt()
    }

    /// Fisher-Yates shuffle.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_label() {
        let draw = |s: Seed| (0..8).map(|_| 0).scan(s.stream(), |r, _: i32| Some(r.next_u64())).collect::<Vec<_>>();
        assert_eq!(draw(Seed(7).derive("fold", 3)), draw(Seed(7).derive("fold", 3)));
        assert_ne!(draw(Seed(7).derive("fold", 3)), draw(Seed(7).derive("fold", 4)));
        assert_ne!(draw(Seed(7).derive("fold", 3)), draw(Seed(8).derive("fold", 3)));
        assert_ne!(draw(Seed(7).derive("fold", 3)), draw(Seed(7).derive("bold", 3)));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut r = Seed(1).stream();
        let n = 200_000;
        let moments = |v: Vec<f64>| {
            let m = v.iter().sum::<f64>() / n as f64;
            (m, v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / n as f64)
        };
        let (m, v) = moments((0..n).map(|_| r.normal()).collect());
        assert!(m.abs() < 0.01 && (v - 1.0).abs() < 0.02, "normal {m} {v}");
        let (m, v) = moments((0..n).map(|_| r.student_t(5)).collect());
        assert!(m.abs() < 0.02 && (v - 1.0).abs() < 0.06, "t {m} {v}");
        let (m, v) = moments((0..n).map(|_| r.uniform()).collect());
        assert!((m - 0.5).abs() < 0.005 && (v - 1.0 / 12.0).abs() < 0.005, "uniform {m} {v}");
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[r.below(7)] += 1;
        }
        assert!(counts.iter().all(|&c| (9_500..10_500).contains(&c)), "{counts:?}");
    }
}
