//! [`MemoryBudget`]: memory that the long computations of a process share.
//!
//! Each reserves what it needs at most before it reads its candles, and gives it back when it has ended. What does not
//! fit beside the others waits, first come, first served: a large one is not passed by small ones that came later, or it
//! would never begin. Memory is reserved once and before a turn to compute is waited for, so that nobody holds what
//! another needs while waiting for what that one holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use candlecast_core::{Blame, Problem, ProgressSink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::waiting::unless_cancelled;

/// What a computation that waits waits for.
const FOR_MEMORY: &str = "waiting for memory";

/// Memory that computations share, in whole mebibytes. A clone shares it.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    total_mib: u32,
    /// One permit a mebibyte.
    free: Arc<Semaphore>,
    in_use_mib: Arc<AtomicU64>,
}

/// Memory that a computation has reserved; given back with the last clone.
#[derive(Debug, Clone)]
pub struct ReservedMemory {
    _part: Arc<Part>,
}

#[derive(Debug)]
struct Part {
    mib: u64,
    in_use_mib: Arc<AtomicU64>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Part {
    fn drop(&mut self) {
        // Before the permit goes: whoever gets it counts what is left.
        self.in_use_mib.fetch_sub(self.mib, Ordering::Relaxed);
    }
}

impl MemoryBudget {
    /// A budget of `bytes`, at least one mebibyte.
    pub fn new(bytes: u64) -> Self {
        let total_mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).max(1);
        let free = Arc::new(Semaphore::new(total_mib as usize));
        Self { total_mib, free, in_use_mib: Arc::new(AtomicU64::new(0)) }
    }

    /// All of it, in bytes.
    pub fn total_bytes(&self) -> u64 {
        u64::from(self.total_mib) << 20
    }

    /// What is reserved now, in bytes.
    pub fn in_use_bytes(&self) -> u64 {
        self.in_use_mib.load(Ordering::Relaxed) << 20
    }

    /// True for what fits as long as nobody else has reserved anything.
    pub fn could_hold(&self, bytes: u64) -> bool {
        bytes <= self.total_bytes()
    }

    /// Reserves `bytes`, rounded up to whole mebibytes, when its turn has come. Refused at once where the budget could
    /// never hold them; ends with a problem once `cancel` is set. Who waits is told of it by `watch`.
    pub async fn reserve(
        &self,
        bytes: u64,
        cancel: &AtomicBool,
        watch: &dyn ProgressSink,
    ) -> Result<ReservedMemory, Problem> {
        let total = self.total_bytes();
        let wanted = u32::try_from(bytes.div_ceil(1 << 20)).ok().filter(|_| self.could_hold(bytes));
        let Some(wanted) = wanted else {
            let detail = format!("about {} would be needed, more than the {} allowed", size(bytes), size(total));
            return Err(Problem::new("memory-limit", 507, Blame::Data, detail));
        };
        // Fails while others wait, too.
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_many_owned(wanted) {
            return Ok(self.part(wanted, permit));
        }
        let in_use = size(self.in_use_bytes());
        watch.waiting(Some(FOR_MEMORY));
        watch.note(&format!("{FOR_MEMORY}: {in_use} of {} in use, {} wanted", size(total), size(bytes)));
        let permit = unless_cancelled(cancel, Arc::clone(&self.free).acquire_many_owned(wanted)).await;
        watch.waiting(None);
        Ok(self.part(wanted, permit?.expect("the budget is never closed")))
    }

    fn part(&self, mib: u32, permit: OwnedSemaphorePermit) -> ReservedMemory {
        let (mib, in_use_mib) = (u64::from(mib), Arc::clone(&self.in_use_mib));
        in_use_mib.fetch_add(mib, Ordering::Relaxed);
        ReservedMemory { _part: Arc::new(Part { mib, in_use_mib, _permit: permit }) }
    }
}

