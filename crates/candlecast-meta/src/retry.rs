//! [`Retry`]: repeats what failed only for the moment, with growing pauses.

use std::future::Future;
use std::time::Duration;

use candlecast_core::Seed;
use tokio::time::Instant;

use crate::MetaError;

/// Repeats an operation while its error is transient. Pauses double from `first_ms` to `longest_ms`; each is
/// shortened by up to half at random, so that workers that lost the same server do not return in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// First pause, ms.
    pub first_ms: u64,
    /// Longest pause, ms.
    pub longest_ms: u64,
    /// How long may be spent in all, ms, attempts included; then the last error is returned. No attempt is begun later,
    /// and one under way ends by its own limit ([`crate::CallLimits`]).
    pub budget_ms: u64,
    /// Seed of the random part; give every worker its own.
    pub seed: Seed,
}

impl Default for Retry {
    /// From 50 ms to 5 s, for two minutes: longer than a server takes to restart.
    fn default() -> Self {
        Self { first_ms: 50, longest_ms: 5_000, budget_ms: 120_000, seed: Seed::default() }
    }
}

impl Retry {
    /// Runs `operation` until it succeeds, fails for good, or the budget is spent.
    pub async fn run<T, F, Fut>(&self, mut operation: F) -> Result<T, MetaError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, MetaError>>,
    {
        let begun = Instant::now();
        let budget = Duration::from_millis(self.budget_ms);
        let mut pauses = self.pauses().into_iter();
        loop {
            let error = match operation().await {
                Err(error) if error.is_transient() => error,
                settled => return settled,
            };
            let Some(pause_ms) = pauses.next() else { return Err(error) };
            let pause = Duration::from_millis(pause_ms);
            if begun.elapsed() + pause > budget {
                return Err(error);
            }
            tracing::warn!(%error, pause_ms, "metadata database: trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// The pauses in order, ms; their sum is at most the budget.
    fn pauses(&self) -> Vec<u64> {
        let mut stream = self.seed.derive("meta-retry", 0).stream();
        let mut full = self.first_ms.max(1);
        let mut left = self.budget_ms;
        let mut pauses = Vec::new();
        loop {
            let pause = ((full as f64 * (0.5 + 0.5 * stream.uniform())) as u64).max(1);
            if pause > left {
                return pauses;
            }
            left -= pause;
            pauses.push(pause);
            full = full.saturating_mul(2).min(self.longest_ms.max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn busy() -> MetaError {
        MetaError::Busy { place: "here".into(), detail: "locked".into() }
    }

    #[test]
    fn pauses_grow_to_the_longest_within_the_budget() {
        let retry = Retry { first_ms: 10, longest_ms: 200, budget_ms: 3_000, seed: Seed(3) };
        let pauses = retry.pauses();
        assert!(pauses.iter().sum::<u64>() <= 3_000);
        assert!((5..=10).contains(&pauses[0]) && (10..=20).contains(&pauses[1]), "{pauses:?}");
        assert!(pauses.iter().skip(6).all(|p| (100..=200).contains(p)), "{pauses:?}");
        assert_ne!(pauses, Retry { seed: Seed(4), ..retry }.pauses());
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_count_towards_the_budget() {
        let retry = Retry { first_ms: 10, longest_ms: 10, budget_ms: 100_000, seed: Seed(3) };
        let calls = Cell::new(0);
        let slow = retry
            .run(|| {
                calls.set(calls.get() + 1);
                async {
                    tokio::time::sleep(Duration::from_secs(40)).await;
                    Err::<(), _>(busy())
                }
            })
            .await;
        // The third begins after 80 s and ends after 120 s.
        assert_eq!((slow, calls.get()), (Err(busy()), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn transient_errors_are_repeated_and_others_are_not() {
        let calls = Cell::new(0);
        let third = Retry::default()
            .run(|| {
                calls.set(calls.get() + 1);
                let now = calls.get();
                async move { if now < 3 { Err(busy()) } else { Ok(now) } }
            })
            .await;
        assert_eq!(third, Ok(3));

        calls.set(0);
        let permanent = Retry::default()
            .run(|| {
                calls.set(calls.get() + 1);
                async { Err::<(), _>(MetaError::not_found("job", "x")) }
            })
            .await;
        assert_eq!((permanent, calls.get()), (Err(MetaError::not_found("job", "x")), 1));

        let spent = Retry { budget_ms: 100, ..Retry::default() }.run(|| async { Err::<(), _>(busy()) }).await;
        assert_eq!(spent, Err(busy()));
    }
}
