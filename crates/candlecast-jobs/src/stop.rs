//! [`StopSwitch`]: asks the work of one job to stop, and remembers why. [`unless_set`]: no wait outlasts such a wish.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time between two looks at a flag.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What `call` gives; `None`, and the call is dropped, once `flag` has been set for `grace` before it gives anything.
pub(crate) async fn unless_set<T>(flag: &AtomicBool, grace: Duration, call: impl Future<Output = T>) -> Option<T> {
    let given_up = async {
        while !flag.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        biased;
        value = call => Some(value),
        () = given_up => None,
    }
}

/// Why a job is to stop before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Somebody wants it no more.
    Cancelled,
    /// The worker is to end; another one may go on.
    GivenBack,
    /// Another worker holds it by now.
    LeaseLost,
    /// It ran longer than it may.
    TooLong,
}

/// Shared by the work, which looks at the flag, and those who may stop it.
#[derive(Debug, Clone)]
pub(crate) struct StopSwitch {
    flag: Arc<AtomicBool>,
    reason: Arc<OnceLock<StopReason>>,
}

impl StopSwitch {
    /// Over a flag that may be set from elsewhere, too: an interrupt by the user sets it without a reason.
    pub(crate) fn new(flag: Arc<AtomicBool>) -> Self {
        Self { flag, reason: Arc::new(OnceLock::new()) }
    }

    /// The flag that the work looks at.
    pub(crate) fn flag(&self) -> &Arc<AtomicBool> {
        &self.flag
    }

    /// Asks the work to stop; of several reasons the first counts.
    pub(crate) fn stop(&self, reason: StopReason) {
        let _ = self.reason.set(reason);
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Why the work was asked to stop, if it was.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        let asked = self.flag.load(Ordering::Relaxed);
        asked.then(|| self.reason.get().copied().unwrap_or(StopReason::Cancelled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_given_up_once_the_flag_is_set() {
        let flag = Arc::new(AtomicBool::new(false));
        assert_eq!(unless_set(&flag, Duration::ZERO, async { 1 }).await, Some(1));
        let setting = {
            let flag = Arc::clone(&flag);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                flag.store(true, Ordering::Relaxed);
            })
        };
        assert_eq!(unless_set(&flag, Duration::from_secs(1), std::future::pending::<()>()).await, None);
        setting.await.unwrap();
        let late = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            2
        };
        assert_eq!(unless_set(&flag, Duration::from_secs(1), late).await, Some(2), "within the grace");
    }

    #[test]
    fn the_first_reason_counts_and_an_interrupt_is_a_cancellation() {
        let switch = StopSwitch::new(Arc::new(AtomicBool::new(false)));
        assert_eq!(switch.reason(), None);
        switch.flag().store(true, Ordering::Relaxed);
        assert_eq!(switch.reason(), Some(StopReason::Cancelled));
        let switch = StopSwitch::new(Arc::new(AtomicBool::new(false)));
        switch.stop(StopReason::LeaseLost);
        switch.stop(StopReason::Cancelled);
        assert_eq!(switch.reason(), Some(StopReason::LeaseLost));
        assert!(switch.flag().load(Ordering::Relaxed));
    }
}
