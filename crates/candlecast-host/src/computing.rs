//! [`Computing`]: the threads that compute, and who gets them.
//!
//! There are two pools, so that somebody who waits for a forecast never queues behind a training. The long pool has as
//! many threads as the user gave, all cores by default; trainings, evaluations and whatever else takes minutes run on it,
//! at most as many side by side as it has threads, the others in the order in which they came. The short pool has half as
//! many, at least one; forecasts, models being loaded, candles being made ready run on it at once. Together they are more
//! threads than cores, so on Linux those of the long pool have the niceness [`NICENESS`]: while both compute, a forecast
//! gets nine tenths of the cores that it asks for, and alone either pool gets all that it asks for.
//!
//! No result depends on the pool, the number of its threads, or on who else computes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_core::{Problem, ProgressSink};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::waiting::unless_cancelled;

/// Most threads of a pool.
const MAX_THREADS: usize = 256;

/// Niceness of the threads of the long pool, beside 0 of all others. The scheduler's weights at 10 and 0 are 110 and
/// 1024 (`sched_prio_to_weight` of the kernel).
const NICENESS: i32 = 10;

/// What a computation that waits for its turn waits for.
const FOR_A_TURN: &str = "waiting for other computations";

/// The threads that compute. A clone shares them.
#[derive(Debug, Clone)]
pub(crate) struct Computing {
    long: Arc<rayon::ThreadPool>,
    short: Arc<rayon::ThreadPool>,
    /// One for each long computation that may be under way.
    turns: Arc<Semaphore>,
}

impl Computing {
    /// Pools for `threads` threads of long computations.
    pub(crate) fn new(threads: usize) -> Result<Self, Problem> {
        let threads = threads.clamp(1, MAX_THREADS);
        Ok(Self {
            long: long_pool(threads)?,
            short: pool(rayon::ThreadPoolBuilder::new().num_threads(short_threads(threads)))?,
            turns: Arc::new(Semaphore::new(threads)),
        })
    }

    /// The same with a long pool of its own, for a job that may use fewer threads. It takes its turn like the others.
    pub(crate) fn with_threads(&self, threads: usize) -> Result<Self, Problem> {
        Ok(Self { long: long_pool(threads.clamp(1, MAX_THREADS))?, ..self.clone() })
    }

    /// Threads of long computations.
    pub(crate) fn threads(&self) -> usize {
        self.long.current_num_threads()
    }

    /// Runs `work` on the short pool, off the caller's async threads.
    pub(crate) async fn short<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        on(Arc::clone(&self.short), work).await
    }

    /// Runs `work` on the long pool when its turn has come, off the caller's async threads.
    pub(crate) async fn long<T: Send + 'static>(
        &self,
        cancel: &AtomicBool,
        watch: &dyn ProgressSink,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.turn(cancel, watch).await?;
        // Whoever asked may be gone by then: the turn is over when the work is.
        let work = move || {
            let _turn = turn;
            work()
        };
        on(Arc::clone(&self.long), work).await
    }

    async fn turn(&self, cancel: &AtomicBool, watch: &dyn ProgressSink) -> Result<OwnedSemaphorePermit, Problem> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        watch.waiting(Some(FOR_A_TURN));
        watch.note(FOR_A_TURN);
        let turn = unless_cancelled(cancel, Arc::clone(&self.turns).acquire_owned()).await;
        watch.waiting(None);
        Ok(turn?.expect("the turns are never closed"))
    }
}

/// Threads of the short pool beside `threads` of the long one.
fn short_threads(threads: usize) -> usize {
    (threads / 2).max(1)
}

async fn on<T: Send + 'static>(
    pool: Arc<rayon::ThreadPool>,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(move || pool.install(work))
        .await
        .map_err(|e| Problem::data("computation-failed", format!("the computation ended abnormally: {e}")))?
}

fn long_pool(threads: usize) -> Result<Arc<rayon::ThreadPool>, Problem> {
    pool(rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| step_back()))
}

fn pool(builder: rayon::ThreadPoolBuilder) -> Result<Arc<rayon::ThreadPool>, Problem> {
    builder
        .build()
        .map(Arc::new)
        .map_err(|e| Problem::data("no-threads", format!("the computation threads could not be started: {e}")))
}

/// Lets others go before the calling thread, and those that it starts. Where that is not to be had, nothing but the wait
/// for a forecast beside a training depends on it.
#[cfg(target_os = "linux")]
fn step_back() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

