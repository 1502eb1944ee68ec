//! The job queue against a model in memory, over random sequences of calls.

use candlecast_core::Timestamp;
use candlecast_meta::{
    Cancelled, JobLimits, JobState, JobStore, Lease, MetaError, NewJob, Outcome, Signal, SqlStore, WantedKind,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;

use crate::backends::postgres_url;
use crate::fixtures::T0;

#[derive(Debug, Clone)]
enum Call {
    Enqueue { priority: i32, resumable: bool, max_attempts: u32, key: Option<u8> },
    Begin { max_attempts: u32, key: Option<u8>, ms: u64 },
    Lease { ms: u64 },
    LeaseThis { job: usize, ms: u64 },
    Heartbeat { lease: usize, ms: u64 },
    Finish { lease: usize, how: u8 },
    Cancel { job: usize },
    Retry { job: usize },
    Expire,
    Pass { ms: i64 },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (-1..2i32, any::<bool>(), 1..3u32, proptest::option::of(0..2u8)).prop_map(
            |(priority, resumable, max_attempts, key)| Call::Enqueue { priority, resumable, max_attempts, key }
        ),
        1 => (1..3u32, proptest::option::of(0..2u8), 1..50u64).prop_map(
            |(max_attempts, key, ms)| Call::Begin { max_attempts, key, ms }
        ),
        4 => (1..50u64).prop_map(|ms| Call::Lease { ms }),
        2 => (0..8usize, 1..50u64).prop_map(|(job, ms)| Call::LeaseThis { job, ms }),
        2 => (0..8usize, 1..50u64).prop_map(|(lease, ms)| Call::Heartbeat { lease, ms }),
        3 => (0..8usize, 0..7u8).prop_map(|(lease, how)| Call::Finish { lease, how }),
        2 => (0..8usize).prop_map(|job| Call::Cancel { job }),
        2 => (0..8usize).prop_map(|job| Call::Retry { job }),
        2 => Just(Call::Expire),
        2 => (1..30i64).prop_map(|ms| Call::Pass { ms }),
    ]
}

/// A job in the model.
#[derive(Debug, Clone)]
struct Modelled {
    id: String,
    priority: i32,
    resumable: bool,
    key: Option<u8>,
    max_attempts: u32,
    state: JobState,
    attempts_left: u32,
    attempt: u32,
    cancel_asked: bool,
    until: Option<Timestamp>,
}

impl Modelled {
    fn lives(&self) -> bool {
        !self.state.is_final()
    }

    fn is_held(&self, lease: &Lease) -> bool {
        self.state == JobState::Running && self.attempt == lease.attempt
    }

    fn end(&mut self, state: JobState) {
        self.state = state;
        self.until = None;
    }
}

/// The queue, its model, and every lease ever given.
struct World<'a> {
    store: &'a SqlStore,
    prefix: String,
    now: Timestamp,
    jobs: Vec<Modelled>,
    leases: Vec<Lease>,
}

type Checked = Result<(), TestCaseError>;

