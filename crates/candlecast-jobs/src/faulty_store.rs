//! [`FaultyStore`]: a queue that fails or hangs when a test says so.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use candlecast_core::Timestamp;
use candlecast_meta::{
    Cancelled, Checkpoint, Enqueued, Job, JobFilter, JobStore, Lease, LogLine, MetaError, NewJob, Outcome, Page,
    PageRequest, Progress, QueueStore, Signal, TurnStore, WantedKind,
};

/// What becomes of a call.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// It never ends.
    Hangs,
    /// It fails.
    Fails(MetaError),
}

/// A queue before which faults stand.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn QueueStore>,
    /// Calls that have the fault, by name; all of them for none.
    calls: &'static [&'static str],
    fault: Mutex<Option<Fault>>,
}

impl FaultyStore {
    /// Over `inner`; `calls` are those that will have faults, all of them for none.
    pub(crate) fn over(inner: Arc<dyn QueueStore>, calls: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self { inner, calls, fault: Mutex::new(None) })
    }

    /// From now on calls have this fault, or none.
    pub(crate) fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = fault;
    }

    async fn before(&self, call: &str) -> Result<(), MetaError> {
        let fault = self.fault.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        match fault.filter(|_| self.calls.is_empty() || self.calls.contains(&call)) {
            None => Ok(()),
            Some(Fault::Fails(error)) => Err(error),
            Some(Fault::Hangs) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl TurnStore for FaultyStore {
    async fn take_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError> {
        self.before("take_turn").await?;
        self.inner.take_turn(name, owner, for_ms, now).await
    }

    async fn take_daily_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError> {
        self.before("take_daily_turn").await?;
        self.inner.take_daily_turn(name, owner, for_ms, now).await
    }

    async fn end_turn(&self, name: &str, owner: &str) -> Result<(), MetaError> {
        self.before("end_turn").await?;
        self.inner.end_turn(name, owner).await
    }

    async fn finish_daily_turn(&self, name: &str, owner: &str, now: Timestamp) -> Result<(), MetaError> {
        self.before("finish_daily_turn").await?;
        self.inner.finish_daily_turn(name, owner, now).await
    }
}

#[async_trait]
impl JobStore for FaultyStore {
    async fn enqueue(&self, job: &NewJob, now: Timestamp) -> Result<Enqueued, MetaError> {
        self.before("enqueue").await?;
        self.inner.enqueue(job, now).await
    }

    async fn begin_job(&self, job: &NewJob, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Enqueued, MetaError> {
        self.before("begin_job").await?;
        self.inner.begin_job(job, owner, lease_ms, now).await
    }

    async fn lease_this(&self, job_id: &str, owner: &str, lease_ms: u64, now: Timestamp) -> Result<Job, MetaError> {
        self.before("lease_this").await?;
        self.inner.lease_this(job_id, owner, lease_ms, now).await
    }

    async fn lease_job(
        &self,
        owner: &str,
        kinds: &[WantedKind],
        lease_ms: u64,
        now: Timestamp,
    ) -> Result<Option<Job>, MetaError> {
        self.before("lease_job").await?;
        self.inner.lease_job(owner, kinds, lease_ms, now).await
    }

    async fn heartbeat(&self, lease: &Lease, lease_ms: u64, now: Timestamp) -> Result<Signal, MetaError> {
        self.before("heartbeat").await?;
        self.inner.heartbeat(lease, lease_ms, now).await
    }

    async fn report_progress(&self, lease: &Lease, progress: &Progress, now: Timestamp) -> Result<Signal, MetaError> {
        self.before("report_progress").await?;
        self.inner.report_progress(lease, progress, now).await
    }

    async fn save_checkpoint(&self, lease: &Lease, body: Vec<u8>, now: Timestamp) -> Result<(), MetaError> {
        self.before("save_checkpoint").await?;
        self.inner.save_checkpoint(lease, body, now).await
    }

    async fn checkpoint(&self, job_id: &str) -> Result<Option<Checkpoint>, MetaError> {
        self.before("checkpoint").await?;
        self.inner.checkpoint(job_id).await
    }

    async fn finish_job(&self, lease: &Lease, outcome: &Outcome, now: Timestamp) -> Result<(), MetaError> {
        self.before("finish_job").await?;
        self.inner.finish_job(lease, outcome, now).await
    }

    async fn cancel_job(&self, job_id: &str, now: Timestamp) -> Result<Cancelled, MetaError> {
        self.before("cancel_job").await?;
        self.inner.cancel_job(job_id, now).await
    }

    async fn retry_job(&self, job_id: &str, now: Timestamp) -> Result<Job, MetaError> {
        self.before("retry_job").await?;
        self.inner.retry_job(job_id, now).await
    }

    async fn expire_leases(&self, silence_ms: u64, spared: &[String], now: Timestamp) -> Result<Vec<Job>, MetaError> {
        self.before("expire_leases").await?;
        self.inner.expire_leases(silence_ms, spared, now).await
    }

    async fn end_lease(&self, lease: &Lease, now: Timestamp) -> Result<Option<Job>, MetaError> {
        self.before("end_lease").await?;
        self.inner.end_lease(lease, now).await
    }

    async fn job(&self, job_id: &str) -> Result<Job, MetaError> {
        self.before("job").await?;
        self.inner.job(job_id).await
    }

    async fn jobs_named(&self, prefix: &str, limit: u32) -> Result<Vec<Job>, MetaError> {
        self.before("jobs_named").await?;
        self.inner.jobs_named(prefix, limit).await
    }

    async fn jobs(&self, filter: &JobFilter, page: PageRequest) -> Result<Page<Job>, MetaError> {
        self.before("jobs").await?;
        self.inner.jobs(filter, page).await
    }

    async fn append_log(&self, job_id: &str, lines: &[LogLine]) -> Result<(), MetaError> {
        self.before("append_log").await?;
        self.inner.append_log(job_id, lines).await
    }

    async fn job_log(&self, job_id: &str, after: Option<(u32, u64)>, limit: u32) -> Result<Vec<LogLine>, MetaError> {
        self.before("job_log").await?;
        self.inner.job_log(job_id, after, limit).await
    }

    async fn forget_jobs(&self, before: Timestamp) -> Result<u64, MetaError> {
        self.before("forget_jobs").await?;
        self.inner.forget_jobs(before).await
    }
}
