//! [`unless_cancelled`]: no wait outlasts the wish to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlecast_core::Problem;

/// Time between two looks at a cancellation.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What `wait` gives; the problem of a cancelled run, and `wait` is dropped, once `cancel` is set before.
pub(crate) async fn unless_cancelled<T>(cancel: &AtomicBool, wait: impl Future<Output = T>) -> Result<T, Problem> {
    let cancelled = async {
        while !cancel.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        biased;
        value = wait => Ok(value),
        () = cancelled => Err(Problem::cancelled()),
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Blame;

    use super::*;

    #[tokio::test]
    async fn what_is_there_is_given_and_no_wait_outlasts_a_cancellation() {
        let cancel = AtomicBool::new(false);
        assert_eq!(unless_cancelled(&cancel, async { 7 }).await.unwrap(), 7);
        cancel.store(true, Ordering::Relaxed);
        let refused = unless_cancelled(&cancel, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(refused.blame, Blame::Cancelled);
    }
}