impl World<'_> {
    async fn step(&mut self, call: &Call) -> Checked {
        match *call {
            Call::Enqueue { priority, resumable, max_attempts, key } => {
                self.enqueue(priority, resumable, max_attempts, key, None).await
            }
            Call::Begin { max_attempts, key, ms } => self.enqueue(0, true, max_attempts, key, Some(ms)).await,
            Call::Lease { ms } => self.lease(ms).await,
            Call::LeaseThis { job, ms } => self.lease_this(job, ms).await,
            Call::Heartbeat { lease, ms } => self.heartbeat(lease, ms).await,
            Call::Finish { lease, how } => self.finish(lease, how).await,
            Call::Cancel { job } => self.cancel(job).await,
            Call::Retry { job } => self.retry(job).await,
            Call::Expire => self.expire().await,
            Call::Pass { ms } => {
                self.now = self.now.plus_ms(ms);
                Ok(())
            }
        }
    }

    /// Queues a job, or begins it with a lease of `begin` ms.
    async fn enqueue(
        &mut self,
        priority: i32,
        resumable: bool,
        max_attempts: u32,
        key: Option<u8>,
        begin: Option<u64>,
    ) -> Checked {
        let id = format!("{}-{}", self.prefix, self.jobs.len());
        let new = NewJob {
            priority,
            resumable,
            dedupe_key: key.map(|key| format!("{}-key-{key}", self.prefix)),
            limits: JobLimits { max_attempts, ..JobLimits::default() },
            ..NewJob::new(id.as_str(), self.prefix.as_str(), json!({}))
        };
        let standing = self.jobs.iter().find(|job| key.is_some() && job.key == key && job.lives());
        let expected = standing.map_or_else(|| id.clone(), |job| job.id.clone());
        let enqueued = match begin {
            Some(ms) => {
                let owner = format!("w{}", self.leases.len());
                self.store.begin_job(&new, &owner, ms, self.now).await.unwrap()
            }
            None => self.store.enqueue(&new, self.now).await.unwrap(),
        };
        prop_assert_eq!((&enqueued.job.id, enqueued.is_new), (&expected, expected == id));
        if enqueued.is_new {
            let begun = u32::from(begin.is_some());
            self.jobs.push(Modelled {
                id,
                priority,
                resumable,
                key,
                max_attempts,
                state: if begin.is_some() { JobState::Running } else { JobState::Queued },
                attempts_left: max_attempts - begun,
                attempt: begun,
                cancel_asked: false,
                until: begin.map(|ms| self.now.plus_ms(ms as i64)),
            });
            self.leases.extend(enqueued.job.lease());
        }
        Ok(())
    }

    async fn lease(&mut self, ms: u64) -> Checked {
        let owner = format!("w{}", self.leases.len());
        let wanted = [WantedKind::up_to(self.prefix.as_str(), 1)];
        let leased = self.store.lease_job(&owner, &wanted, ms, self.now).await.unwrap();
        let until = self.now.plus_ms(ms as i64);
        // `max_by_key` keeps the last of equals, so the queue is walked backwards.
        let first = self.jobs.iter_mut().rev().filter(|j| j.state == JobState::Queued).max_by_key(|j| j.priority);
        prop_assert_eq!(leased.as_ref().map(|job| &job.id), first.as_ref().map(|job| &job.id));
        if let (Some(job), Some(leased)) = (first, leased) {
            job.state = JobState::Running;
            job.attempt += 1;
            job.attempts_left -= 1;
            job.until = Some(until);
            self.leases.push(leased.lease().unwrap());
        }
        Ok(())
    }

    async fn lease_this(&mut self, index: usize, ms: u64) -> Checked {
        let Some(job) = self.jobs.get(index) else { return Ok(()) };
        let owner = format!("w{}", self.leases.len());
        let is_rival = |other: &Modelled| other.key == job.key && other.id != job.id && other.lives();
        let rival = job.key.is_some() && self.jobs.iter().any(is_rival);
        let answer = self.store.lease_this(&job.id, &owner, ms, self.now).await;
        let may = match job.state {
            JobState::Queued => true,
            JobState::Failed | JobState::Cancelled | JobState::Interrupted => !rival,
            JobState::Running | JobState::Succeeded => false,
        };
        if !may {
            prop_assert!(matches!(answer, Err(MetaError::Conflict { .. })), "{answer:?}");
            return Ok(());
        }
        let until = self.now.plus_ms(ms as i64);
        let job = &mut self.jobs[index];
        let before = if job.state == JobState::Queued { job.attempts_left } else { job.max_attempts };
        job.attempts_left = before - 1;
        job.state = JobState::Running;
        job.attempt += 1;
        job.cancel_asked = false;
        job.until = Some(until);
        self.leases.push(answer.unwrap().lease().unwrap());
        Ok(())
    }

    async fn heartbeat(&mut self, index: usize, ms: u64) -> Checked {
        let Some(lease) = self.leases.get(index) else { return Ok(()) };
        let answer = self.store.heartbeat(lease, ms, self.now).await;
        let job = self.jobs.iter_mut().find(|job| job.id == lease.job_id).unwrap();
        if job.is_held(lease) {
            job.until = Some(self.now.plus_ms(ms as i64));
            prop_assert_eq!(answer, Ok(if job.cancel_asked { Signal::Cancel } else { Signal::Continue }));
        } else {
            prop_assert!(matches!(answer, Err(MetaError::LeaseLost { .. })), "{answer:?}");
        }
        Ok(())
    }

    async fn finish(&mut self, index: usize, how: u8) -> Checked {
        let Some(lease) = self.leases.get(index) else { return Ok(()) };
        let (outcome, state) = match how {
            0 => (Outcome::Succeeded(json!(1)), JobState::Succeeded),
            1 => (Outcome::Failed("e".into()), JobState::Failed),
            2 => (Outcome::Cancelled, JobState::Cancelled),
            3 => (Outcome::Interrupted("i".into()), JobState::Interrupted),
            4 => (Outcome::GivenBack, JobState::Queued),
            5 => (Outcome::LeftToOthers("u".into()), JobState::Queued),
            _ => (Outcome::PutOff { error: "p".into(), delay_ms: 0 }, JobState::Queued),
        };
        let before = self.store.job(&lease.job_id).await.unwrap();
        let answer = self.store.finish_job(lease, &outcome, self.now).await;
        let job = self.jobs.iter_mut().find(|job| job.id == lease.job_id).unwrap();
        if job.is_held(lease) {
            prop_assert_eq!(answer, Ok(()));
            job.attempts_left += u32::from(matches!(outcome, Outcome::GivenBack | Outcome::LeftToOthers(_)));
            let is_last = !job.resumable || job.attempts_left == 0;
            job.end(match (state, &outcome) {
                (JobState::Queued, _) if job.cancel_asked => JobState::Cancelled,
                (JobState::Queued, Outcome::PutOff { .. }) if is_last => JobState::Failed,
                _ => state,
            });
        } else {
            // Either the very same end, once more, or no longer this worker's business; nothing changes.
            prop_assert!(matches!(answer, Ok(()) | Err(MetaError::LeaseLost { .. })), "{answer:?}");
            prop_assert_eq!(self.store.job(&lease.job_id).await.unwrap(), before);
        }
        Ok(())
    }

    async fn cancel(&mut self, index: usize) -> Checked {
        let Some(job) = self.jobs.get_mut(index) else { return Ok(()) };
        let answer = self.store.cancel_job(&job.id, self.now).await;
        match job.state {
            JobState::Queued => {
                prop_assert_eq!(answer, Ok(Cancelled::AtOnce));
                job.cancel_asked = true;
                job.end(JobState::Cancelled);
            }
            JobState::Running => {
                prop_assert_eq!(answer, Ok(Cancelled::Asked));
                job.cancel_asked = true;
            }
            JobState::Cancelled => prop_assert_eq!(answer, Ok(Cancelled::AtOnce)),
            _ => prop_assert!(matches!(answer, Err(MetaError::Conflict { .. })), "{answer:?}"),
        }
        Ok(())
    }

    async fn retry(&mut self, index: usize) -> Checked {
        let Some(job) = self.jobs.get(index) else { return Ok(()) };
        let rival = self.jobs.iter().any(|other| job.key.is_some() && other.key == job.key && other.lives());
        let answer = self.store.retry_job(&job.id, self.now).await;
        let may = matches!(job.state, JobState::Failed | JobState::Cancelled | JobState::Interrupted) && !rival;
        if may || job.state == JobState::Queued {
            prop_assert_eq!(answer.unwrap().state, JobState::Queued);
        } else {
            prop_assert!(matches!(answer, Err(MetaError::Conflict { .. })), "{answer:?}");
        }
        if may {
            let job = &mut self.jobs[index];
            job.state = JobState::Queued;
            job.cancel_asked = false;
            job.attempts_left = job.max_attempts;
        }
        Ok(())
    }

    async fn expire(&mut self) -> Checked {
        let expired = self.store.expire_leases(0, &[], self.now).await.unwrap();
        let mut found: Vec<_> = expired.into_iter().map(|job| (job.id, job.state)).collect();
        let mut expected = Vec::new();
        let now = self.now;
        for job in self.jobs.iter_mut().filter(|job| job.until.is_some_and(|until| until <= now)) {
            job.end(match (job.cancel_asked, job.resumable && job.attempts_left > 0) {
                (true, _) => JobState::Cancelled,
                (false, true) => JobState::Queued,
                (false, false) => JobState::Interrupted,
            });
            expected.push((job.id.clone(), job.state));
        }
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
        Ok(())
    }

    async fn compare(&self) -> Checked {
        for job in &self.jobs {
            let stored = self.store.job(&job.id).await.unwrap();
            prop_assert_eq!(
                (stored.state, stored.attempt, stored.attempts_left, stored.cancel_asked, stored.lease_until),
                (job.state, job.attempt, job.attempts_left, job.cancel_asked, job.until),
                "{}",
                job.id
            );
        }
        Ok(())
    }
}

