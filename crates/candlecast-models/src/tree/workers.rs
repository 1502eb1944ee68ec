//! [`Workers`]: the threads of one fit.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Threads of one fit; with one, everything runs on the caller's thread.
#[derive(Debug)]
pub(crate) struct Workers {
    pool: Option<ThreadPool>,
}

impl Workers {
    /// At most `threads` threads; fewer where the system gives no more.
    pub(crate) fn new(threads: usize) -> Self {
        let pool = (threads > 1).then(|| ThreadPoolBuilder::new().num_threads(threads).build().ok()).flatten();
        Self { pool }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// Runs `work`, whose parallel iterators use these threads.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}
