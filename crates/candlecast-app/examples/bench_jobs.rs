//! What keeping a record costs, one JSON line each: `bench`, `variant`, `median_ms` and notes. Jobs queued and leased,
//! a report of progress, a training on record as a job beside the same training without one, and a page of long lists.
//!
//! usage: `bench_jobs [PREDICTIONS [TRAININGS]]`; 1,000,000 predictions and 3 trainings of each kind by default.
//!
//! The database is SQLite in a temporary folder.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use candlecast_app::{JOBS, TrainJob};
use candlecast_config::{Flags, Settings};
use candlecast_core::market::random_walk;
use candlecast_core::{
    Interval, ModelRequest, Move, NoProgress, Problem, Seed, SeriesKey, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_jobs::JobOptions;
use candlecast_meta::{
    FoundModel, JobStore, MetaError, Model, ModelFilter, ModelStatus, ModelStore, ModelsIn, NewJob, NewPrediction,
    PageRequest, PredictionFilter, PredictionStatus, PredictionStore, PredictionsOf, Progress, SqlStore,
};
use candlecast_pipeline::PipelineOptions;
use serde_json::{Value, json};

const T0: Timestamp = Timestamp(1_704_067_200_000);
const HOUR_MS: i64 = 3_600_000;
/// Jobs queued and leased in a round.
const N_JOBS: usize = 1_000;
const ROUNDS: usize = 5;
const N_REPORTS: usize = 500;
const N_MODELS: usize = 10_000;
const N_SERIES: usize = 50;
/// Pages read one after the other from each list.
const N_PAGES: usize = 50;
const PAGE: u32 = 100;
/// Hourly candles of two years.
const N_CANDLES: usize = 17_520;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let n_predictions: usize = args.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let n_trainings: usize = args.next().map_or(Ok(3), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let store = SqlStore::open_in(dir.path(), T0).await?;
    queue_and_lease(&store).await?;
    report_progress(&store).await?;
    pages_of_models(&store).await?;
    pages_of_predictions(&store, n_predictions).await?;
    store.close().await;
    trainings(n_trainings).await?;
    Ok(())
}

/// One client that queues all jobs of a round and leases them, each by a call and a transaction of its own.
async fn queue_and_lease(store: &SqlStore) -> Result<(), MetaError> {
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let started = Instant::now();
        for i in 0..N_JOBS {
            let job = NewJob::new(format!("job-{round}-{i}"), "train", json!({ "symbol": "BTCUSDT" }));
            store.enqueue(&job, T0).await?;
        }
        while store.lease_job("worker", &[], 60_000, T0).await?.is_some() {}
        times.push(ms_since(started));
    }
    let per_s = 1e3 * N_JOBS as f64 / median(&times);
    print(&format!("queue-and-lease-{N_JOBS}-jobs"), "", &times, json!({ "jobs_per_s": per_s.round() }));
    Ok(())
}

/// A running job reports at most once a second, so a report's time is its share of the work.
async fn report_progress(store: &SqlStore) -> Result<(), MetaError> {
    store.enqueue(&NewJob::new("reporter", "train", json!({})), T0).await?;
    let leased = store.lease_job("worker", &[], 60_000, T0).await?;
    let lease = leased.and_then(|job| job.lease()).expect("a job was queued and nobody else takes jobs here");
    let mut times = Vec::with_capacity(N_REPORTS);
    for i in 0..N_REPORTS {
        let done_share = i as f64 / N_REPORTS as f64;
        let progress =
            Progress { stage: "forward chain".into(), fold_of: Some((3, 8)), done_share, ..Progress::default() };
        let started = Instant::now();
        store.report_progress(&lease, &progress, T0).await?;
        times.push(ms_since(started));
    }
    print("report-of-progress", "", &times, json!({ "percent_at_one_a_second": median(&times) / 10.0 }));
    Ok(())
}

async fn pages_of_models(store: &SqlStore) -> Result<(), MetaError> {
    for number in 0..N_SERIES {
        let of_series = (number..N_MODELS).step_by(N_SERIES).map(model);
        let found: Vec<FoundModel> = of_series.map(|model| FoundModel::Whole(Box::new(model))).collect();
        let (model_type, task) = ("lstm".into(), "price".into());
        let models = ModelsIn { folder: String::new(), series: series(number), model_type, task };
        store.sync_models(&models, &found, T0).await?;
    }
    let of_series = ModelFilter { series: Some(series(3)), ..ModelFilter::default() };
    for (variant, filter) in [("all", ModelFilter::default()), ("of a series", of_series)] {
        let (mut page, mut times) = (PageRequest::first(PAGE), Vec::new());
        for _ in 0..N_PAGES {
            let started = Instant::now();
            page.after = store.models(&filter, page).await?.next;
            times.push(ms_since(started));
        }
        print(&format!("page-of-{N_MODELS}-models"), variant, &times, slowest(&times));
    }
    Ok(())
}

