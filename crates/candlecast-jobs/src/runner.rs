//! [`Runner`]: does one leased job to its end and puts the end on record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlecast_core::{Blame, Problem, ProgressSink, Seed};
use candlecast_host::{Checkpoints, Host, blocking, system_time};
use candlecast_meta::{Job, JobState, Lease, LogLevel, MetaError, Outcome, QueueStore, Retry};
use tokio::sync::oneshot;

use crate::attempt::Attempt;
use crate::backoff::Backoff;
use crate::fence::Fence;
use crate::kind::{JobCatalog, JobOutput};
use crate::lease_keeper::LeaseKeeper;
use crate::progress_tracker::ProgressTracker;
use crate::stop::{StopReason, StopSwitch};
use crate::{BEAT_EVERY, REPORT_EVERY};

/// Does leased jobs.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) host: Host,
    pub(crate) catalog: &'static JobCatalog,
    pub(crate) store: Arc<dyn QueueStore>,
    pub(crate) watch: Arc<dyn ProgressSink>,
    /// Longest that the end of the job is tried to be recorded, ms.
    pub(crate) patience_ms: u64,
    /// How long a job waits that failed for something that passes; `None` where it has failed then.
    pub(crate) backoff: Option<Backoff>,
}

/// How an attempt ended.
pub(crate) struct Ended {
    pub(crate) job_id: String,
    pub(crate) recorded: Recorded,
    pub(crate) result: Result<JobOutput, Problem>,
}

/// What the database knows of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The job is in this state now.
    As(JobState),
    /// The job waits for its next attempt: what it failed by passes.
    PutOff,
    /// The job is another worker's by now; it will tell.
    Elsewhere,
    /// Nothing: the database did not answer for as long as it was tried. The lease runs out.
    Nowhere,
}

impl Runner {
    /// Does `job`, which is leased to this process. `stop` is its own.
    pub(crate) async fn run(self, job: Job, stop: StopSwitch) -> Ended {
        let Some(lease) = job.lease() else {
            let error = Problem::data("conflict", format!("job {} is not running", job.id));
            return Ended { job_id: job.id, recorded: Recorded::Elsewhere, result: Err(error) };
        };
        let board = Arc::new(ProgressTracker::new(job.attempt, Arc::clone(&self.watch)));
        board.log(LogLevel::Info, format!("attempt {} by {}", job.attempt, lease.owner));
        let result = self.work(&job, &lease, &board, &stop).await;
        let (outcome, result) = end(&job, result, stop.reason(), self.backoff);
        log_end(&board, outcome.as_ref(), &result);
        let recorded = match &outcome {
            Some(outcome) => self.finish(&lease, outcome, &board).await,
            None => Recorded::Elsewhere,
        };
        if recorded == Recorded::As(JobState::Succeeded) {
            // There will be no other attempt.
            let id = job.id.clone();
            let cleared = blocking(&self.host, move |host| {
                Checkpoints::of_job(&host.checkpoints_dir(), &id).clear();
                Ok(())
            });
            if let Err(error) = cleared.await {
                tracing::warn!(%error, job = job.id, "what the job kept stays");
            }
        }
        self.explain(&job, recorded, result.is_ok());
        Ended { job_id: job.id, recorded, result }
    }

    /// Does the work while the keeper keeps the lease.
    async fn work(
        &self,
        job: &Job,
        lease: &Lease,
        board: &Arc<ProgressTracker>,
        stop: &StopSwitch,
    ) -> Result<JobOutput, Problem> {
        let work = self.catalog.read(job)?;
        let host = self.host.with(work.seed(), Arc::clone(stop.flag()));
        let host = match job.limits.threads.map(|n| n as usize) {
            Some(threads) if threads < host.threads() => host.with_threads(threads)?,
            _ => host,
        };
        let keeper = LeaseKeeper {
            store: Arc::clone(&self.store),
            lease: lease.clone(),
            board: Arc::clone(board),
            stop: stop.clone(),
            max_run: job.limits.max_run_ms.map(Duration::from_millis),
            beat_every: BEAT_EVERY,
            report_every: REPORT_EVERY,
        };
        let (work_ends, ended) = oneshot::channel();
        let keeping = tokio::spawn(keeper.keep(ended));
        let watch: Arc<dyn ProgressSink> = Arc::clone(board) as Arc<dyn ProgressSink>;
        let fence = Fence {
            store: Arc::clone(&self.store),
            lease: lease.clone(),
            stop: stop.clone(),
            patience_ms: self.patience_ms,
            is_last: !has_another_attempt(job),
        };
        let result = work.run(&host, watch, Attempt::of_job(&job.id, job.attempt).fenced(fence)).await;
        drop(work_ends);
        if let Err(error) = keeping.await {
            tracing::warn!(%error, job = job.id, "the lease was not kept to the end");
        }
        result
    }