/// Elsewhere a priority is the whole process's.
#[cfg(not(target_os = "linux"))]
fn step_back() {
    const _: i32 = NICENESS;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::{Condvar, Mutex};

    use candlecast_core::{Blame, NoProgress};

    use super::*;

    /// Long computations that last until they are let go.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        open: bool,
        /// Threads that came to the gate.
        arrived: usize,
    }

    impl Gate {
        /// Keeps every thread of the pool on which it is called busy until the gate is open.
        fn hold_all(&self) {
            rayon::broadcast(|_| {
                let (state, changed) = &*self.0;
                let mut state = state.lock().unwrap();
                state.arrived += 1;
                changed.notify_all();
                drop(changed.wait_while(state, |state| !state.open).unwrap());
            });
        }

        /// Waits until so many threads have come.
        async fn arrived(&self, n: usize) {
            let gate = self.clone();
            let wait = move || {
                let (state, changed) = &*gate.0;
                drop(changed.wait_while(state.lock().unwrap(), |state| state.arrived < n).unwrap());
            };
            tokio::task::spawn_blocking(wait).await.unwrap();
        }

        fn open(&self) {
            self.0.0.lock().unwrap().open = true;
            self.0.1.notify_all();
        }
    }

    /// A long computation that has all threads of the long pool.
    fn hold(computing: &Computing, gate: &Gate) -> tokio::task::JoinHandle<Result<(), Problem>> {
        let (computing, gate) = (computing.clone(), gate.clone());
        tokio::spawn(async move {
            let cancel = AtomicBool::new(false);
            computing
                .long(&cancel, &NoProgress, move || {
                    gate.hold_all();
                    Ok(())
                })
                .await
        })
    }

    #[tokio::test]
    async fn a_short_computation_ends_while_a_long_one_has_all_threads() {
        let (computing, gate) = (Computing::new(3).unwrap(), Gate::default());
        let held = hold(&computing, &gate);
        gate.arrived(3).await;
        let sum = || Ok(rayon::join(|| 3, || 4));
        assert_eq!(computing.short(sum).await.unwrap(), (3, 4));
        assert!(!held.is_finished());
        gate.open();
        held.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn long_computations_take_turns_in_the_order_in_which_they_came() {
        let (computing, gate) = (Computing::new(1).unwrap(), Gate::default());
        let held = hold(&computing, &gate);
        gate.arrived(1).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let cancel = AtomicBool::new(false);
        let next = |n: usize| {
            let order = Arc::clone(&order);
            computing.long(&cancel, &NoProgress, move || {
                order.lock().unwrap().push(n);
                Ok(())
            })
        };
        // They are polled in this order, so they come in it.
        let (first, second, third, ()) = tokio::join!(biased; next(1), next(2), next(3), async { gate.open() });
        assert!([first, second, third].iter().all(Result::is_ok));
        held.await.unwrap().unwrap();
        assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
    }

    #[derive(Default)]
    struct Told(Mutex<Vec<Option<String>>>);

    impl ProgressSink for Told {
        fn progress(&self, _: &str, _: u64, _: u64) {}
        fn waiting(&self, for_what: Option<&str>) {
            self.0.lock().unwrap().push(for_what.map(str::to_owned));
        }
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_is_told_and_can_be_cancelled() {
        let (computing, gate) = (Computing::new(1).unwrap(), Gate::default());
        let held = hold(&computing, &gate);
        gate.arrived(1).await;
        let (cancel, told) = (AtomicBool::new(false), Told::default());
        let waits = computing.long(&cancel, &told, || Ok(()));
        let (refused, ()) = tokio::join!(biased; waits, async { cancel.store(true, Ordering::Relaxed) });
        assert_eq!(refused.unwrap_err().blame, Blame::Cancelled);
        assert_eq!(*told.0.lock().unwrap(), [Some(FOR_A_TURN.to_owned()), None]);
        gate.open();
        held.await.unwrap().unwrap();
        // Whoever went away holds nobody up.
        computing.long(&AtomicBool::new(false), &NoProgress, || Ok(())).await.unwrap();
    }

    /// Whoever asked for a computation may be gone while it still computes.
    #[tokio::test]
    async fn a_turn_lasts_as_long_as_the_computation() {
        let (computing, gate) = (Computing::new(1).unwrap(), Gate::default());
        let held = hold(&computing, &gate);
        gate.arrived(1).await;
        held.abort();
        assert!(held.await.unwrap_err().is_cancelled());
        assert_eq!(computing.turns.available_permits(), 0);
        let (done, ()) = tokio::join!(
            biased;
            async { computing.long(&AtomicBool::new(false), &NoProgress, || Ok(7)).await },
            async { gate.open() }
        );
        assert_eq!(done.unwrap(), 7);
    }

    #[test]
    fn half_of_the_threads_are_there_for_short_computations_too() {
        for (threads, short) in [(1, 1), (2, 1), (3, 1), (8, 4)] {
            let computing = Computing::new(threads).unwrap();
            assert_eq!((computing.threads(), computing.short.current_num_threads()), (threads, short));
        }
        let fewer = Computing::new(4).unwrap().with_threads(2).unwrap();
        assert_eq!((fewer.threads(), fewer.short.current_num_threads()), (2, 2));
        assert_eq!(Computing::new(0).unwrap().threads(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn threads_of_long_computations_let_others_go_first() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let own = niceness();
        let computing = Computing::new(2).unwrap();
        // Who is nicer already stays as nice, unless it may change that.
        assert!(computing.long.broadcast(|_| niceness()).iter().all(|&n| n == NICENESS || own > NICENESS));
        assert!(computing.short.broadcast(|_| niceness()).iter().all(|&n| n == own));
    }
}
