//! Jobs: what they bring, what stays on record, how they stop and how they come back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candlecast_app::doc::{EvaluationDoc, TrainDoc};
use candlecast_app::{EvaluateJob, JOBS, TrainJob, Trained};
use candlecast_core::market::random_walk;
use candlecast_core::{
    CandleSeries, ModelRequest, NoProgress, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp,
};
use candlecast_host::Host;
use candlecast_jobs::{Job, JobFilter, JobOptions, JobState, PageRequest, WorkerOptions};
use candlecast_learn::TrainWindow;
use candlecast_meta::{JobLimits, JobStore as _, MetadataStore, NewJob, Outcome, RunFilter, RunState, SqlStore};
use candlecast_pipeline::{Method, PipelineOptions};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::world::{World, active_row, all_models, model, store, world};

/// Later than any lease.
const NEVER: Timestamp = Timestamp(i64::MAX - 1);
const ONCE: WorkerOptions = WorkerOptions { jobs: 2, once: true, kinds: vec![] };

pub(crate) fn walk() -> CandleSeries {
    random_walk(2_500, Seed(7), 0.4)
}

/// A platform that has the walk stored.
pub(crate) async fn ready() -> (World, SeriesKey) {
    let world = world();
    let key = store(&world.app, &walk()).await;
    (world, key)
}

fn common() -> PipelineOptions {
    PipelineOptions { window: TrainWindow::Rolling { days: 60 }, retrain_days: 15, ..PipelineOptions::new(3) }
}

pub(crate) fn training(key: &SeriesKey) -> TrainJob {
    TrainJob::new(vec![key.clone()], model("linear", json!({})), common(), Seed(42))
}

/// An evaluation over the last twenty days.
pub(crate) fn evaluation(key: &SeriesKey, models: Vec<ModelRequest>) -> EvaluateJob {
    let end = walk().range().unwrap().to;
    let range = TimeRange { from: end.plus_ms(-20 * 86_400_000), to: TimeRange::ALL.to };
    EvaluateJob {
        series: key.clone(),
        pool: vec![],
        models,
        common: common(),
        method: Method::walk_forward(range),
        candles: vec![],
        confidence_threshold: None,
        seed: Seed(42),
    }
}

/// A document without what may differ: times it took, and where the data folder lies.
pub(crate) fn comparable(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !matches!(name.as_str(), "fitSeconds" | "path"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut document);
    document
}

/// The document of the training on a platform where nothing disturbs it, outside of any job.
pub(crate) async fn undisturbed() -> Value {
    let (world, key) = ready().await;
    let trained = candlecast_app::train(&world.app, training(&key), Arc::new(NoProgress)).await.unwrap();
    document(&trained)
}

fn document(trained: &Trained) -> Value {
    comparable(serde_json::to_value(TrainDoc::from(trained)).unwrap())
}

pub(crate) async fn metadata(app: &Host) -> Arc<dyn MetadataStore> {
    Arc::clone(app.metadata().await.unwrap())
}

/// Another handle on the records, whose leases go by the times that a test tells.
pub(crate) async fn told_times(app: &Host) -> SqlStore {
    SqlStore::open_in(&app.settings.data_dir, now()).await.unwrap().by_callers_clock()
}

/// The newest job.
pub(crate) async fn newest(app: &Host) -> Job {
    let page = metadata(app).await.jobs(&JobFilter::default(), PageRequest::first(1)).await.unwrap();
    page.items.into_iter().next().unwrap()
}

/// The same platform, not cancelled.
pub(crate) fn again(world: &World) -> Host {
    world.app.with(Seed(42), Arc::new(AtomicBool::new(false)))
}

pub(crate) fn now() -> Timestamp {
    Timestamp(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}

/// Holds the threads that compute at the first thing they say, until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    reached: AtomicBool,
    is_open: Mutex<bool>,
    opened: Condvar,
    notes: Mutex<Vec<String>>,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    fn has_noted(&self, words: &str) -> bool {
        self.notes.lock().unwrap().iter().any(|note| note.contains(words))
    }
}

