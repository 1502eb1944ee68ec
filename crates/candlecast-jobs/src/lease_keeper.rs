//! [`LeaseKeeper`]: keeps the lease of one job while it is worked on, writes down what the job says, and hears whether it is
//! to go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlecast_core::Seed;
use candlecast_host::system_time;
use candlecast_meta::{Lease, MetaError, QueueStore, Retry, Signal};
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior};

use crate::LEASE_MS;
use crate::progress_tracker::ProgressTracker;
use crate::stop::{StopReason, StopSwitch};

/// How long one call is repeated before the keeper goes on to the next, ms. The work does not wait for it.
const CALL_BUDGET_MS: u64 = 20_000;

/// The one task of a job that writes to the database. Heartbeats wait for nothing else that it writes: a lease is lost
/// sooner than a connection that hangs is given up.
pub(crate) struct LeaseKeeper {
    pub(crate) store: Arc<dyn QueueStore>,
    pub(crate) lease: Lease,
    pub(crate) board: Arc<ProgressTracker>,
    pub(crate) stop: StopSwitch,
    /// Longest that the work may take.
    pub(crate) max_run: Option<Duration>,
    /// Time between heartbeats.
    pub(crate) beat_every: Duration,
    /// Least time between two reports.
    pub(crate) report_every: Duration,
}

impl LeaseKeeper {
    /// Works until `ended` says, or shows by being dropped, that the work is over.
    pub(crate) async fn keep(self, ended: oneshot::Receiver<()>) {
        tokio::select! {
            _ = ended => {}
            () = self.turns() => {}
            () = self.time_limit() => {}
        }
    }

    async fn turns(&self) {
        tokio::select! {
            () = self.beats() => {}
            () = self.reports() => {}
        }
        // The lease is lost, and the work was told: only the work can end this now.
        std::future::pending::<()>().await;
    }

    /// Renews the lease until it is lost.
    async fn beats(&self) {
        let mut tick = ticks(self.beat_every).await;
        loop {
            tick.tick().await;
            let answer = self.retry().run(|| self.store.heartbeat(&self.lease, LEASE_MS, system_time())).await;
            if !self.heeds(answer) {
                return;
            }
        }
    }

    /// Writes what the job says until the lease is lost.
    async fn reports(&self) {
        let mut tick = ticks(self.report_every).await;
        loop {
            tick.tick().await;
            if !self.write().await {
                return;
            }
        }
    }

    /// Stops the work when its time is over.
    async fn time_limit(&self) {
        if let Some(limit) = self.max_run {
            tokio::time::sleep(limit).await;
            self.stop.stop(StopReason::TooLong);
        }
        std::future::pending::<()>().await;
    }

    /// Writes what is new; false when the job is not ours any more.
    async fn write(&self) -> bool {
        let lines = self.board.waiting_lines();
        if !lines.is_empty() {
            let answer = self.retry().run(|| self.store.append_log(&self.lease.job_id, &lines)).await;
            if answer.is_ok() {
                self.board.written(lines.len());
            }
            if !self.heeds(answer.map(|()| Signal::Continue)) {
                return false;
            }
        }
        let Some(progress) = self.board.changed_progress(Instant::now()) else { return true };
        let answer = self.retry().run(|| self.store.report_progress(&self.lease, &progress, system_time())).await;
        self.heeds(answer)
    }

    /// Does as told; false when the job is not ours any more.
    fn heeds(&self, answer: Result<Signal, MetaError>) -> bool {
        match answer {
            Ok(Signal::Continue) => true,
            Ok(Signal::Cancel) => {
                self.stop.stop(StopReason::Cancelled);
                true
            }
            Err(MetaError::LeaseLost { .. } | MetaError::NotFound { .. }) => {
                self.stop.stop(StopReason::LeaseLost);
                false
            }
            // The work goes on; the next turn tries again.
            Err(error) => {
                tracing::warn!(%error, job = self.lease.job_id, "the job cannot report");
                true
            }
        }
    }

    fn retry(&self) -> Retry {
        let seed = Seed::default().derive(&self.lease.owner, u64::from(self.lease.attempt));
        Retry { budget_ms: CALL_BUDGET_MS, seed, ..Retry::default() }
    }
}

/// Ticks `every` so often, the first one after that time.
async fn ticks(every: Duration) -> Interval {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    tick.tick().await;
    tick
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use candlecast_core::{NoProgress, Timestamp};
    use candlecast_meta::{LogLevel, NewJob, SqlStore};
    use serde_json::json;

    use super::*;
    use crate::faulty_store::{Fault, FaultyStore};

    const SOON: Duration = Duration::from_millis(10);
    /// Until a test that hangs has failed.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_lease_is_kept_while_what_the_job_says_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn QueueStore> = Arc::new(SqlStore::open_in(folder.path(), Timestamp(0)).await.unwrap());
        let new = NewJob::new("a", "nap", json!({}));
        let begun = store.begin_job(&new, "me", LEASE_MS, system_time()).await.unwrap();
        let faulty = FaultyStore::over(Arc::clone(&store), &["append_log"]);
        faulty.set(Some(Fault::Hangs));
        let board = Arc::new(ProgressTracker::new(1, Arc::new(NoProgress)));
        board.log(LogLevel::Info, "it has begun");
        let keeper = LeaseKeeper {
            store: faulty,
            lease: begun.job.lease().unwrap(),
            board: Arc::clone(&board),
            stop: StopSwitch::new(Arc::new(AtomicBool::new(false))),
            max_run: None,
            beat_every: SOON,
            report_every: SOON,
        };
        let (work_ends, ended) = oneshot::channel();
        let keeping = tokio::spawn(keeper.keep(ended));
        let mut until = begun.job.lease_until.unwrap();
        // The first heartbeat may come before anything hangs.
        for n in 0..5 {
            let renewed = async {
                loop {
                    let now = store.job("a").await.unwrap().lease_until.unwrap();
                    if now > until {
                        break now;
                    }
                    tokio::time::sleep(SOON).await;
                }
            };
            until = tokio::time::timeout(PATIENCE, renewed).await.unwrap_or_else(|_| panic!("{n} heartbeats came"));
        }
        assert_eq!(board.waiting_lines().len(), 1, "it could not be written");
        drop(work_ends);
        keeping.await.unwrap();
    }
}
