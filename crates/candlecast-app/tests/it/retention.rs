//! How long records are kept: what is forgotten, by whom, and what is left of it.

use std::sync::Arc;

use candlecast_app::{Forgotten, JOBS, forget_old_records, with_upkeep};
use candlecast_core::{Interval, NoProgress, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use candlecast_host::{Host, system_time};
use candlecast_jobs::{JobFilter, PageRequest, WorkerOptions};
use candlecast_meta::{
    LedgerEntry, MetadataStore, NewJob, NewPrediction, NewRun, Outcome, PRICE_TASK, PredictionFilter, PredictionsOf,
    RunFilter, RunState, Settled,
};
use candlecast_monitor::{range_accuracy, revalidate_predictions};
use candlecast_pipeline::Accuracy;
use serde_json::json;

use crate::world::{World, world};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// "Now" of [`world`].
const NOW: Timestamp = Timestamp(1_704_067_200_000);

fn key() -> SeriesKey {
    SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1)
}

async fn metadata(app: &Host) -> Arc<dyn MetadataStore> {
    Arc::clone(app.metadata().await.unwrap())
}

/// Hourly forecasts over the day `days_ago`, and what came of them but for the last.
async fn log_day(app: &Host, days_ago: i64) {
    let store = metadata(app).await;
    let made: Vec<NewPrediction> = (0..24)
        .map(|hour| {
            let origin = NOW.plus_ms(hour * HOUR_MS - days_ago * DAY_MS);
            let rises = hour % 3 > 0;
            NewPrediction {
                task: PRICE_TASK.into(),
                model_id: "BTCUSDT_LINEAR_1.0.0".into(),
                series: key(),
                origin,
                step: 1,
                target_time: origin.plus_ms(HOUR_MS),
                made_at: origin,
                base_price: 100.0,
                prediction: if rises { 100.5 } else { 99.5 },
                interval: None,
                borders: None,
                confidence: None,
                direction: None,
            }
        })
        .collect();
    let last = made[22].target_time;
    store.append_predictions(&made).await.unwrap();
    let of = PredictionsOf::Series(key());
    let due = store.due_predictions(&of, last, PageRequest::first(1_000)).await.unwrap().items;
    let outcome = |i: usize| if i.is_multiple_of(2) { 101.0 } else { 99.25 };
    let due = due.iter().filter(|p| p.made.target_time > last.plus_ms(-DAY_MS));
    let settled: Vec<Settled> = due.enumerate().map(|(i, p)| Settled { id: p.id, actual: Some(outcome(i)) }).collect();
    store.settle_predictions(&settled, last).await.unwrap();
}

/// A run that ended `days_ago`.
async fn record_run(app: &Host, id: &str, days_ago: i64) {
    let store = metadata(app).await;
    let at = NOW.plus_ms(-days_ago * DAY_MS);
    let run = NewRun {
        id: id.into(),
        kind: "evaluate".into(),
        experiment: None,
        series: Some(key()),
        model_type: Some("linear".into()),
        task: Some("price".into()),
        horizon_steps: Some(24),
        config: json!({}),
        config_hash: "c0ffee".into(),
        data_range: None,
        data_fingerprint: None,
        seed: app.seed,
        program_version: "0.1.0".into(),
        instruction_set: "avx2".into(),
        job_id: None,
        started_at: at,
    };
    store.start_run(&run).await.unwrap();
    store.finish_run(id, RunState::Failed, None, Some("no"), at).await.unwrap();
}

async fn try_in(app: &Host, run_id: &str) {
    let entry = LedgerEntry {
        id: format!("try of {run_id}").replace(' ', "-"),
        kind: "compare".into(),
        series: key(),
        task: "price".into(),
        model_type: "linear".into(),
        config: json!({}),
        config_hash: "c0ffee".into(),
        period: TimeRange { from: NOW.plus_ms(-DAY_MS), to: NOW },
        score: None,
        sharpe: None,
        run_id: Some(run_id.into()),
        tried_at: NOW,
    };
    metadata(app).await.record_tries(&[entry]).await.unwrap();
}

/// A world with records on both sides of what is kept: of predictions two old days and a new one, each with an outcome
/// that is still to come.
async fn with_old_records() -> World {
    let world = world();
    let app = &world.app;
    for days_ago in [500, 400, 100] {
        log_day(app, days_ago).await;
    }
    for (id, days_ago) in [("old", 366), ("old-but-tried", 366), ("new", 364)] {
        record_run(app, id, days_ago).await;
    }
    try_in(app, "old-but-tried").await;
    world
}

/// Forgets old records until nothing is left to forget, in as many turns as it takes.
async fn forget_all(app: &Host) -> Forgotten {
    let mut all = Forgotten::default();
    for _ in 0..1_000 {
        let turn = forget_old_records(app).await;
        all.jobs += turn.jobs;
        all.predictions += turn.predictions;
        all.runs += turn.runs;
        all.is_done = turn.is_done;
        if all.is_done {
            break;
        }
    }
    all
}

async fn accuracy(app: &Host) -> Accuracy {
    range_accuracy(app, PredictionFilter::default()).await.unwrap()
}

async fn counts(app: &Host) -> (usize, Vec<String>) {
    let store = metadata(app).await;
    let page = PageRequest::first(1_000);
    let predictions = store.predictions(&PredictionFilter::default(), page).await.unwrap().items.len();
    let mut runs: Vec<String> =
        store.runs(&RunFilter::default(), page).await.unwrap().items.into_iter().map(|run| run.asked.id).collect();
    runs.sort();
    (predictions, runs)
}

