//! [`Backoff`]: how long a job waits whose attempt failed for something that passes.

use candlecast_core::Seed;

/// Pauses between the attempts at a job: the first, five times as long after each further one, up to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// First pause, ms.
    pub(crate) first_ms: u64,
    /// Longest pause, ms.
    pub(crate) longest_ms: u64,
}

impl Default for Backoff {
    /// One minute, five, then fifteen: an import may hold a lock for minutes, and a full disk wants somebody.
    fn default() -> Self {
        Self { first_ms: 60_000, longest_ms: 900_000 }
    }
}

impl Backoff {
    /// The pause after attempt number `attempt`, from 1, at the job `id`, ms. It is shortened by up to a fifth, by the
    /// job, so that jobs that failed together do not come back together.
    pub(crate) fn pause_ms(self, id: &str, attempt: u32) -> u64 {
        let full = 5_u64.saturating_pow(attempt.saturating_sub(1)).saturating_mul(self.first_ms).min(self.longest_ms);
        let share = 0.8 + 0.2 * Seed::default().derive(id, u64::from(attempt)).stream().uniform();
        (full as f64 * share) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_differ_by_job() {
        let backoff = Backoff::default();
        for (attempt, full) in [(1, 60_000), (2, 300_000), (3, 900_000), (99, 900_000)] {
            let pause_ms = backoff.pause_ms("a", attempt);
            assert!((full * 4 / 5..=full).contains(&pause_ms), "{attempt}: {pause_ms}");
        }
        assert_ne!(backoff.pause_ms("a", 1), backoff.pause_ms("b", 1));
        assert_eq!(backoff.pause_ms("a", 2), backoff.pause_ms("a", 2));
    }
}
