//! [`LeaseKeeper`]: keeps the lease of one job while it is worked on, writes down what the job says, and hears whether it is
//! to go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlecast_core::Seed;
use candlecast_host::system_time;
use candlecast_meta::{Lease, MetaError, QueueStore, Retry, Signal};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::progress_tracker::ProgressTracker;
use crate::stop::{StopReason, StopSwitch};
use crate::{BEAT_EVERY, LEASE_MS, REPORT_EVERY};

/// How long one call is repeated before the keeper goes on to the next, ms. The work does not wait for it.
const CALL_BUDGET_MS: u64 = 20_000;

/// The one task of a job that writes to the database.
pub(crate) struct LeaseKeeper {
    pub(crate) store: Arc<dyn QueueStore>,
    pub(crate) lease: Lease,
    pub(crate) board: Arc<ProgressTracker>,
    pub(crate) stop: StopSwitch,
    /// Longest that the work may take.
    pub(crate) max_run: Option<Duration>,
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

    /// Until the lease is lost.
    async fn turns(&self) {
        let mut tick = tokio::time::interval(REPORT_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once.
        tick.tick().await;
        let mut beaten = Instant::now();
        loop {
            tick.tick().await;
            if beaten.elapsed() >= BEAT_EVERY {
                beaten = Instant::now();
                let answer = self.retry().run(|| self.store.heartbeat(&self.lease, LEASE_MS, system_time())).await;
                if !self.heeds(answer) {
                    break;
                }
            }
            if !self.write().await {
                break;
            }
        }
        // Only the work can end this now; it was told.
        std::future::pending::<()>().await;
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