/// What was told of the models before and after; counts and words are equal.
fn assert_alike(found: &Accuracy, expected: &Accuracy) {
    assert_eq!((found.range, found.cut, found.models.len()), (expected.range, expected.cut, expected.models.len()));
    for (a, b) in found.models.iter().zip(&expected.models) {
        for (a, b) in a.groups.iter().zip(&b.groups) {
            assert_eq!((a.n, a.origins, a.n_directional, &a.verdict), (b.n, b.origins, b.n_directional, &b.verdict));
            let close =
                |a: Option<f64>, b: Option<f64>| assert!((a.unwrap() - b.unwrap()).abs() < 1e-12, "{a:?} {b:?}");
            close(a.metrics.mae, b.metrics.mae);
            close(a.naive.mae, b.naive.mae);
            close(a.test.map(|t| t.p_value), b.test.map(|t| t.p_value));
            close(a.recent.map(|r| r.rate), b.recent.map(|r| r.rate));
        }
    }
}

#[tokio::test]
async fn a_worker_rolls_up_old_predictions_and_forgets_old_runs() {
    let world = with_old_records().await;
    let app = &world.app;
    let before = accuracy(app).await;
    assert_eq!((before.rolled_up, before.models[0].groups[0].n), (0, 3 * 23));
    let options = WorkerOptions { jobs: 1, once: true, kinds: vec!["evaluate".into()] };
    candlecast_jobs::work(app, &JOBS, &options, Arc::new(NoProgress)).await.unwrap();
    let left = (24 + 2, ["new", "old-but-tried"].map(str::to_owned).to_vec());
    assert_eq!(counts(app).await, left, "what waits for its outcome stays");
    let after = accuracy(app).await;
    assert_eq!((after.rolled_up, after.corrected), (2 * 23, 0));
    assert_alike(&after, &before);
    // Once a day is enough: what grows old meanwhile waits until tomorrow.
    record_run(app, "later", 366).await;
    candlecast_jobs::work(app, &JOBS, &options, Arc::new(NoProgress)).await.unwrap();
    assert_eq!(counts(app).await.1, ["later", "new", "old-but-tried"]);
}

#[tokio::test]
async fn whoever_adds_to_the_records_forgets_old_ones_once_a_day() {
    let world = with_old_records().await;
    let app = &world.app;
    let store = metadata(app).await;
    // Jobs go by the system's clock.
    for (id, days) in [("ended-91-days-ago", 91), ("ended-89-days-ago", 89)] {
        let at = system_time().plus_ms(-days * DAY_MS);
        let job = store.begin_job(&NewJob::new(id, "train", json!({})), "worker", 60_000, at).await.unwrap().job;
        store.finish_job(&job.lease().unwrap(), &Outcome::Succeeded(json!({})), at).await.unwrap();
    }
    let before = accuracy(app).await;
    let forgotten = forget_all(app).await;
    assert_eq!(forgotten, Forgotten { jobs: 1, predictions: 2 * 23, runs: 1, is_done: true });
    assert_alike(&accuracy(app).await, &before);
    let jobs = store.jobs(&JobFilter::default(), PageRequest::default()).await.unwrap().items;
    assert_eq!(jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["ended-89-days-ago"]);
    let once_more = forget_old_records(app).await;
    assert_eq!(once_more, Forgotten::default(), "it is done for the day");
}

#[tokio::test]
async fn what_is_to_be_kept_for_ever_is_kept() {
    let world = with_old_records().await;
    let mut app = world.app.clone();
    app.settings.keep_predictions_days = None;
    app.settings.keep_runs_days = None;
    assert_eq!(forget_all(&app).await, Forgotten { is_done: true, ..Forgotten::default() });
    assert_eq!(counts(&app).await, (3 * 24, ["new", "old", "old-but-tried"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn an_interrupted_program_leaves_the_rest_to_the_next_one() {
    let world = with_old_records().await;
    world.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
    let stopped = forget_old_records(&world.app).await;
    assert_eq!(stopped, Forgotten::default());
    world.cancel.store(false, std::sync::atomic::Ordering::Relaxed);
    let next = forget_all(&world.app).await;
    assert_eq!((next.predictions, next.runs, next.is_done), (2 * 23, 1, true));
}

#[tokio::test]
async fn outcomes_that_are_looked_at_again_leave_sums_as_they_are_and_corrected_candles_mark_them() {
    let world = with_old_records().await;
    let app = &world.app;
    forget_all(app).await;
    let before = accuracy(app).await;
    revalidate_predictions(app).await.unwrap();
    assert_eq!(accuracy(app).await, before);
    let day = NOW.plus_ms(-400 * DAY_MS);
    let changed = TimeRange { from: day.plus_ms(HOUR_MS), to: day.plus_ms(2 * HOUR_MS) };
    let reopened = metadata(app).await.reopen_predictions(&key(), changed).await.unwrap();
    let after = accuracy(app).await;
    assert_eq!((reopened, after.rolled_up, after.corrected), (0, 2 * 23, 23));
    assert_eq!(after.models, before.models);
}

/// Without a database there is nothing to forget, so none is made.
#[tokio::test]
async fn upkeep_makes_no_database() {
    let world = world();
    assert_eq!(forget_old_records(&world.app).await, Forgotten::default());
    assert_eq!(with_upkeep(&world.app, async { 7 }).await, 7);
    assert!(!world.app.settings.data_dir.join("candlecast.db").exists());
}
