use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use candlecast_config::{Environment, Flags, ModelCatalog, Settings};
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, NoProgress, SeriesKey, TimeRange, Timestamp};
use candlecast_files::{FileLock, LOCK_FILE};
use candlecast_host::{Clock, HostOptions, upsert_candles};
use candlecast_meta::{JobStore as _, NewJob, Rule, SqlStore};
use candlecast_store::{LakeConfig, ParquetLake};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::attempt::Attempt;
use crate::faulty_store::{Fault, FaultyStore};
use crate::kind::{JobKind, Kind, QueuedTrainings, Subject};
use crate::submit::{JobOptions, new_job, queue_job, retry_job_here, run_job};

/// What the kinds of these tests have in common.
macro_rules! kind {
    ($kind:ident, $id:literal, |$this:ident, $host:ident, $attempt:ident| $work:expr) => {
        kind!($kind, $id, |$this, $host, $attempt| $work, takes vec![]);
    };
    ($kind:ident, $id:literal, |$this:ident, $host:ident, $attempt:ident| $work:expr, takes $series:expr) => {
        impl JobKind for $kind {
            const KIND: &'static str = $id;
            const TRAINS: bool = false;
            type Output = ();

            fn subject(&self) -> Subject {
                Subject { series: vec![], models: vec![], detail: $id.into(), range: TimeRange::ALL }
            }

            fn series(&self) -> Vec<SeriesKey> {
                $series
            }

            fn seed(&self) -> Seed {
                Seed(1)
            }

            fn with_defaults(self, _: &Settings) -> Self {
                self
            }

            fn check(&self) -> Result<(), Problem> {
                Ok(())
            }

            async fn run(&self, $host: &Host, _: Arc<dyn ProgressSink>, $attempt: Attempt) -> Result<(), Problem> {
                let $this = self;
                $work
            }

            fn document(&self, (): &()) -> Result<Value, Problem> {
                Ok(json!({}))
            }

            fn text(&self, (): &()) -> String {
                String::new()
            }
        }
    };
}

/// Takes a while, and stops when it is asked to, or does not hear.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nap {
    ms: u64,
    is_deaf: bool,
}

kind!(Nap, "nap", |nap, host, attempt| {
    for _ in 0..nap.ms {
        if !nap.is_deaf {
            host.check_cancelled()?;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    attempt.check_held().await
});

/// Stores candles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {}

kind!(Import, "import", |_import, host, attempt| {
    attempt.check_held().await?;
    upsert_candles(host, &walk()).await?;
    Ok(())
});

/// Finds, when it is to save, that its job was given to another.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Zombie {}

static SAVED_BY_ZOMBIES: AtomicUsize = AtomicUsize::new(0);

kind!(Zombie, "zombie", |_zombie, host, attempt| {
    let store = queue(host).await?;
    let lease = store.job(attempt.job_id().unwrap()).await?.lease().unwrap();
    attempt.check_held().await?;
    store.end_lease(&lease, system_time()).await?;
    attempt.check_held().await?;
    SAVED_BY_ZOMBIES.fetch_add(1, Ordering::Relaxed);
    Ok(())
});

/// Reads candles.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {}

kind!(Look, "look", |_look, host, attempt| {
    attempt.check_held().await?;
    host.series(walk().key()).await.map(drop)
}, takes vec![walk().key().clone()]);

static KINDS: [Kind; 4] = [Kind::of::<Nap>(), Kind::of::<Import>(), Kind::of::<Zombie>(), Kind::of::<Look>()];
static JOBS: JobCatalog = JobCatalog { kinds: &KINDS, upkeep: |_| Box::pin(async { Ok(QueuedTrainings::default()) }) };

/// Quick enough for a test.
const QUICK: Pace = Pace {
    look: Duration::from_millis(10),
    longest_look: Duration::from_millis(40),
    recover: Duration::from_millis(20),
    upkeep: Duration::from_secs(60),
    grace: Duration::from_millis(100),
    drain: Duration::from_millis(300),
    give_back: Duration::from_millis(200),
    backoff: Backoff { first_ms: 50, longest_ms: 50 },
    lacking: Duration::from_millis(50),
};
/// Until a test that hangs has failed.
const PATIENCE: Duration = Duration::from_secs(60);

fn walk() -> CandleSeries {
    random_walk(50, Seed(1), 0.0)
}

/// What a worker says.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn has(&self, words: &str) -> bool {
        self.0.lock().unwrap().iter().any(|note| note.contains(words))
    }
}

