//! Searches: what they bring, what stays on record, and that one that was stopped goes on as if it had not been.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use candlecast_app::doc::SearchDoc;
use candlecast_app::{JOBS, SearchDates, SearchJob, export_search, list_searches, show_search};
use candlecast_core::market::random_walk;
use candlecast_core::{
    CandleSeries, FeatureSet, NoProgress, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp,
};
use candlecast_host::Host;
use candlecast_jobs::{JobFilter, JobOptions, PageRequest, list_jobs, retry_job_here, run_job};
use candlecast_meta::TrialState;
use candlecast_pipeline::PipelineOptions;
use serde_json::{Value, json};

use crate::world::{World, model, store, world};

/// Candles that trials may see.
const SEEN: usize = 2_000;

fn walk() -> CandleSeries {
    random_walk(2_500, Seed(7), 0.4)
}

async fn ready() -> (World, SeriesKey) {
    let world = world();
    let key = store(&world.app, &walk()).await;
    (world, key)
}

fn dates() -> SearchDates {
    let walk = walk();
    let stored = walk.range().unwrap();
    let border = Timestamp(walk.open_time()[SEEN]);
    SearchDates {
        range: TimeRange { from: stored.from, to: border },
        hold_out: TimeRange { from: border, to: stored.to },
    }
}

fn common() -> PipelineOptions {
    let features = Some(FeatureSet::of(&["log_return_1", "hour_sin"]));
    PipelineOptions { min_candles: 300, retrain_days: 15, features, ..PipelineOptions::new(3) }
}

/// Boosted trees with few rounds, so that there is something to give up.
fn job(key: &SeriesKey) -> SearchJob {
    let fixed = json!({ "rounds": 12, "patience": 0 });
    let plain = SearchJob::new(key.clone(), model("gbdt", fixed), common(), dates(), Seed(42)).unwrap();
    SearchJob {
        parameter_space: json!({
            "learningRate": { "min": 0.01, "max": 0.5, "log": true },
            "maxDepth": [1, 2, 3],
        }),
        pruner: model("median", json!({ "startupTrials": 2, "warmupSteps": 3 })),
        method: model("tpe", json!({ "startupTrials": 4 })),
        trials: Some(9),
        ..plain
    }
}

async fn run(app: &Host, job: &SearchJob) -> Result<SearchDoc, Problem> {
    run_job(app, &JOBS, job, &JobOptions::default(), Arc::new(NoProgress)).await
}

/// What has to be the same however a search came about.
fn told(doc: &Value) -> Value {
    let trials: Vec<Value> = doc["trials"].as_array().unwrap().iter().map(told_of_one).collect();
    json!({ "trials": trials, "best": doc["bestParameters"], "improvement": doc["improvement"],
        "importances": doc["importances"], "naive": doc["naiveValue"], "folds": doc["folds"] })
}

fn told_of_one(trial: &Value) -> Value {
    let names = ["number", "state", "parameters", "value", "naiveValue", "curve", "metrics"];
    Value::Object(names.iter().map(|name| ((*name).to_owned(), trial[*name].clone())).collect())
}

fn value(doc: &SearchDoc) -> Value {
    serde_json::to_value(doc).unwrap()
}

#[tokio::test]
async fn a_search_scores_the_hold_out_once_saves_what_it_chose_and_leaves_all_of_it_on_record() {
    let (world, key) = ready().await;
    let doc = run(&world.app, &job(&key)).await.unwrap();
    assert!(doc.job_id.starts_with("hpo_") && doc.status == "completed", "{}", doc.job_id);
    assert_eq!((doc.trials.len(), doc.trials_done, doc.trials_asked), (9, 9, 9));
    let n = |state: &str| doc.trials.iter().filter(|trial| trial.state == state).count();
    assert!(n("completed") >= 3 && n("completed") + n("pruned") == 9, "{:?}", doc.trials);
    assert_eq!(doc.folds.len(), 3);

    let held = doc.hold_out.as_ref().unwrap();
    assert_eq!((held.from, held.to), (dates().hold_out.from, dates().hold_out.to));
    assert!(held.winner.is_some() && held.default.is_some() && held.naive.is_some());
    assert!(doc.improvement.is_some() && doc.best_value.unwrap() < doc.naive_value.unwrap());
    assert_eq!(doc.importances.iter().map(|i| i.value).sum::<f64>().round(), 1.0);
    assert_eq!(doc.saved.len(), 1);
    assert!(doc.saved[0].id.contains("GBDT") && doc.saved[0].active, "{:?}", doc.saved);
    assert_eq!(doc.warnings, Vec::<String>::new());

    let records = world.app.metadata().await.unwrap();
    let ledger = records.ledger(Some(&key), PageRequest::first(100)).await.unwrap().items;
    let of = |kind: &str| ledger.iter().filter(|entry| entry.kind == kind).collect::<Vec<_>>();
    assert_eq!(of("hpo").len(), n("completed"), "every configuration that was scored");
    assert!(of("hpo").iter().all(|entry| entry.period.to <= dates().hold_out.from), "no trial sees the hold-out");
    assert_eq!(of("evaluate").len(), 2, "the chosen configuration and the default one, once each");
    let trials = records.trials(&doc.job_id).await.unwrap();
    assert!(trials.iter().all(|trial| trial.state != TrialState::Running));

    let listed = list_searches(&world.app, PageRequest::default()).await.unwrap().jobs;
    assert_eq!((listed.len(), listed[0].trials, listed[0].status.as_str()), (1, 9, "completed"));
    assert_eq!(listed[0].best_value, doc.best_value);
    assert_eq!(show_search(&world.app, &doc.job_id).await.unwrap(), value(&doc));
    let table = export_search(&world.app, &doc.job_id).await.unwrap();
    assert_eq!(table.lines().count(), 10);
    assert!(table.starts_with("number,state,value,naiveValue,durationMs,learningRate,maxDepth\n"), "{table}");
}