/// In words: `512 MiB`, `3.5 GiB`.
fn size(bytes: u64) -> String {
    let mib = bytes.div_ceil(1 << 20);
    if mib < 1024 { format!("{mib} MiB") } else { format!("{:.1} GiB", mib as f64 / 1024.0) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::task::Poll;

    use candlecast_core::NoProgress;
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn go_on() -> AtomicBool {
        AtomicBool::new(false)
    }

    #[derive(Default)]
    struct Told {
        waits: Mutex<Vec<Option<String>>>,
        notes: Mutex<Vec<String>>,
    }

    impl ProgressSink for Told {
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn waiting(&self, for_what: Option<&str>) {
            self.waits.lock().unwrap().push(for_what.map(str::to_owned));
        }
        fn note(&self, text: &str) {
            self.notes.lock().unwrap().push(text.to_owned());
        }
    }

    /// True while `future` waits.
    async fn waits<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending())).await
    }

    #[tokio::test]
    async fn what_is_reserved_comes_back_with_the_last_clone() {
        let (budget, go_on) = (MemoryBudget::new(100 * MIB), go_on());
        let part = budget.reserve(30 * MIB, &go_on, &NoProgress).await.unwrap();
        let other = budget.reserve(MIB / 2, &go_on, &NoProgress).await.unwrap();
        assert_eq!(budget.in_use_bytes(), 31 * MIB, "whole mebibytes");
        let held = part.clone();
        drop((part, other));
        assert_eq!(budget.in_use_bytes(), 30 * MIB);
        drop(held);
        assert_eq!((budget.in_use_bytes(), budget.free.available_permits()), (0, 100));
    }

    #[tokio::test]
    async fn what_could_never_fit_is_refused_at_once() {
        let (budget, go_on) = (MemoryBudget::new(100 * MIB), go_on());
        let _held = budget.reserve(100 * MIB, &go_on, &NoProgress).await.unwrap();
        for bytes in [100 * MIB + 1, u64::MAX] {
            let refused = budget.reserve(bytes, &go_on, &NoProgress).await.unwrap_err();
            assert_eq!((refused.code, refused.status), ("memory-limit", 507), "{refused}");
        }
        // A budget that nothing fits into would hold up everybody for ever.
        assert_eq!(MemoryBudget::new(0).total_bytes(), MIB);
    }

    #[tokio::test]
    async fn who_does_not_fit_waits_and_later_ones_do_not_pass() {
        let (budget, go_on, told) = (MemoryBudget::new(10 * MIB), go_on(), Told::default());
        let first = budget.reserve(6 * MIB, &go_on, &NoProgress).await.unwrap();
        let mut large = Box::pin(budget.reserve(8 * MIB, &go_on, &told));
        assert!(waits(&mut large).await);
        assert_eq!(*told.waits.lock().unwrap(), [Some("waiting for memory".to_owned())]);
        assert_eq!(*told.notes.lock().unwrap(), ["waiting for memory: 6 MiB of 10 MiB in use, 8 MiB wanted"]);
        let mut small = Box::pin(budget.reserve(MIB, &go_on, &NoProgress));
        assert!(waits(&mut small).await, "it would fit, but came later");
        drop(first);
        let large = large.await.unwrap();
        assert_eq!(*told.waits.lock().unwrap(), [Some("waiting for memory".to_owned()), None]);
        let small = small.await.unwrap();
        assert_eq!(budget.in_use_bytes(), 9 * MIB);
        drop((large, small));
    }

    #[tokio::test]
    async fn who_is_cancelled_while_waiting_holds_nobody_up() {
        let (budget, cancel) = (MemoryBudget::new(10 * MIB), AtomicBool::new(false));
        let held = budget.reserve(6 * MIB, &cancel, &NoProgress).await.unwrap();
        let mut large = Box::pin(budget.reserve(8 * MIB, &cancel, &NoProgress));
        assert!(waits(&mut large).await);
        cancel.store(true, Ordering::Relaxed);
        assert_eq!(large.await.unwrap_err().blame, Blame::Cancelled);
        let small = budget.reserve(4 * MIB, &go_on(), &NoProgress).await.unwrap();
        drop((held, small));
        assert_eq!(budget.free.available_permits(), 10);
    }

    proptest! {
        /// Whatever comes and goes: never more than all of it is in use, and all of it comes back.
        #[test]
        fn no_more_is_reserved_than_there_is(wanted in prop::collection::vec((1_u64..40, any::<bool>()), 1..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let (budget, go_on) = (MemoryBudget::new(32 * MIB), go_on());
                let mut held = Vec::new();
                for (mib, lets_go) in wanted {
                    if lets_go && !held.is_empty() {
                        held.remove(0);
                    }
                    let mut part = Box::pin(budget.reserve(mib * MIB, &go_on, &NoProgress));
                    let before: u64 = held.iter().map(|(mib, _)| *mib).sum();
                    match std::future::poll_fn(|cx| Poll::Ready(part.as_mut().poll(cx))).await {
                        Poll::Ready(Ok(part)) => held.push((mib, part)),
                        Poll::Ready(Err(refused)) => assert!(mib > 32, "{refused}"),
                        Poll::Pending => assert!(mib <= 32 && before + mib > 32),
                    }
                    let in_use: u64 = held.iter().map(|(mib, _)| *mib).sum();
                    assert_eq!(budget.in_use_bytes(), in_use * MIB);
                    assert!(in_use <= 32);
                }
                drop(held);
                assert_eq!(budget.free.available_permits(), 32);
            });
        }
    }
}