impl ProgressSink for Gate {
    fn progress(&self, _: &str, _: u64, _: u64) {
        self.reached.store(true, Ordering::Relaxed);
        // A test that fails must not leave threads behind that wait for ever.
        let patience = Duration::from_secs(60);
        drop(self.opened.wait_timeout_while(self.is_open.lock().unwrap(), patience, |open| !*open).unwrap());
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} within 30 s");
}

/// Begins the training here and returns once its first fits are done and held.
pub(crate) async fn held(world: &World, key: &SeriesKey) -> (Arc<Gate>, JoinHandle<Result<Trained, Problem>>) {
    let gate = Arc::new(Gate::default());
    let (app, request, watch) = (world.app.clone(), training(key), Arc::clone(&gate) as Arc<dyn ProgressSink>);
    let running =
        tokio::spawn(
            async move { candlecast_jobs::run_job(&app, &JOBS, &request, &JobOptions::default(), watch).await },
        );
    until("the first fit is done", || gate.is_reached()).await;
    (gate, running)
}

#[tokio::test]
async fn a_job_brings_what_the_use_case_brings() {
    let expected = undisturbed().await;
    let (world, key) = ready().await;
    let trained =
        candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &JobOptions::default(), Arc::new(NoProgress))
            .await
            .unwrap();
    assert_eq!(document(&trained), expected);
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.attempt, job.kind.as_str()), (JobState::Succeeded, 1, "train"));
    assert_eq!(comparable(job.result.unwrap()), expected);
    assert_eq!(job.progress.unwrap().done_share, 1.0);

    let request = evaluation(&key, vec![model("hybrid", json!({})), model("linear", json!({}))]);
    let EvaluateJob { models, common, method, .. } = request.clone();
    let direct =
        candlecast_app::evaluate(&world.app, &key, models, common, method, Arc::new(NoProgress)).await.unwrap();
    let queued = candlecast_jobs::queue_job(&world.app, &JOBS, &request, &JobOptions::default()).await.unwrap();
    assert!(queued.is_new && queued.job.state == JobState::Queued);
    let twin = candlecast_jobs::queue_job(&world.app, &JOBS, &request, &JobOptions::default()).await.unwrap();
    assert!(!twin.is_new && twin.job.id == queued.job.id, "an equal request waits already");
    let worked = candlecast_jobs::work(&world.app, &JOBS, &ONCE, Arc::new(NoProgress)).await.unwrap();
    assert_eq!((worked.succeeded, worked.failed, worked.lost), (1, 0, 0));
    let result = candlecast_jobs::show_job(&world.app, &JOBS, &queued.job.id).await.unwrap().result.unwrap();
    let direct = serde_json::to_value(EvaluationDoc::new(&direct, 42)).unwrap();
    assert_eq!(comparable(result), comparable(direct));
}