#[tokio::test]
async fn a_grid_takes_every_point_and_saves_nothing_where_it_is_not_to() {
    let (world, key) = ready().await;
    let plain = SearchJob::new(key, model("hybrid", json!({})), common(), dates(), Seed(1)).unwrap();
    let job = SearchJob {
        method: model("grid", json!({})),
        parameter_space: json!({ "lookbackWindow": [6, 12], "smoothingFactor": [0.2, 0.4] }),
        metrics: vec!["mae".into(), "direction".into()],
        save: false,
        ..plain
    };
    let doc = run(&world.app, &job).await.unwrap();
    assert_eq!((doc.trials.len(), doc.saved.len()), (4, 0));
    assert!(!doc.pareto_front.unwrap().is_empty());
    assert_eq!(doc.metric, json!(["mae", "directionalAccuracy"]));
}

/// Cancels the search when so many trials have ended.
struct StopAt {
    done: u64,
    cancel: Arc<AtomicBool>,
    heard: Mutex<Vec<u64>>,
}

impl ProgressSink for StopAt {
    fn progress(&self, what: &str, done: u64, _: u64) {
        if what == "trials" {
            self.heard.lock().unwrap().push(done);
            if done >= self.done {
                self.cancel.store(true, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test]
async fn a_search_that_was_stopped_loses_no_trial_and_ends_as_if_nothing_had_happened() {
    let (undisturbed, key) = ready().await;
    let (disturbed, _) = ready().await;
    let expected = run(&undisturbed.app, &job(&key)).await.unwrap();

    let watch = Arc::new(StopAt { done: 4, cancel: Arc::clone(&disturbed.cancel), heard: Mutex::default() });
    let stopped = run_job(&disturbed.app, &JOBS, &job(&key), &JobOptions::default(), watch).await.unwrap_err();
    assert_eq!(stopped.code, "cancelled");
    disturbed.cancel.store(false, Ordering::Relaxed);
    let id = list_jobs(&disturbed.app, &JOBS, &JobFilter::default(), PageRequest::default()).await.unwrap().jobs[0]
        .id
        .clone();
    let records = disturbed.app.metadata().await.unwrap();
    let before: Vec<_> = records.trials(&id).await.unwrap();
    let ended: Vec<_> = before.iter().filter(|trial| trial.state != TrialState::Running).collect();
    assert!(ended.len() >= 4 && ended.len() < 9, "{before:?}");
    let so_far = show_search(&disturbed.app, &id).await.unwrap();
    assert_eq!((&so_far["status"], &so_far["trialsDone"]), (&json!("cancelled"), &json!(ended.len())));

    let done = retry_job_here(&disturbed.app, &JOBS, &id, Arc::new(NoProgress)).await.unwrap();
    assert_eq!(told(&done.document), told(&value(&expected)));
    let after = records.trials(&id).await.unwrap();
    for trial in ended {
        let same = &after[trial.number as usize];
        assert_eq!(
            (same.started_at, same.finished_at, &same.metrics),
            (trial.started_at, trial.finished_at, &trial.metrics)
        );
    }
    let ledger = records.ledger(Some(&key), PageRequest::first(100)).await.unwrap().items;
    let scored = ledger.iter().filter(|entry| entry.kind == "hpo").count();
    let complete = after.iter().filter(|trial| trial.state == TrialState::Complete).count();
    assert_eq!(scored, complete, "each configuration is counted once");
}

#[tokio::test]
async fn a_search_that_cannot_be_done_is_refused_before_there_are_trials() {
    let (world, key) = ready().await;
    let mut job = job(&key);
    // More candles than there are.
    job.common.min_candles = 5_000;
    let refused = run(&world.app, &job).await.unwrap_err();
    assert_eq!(refused.code, "too-few-candles");
    job.common.min_candles = 300;
    job.parameter_space = json!({ "windowless": [1] });
    assert_eq!(run(&world.app, &job).await.unwrap_err().code, "bad-parameter");
}