impl ProgressSink for Notes {
    fn progress(&self, _: &str, _: u64, _: u64) {}

    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

struct World {
    host: Host,
    store: Arc<dyn QueueStore>,
    notes: Arc<Notes>,
    folder: TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let settings = Settings::read(&flags, &Environment::new(folder.path(), []), &ModelCatalog::EMPTY).unwrap();
    let clock = Clock::Fixed(Timestamp::year_start(2024));
    let cancel = Arc::new(AtomicBool::new(false));
    let mut host = Host::open(settings, HostOptions { seed: Seed(42), threads: Some(1), clock, cancel }).unwrap();
    // Nobody waits ten seconds for a lock here.
    let config = LakeConfig { lock_wait: Duration::from_millis(20), threads: Some(1), ..LakeConfig::default() };
    host.store = Arc::new(ParquetLake::open_with(folder.path().join("candles"), &config).unwrap());
    let store = queue(&host).await.unwrap();
    World { host, store, notes: Arc::default(), folder }
}

impl World {
    fn worker(&self, catalog: &'static JobCatalog, store: Arc<dyn QueueStore>, once: bool) -> Worker {
        let watch = Arc::clone(&self.notes) as Arc<dyn ProgressSink>;
        let (host, backoff) = (self.host.clone(), Some(QUICK.backoff));
        let runner = Runner { host, catalog, store, watch, patience_ms: 500, backoff };
        Worker::new(runner, kinds_to_take(&self.host, catalog, &[], "").unwrap(), 1, once, QUICK)
    }

    /// What a worker over `store` does until nothing waits.
    async fn once(&self) -> WorkedDoc {
        run(self.worker(&JOBS, Arc::clone(&self.store), true)).await.unwrap()
    }

    async fn queued<K: JobKind>(&self, request: &K) -> String {
        queue_job(&self.host, &JOBS, request, &JobOptions::default()).await.unwrap().job.id
    }

    async fn job(&self, id: &str) -> Job {
        self.store.job(id).await.unwrap()
    }