#[tokio::test]
async fn what_was_tried_is_on_record_once_and_who_trained_a_model_too() {
    let (world, key) = ready().await;
    let store = metadata(&world.app).await;
    let asked = ["hybrid", "linear", "drift"].map(|id| model(id, json!({})));
    let request = evaluation(&key, asked.to_vec());
    let mut runs = 0;
    for _ in 0..2 {
        let done = candlecast_jobs::run_job(&world.app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress))
            .await
            .unwrap();
        let tried = store.ledger(Some(&key), PageRequest::default()).await.unwrap().items;
        let mut names: Vec<&str> = tried.iter().map(|entry| entry.model_type.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["hybrid", "linear"], "no naive forecast, and the same try once");
        for entry in &tried {
            let scores = done.report.models.iter().find(|m| m.name == entry.model_type).unwrap();
            assert_eq!((entry.score, Some(entry.period)), (scores.metrics.loss(), done.scored));
            assert_eq!(entry.config["model"], entry.model_type.as_str());
        }
        let recorded = store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items;
        runs += 1;
        assert_eq!(recorded.len(), runs);
        let run = &recorded[0];
        assert_eq!((run.state, run.asked.kind.as_str()), (RunState::Succeeded, "evaluate"));
        assert_eq!(run.asked.job_id, Some(newest(&world.app).await.id));
        assert_eq!(run.result.as_ref().unwrap()["fingerprint"], done.fingerprint.as_str());
    }
    let kinds = store.tried(&key, TimeRange::ALL, Some("price")).await.unwrap();
    assert_eq!((kinds.n_entries, kinds.n_configurations), (2, 2));

    let trained =
        candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &JobOptions::default(), Arc::new(NoProgress))
            .await
            .unwrap();
    let row = active_row(&world.app, &key, "linear", 3).await;
    assert_eq!(
        (row.id, row.sha256),
        (trained.models[0].manifest.id.clone(), Some(trained.models[0].manifest.sha256.clone()))
    );
    let run = store.run(&row.run_id.unwrap()).await.unwrap();
    assert_eq!((run.asked.kind.as_str(), run.asked.model_type.as_deref()), ("train", Some("linear")));
    // The configuration of the evaluation, on another period.
    let kinds = store.tried(&key, TimeRange::ALL, Some("price")).await.unwrap();
    assert_eq!((kinds.n_entries, kinds.n_configurations), (3, 2));
    // Of the two configurations tried before the training, one was asked for again.
    let report = &trained.models[0].report;
    let linear = &report.models.last().unwrap().vs_reference;
    assert_eq!((linear.tries, linear.earlier_tries, report.tries), (2, 1, 2));
    let note = "1 other configuration was tried on this period before: p-values are corrected for them too";
    assert!(report.notes.iter().any(|told| told == note), "{:?}", report.notes);
}

#[tokio::test]
async fn p_values_are_corrected_for_what_was_tried_before_and_not_for_the_same_again() {
    let (world, key) = ready().await;
    let asked = |ids: &[&str]| evaluation(&key, ids.iter().map(|id| model(id, json!({}))).collect());
    let run = async |request: &EvaluateJob| {
        let done =
            candlecast_jobs::run_job(&world.app, &JOBS, request, &JobOptions::default(), Arc::new(NoProgress)).await;
        done.unwrap().report.models.pop().unwrap().vs_reference
    };
    let first = run(&asked(&["linear"])).await;
    let again = run(&asked(&["linear"])).await;
    assert_eq!(again, first);
    assert_eq!((first.tries, first.earlier_tries), (1, 0));
    assert_eq!(first.corrected, first.test.map(|t| t.p_value));
    run(&asked(&["hybrid"])).await;
    let later = run(&asked(&["linear"])).await;
    assert_eq!((later.tries, later.earlier_tries, later.test), (2, 1, first.test));
    assert_eq!(later.corrected, first.test.map(|t| (2.0 * t.p_value).min(1.0)));
    // Asked for together they are the same two.
    let together = run(&asked(&["hybrid", "linear"])).await;
    assert_eq!((together.tries, together.earlier_tries), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_cancelled_from_elsewhere_stops_and_a_retry_ends_as_if_nothing_had_been() {
    let (world, key) = ready().await;
    let (gate, running) = held(&world, &key).await;
    let id = newest(&world.app).await.id;
    assert_eq!(candlecast_jobs::cancel_job(&again(&world), &JOBS, &id).await.unwrap().state, JobState::Running);
    until("the work is asked to stop", || world.cancel.load(Ordering::Relaxed)).await;
    gate.open();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("cancelled", 130));
    assert!(error.detail.contains(&format!("candlecast jobs retry {id}")), "{error}");
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.result, job.error), (JobState::Cancelled, None, None));
    assert!(all_models(&world.app).await.is_empty());

    let done = candlecast_jobs::retry_job_here(&again(&world), &JOBS, &id[..12], Arc::new(NoProgress)).await.unwrap();
    assert_eq!(comparable(done.document.clone()), undisturbed().await);
    assert!(
        done.text.starts_with("synthetic_WALKUSDT_LINEAR_1.0.0 on ") && done.text.contains("| linear "),
        "{}",
        done.text
    );
    let job = newest(&world.app).await;
    assert_eq!((job.id, job.state, job.attempt), (id, JobState::Succeeded, 2));
}

