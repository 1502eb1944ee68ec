//! [`Fence`]: keeps who has lost a job from saving what came of it.

use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{Problem, Seed};
use candlecast_host::system_time;
use candlecast_meta::{Lease, MetaError, QueueStore, Retry};

use crate::LEASE_MS;
use crate::stop::{StopReason, StopSwitch, unless_set};

/// How long work that was asked to stop, and is done all the same, may wait for the answer.
const DONE_ALL_THE_SAME: Duration = Duration::from_secs(1);

/// Asks the database whether a lease still holds. The number of the attempt tells it from every later lease.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    pub(crate) store: Arc<dyn QueueStore>,
    pub(crate) lease: Lease,
    pub(crate) stop: StopSwitch,
    /// Longest that an answer is waited for, ms.
    pub(crate) patience_ms: u64,
    /// True where nobody else can be given the job once the lease has run out.
    pub(crate) is_last: bool,
}

impl Fence {
    /// Renews the lease, so that it holds while something is saved. An error where it holds no more; where that cannot
    /// be told, too, unless nobody else can have been given the job.
    pub(crate) async fn pass(&self) -> Result<(), Problem> {
        let seed = Seed::default().derive(&self.lease.owner, u64::from(self.lease.attempt));
        let retry = Retry { budget_ms: self.patience_ms, seed, ..Retry::default() };
        let renewed = retry.run(|| self.store.heartbeat(&self.lease, LEASE_MS, system_time()));
        match unless_set(self.stop.flag(), DONE_ALL_THE_SAME, renewed).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(MetaError::LeaseLost { .. } | MetaError::NotFound { .. })) => {
                self.stop.stop(StopReason::LeaseLost);
                Err(Problem::cancelled())
            }
            Some(Err(error)) if self.is_last => {
                tracing::warn!(%error, job = self.lease.job_id, "whether the job is still ours cannot be told");
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(Problem::cancelled()),
        }
    }
}
