//! [`Backoff`]: exponential waits with full jitter.

use candlecast_core::{Seed, Stream};

const BASE_MS: u64 = 500;
const CAP_MS: u64 = 60_000;

/// Waits drawn uniformly from 0 to `min(60 s, 0.5 s * 2^attempt)` (Brooker, "Exponential Backoff And Jitter",
/// full jitter), from a seeded stream.
#[derive(Debug)]
pub(crate) struct Backoff {
    stream: Stream,
}

impl Backoff {
    pub(crate) fn new(seed: Seed) -> Self {
        Self { stream: seed.derive("exchange-backoff", 0).stream() }
    }

    /// Milliseconds to wait after `failures` failures before this one.
    pub(crate) fn wait_ms(&mut self, failures: u32) -> u64 {
        let ceiling = CAP_MS.min(BASE_MS.saturating_mul(1 << failures.min(20)));
        (self.stream.uniform() * ceiling as f64) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_repeat_with_the_seed() {
        let draw = |seed: u64| -> Vec<u64> {
            let mut backoff = Backoff::new(Seed(seed));
            (0..40).map(|k| backoff.wait_ms(k)).collect()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let mut first = Backoff::new(Seed(1));
        assert!((0..1_000).all(|_| first.wait_ms(0) <= BASE_MS));
        let late: Vec<u64> = (0..1_000).map(|_| first.wait_ms(30)).collect();
        assert!(late.iter().all(|&w| w <= CAP_MS + 1) && late.iter().any(|&w| w > CAP_MS / 2));
    }
}