#[tokio::test]
async fn jobs_of_workers_that_are_gone_are_interrupted_or_done_by_another() {
    let (world, key) = ready().await;
    let store = metadata(&world.app).await;
    let payload = serde_json::to_value(training(&key)).unwrap();
    let limits = JobLimits { max_attempts: 1, ..JobLimits::default() };
    let once = NewJob { limits, ..NewJob::new("only-one-attempt", "train", payload.clone()) };
    let then = told_times(&world.app).await;
    then.begin_job(&once, "gone", 1, Timestamp(1)).await.unwrap();
    then.begin_job(&NewJob::new("several-attempts", "train", payload), "gone", 1, Timestamp(2)).await.unwrap();
    let looks = WorkerOptions { kinds: vec!["evaluate".into()], ..ONCE };
    candlecast_jobs::work(&world.app, &JOBS, &looks, Arc::new(NoProgress)).await.unwrap();

    let listed = candlecast_jobs::list_jobs(&world.app, &JOBS, &JobFilter::default(), PageRequest::default())
        .await
        .unwrap()
        .jobs;
    let stands: Vec<(&str, JobState)> = listed.iter().map(|job| (job.id.as_str(), job.state)).collect();
    assert_eq!(stands, [("several-attempts", JobState::Queued), ("only-one-attempt", JobState::Interrupted)]);

    let done = candlecast_jobs::retry_job_here(&world.app, &JOBS, "only", Arc::new(NoProgress)).await.unwrap();
    assert_eq!(comparable(done.document), undisturbed().await);
    assert_eq!(candlecast_jobs::work(&world.app, &JOBS, &ONCE, Arc::new(NoProgress)).await.unwrap().succeeded, 1);
    let second = store.job("several-attempts").await.unwrap();
    assert_eq!((second.state, second.attempt), (JobState::Succeeded, 2));
    // It had not saved before, but the model is there: this attempt's is the very same.
    assert_eq!(world.app.registry.names().unwrap().len(), 1);
    let conflict = candlecast_jobs::retry_job_here(&world.app, &JOBS, "only", Arc::new(NoProgress)).await.unwrap_err();
    assert!(conflict.code == "conflict" && conflict.detail.contains("succeeded"), "{conflict}");
}

#[tokio::test]
async fn a_lease_that_ran_out_is_left_to_workers_that_have_waited() {
    let world = world();
    let store = metadata(&world.app).await;
    for (id, silent_ms) in [("silent-for-long", 60_000), ("silent-for-a-moment", 2_000)] {
        let job = NewJob::new(id, "train", json!({}));
        let then = told_times(&world.app).await;
        then.begin_job(&job, "another-host", 1, now().plus_ms(-silent_ms)).await.unwrap();
    }
    let state = async |id: &str| store.job(id).await.unwrap().state;
    candlecast_jobs::list_jobs(&world.app, &JOBS, &JobFilter::default(), PageRequest::default()).await.unwrap();
    candlecast_jobs::show_job(&world.app, &JOBS, "silent-for-long").await.unwrap();
    assert_eq!(state("silent-for-long").await, JobState::Running, "a look ends no lease");

    let looks = WorkerOptions { kinds: vec!["evaluate".into()], ..ONCE };
    candlecast_jobs::work(&world.app, &JOBS, &looks, Arc::new(NoProgress)).await.unwrap();
    assert_eq!(state("silent-for-long").await, JobState::Queued);
    assert_eq!(state("silent-for-a-moment").await, JobState::Running, "its worker may be heard yet");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_stops_when_its_lease_is_lost_and_leaves_the_record_alone() {
    let (world, key) = ready().await;
    let (gate, running) = held(&world, &key).await;
    let expired = told_times(&world.app).await.expire_leases(0, &[], NEVER).await.unwrap();
    assert_eq!(expired[0].state, JobState::Interrupted);
    until("the work is asked to stop", || world.cancel.load(Ordering::Relaxed)).await;
    gate.open();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("job-taken-over", 1), "{error}");
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.finished_at), (JobState::Interrupted, expired[0].finished_at));
}