    /// Records the end, for as long as patience lasts.
    async fn finish(&self, lease: &Lease, outcome: &Outcome, board: &ProgressTracker) -> Recorded {
        let lines = board.waiting_lines();
        let progress = board.last_progress(matches!(outcome, Outcome::Succeeded(_)));
        // Once the end is recorded there is no lease to report under, also where only the answer was lost.
        let reported = AtomicBool::new(false);
        let seed = Seed::default().derive(&lease.owner, u64::from(lease.attempt));
        let retry = Retry { budget_ms: self.patience_ms, seed, ..Retry::default() };
        let answer = retry
            .run(|| async {
                if !reported.load(Ordering::Relaxed) {
                    self.store.append_log(&lease.job_id, &lines).await?;
                    self.store.report_progress(lease, &progress, system_time()).await?;
                    reported.store(true, Ordering::Relaxed);
                }
                self.store.finish_job(lease, outcome, system_time()).await
            })
            .await;
        match answer {
            Ok(()) => recorded(outcome),
            Err(MetaError::LeaseLost { .. } | MetaError::NotFound { .. }) => Recorded::Elsewhere,
            Err(error) => {
                tracing::warn!(%error, job = lease.job_id, "the end of the job is not on record");
                Recorded::Nowhere
            }
        }
    }

    /// Tells what the job's record does not.
    fn explain(&self, job: &Job, recorded: Recorded, succeeded: bool) {
        let id = &job.id;
        match recorded {
            Recorded::Elsewhere if succeeded => self.watch.note(&format!(
                "job {id} was given up while the database was away: its record says so, but what was computed here stands"
            )),
            // The record says it, or the error.
            Recorded::As(_) | Recorded::PutOff | Recorded::Elsewhere => {}
            Recorded::Nowhere => self.watch.note(&format!(
                "the end of job {id} could not be recorded: it will be listed as interrupted, or done again"
            )),
        }
    }
}

/// True where the job, should its lease be lost or its attempt fail, may be given to somebody again.
fn has_another_attempt(job: &Job) -> bool {
    job.resumable && job.attempts_left > 0
}

/// What to record, and what to tell who asked for the work.
fn end(
    job: &Job,
    result: Result<JobOutput, Problem>,
    reason: Option<StopReason>,
    backoff: Option<Backoff>,
) -> (Option<Outcome>, Result<JobOutput, Problem>) {
    let error = match result {
        // Who finishes in spite of having been asked to stop has finished.
        Ok(output) => return (Some(Outcome::Succeeded(output.document.clone())), Ok(output)),
        Err(error) if error.blame != Blame::Cancelled => {
            if let Some(backoff) = backoff.filter(|_| error.passes() && has_another_attempt(job)) {
                let used = job.limits.max_attempts.saturating_sub(job.attempts_left);
                let delay_ms = backoff.pause_ms(&job.id, used);
                return (Some(Outcome::PutOff { error: error.detail.clone(), delay_ms }), Err(error));
            }
            return (Some(Outcome::Failed(error.detail.clone())), Err(error));
        }
        Err(error) => error,
    };
    let id = &job.id;
    let kept = format!("what was finished is kept: `candlecast jobs retry {id}` goes on from there");
    match reason {
        None | Some(StopReason::Cancelled) => {
            let error = Problem { detail: format!("job {id} was cancelled; {kept}"), ..error };
            (Some(Outcome::Cancelled), Err(error))
        }
        Some(StopReason::GivenBack) => {
            let error = Problem { detail: format!("job {id} was given back; another worker goes on"), ..error };
            (Some(Outcome::GivenBack), Err(error))
        }
        Some(StopReason::LeaseLost) => {
            let error = Problem::data(
                "job-taken-over",
                format!("job {id} is in other hands by now: see `candlecast jobs show {id}`; {kept}"),
            );
            (None, Err(error))
        }
        Some(StopReason::TooLong) => {
            let limit_s = job.limits.max_run_ms.unwrap_or(0) as f64 / 1_000.0;
            let detail = format!("job {id} took longer than the {limit_s} s it was given; {kept}");
            (Some(Outcome::Failed(detail.clone())), Err(Problem::data("job-too-long", detail)))
        }
    }
}

fn log_end(board: &ProgressTracker, outcome: Option<&Outcome>, result: &Result<JobOutput, Problem>) {
    match (outcome, result) {
        (_, Ok(_)) => board.log(LogLevel::Info, "succeeded"),
        (Some(Outcome::Failed(_)), Err(error)) => {
            board.log(LogLevel::Error, format!("{} ({})", error.detail, error.code));
        }
        (Some(Outcome::PutOff { delay_ms, .. }), Err(error)) => {
            let seconds = delay_ms.div_ceil(1_000);
            board.log(LogLevel::Warn, format!("{} ({}); tried again in {seconds} s", error.detail, error.code));
        }
        (_, Err(error)) => board.log(LogLevel::Warn, error.detail.clone()),
    }
}

/// What the database knows once it has the end.
fn recorded(outcome: &Outcome) -> Recorded {
    Recorded::As(match outcome {
        Outcome::Succeeded(_) => JobState::Succeeded,
        Outcome::Failed(_) => JobState::Failed,
        Outcome::Cancelled => JobState::Cancelled,
        Outcome::Interrupted(_) => JobState::Interrupted,
        Outcome::GivenBack | Outcome::LeftToOthers(_) => JobState::Queued,
        Outcome::PutOff { .. } => return Recorded::PutOff,
    })
}
