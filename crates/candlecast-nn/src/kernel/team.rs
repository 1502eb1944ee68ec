//! [`Team`]: threads that stay for a whole fit and start on a job within a fraction of a microsecond.
//!
//! A training step of a small network takes a tenth of a millisecond; waking threads of a pool for it would cost
//! a good part of that. The workers wait actively for a while, then by giving way, then asleep.

use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Rounds of active waiting, a few hundred microseconds.
const SPINS: u32 = 1 << 13;
/// Rounds of giving way before a worker sleeps.
const YIELDS: u32 = 1 << 8;

type Job = dyn Fn(usize) + Sync;

/// What the threads share.
struct Shared {
    /// The job of the present round; written only while no worker is in a round.
    job: UnsafeCell<Option<&'static Job>>,
    /// Rounds begun.
    round: AtomicUsize,
    /// Workers that have not finished the present round.
    running: AtomicUsize,
    quit: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `job` is the only field that is not `Sync` by itself. It is written by the thread that owns the `Team`,
// before it raises `round` (release), and read by workers after they saw `round` raised (acquire). It is written
// again only after `running` fell to 0 (acquire), to which each worker's last use of it is ordered (release).
unsafe impl Sync for Shared {}

/// The calling thread and its workers.
pub(crate) struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Team").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl Team {
    /// A team of `size` threads, the caller among them; fewer if the system gives no more.
    pub(crate) fn new(size: usize) -> Self {
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            round: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let workers = (1..size)
            .map_while(|thread| {
                let shared = Arc::clone(&shared);
                let builder = std::thread::Builder::new().name(format!("nn-{thread}"));
                builder.spawn(move || work(&shared, thread)).ok()
            })
            .collect();
        Self { shared, workers }
    }

    /// Threads, the caller among them.
    pub(crate) fn size(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job` once on every thread, with the thread's number from 0, and returns when all are done.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            job(0);
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime changes. The workers use the reference only within this round, and this
        // function does not return or unwind before all have finished it: `AllDone` waits for them when dropped.
        let job_for_workers = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Job>(job) };
        // SAFETY: no worker is in a round (the last one was waited for, and `&mut self` keeps others out), so
        // nothing else touches `job` now.
        unsafe { *shared.job.get() = Some(job_for_workers) };
        shared.running.store(self.workers.len(), Ordering::Relaxed);
        shared.round.fetch_add(1, Ordering::Release);
        for worker in &self.workers {
            worker.thread().unpark();
        }
        let all_done = AllDone(shared);
        job(0);
        drop(all_done);
        assert!(!shared.panicked.load(Ordering::Relaxed), "a worker thread panicked, its message is above");
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches the panics of its jobs, so it ends well.
            let _ = worker.join();
        }
    }
}

/// Waits, when dropped, until every worker has finished the round.
struct AllDone<'a>(&'a Shared);

impl Drop for AllDone<'_> {
    fn drop(&mut self) {
        let mut waited = 0;
        while self.0.running.load(Ordering::Acquire) > 0 {
            wait_awake(&mut waited);
        }
    }
}

fn wait_awake(waited: &mut u32) {
    *waited = waited.saturating_add(1);
    if *waited < SPINS {
        std::hint::spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// A worker's life.
fn work(shared: &Shared, thread: usize) {
    let mut seen = 0;
    while wait_for_round(shared, seen) {
        seen = seen.wrapping_add(1);
        // SAFETY: the round was raised (seen with acquire ordering) and this worker has not finished it, so the
        // owner does not write `job`, and the job it points to is alive.
        let job = unsafe { *shared.job.get() };
        if let Some(job) = job
            && catch_unwind(AssertUnwindSafe(|| job(thread))).is_err()
        {
            shared.panicked.store(true, Ordering::Relaxed);
        }
        shared.running.fetch_sub(1, Ordering::Release);
    }
}

/// Returns true when a round after `seen` began, false when the team is dissolved.
fn wait_for_round(shared: &Shared, seen: usize) -> bool {
    let mut waited = 0;
    loop {
        if shared.round.load(Ordering::Acquire) != seen {
            return true;
        }
        if shared.quit.load(Ordering::Acquire) {
            return false;
        }
        if waited < SPINS + YIELDS {
            wait_awake(&mut waited);
        } else {
            // The owner unparks after it raised the round, so a call that comes between the check and this is not lost.
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_takes_part_in_every_round() {
        let mut team = Team::new(3);
        let counts: Vec<AtomicUsize> = (0..3).map(|_| AtomicUsize::new(0)).collect();
        for round in 1..=500 {
            if round % 100 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            team.run(&|thread| {
                counts[thread].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts[..team.size()].iter().all(|c| c.load(Ordering::Relaxed) == round));
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_are_done() {
        let mut team = Team::new(2);
        let result = catch_unwind(AssertUnwindSafe(|| team.run(&|thread| assert!(thread == 0, "on purpose"))));
        assert!(result.is_err() || team.size() == 1);
    }
}