#[tokio::test]
async fn a_job_that_takes_too_long_fails_and_says_so() {
    let (world, key) = ready().await;
    // Reading the candles takes longer than that.
    let options = JobOptions { max_run_ms: Some(1), ..JobOptions::default() };
    let error =
        candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &options, Arc::new(NoProgress)).await.unwrap_err();
    assert!(error.code == "job-too-long" && error.detail.contains("0.001 s"), "{error}");
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.error.as_ref()), (JobState::Failed, Some(&error.detail)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_ends_gives_its_jobs_back() {
    let (world, key) = ready().await;
    let queued = candlecast_jobs::queue_job(&world.app, &JOBS, &training(&key), &JobOptions::default()).await.unwrap();
    let gate = Arc::new(Gate::default());
    let (app, watch) = (world.app.clone(), Arc::clone(&gate) as Arc<dyn ProgressSink>);
    let working =
        tokio::spawn(
            async move { candlecast_jobs::work(&app, &JOBS, &WorkerOptions { once: false, ..ONCE }, watch).await },
        );
    until("the first fit is done", || gate.is_reached()).await;
    world.cancel.store(true, Ordering::Relaxed);
    until("the worker ends", || gate.has_noted("given back")).await;
    gate.open();
    let worked = working.await.unwrap().unwrap();
    assert_eq!((worked.given_back, worked.succeeded, worked.computing), (1, 0, 0));
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.attempt, job.attempts_left), (JobState::Queued, 1, 3));

    let worked = candlecast_jobs::work(&again(&world), &JOBS, &ONCE, Arc::new(NoProgress)).await.unwrap();
    assert_eq!(worked.succeeded, 1);
    let result = candlecast_jobs::show_job(&world.app, &JOBS, &queued.job.id).await.unwrap().result.unwrap();
    assert_eq!(comparable(result), undisturbed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_never_take_the_same_job() {
    let (world, key) = ready().await;
    for seed in 0..8 {
        let request = EvaluateJob { seed: Seed(seed), ..evaluation(&key, vec![model("hybrid", json!({}))]) };
        assert!(candlecast_jobs::queue_job(&world.app, &JOBS, &request, &JobOptions::default()).await.unwrap().is_new);
    }
    let (one, other) = (world.app.clone(), world.app.clone());
    let once = ONCE;
    let (one, other) = tokio::join!(
        candlecast_jobs::work(&one, &JOBS, &once, Arc::new(NoProgress)),
        candlecast_jobs::work(&other, &JOBS, &once, Arc::new(NoProgress))
    );
    assert_eq!(one.unwrap().succeeded + other.unwrap().succeeded, 8);
    let store = metadata(&world.app).await;
    let jobs = store.jobs(&JobFilter::default(), PageRequest::default()).await.unwrap().items;
    assert!(jobs.iter().all(|job| (job.state, job.attempt) == (JobState::Succeeded, 1)));
    let runs = store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items;
    assert_eq!(runs.len(), 8);
}

#[tokio::test]
async fn what_fails_is_on_record_with_its_reason() {
    let (world, key) = ready().await;
    let request = TrainJob { common: PipelineOptions { min_candles: 9_000, ..common() }, ..training(&key) };
    let error = candlecast_jobs::run_job(&world.app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("too-few-candles", 1));
    let job = newest(&world.app).await;
    assert_eq!((job.state, job.error), (JobState::Failed, Some(error.detail)));

    // What is wrong as written makes no job.
    let wrong = TrainJob { model: model("lienar", json!({})), ..training(&key) };
    let error = candlecast_jobs::run_job(&world.app, &JOBS, &wrong, &JobOptions::default(), Arc::new(NoProgress))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("unknown-model", 2));
    assert_eq!(newest(&world.app).await.id, job.id);

    let store = metadata(&world.app).await;
    store.enqueue(&NewJob::new("from-elsewhere", "train", json!({ "surprise": 1 })), now()).await.unwrap();
    let worked = candlecast_jobs::work(&world.app, &JOBS, &ONCE, Arc::new(NoProgress)).await.unwrap();
    assert_eq!((worked.failed, worked.succeeded), (0, 0));
    let shown = candlecast_jobs::show_job(&world.app, &JOBS, "from-elsewhere").await.unwrap();
    assert_eq!((shown.job.state, shown.attempts_left), (JobState::Queued, 3), "another program may read it");
    assert!(shown.job.what.is_none() && shown.job.error.unwrap().contains("surprise"));
}

