//! [`work`]: takes jobs until it is asked to end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candlecast_core::{Problem, ProgressSink, Seed, SeriesKey};
use candlecast_host::{Host, Owner, TaskOwner, models_folder, shares_records, stored_candles, system_time};
use candlecast_meta::{Job, JobState, Lease, LogLevel, LogLine, MetaError, Outcome, QueueStore, Retry, WantedKind};
use tokio::task::{Id, JoinError, JoinSet};

use crate::backoff::Backoff;
use crate::clock_watch::{ClockWatch, Disturbance, Reading};
use crate::doc::WorkedDoc;
use crate::kind::JobCatalog;
use crate::queries::end_leases;
use crate::runner::{Ended, Recorded, Runner};
use crate::stop::{StopReason, StopSwitch, unless_set};
use crate::submit::queue;
use crate::{LEASE_MS, WORKER_PATIENCE_MS};

const DAY_MS: i64 = 86_400_000;
/// Time between two looks at whether the worker is to end.
const STOP_EVERY: Duration = Duration::from_millis(100);
/// Time between two looks at jobs that ended long ago.
const FORGET_EVERY: Duration = Duration::from_secs(86_400);
/// How long a job that was asked for when the worker was to end may still come: left alone, it would wait for its lease
/// to run out.
const LATE_LEASE: Duration = Duration::from_secs(1);
/// What one worker at a time does: queueing what has come due, and forgetting.
const UPKEEP: &str = "upkeep";
/// How long a worker keeps that turn, ms: longer than it takes until it looks again.
const UPKEEP_TURN_MS: u64 = 150_000;
/// Longest that the turn is asked for at a time, ms.
const UPKEEP_BUDGET_MS: u64 = 2_000;
/// Longest time that queueing what has come due may take.
const UPKEEP_LIMIT: Duration = Duration::from_secs(60);
/// Jobs that a worker leaves to others at most: of a kind that it could not read, beyond which it takes no more of the
/// kind; for candles that it lacks, beyond which it takes no more until it has those of one.
const MAX_LEFT: usize = 1_000;
/// How long a job is left to others at most for candles that are lacking.
const LEFT_FOR: Duration = Duration::from_secs(86_400);

/// How often a worker looks, and how long it waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    /// Time between looks at the queue.
    look: Duration,
    /// Longest time between looks while the database fails.
    longest_look: Duration,
    /// Time between two searches for jobs whose worker is gone.
    recover: Duration,
    /// Time between two looks at what has come due by itself.
    upkeep: Duration,
    /// After its start, after the database was away, and after the clock was set or the machine slept, a worker gives
    /// others this long to be heard before it ends leases that have run out.
    grace: Duration,
    /// Time that jobs have to keep what they finished once the worker is to end.
    drain: Duration,
    /// Time to give back what did not end within that.
    give_back: Duration,
    /// How long a job waits that failed for something that passes.
    backoff: Backoff,
    /// Time between two looks for candles that a job was left to others for: they may be fetched or imported.
    lacking: Duration,
}

impl Default for Pace {
    /// All in all a worker ends within ten seconds.
    fn default() -> Self {
        Self {
            look: Duration::from_secs(1),
            longest_look: Duration::from_secs(15),
            recover: Duration::from_secs(10),
            upkeep: Duration::from_secs(60),
            grace: Duration::from_secs(15),
            drain: Duration::from_secs(7),
            give_back: Duration::from_millis(1_200),
            backoff: Backoff::default(),
            lacking: Duration::from_secs(60),
        }
    }
}

/// What a worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Jobs at once, at least 1. They share the threads and the memory that may be used.
    pub jobs: usize,
    /// True to end when no job waits.
    pub once: bool,
    /// Only these kinds; all for none.
    pub kinds: Vec<String>,
}