    async fn until_state(&self, id: &str, state: JobState) {
        let reached = async {
            while self.job(id).await.state != state {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, reached).await;
        in_time.unwrap_or_else(|_| panic!("{id} is not {state} within {PATIENCE:?}"));
    }

    fn interrupt(&self) {
        self.host.cancel().store(true, Ordering::Relaxed);
    }
}

async fn run(mut worker: Worker) -> Result<WorkedDoc, Problem> {
    let served = worker.serve().await;
    worker.drain().await;
    served.map(|()| worker.worked)
}

/// What a worker that was begun did, once it has ended.
async fn ended(working: tokio::task::JoinHandle<Result<WorkedDoc, Problem>>) -> Result<WorkedDoc, Problem> {
    tokio::time::timeout(PATIENCE, working).await.expect("the worker ends").unwrap()
}

#[test]
fn all_that_a_worker_waits_for_at_its_end_is_less_than_ten_seconds() {
    let Pace { drain, give_back, .. } = Pace::default();
    assert!(STOP_EVERY + LATE_LEASE + drain + give_back < Duration::from_millis(9_500));
}

#[tokio::test]
async fn a_worker_ends_when_asked_whatever_call_hangs() {
    const HANGING: [&[&str]; 6] =
        [&[], &["jobs"], &["expire_leases"], &["take_turn"], &["forget_jobs"], &["lease_job"]];
    for calls in HANGING {
        let world = world().await;
        let faulty = FaultyStore::over(Arc::clone(&world.store), calls);
        faulty.set(Some(Fault::Hangs));
        let working = tokio::spawn(run(world.worker(&JOBS, faulty, true)));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!working.is_finished(), "nothing hung: {calls:?}");
        world.interrupt();
        ended(working).await.unwrap();
    }
}

#[tokio::test]
async fn a_worker_whose_database_takes_connections_and_never_answers_ends_when_asked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@{}/x", listener.local_addr().unwrap());
    let world = world().await;
    let mut settings = world.host.settings.clone();
    settings.database_url = Some(url);
    let (clock, cancel) = (Clock::System, Arc::clone(world.host.cancel()));
    let host = Host::open(settings, HostOptions { seed: Seed(42), threads: Some(1), clock, cancel }).unwrap();
    let options = WorkerOptions { jobs: 1, once: false, kinds: vec![] };
    let working = tokio::spawn(async move { work(&host, &JOBS, &options, Arc::new(NoProgress)).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!working.is_finished(), "nothing hung");
    world.interrupt();
    assert_eq!(ended(working).await.unwrap(), WorkedDoc::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_does_not_hear_while_no_call_comes_back_does_not_keep_the_worker() {
    let world = world().await;
    let id = world.queued(&Nap { ms: 20_000, is_deaf: true }).await;
    let faulty = FaultyStore::over(Arc::clone(&world.store), &[]);
    let working = tokio::spawn(run(world.worker(&JOBS, Arc::clone(&faulty) as Arc<dyn QueueStore>, false)));
    world.until_state(&id, JobState::Running).await;
    faulty.set(Some(Fault::Hangs));
    world.interrupt();
    let worked = ended(working).await.unwrap();
    assert_eq!((worked.computing, worked.lost, worked.given_back), (1, 1, 0));
}

fn faults() -> Vec<MetaError> {
    let (place, detail) = (String::from("candlecast.db"), String::from("said the driver"));
    vec![
        MetaError::Unreachable { place: place.clone(), detail: detail.clone() },
        MetaError::Busy { place: place.clone(), detail: detail.clone() },
        MetaError::DiskFull { place: place.clone(), detail: detail.clone() },
        MetaError::ReadOnly { place: place.clone(), detail: detail.clone() },
        MetaError::Open { place: place.clone(), detail: detail.clone() },
        MetaError::Damaged { field: place.clone(), detail: detail.clone() },
        MetaError::Refused { rule: Rule::Check, detail: detail.clone() },
        MetaError::Database { place, detail },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_outlasts_every_fault_that_may_pass() {
    for error in faults() {
        let world = world().await;
        let id = world.queued(&Nap { ms: 1, is_deaf: false }).await;
        let faulty = FaultyStore::over(Arc::clone(&world.store), &[]);
        faulty.set(Some(Fault::Fails(error.clone())));
        let working = tokio::spawn(run(world.worker(&JOBS, Arc::clone(&faulty) as Arc<dyn QueueStore>, false)));
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!working.is_finished(), "{error}");
        faulty.set(None);
        world.until_state(&id, JobState::Succeeded).await;
        world.interrupt();
        assert_eq!(ended(working).await.unwrap().succeeded, 1, "{error}");
    }
}

#[tokio::test]
async fn a_worker_ends_where_it_cannot_go_on() {
    let refused = MetaError::Open { place: "postgres://db:5432/x".into(), detail: "password".into() };
    for (error, once) in [
        (MetaError::Newer { found: 9, known: 5 }, false),
        (MetaError::Changed { version: 1, name: "base".into() }, false),
        (refused, false),
        // Somebody waits for the command.
        (MetaError::Database { place: "x".into(), detail: "y".into() }, true),
    ] {
        let world = world().await;
        let faulty = FaultyStore::over(Arc::clone(&world.store), &["lease_job"]);
        faulty.set(Some(Fault::Fails(error.clone())));
        let working = tokio::spawn(run(world.worker(&JOBS, faulty, once)));
        assert_eq!(ended(working).await.unwrap_err().detail, error.to_string());
    }
}

#[tokio::test]
async fn pauses_grow_while_the_database_fails_and_shrink_when_it_answers() {
    let world = world().await;
    let mut worker = world.worker(&JOBS, Arc::clone(&world.store), false);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let busy = MetaError::Busy { place: "x".into(), detail: "y".into() };
        assert_eq!(worker.passing::<()>(Err(busy)), Ok(None));
        pauses.push(worker.pause.as_millis());
    }
    assert_eq!(pauses, [20, 40, 40, 40]);
    assert_eq!(worker.passing(Ok(1)), Ok(Some(1)));
    assert_eq!(worker.pause, QUICK.look);
    assert!(worker.trouble.is_some(), "others may not have been heard yet");
}

#[tokio::test]
async fn leases_are_left_alone_for_a_while_after_the_clock_was_set() {
    let world = world().await;
    let store = SqlStore::open_in(world.folder.path(), Timestamp(0)).await.unwrap().by_callers_clock();
    let then = system_time().plus_ms(-7_200_000);
    store.begin_job(&NewJob::new("silent", "nap", json!({})), "another-host", 1, then).await.unwrap();
    let mut worker = world.worker(&JOBS, Arc::clone(&world.store), true);
    worker.pace.grace = Duration::from_secs(3_600);
    let set_ahead = Reading { wall_ms: Reading::now().wall_ms + 3_600_000, ..Reading::now() };
    worker.watch_clock(set_ahead);
    worker.recover().await.unwrap();
    assert_eq!(world.job("silent").await.state, JobState::Running);
    worker.trouble = None;
    worker.recover().await.unwrap();
    assert_eq!(world.job("silent").await.state, JobState::Queued, "nobody was heard");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_finds_the_lake_locked_is_done_once_it_is_free() {
    let world = world().await;
    let lock = FileLock::try_exclusive(&world.folder.path().join("candles").join(LOCK_FILE)).unwrap().unwrap();
    let id = world.queued(&Import {}).await;
    let mut worker = world.worker(&JOBS, Arc::clone(&world.store), true);
    worker.runner.backoff = Some(Backoff { first_ms: 3_000, longest_ms: 3_000 });
    assert_eq!(run(worker).await.unwrap().put_off, 1);
    let waits = world.job(&id).await;
    assert_eq!((waits.state, waits.attempt, waits.attempts_left), (JobState::Queued, 1, 2));
    assert!(waits.error.as_ref().unwrap().contains("is being written by another program"), "{waits:?}");
    assert!(waits.run_after > waits.created_at, "not at once");
    let log = world.store.job_log(&id, None, 10).await.unwrap();
    assert!(log.last().unwrap().message.contains("tried again in"), "{log:?}");

    drop(lock);
    let working = tokio::spawn(run(world.worker(&JOBS, Arc::clone(&world.store), false)));
    world.until_state(&id, JobState::Succeeded).await;
    world.interrupt();
    assert_eq!(ended(working).await.unwrap().succeeded, 1);
    let done = world.job(&id).await;
    assert_eq!((done.attempt, done.error), (2, None));
    assert_eq!(world.host.series(walk().key()).await.unwrap().len(), walk().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_passes_fails_on_the_last_attempt_and_here_at_once() {
    let world = world().await;
    let _lock = FileLock::try_exclusive(&world.folder.path().join("candles").join(LOCK_FILE)).unwrap().unwrap();
    let id = world.queued(&Import {}).await;
    let working = tokio::spawn(run(world.worker(&JOBS, Arc::clone(&world.store), false)));
    world.until_state(&id, JobState::Failed).await;
    world.interrupt();
    let worked = ended(working).await.unwrap();
    assert_eq!((worked.put_off, worked.failed), (2, 1));
    assert_eq!(world.job(&id).await.attempt, 3);

    let (here, options) = (world.host.with(Seed(42), Arc::default()), JobOptions::default());
    let error = run_job(&here, &JOBS, &Import {}, &options, Arc::new(NoProgress)).await.unwrap_err();
    assert_eq!(error.code, "store-locked");
    let error = retry_job_here(&here, &JOBS, &id, Arc::new(NoProgress)).await.unwrap_err();
    assert_eq!((error.code, world.job(&id).await.state), ("store-locked", JobState::Failed));
}

#[tokio::test]
async fn requests_of_other_versions_are_left_to_workers_that_can_read_them() {
    let world = world().await;
    let newer = NewJob { payload_version: 2, ..NewJob::new("newer", "nap", json!({ "ms": 1, "kind": "deep" })) };
    let odd = NewJob::new("odd", "nap", json!({ "ms": 1, "is_deaf": false, "surprise": 1 }));
    for new in [newer, odd] {
        world.store.enqueue(&new, system_time()).await.unwrap();
    }
    let known = world.queued(&Nap { ms: 1, is_deaf: false }).await;
    let worked = world.once().await;
    assert_eq!((worked.succeeded, worked.failed, worked.lost), (1, 0, 0));
    assert_eq!(world.job(&known).await.state, JobState::Succeeded);
    let newer = world.job("newer").await;
    assert_eq!((newer.state, newer.attempt), (JobState::Queued, 0));
    let odd = world.job("odd").await;
    assert_eq!((odd.state, odd.attempt, odd.attempts_left), (JobState::Queued, 1, 3));
    assert!(odd.error.unwrap().contains("surprise"));
    assert!(world.notes.has("job odd is left to another worker"));
    let log = world.store.job_log("odd", None, 10).await.unwrap();
    assert_eq!((log.len(), log[0].level), (1, LogLevel::Warn));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_candles_lie_elsewhere_is_left_to_others_until_they_are_here() {
    let mut world = world().await;
    // Workers of other hosts may do what is queued.
    world.host.settings.database_url = Some("postgres://records.example/candlecast".into());
    let id = world.queued(&Look {}).await;
    let worked = world.once().await;
    assert_eq!((worked.succeeded, worked.failed, worked.lost), (0, 0, 0));
    let left = world.job(&id).await;
    assert_eq!((left.state, left.attempt, left.attempts_left), (JobState::Queued, 1, 3));
    assert!(left.error.unwrap().contains(&walk().key().to_string()));
    assert!(world.notes.has(&format!("job {id} is left to another worker: the candles of ")));

    let working = tokio::spawn(run(world.worker(&JOBS, Arc::clone(&world.store), false)));
    let is_left = async {
        while (world.job(&id).await.attempt, world.job(&id).await.state) != (2, JobState::Queued) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, is_left).await.unwrap();
    upsert_candles(&world.host, &walk()).await.unwrap();
    world.until_state(&id, JobState::Succeeded).await;
    world.interrupt();
    assert_eq!(ended(working).await.unwrap().succeeded, 1);
    assert_eq!(world.job(&id).await.attempt, 3, "it is not taken again and again while they are missing");
}

#[tokio::test]
async fn where_nobody_else_could_have_the_candles_their_want_is_an_error() {
    let world = world().await;
    let id = world.queued(&Look {}).await;
    assert_eq!(world.once().await.failed, 1);
    assert_eq!(world.job(&id).await.state, JobState::Failed);
}

#[tokio::test]
async fn what_is_asked_for_beside_these_models_is_queued_for_their_folder() {
    let mut world = world().await;
    let here = JobOptions { here: true, ..JobOptions::default() };
    let queued = async |host: &Host, options: &JobOptions| {
        let id = queue_job(host, &JOBS, &Look {}, options).await.unwrap().job.id;
        world.store.job(&id).await.unwrap()
    };
    let alone = queued(&world.host, &here).await;
    assert_eq!(alone.folder, None, "there is no other folder");
    let mut host = world.host.clone();
    host.settings.database_url = Some("postgres://records.example/candlecast".into());
    let beside = queued(&host, &here).await;
    assert_eq!(beside.folder, Some(models_folder(&host).await.unwrap()));
    assert!(beside.id != alone.id && beside.folder.is_some_and(|folder| !folder.is_empty()));
    assert_eq!(queued(&host, &JobOptions::default()).await.id, alone.id, "it may be done anywhere");
    world.host = host;
    assert_eq!(kinds_to_take(&world.host, &JOBS, &[], "alpha").unwrap()[0].folder, "alpha");
}

#[test]
fn jobs_are_queued_in_the_form_of_their_kind() {
    /// A later form of naps.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct DeepNap {}
    impl JobKind for DeepNap {
        const KIND: &'static str = "nap";
        const TRAINS: bool = false;
        const VERSION: u32 = 2;
        type Output = ();

        fn subject(&self) -> Subject {
            Subject { series: vec![], models: vec![], detail: String::new(), range: TimeRange::ALL }
        }

        fn seed(&self) -> Seed {
            Seed(1)
        }

        fn with_defaults(self, _: &Settings) -> Self {
            self
        }

        fn check(&self) -> Result<(), Problem> {
            Ok(())
        }

        async fn run(&self, _: &Host, _: Arc<dyn ProgressSink>, _: Attempt) -> Result<(), Problem> {
            Ok(())
        }

        fn document(&self, (): &()) -> Result<Value, Problem> {
            Ok(json!({}))
        }

        fn text(&self, (): &()) -> String {
            String::new()
        }
    }
    assert_eq!(new_job(&DeepNap {}, &JobOptions::default()).unwrap().payload_version, 2);
    assert_eq!(new_job(&Nap { ms: 1, is_deaf: false }, &JobOptions::default()).unwrap().payload_version, 1);
    assert_eq!((Kind::of::<DeepNap>().version, Kind::of::<Nap>().version), (2, 1));
}

static UPKEEPS: AtomicUsize = AtomicUsize::new(0);
static WITH_UPKEEP: JobCatalog = JobCatalog {
    kinds: &KINDS,
    upkeep: |_| {
        Box::pin(async {
            UPKEEPS.fetch_add(1, Ordering::Relaxed);
            Ok(QueuedTrainings::default())
        })
    },
};

#[tokio::test]
async fn one_of_several_workers_looks_after_what_has_come_due() {
    let world = world().await;
    let worker = || world.worker(&WITH_UPKEEP, Arc::clone(&world.store), true);
    let (mut one, mut other) = (worker(), worker());
    let count = || UPKEEPS.load(Ordering::Relaxed);
    one.keep_up().await;
    other.keep_up().await;
    assert_eq!(count(), 1);
    one.kept_up = None;
    one.keep_up().await;
    assert_eq!(count(), 2, "whose turn it is keeps it");
    one.drain().await;
    other.kept_up = None;
    other.keep_up().await;
    assert_eq!(count(), 3, "who ends passes it on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_to_one_process_do_not_do_one_job_twice() {
    let world = world().await;
    let id = world.queued(&Nap { ms: 2_000, is_deaf: false }).await;
    let retry = || retry_job_here(&world.host, &JOBS, &id, Arc::new(NoProgress));
    let (one, other) = tokio::join!(retry(), retry());
    let (done, refused): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(Result::is_ok);
    assert_eq!((done.len(), refused.len()), (1, 1));
    let refused = refused.into_iter().next().unwrap().unwrap_err();
    assert!(refused.code == "conflict" && refused.detail.contains("running already"), "{refused}");
    assert_eq!(world.job(&id).await.attempt, 1);
}

#[tokio::test]
async fn who_has_lost_a_job_saves_nothing_of_it() {
    let world = world().await;
    let (here, options) = (world.host.with(Seed(42), Arc::default()), JobOptions::default());
    let error = run_job(&here, &JOBS, &Zombie {}, &options, Arc::new(NoProgress)).await.unwrap_err();
    assert_eq!(error.code, "job-taken-over");
    let id = world.queued(&Zombie {}).await;
    let worked = run(world.worker(&JOBS, Arc::clone(&world.store), true)).await.unwrap();
    // Each time the job is given to the worker again, until no attempt is left.
    assert_eq!((worked.lost, worked.succeeded), (3, 0));
    assert_eq!(world.job(&id).await.state, JobState::Interrupted);
    assert_eq!(SAVED_BY_ZOMBIES.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_job_whose_task_is_gone_is_given_to_another_by_the_same_process() {
    let world = world().await;
    let id = world.queued(&Nap { ms: 1, is_deaf: false }).await;
    let gone = Owner::task();
    world.store.lease_job(&gone.to_string(), &[], 3_600_000, system_time()).await.unwrap().unwrap();
    assert_eq!(world.once().await.succeeded, 0, "its task is there");
    drop(gone);
    assert_eq!(world.once().await.succeeded, 1);
    assert_eq!(world.job(&id).await.attempt, 2);
}