/// Fails in the middle of the computation.
struct Defect;

impl ProgressSink for Defect {
    fn progress(&self, _: &str, _: u64, _: u64) {
        panic!("a defect, made for this test");
    }
}

#[tokio::test]
async fn a_panic_of_the_computation_is_a_failed_job() {
    let (world, key) = ready().await;
    let error = candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &JobOptions::default(), Arc::new(Defect))
        .await
        .unwrap_err();
    assert_eq!(error.code, "computation-failed");
    let job = newest(&world.app).await;
    assert!(job.state == JobState::Failed && job.error.unwrap().contains("ended abnormally"));
    assert!(
        candlecast_jobs::retry_job_here(&world.app, &JOBS, &job.id, Arc::new(NoProgress)).await.is_ok(),
        "the platform works on"
    );
}

#[tokio::test]
async fn the_log_tells_who_what_and_how_it_ended() {
    let (world, key) = ready().await;
    candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &JobOptions::default(), Arc::new(NoProgress))
        .await
        .unwrap();
    let job = newest(&world.app).await;
    let lines = candlecast_jobs::job_log(&world.app, &job.id, None).await.unwrap();
    let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert!(messages[0].starts_with("attempt 1 by "), "{messages:?}");
    assert_eq!(messages[1..], ["stage 1 of 2: forward chain", "stage 2 of 2: final fit", "succeeded"]);
    assert!(lines.windows(2).all(|pair| pair[0].line + 1 == pair[1].line));
    let after = (lines[1].attempt, lines[1].line);
    assert_eq!(candlecast_jobs::job_log(&world.app, &job.id, Some(after)).await.unwrap(), lines[2..]);
    let progress = job.progress.unwrap();
    assert_eq!((progress.stage.as_str(), progress.stage_of, progress.eta_ms), ("final fit", Some((2, 2)), None));
}

#[tokio::test]
async fn a_worker_forgets_jobs_that_ended_long_ago() {
    let world = world();
    let store = metadata(&world.app).await;
    let ago = |days: i64| now().plus_ms(-days * 86_400_000);
    for (id, days) in [("ended-91-days-ago", 91), ("ended-89-days-ago", 89)] {
        let job = store.begin_job(&NewJob::new(id, "train", json!({})), "worker", 60_000, ago(days)).await.unwrap().job;
        store.finish_job(&job.lease().unwrap(), &Outcome::Succeeded(json!({})), ago(days)).await.unwrap();
    }
    store.enqueue(&NewJob::new("waits", "train", json!({})), ago(200)).await.unwrap();
    let gate = Arc::new(Gate::default());
    let options = WorkerOptions { kinds: vec!["evaluate".into()], ..ONCE };
    candlecast_jobs::work(&world.app, &JOBS, &options, Arc::clone(&gate) as Arc<dyn ProgressSink>).await.unwrap();
    let left = store.jobs(&JobFilter::default(), PageRequest::default()).await.unwrap().items;
    assert_eq!(left.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["ended-89-days-ago", "waits"]);
    assert!(gate.has_noted("forgotten (1)"), "{:?}", gate.notes);
}