async fn pages_of_predictions(store: &SqlStore, n_predictions: usize) -> Result<(), MetaError> {
    for first in (0..n_predictions).step_by(5_000) {
        let batch: Vec<_> = (first..n_predictions.min(first + 5_000)).map(prediction).collect();
        store.append_predictions(&batch).await?;
    }
    let of_model = PredictionsOf::Model("model-3".into());
    let lists = [
        ("all", PredictionsOf::All, None),
        ("of a model", of_model.clone(), None),
        ("of a series", PredictionsOf::Series(series(3)), None),
        ("validated of a model", of_model, Some(PredictionStatus::Validated)),
    ];
    for (variant, of, status) in lists {
        let filter = PredictionFilter { of, status, ..PredictionFilter::default() };
        let (mut page, mut times) = (PageRequest::first(PAGE), Vec::new());
        for _ in 0..N_PAGES {
            let started = Instant::now();
            page.after = store.predictions(&filter, page).await?.next;
            times.push(ms_since(started));
        }
        print(&format!("page-of-{n_predictions}-predictions"), variant, &times, slowest(&times));
    }
    Ok(())
}

/// The same training in turn without a job and as one; the difference is what the job's record costs.
async fn trainings(n: usize) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let flags = Flags { data_dir: Some(dir.path().to_owned()), ..Flags::default() };
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(2),
        clock: Clock::System,
        cancel: Arc::new(AtomicBool::new(false)),
    };
    let app = Host::open(Settings::load(&flags, |_| None, &candlecast_app::MODEL_CATALOG)?, options)?;
    let candles = random_walk(N_CANDLES, Seed(1), 0.0);
    candlecast_app::data::store_series(&app, &candles).await?;
    let request = TrainJob {
        series: vec![candles.key().clone()],
        pool: vec![],
        model: ModelRequest { id: "lstm".into(), params: json!({ "epochs": 20 }) },
        common: PipelineOptions::new(24),
        range: TimeRange::ALL,
        warm_start: false,
        confidence_threshold: None,
        seed: app.seed,
    };
    alone(&app, &request).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..n {
        without.push(alone(&app, &request).await?);
        let started = Instant::now();
        candlecast_jobs::run_job(&app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress)).await?;
        with.push(ms_since(started));
    }
    if n > 0 {
        let percent = 100.0 * (median(&with) / median(&without) - 1.0);
        print("training", "without a job", &without, json!({}));
        print("training-as-a-job", "", &with, json!({ "percent_more_than_without": percent }));
    }
    Ok(())
}

/// Milliseconds of a training that is no job.
async fn alone(app: &Host, request: &TrainJob) -> Result<f64, Problem> {
    let started = Instant::now();
    candlecast_app::train(app, request.clone(), Arc::new(NoProgress)).await?;
    Ok(ms_since(started))
}

fn series(number: usize) -> SeriesKey {
    let symbol = Symbol::new(&format!("COIN{number}USDT")).expect("letters and digits");
    SeriesKey::new(Venue::binance(), symbol, Interval::H1)
}

fn model(i: usize) -> Model {
    Model {
        id: format!("recorded-{i}"),
        folder: String::new(),
        name: format!("model {i}"),
        series: series(i % N_SERIES),
        model_type: "lstm".into(),
        task: "price".into(),
        version: format!("1.0.{i}"),
        status: ModelStatus::Candidate,
        horizon_steps: 24,
        trained_at: T0.plus_ms(i as i64),
        accuracy: Some(0.5),
        sha256: None,
        run_id: None,
        meta: json!({ "dataPoints": 8_760 }),
        activated_at: None,
    }
}

fn prediction(i: usize) -> NewPrediction {
    let number = i % N_SERIES;
    let origin = T0.plus_ms((i / N_SERIES) as i64 * HOUR_MS);
    NewPrediction {
        task: "price".into(),
        model_id: format!("model-{number}"),
        series: series(number),
        origin,
        step: 1,
        target_time: origin.plus_ms(HOUR_MS),
        made_at: origin,
        base_price: 100.0,
        prediction: 101.0,
        interval: None,
        borders: None,
        confidence: Some(0.5),
        direction: Some(Move::Up),
    }
}

fn ms_since(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn slowest(times: &[f64]) -> Value {
    json!({ "slowest_ms": times.iter().copied().fold(0.0, f64::max) })
}

fn print(bench: &str, variant: &str, times: &[f64], notes: Value) {
    let mut line = json!({ "bench": bench, "variant": variant, "median_ms": median(times), "runs": times.len() });
    if let (Some(line), Value::Object(notes)) = (line.as_object_mut(), notes) {
        line.extend(notes);
    }
    println!("{line}");
}