/// Takes jobs and does them until [`Host::cancel`] is set; then those under way are stopped at their next safe point
/// and given back, within ten seconds, whatever the database does meanwhile. While the database is away, work goes on
/// and no job is taken.
pub async fn work(
    host: &Host,
    catalog: &'static JobCatalog,
    options: &WorkerOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<WorkedDoc, Problem> {
    let folder = models_folder(host).await?;
    let kinds = kinds_to_take(host, catalog, &options.kinds, &folder)?;
    let Some(opened) = unless_set(host.cancel(), Duration::ZERO, queue(host)).await else {
        return Ok(WorkedDoc::default());
    };
    let store = opened?;
    if !options.once {
        watch.note("waiting for jobs; an interrupt ends the worker");
    }
    let pace = Pace::default();
    let at_once = options.jobs.max(1);
    let (host, patience_ms, backoff) = (host.clone(), WORKER_PATIENCE_MS, Some(pace.backoff));
    let runner = Runner { host, catalog, store, watch, patience_ms, backoff };
    let mut worker = Worker::new(runner, kinds, at_once, options.once, pace);
    if !folder.is_empty() {
        // What has come due is told by a folder's models and its host's settings.
        worker.turn = format!("{UPKEEP}:{folder}");
    }
    let served = worker.serve().await;
    worker.drain().await;
    served.map(|()| worker.worked)
}

/// The chosen kinds, all of them for none, to be done beside `folder`; none that is switched off.
fn kinds_to_take(
    host: &Host,
    catalog: &'static JobCatalog,
    chosen: &[String],
    folder: &str,
) -> Result<Vec<WantedKind>, Problem> {
    let enabled = host.settings.training_enabled;
    for id in chosen {
        if catalog.find(id)?.trains && !enabled {
            return Err(Problem::data(
                "training-disabled",
                format!("jobs of the kind `{id}` are switched off by ML_TRAINING_ENABLED=false: set it to true"),
            ));
        }
    }
    let takes = |id: &str| chosen.is_empty() || chosen.iter().any(|c| c == id);
    let workable = catalog.workable(enabled).filter(|kind| takes(kind.id));
    Ok(workable.map(|kind| WantedKind::up_to(kind.id, kind.version).beside(folder)).collect())
}

/// Those of `series` of which the folder of `host` has no candles; none where nobody else could have them.
async fn lacking(host: &Host, series: Vec<SeriesKey>) -> Vec<SeriesKey> {
    let mut missing = Vec::new();
    if shares_records(host) {
        for key in series {
            // What cannot be told now is found out by the work itself.
            if matches!(stored_candles(host, &key).await, Ok(None)) {
                missing.push(key);
            }
        }
    }
    missing
}

fn candles_elsewhere(missing: &[SeriesKey]) -> Problem {
    let keys = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let detail = format!("the candles of {keys} are not in the folder of this worker: one that has them can do it");
    Problem::data("candles-elsewhere", detail)
}

/// A job that is left to others for candles that are not here.
struct Left {
    missing: Vec<SeriesKey>,
    /// When to look for them again.
    look_at: Instant,
    /// When to take it all the same, if it still waits, since what it takes may have changed.
    until: Instant,
}

/// A job under way.
struct Held {
    lease: Lease,
    stop: StopSwitch,
    task: Id,
}

struct Worker {
    runner: Runner,
    interrupted: Arc<AtomicBool>,
    /// The worker itself, whose turn it may be; each of its jobs is held by a task of its own.
    task: TaskOwner,
    /// Where it is empty nothing is taken: for none, the queue would give jobs of kinds that this program does not
    /// know.
    kinds: Vec<WantedKind>,
    /// Jobs that are left to others as long as their candles are not here.
    lacking: BTreeMap<String, Left>,
    /// What one worker at a time does is known by this.
    turn: String,
    at_once: usize,
    once: bool,
    pace: Pace,
    running: JoinSet<Ended>,
    /// The jobs under way.
    held: BTreeMap<String, Held>,
    recovered: Option<Instant>,
    kept_up: Option<Instant>,
    forgotten: Option<Instant>,
    /// The last problem of what is queued by itself, told once.
    told: String,
    clock: ClockWatch,
    /// When the database last failed, or the clock was set, or the process stood still.
    trouble: Option<Instant>,
    /// Time until the next look.
    pause: Duration,
    began: Instant,
    /// When the worker noticed that it is to end.
    ending: Option<Instant>,
    worked: WorkedDoc,
}

impl Worker {
    fn new(runner: Runner, kinds: Vec<WantedKind>, at_once: usize, once: bool, pace: Pace) -> Self {
        Self {
            interrupted: Arc::clone(runner.host.cancel()),
            runner,
            task: Owner::task(),
            kinds,
            lacking: BTreeMap::new(),
            turn: UPKEEP.to_owned(),
            at_once,
            once,
            pace,
            running: JoinSet::new(),
            held: BTreeMap::new(),
            recovered: None,
            kept_up: None,
            forgotten: None,
            told: String::new(),
            clock: ClockWatch::new(Reading::now()),
            trouble: None,
            pause: pace.look,
            began: Instant::now(),
            ending: None,
            worked: WorkedDoc::default(),
        }
    }

    /// Until interrupted, or, once, until nothing waits.
    async fn serve(&mut self) -> Result<(), Problem> {
        while !self.is_interrupted() {
            self.watch_clock(Reading::now());
            self.recover().await?;
            self.keep_up().await;
            let is_free = self.held.len() < self.at_once;
            if is_free && self.take().await? {
                continue;
            }
            let is_idle = self.held.is_empty() && self.trouble.is_none();
            if self.once && is_idle {
                return Ok(());
            }
            self.wait().await;
        }
        Ok(())
    }

    fn is_interrupted(&mut self) -> bool {
        let is_set = self.interrupted.load(Ordering::Relaxed);
        if is_set {
            self.ending.get_or_insert_with(Instant::now);
        }
        is_set
    }

    /// Gives others time to be heard after something by which their leases seem to have run out.
    fn watch_clock(&mut self, now: Reading) {
        let pause_ms = i64::try_from(self.pause.as_millis()).unwrap_or(i64::MAX);
        let Some(disturbance) = self.clock.look(now, pause_ms) else { return };
        match disturbance {
            Disturbance::ClockSet(by_ms) => tracing::warn!(by_ms, "the system's clock was set"),
            Disturbance::StoodStill(ms) => tracing::warn!(ms, "nothing was done for a while, or the machine slept"),
        }
        self.trouble = Some(Instant::now());
    }

    /// Takes a job, if one waits.
    async fn take(&mut self) -> Result<bool, Problem> {
        self.look_again().await;
        if self.kinds.is_empty() || self.lacking.len() >= MAX_LEFT {
            return Ok(false);
        }
        let holder = Owner::task();
        let owner = holder.to_string();
        let taken = self.runner.store.lease_job(&owner, &self.kinds, LEASE_MS, system_time());
        // A lease that was under way comes to this worker all the same, which then gives it back.
        let Some(taken) = unless_set(&self.interrupted, LATE_LEASE, taken).await else { return Ok(false) };
        match self.passing(taken)?.flatten() {
            Some(job) => {
                self.start(job, holder).await;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn start(&mut self, job: Job, holder: TaskOwner) {
        let Some(lease) = job.lease() else { return };
        let request = match self.runner.catalog.read(&job) {
            Ok(request) => request,
            Err(error) => return self.leave(&job, &lease, &error).await,
        };
        let missing = lacking(&self.runner.host, request.series()).await;
        if !missing.is_empty() {
            let error = candles_elsewhere(&missing);
            let now = Instant::now();
            let left = Left { missing, look_at: now + self.pace.lacking, until: now + LEFT_FOR };
            self.lacking.insert(job.id.clone(), left);
            return self.leave(&job, &lease, &error).await;
        }
        let what = request.subject();
        self.runner.watch.note(&format!("job {} started: {} {what}", job.id, job.kind));
        let stop = StopSwitch::new(Arc::new(AtomicBool::new(false)));
        let work = self.runner.clone().run(job, stop.clone());
        let run = async move {
            // Whatever becomes of the work: once it has ended, its lease is nobody's.
            let _holder = holder;
            work.await
        };
        let task = self.running.spawn(run).id();
        self.held.insert(lease.job_id.clone(), Held { lease, stop, task });
    }

    /// Looks for the candles of jobs that were left to others, when it is time to; those that have them may be taken.
    async fn look_again(&mut self) {
        let now = Instant::now();
        let due: Vec<String> =
            self.lacking.iter().filter(|(_, left)| left.look_at <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            let Some(left) = self.lacking.remove(&id) else { continue };
            let missing = lacking(&self.runner.host, left.missing).await;
            if missing.is_empty() || left.until <= now {
                self.kinds.iter_mut().for_each(|wanted| wanted.except.retain(|other| *other != id));
            } else {
                self.lacking.insert(id, Left { missing, look_at: now + self.pace.lacking, until: left.until });
            }
        }
    }

    /// Leaves a job that this worker cannot do to one that can, and takes it no more.
    async fn leave(&mut self, job: &Job, lease: &Lease, error: &Problem) {
        if let Some(at) = self.kinds.iter().position(|wanted| wanted.kind == job.kind) {
            self.kinds[at].except.push(job.id.clone());
            // Half of them at most lack candles.
            if self.kinds[at].except.len() > 2 * MAX_LEFT {
                self.kinds.remove(at);
            }
        }
        self.runner.watch.note(&format!("job {} is left to another worker: {}", job.id, error.detail));
        let message = error.detail.clone();
        let line = LogLine { attempt: job.attempt, line: 0, at: system_time(), level: LogLevel::Warn, message };
        let (store, outcome) = (Arc::clone(&self.runner.store), Outcome::LeftToOthers(error.detail.clone()));
        let giving = async {
            store.append_log(&job.id, std::slice::from_ref(&line)).await?;
            store.finish_job(lease, &outcome, system_time()).await
        };
        let given = unless_set(&self.interrupted, Duration::ZERO, giving).await;
        // Where it cannot be given back the lease is that of a task that has ended: it is ended like any such.
        if let Some(given) = given
            && let Err(error) = self.passing(given)
        {
            tracing::warn!(%error, job = job.id, "the job could not be given back");
        }
    }

    /// Until a job ends, the next look at the queue is due, or the worker is to end.
    async fn wait(&mut self) {
        let until = Instant::now() + self.pause;
        while !self.is_interrupted() && Instant::now() < until {
            tokio::select! {
                Some(ended) = self.running.join_next() => {
                    self.count(ended);
                    return;
                }
                () = tokio::time::sleep(STOP_EVERY) => {}
            }
        }
    }

    /// Looks for jobs whose worker is gone, when it is time to.
    async fn recover(&mut self) -> Result<(), Problem> {
        let is_due = self.recovered.is_none_or(|at| at.elapsed() >= self.pace.recover);
        if !is_due || self.trouble.is_some_and(|at| at.elapsed() < self.pace.grace) {
            return Ok(());
        }
        // A worker that ends when nothing waits may not live for the grace: it ends what has been silent for that long.
        let is_fresh = self.began.elapsed() < self.pace.grace;
        let silence = if is_fresh { self.once.then_some(self.pace.grace) } else { Some(Duration::ZERO) };
        let store = Arc::clone(&self.runner.store);
        let found = unless_set(&self.interrupted, Duration::ZERO, end_leases(store.as_ref(), silence)).await;
        let Some(found) = found else { return Ok(()) };
        if let Some(jobs) = self.passing(found)? {
            self.recovered = Some(Instant::now());
            for job in jobs {
                self.runner.watch.note(&format!("job {} lost its worker and is {}", job.id, job.state));
            }
        }
        Ok(())
    }

    /// Queues what has come due by itself, and forgets what is old, when it is time to look and this worker's turn.
    async fn keep_up(&mut self) {
        if self.kept_up.is_some_and(|at| at.elapsed() < self.pace.upkeep) || self.trouble.is_some() {
            return;
        }
        self.kept_up = Some(Instant::now());
        if !self.has_turn().await {
            return;
        }
        let work = tokio::time::timeout(UPKEEP_LIMIT, (self.runner.catalog.upkeep)(&self.runner.host));
        let Some(done) = unless_set(&self.interrupted, Duration::ZERO, work).await else { return };
        let (queued, problems) = match done {
            Ok(Ok(queued)) => (queued.jobs, queued.problems),
            Ok(Err(error)) => (vec![], vec![error]),
            Err(_) => (vec![], vec![Problem::data("upkeep-too-long", "it took too long: it is tried again")]),
        };
        for id in queued {
            self.runner.watch.note(&format!("job {id} has come due and is queued"));
        }
        let problems = problems.iter().map(|e| e.detail.as_str()).collect::<Vec<_>>().join("; ");
        if !problems.is_empty() && problems != self.told {
            self.runner.watch.note(&format!("not queued: {problems}"));
        }
        self.told = problems;
        self.forget().await;
    }

    /// True where this worker, of all that there are, looks after what has come due.
    async fn has_turn(&mut self) -> bool {
        let (store, owner, turn) = (Arc::clone(&self.runner.store), self.task.to_string(), self.turn.clone());
        let seed = Seed::default().derive(&owner, 0);
        let retry = Retry { budget_ms: UPKEEP_BUDGET_MS, seed, ..Retry::default() };
        let asked = retry.run(|| store.take_turn(&turn, &owner, UPKEEP_TURN_MS, system_time()));
        match unless_set(&self.interrupted, Duration::ZERO, asked).await {
            // What is wrong for good is found by whoever asks for a job.
            Some(answer) => self.passing(answer).ok().flatten().unwrap_or(false),
            None => false,
        }
    }

    /// Forgets jobs that ended long ago, once a day.
    async fn forget(&mut self) {
        if self.forgotten.is_some_and(|at| at.elapsed() < FORGET_EVERY) || self.trouble.is_some() {
            return;
        }
        self.forgotten = Some(Instant::now());
        let forgetting = forget_old_jobs(&self.runner.host, self.runner.store.as_ref());
        match unless_set(&self.interrupted, Duration::ZERO, forgetting).await {
            None | Some(Ok(0)) => {}
            Some(Ok(n)) => self.runner.watch.note(&format!("jobs that ended long ago are forgotten ({n})")),
            Some(Err(error)) => tracing::warn!(%error, "jobs that ended long ago are kept until tomorrow"),
        }
    }

    /// `None` for whatever the database may recover from: then no jobs are taken for a while, which grows. What it
    /// cannot recover from while this program runs is another schema, or that it does not let the program in. A worker
    /// that ends when nothing waits does not wait for what somebody has to mend.
    fn passing<T>(&mut self, answer: Result<T, MetaError>) -> Result<Option<T>, Problem> {
        let error = match answer {
            Ok(value) => {
                self.trouble = self.trouble.filter(|at| at.elapsed() < self.pace.grace);
                self.pause = self.pace.look;
                return Ok(Some(value));
            }
            Err(error) => error,
        };
        let soon = error.is_transient() || matches!(error, MetaError::DiskFull { .. });
        if ends_a_worker(&error) || (self.once && !soon) {
            return Err(error.into());
        }
        if self.trouble.is_none() {
            tracing::warn!(%error, "no jobs are taken until the database answers");
        }
        self.trouble = Some(Instant::now());
        self.pause = (self.pause * 2).min(self.pace.longest_look);
        Ok(None)
    }

    fn count(&mut self, ended: Result<Ended, JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // A panic outside of the computation: its task has ended, so its lease is ended, and another attempt
                // made.
                tracing::error!(%error, "a job ended abnormally");
                self.worked.lost += 1;
                self.held.retain(|_, held| held.task != error.id());
                return;
            }
        };
        self.held.remove(&ended.job_id);
        let (counter, how) = match ended.recorded {
            Recorded::As(JobState::Succeeded) => (&mut self.worked.succeeded, "succeeded".to_owned()),
            Recorded::As(JobState::Cancelled) => (&mut self.worked.cancelled, "was cancelled".to_owned()),
            Recorded::As(JobState::Queued) => (&mut self.worked.given_back, "was given back".to_owned()),
            Recorded::As(_) => (&mut self.worked.failed, "failed".to_owned()),
            Recorded::PutOff => (&mut self.worked.put_off, "is put off".to_owned()),
            Recorded::Elsewhere => (&mut self.worked.lost, "is in other hands".to_owned()),
            Recorded::Nowhere => (&mut self.worked.lost, "ended, which could not be recorded".to_owned()),
        };
        *counter += 1;
        let why = ended.result.err().map_or_else(String::new, |e| format!(": {}", e.detail));
        self.runner.watch.note(&format!("job {} {how}{why}", ended.job_id));
    }

    /// Stops what is under way and gives it back.
    async fn drain(&mut self) {
        let ending = self.ending.unwrap_or_else(Instant::now);
        let last = ending + self.pace.drain + self.pace.give_back;
        if !self.running.is_empty() {
            for held in self.held.values() {
                held.stop.stop(StopReason::GivenBack);
            }
            self.runner.watch.note(&format!("ending: jobs under way are given back ({})", self.running.len()));
            let until = ending + self.pace.drain;
            while !self.running.is_empty() {
                let left = until.saturating_duration_since(Instant::now());
                let Ok(Some(ended)) = tokio::time::timeout(left, self.running.join_next()).await else { break };
                self.count(ended);
            }
            self.give_back_the_rest(last).await;
        }
        if self.kept_up.is_some() {
            // Another worker need not wait until the turn runs out; where this fails, it does.
            let owner = self.task.to_string();
            let left = last.saturating_duration_since(Instant::now()).min(self.pace.give_back);
            drop(tokio::time::timeout(left, self.runner.store.end_turn(&self.turn, &owner)).await);
        }
    }

    /// Gives back jobs that did not come to a safe point in time. What they compute from here on is lost; what they
    /// kept is not.
    async fn give_back_the_rest(&mut self, until: Instant) {
        for (id, Held { lease, .. }) in std::mem::take(&mut self.held) {
            let left = until.saturating_duration_since(Instant::now());
            let given = self.runner.store.finish_job(&lease, &Outcome::GivenBack, system_time());
            match tokio::time::timeout(left, given).await {
                Ok(Ok(())) => self.worked.given_back += 1,
                Ok(Err(_)) | Err(_) => self.worked.lost += 1,
            }
            self.worked.computing += 1;
            self.runner.watch.note(&format!("job {id} was given back while it computes"));
        }
    }
}

/// True for what no worker recovers from while it runs.
fn ends_a_worker(error: &MetaError) -> bool {
    match error {
        MetaError::Newer { .. } | MetaError::Changed { .. } => true,
        // Of a server it is the password or the name; of a file it may be that no descriptor is left, which passes.
        MetaError::Open { place, .. } => place.starts_with("postgres"),
        _ => false,
    }
}

/// Forgets jobs that ended longer ago than they are kept, with their logs; returns how many. The runs, the ledger and
/// the models that came of them stay.
async fn forget_old_jobs(host: &Host, store: &dyn QueueStore) -> Result<u64, MetaError> {
    let kept_ms = i64::from(host.settings.keep_jobs_days) * DAY_MS;
    store.forget_jobs(system_time().plus_ms(-kept_ms)).await
}

#[cfg(test)]
mod tests;