#[tokio::test]
async fn a_job_that_has_succeeded_leaves_nothing_to_go_on_from() {
    let (world, key) = ready().await;
    for warm_start in [false, true] {
        let request = TrainJob { warm_start, ..training(&key) };
        candlecast_jobs::run_job(&world.app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress))
            .await
            .unwrap();
    }
    // The warm start was written down here.
    let left = std::fs::read_dir(world.app.settings.data_dir.join("checkpoints")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn jobs_are_found_by_the_beginning_of_their_id() {
    let (world, key) = ready().await;
    let payload = serde_json::to_value(training(&key)).unwrap();
    for id in ["abcd1111", "abcd2222"] {
        metadata(&world.app).await.enqueue(&NewJob::new(id, "train", payload.clone()), now()).await.unwrap();
    }
    assert_eq!(candlecast_jobs::find_job(&world.app, "abcd1").await.unwrap().id, "abcd1111");
    assert_eq!(candlecast_jobs::find_job(&world.app, "abcd2222").await.unwrap().id, "abcd2222");
    for (text, code, exit) in [("abcd", "ambiguous-job", 2), ("abc", "bad-job-id", 2), ("abcd3", "unknown-job", 1)] {
        let error = candlecast_jobs::find_job(&world.app, text).await.unwrap_err();
        assert_eq!((error.code, error.exit_code()), (code, exit), "{text}: {error}");
    }
    let several = candlecast_jobs::find_job(&world.app, "abcd").await.unwrap_err().detail;
    assert!(several.contains("abcd1111, abcd2222"), "{several}");
    let unknown = JobFilter { kinds: vec!["trian".into()], ..JobFilter::default() };
    let error = candlecast_jobs::list_jobs(&world.app, &JOBS, &unknown, PageRequest::default()).await.unwrap_err();
    assert_eq!(error.code, "unknown-job-kind");
}

#[tokio::test]
async fn where_training_is_switched_off_only_trainings_are_refused() {
    let (world, key) = ready().await;
    let queued = candlecast_jobs::queue_job(&world.app, &JOBS, &training(&key), &JobOptions::default()).await.unwrap();
    let mut app = world.app.clone();
    app.settings.training_enabled = false;
    for refused in [
        candlecast_jobs::run_job(&app, &JOBS, &training(&key), &JobOptions::default(), Arc::new(NoProgress))
            .await
            .map(drop)
            .unwrap_err(),
        candlecast_jobs::queue_job(&app, &JOBS, &training(&key), &JobOptions::default()).await.map(drop).unwrap_err(),
        candlecast_jobs::retry_job_here(&app, &JOBS, &queued.job.id, Arc::new(NoProgress)).await.map(drop).unwrap_err(),
        candlecast_jobs::work(
            &app,
            &JOBS,
            &WorkerOptions { kinds: vec!["train".into()], ..ONCE },
            Arc::new(NoProgress),
        )
        .await
        .unwrap_err(),
    ] {
        assert!(refused.code == "training-disabled" && refused.detail.contains("ML_TRAINING_ENABLED"), "{refused}");
    }
    let request = evaluation(&key, vec![model("hybrid", json!({}))]);
    candlecast_jobs::queue_job(&app, &JOBS, &request, &JobOptions::default()).await.unwrap();
    assert_eq!(candlecast_jobs::work(&app, &JOBS, &ONCE, Arc::new(NoProgress)).await.unwrap().succeeded, 1);
    assert_eq!(
        candlecast_jobs::find_job(&world.app, &queued.job.id).await.unwrap().state,
        JobState::Queued,
        "it waits for better days"
    );
}