/// Runs `cases` sequences on one store; each keeps to ids, kinds and keys of its own, and leaves nothing leased.
fn agree(runtime: &tokio::runtime::Runtime, store: &SqlStore, cases: u32) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let number = std::cell::Cell::new(0_u32);
    let result = runner.run(&proptest::collection::vec(call(), 1..60), |calls| {
        number.set(number.get() + 1);
        let prefix = format!("case{}", number.get());
        runtime.block_on(async {
            let mut world = World { store, prefix, now: T0, jobs: Vec::new(), leases: Vec::new() };
            let mut outcome = Ok(());
            for call in &calls {
                outcome = world.step(call).await;
                if outcome.is_err() {
                    break;
                }
            }
            if outcome.is_ok() {
                outcome = world.compare().await;
            }
            // A lease left behind would expire in the next sequence.
            store.expire_leases(0, &[], Timestamp(i64::MAX)).await.unwrap();
            outcome
        })
    });
    if let Err(error) = result {
        panic!("the queue and its model differ: {error}");
    }
}

#[test]
fn the_queue_does_what_its_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime.block_on(SqlStore::open_in(dir.path(), T0)).unwrap().by_callers_clock();
    agree(&runtime, &store, 96);
    if let Some(url) = runtime.block_on(postgres_url("job_model")) {
        let store = runtime.block_on(SqlStore::connect(&url, T0)).unwrap().by_callers_clock();
        agree(&runtime, &store, 24);
    }
}
