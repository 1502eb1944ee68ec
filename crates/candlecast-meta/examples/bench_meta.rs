//! Speed of the metadata database: jobs a second, and milliseconds a page among many predictions and models.
//!
//! ```text
//! cargo run --release -p candlecast-meta --example bench_meta [-- PREDICTIONS [POSTGRES_URL]]
//! ```
//! Without a URL the database is a SQLite file in a temporary folder. A server's database must be empty: its records
//! would be measured along.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::time::Instant;

use candlecast_core::{Interval, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_meta::{
    JobStore, MetaError, Model, ModelFilter, ModelStatus, ModelStore, NewJob, NewPrediction, Outcome, PageRequest,
    PredictionFilter, PredictionStatus, PredictionStore, PredictionsOf, SqlStore,
};
use serde_json::json;

const T0: Timestamp = Timestamp(1_704_067_200_000);
const HOUR_MS: i64 = 3_600_000;
const N_JOBS: usize = 5_000;
const N_MODELS: usize = 10_000;
const N_SERIES: usize = 50;
const REPEATS: u32 = 50;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let n_predictions: usize = args.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let store = match args.next() {
        Some(url) => SqlStore::connect(&url, T0).await?,
        None => SqlStore::open_in(dir.path(), T0).await?,
    };
    println!("database: {}", store.place());
    jobs(&store).await?;
    models(&store).await?;
    predictions(&store, n_predictions).await?;
    store.close().await;
    Ok(())
}

/// Every job is queued, leased and finished, one after the other.
async fn jobs(store: &SqlStore) -> Result<(), MetaError> {
    let started = Instant::now();
    for i in 0..N_JOBS {
        store.enqueue(&NewJob::new(format!("job-{i}"), "train", json!({"symbol": "BTCUSDT"})), T0).await?;
    }
    rate("jobs queued", N_JOBS, started);
    let started = Instant::now();
    let mut leases = Vec::with_capacity(N_JOBS);
    while let Some(job) = store.lease_job("worker", &[], 60_000, T0).await? {
        leases.extend(job.lease());
    }
    rate("jobs leased", leases.len(), started);
    let started = Instant::now();
    for lease in &leases {
        store.heartbeat(lease, 60_000, T0).await?;
    }
    rate("heartbeats", leases.len(), started);
    let started = Instant::now();
    for lease in &leases {
        store.finish_job(lease, &Outcome::Succeeded(json!({"mae": 1.5})), T0).await?;
    }
    rate("jobs finished", leases.len(), started);
    Ok(())
}

async fn models(store: &SqlStore) -> Result<(), MetaError> {
    let started = Instant::now();
    for i in 0..N_MODELS {
        store.put_model(&model(i), T0).await?;
    }
    rate("models recorded", N_MODELS, started);
    let of_series = ModelFilter { series: Some(series(3)), ..ModelFilter::default() };
    for (name, filter) in [("all models", ModelFilter::default()), ("models of a series", of_series)] {
        let mut page = PageRequest::first(100);
        let started = Instant::now();
        for _ in 0..REPEATS {
            page.after = store.models(&filter, page).await?.next;
        }
        each(name, started);
    }
    Ok(())
}

async fn predictions(store: &SqlStore, n_predictions: usize) -> Result<(), MetaError> {
    let started = Instant::now();
    for first in (0..n_predictions).step_by(5_000) {
        let batch: Vec<_> = (first..n_predictions.min(first + 5_000)).map(prediction).collect();
        store.append_predictions(&batch).await?;
    }
    rate("predictions logged", n_predictions, started);
    let one_model = PredictionsOf::Model("model-3".into());
    let filters = [
        ("all predictions", PredictionsOf::All, None),
        ("predictions of a model", one_model.clone(), None),
        ("predictions of a series", PredictionsOf::Series(series(3)), None),
        ("pending predictions", PredictionsOf::All, Some(PredictionStatus::Pending)),
        ("validated predictions of a model", one_model.clone(), Some(PredictionStatus::Validated)),
        ("unscorable predictions of a model", one_model, Some(PredictionStatus::Unscorable)),
    ];
    for (name, of, status) in filters {
        let filter = PredictionFilter { of, status, ..PredictionFilter::default() };
        let mut page = PageRequest::first(100);
        let started = Instant::now();
        for _ in 0..REPEATS {
            page.after = store.predictions(&filter, page).await?.next;
        }
        each(name, started);
    }
    let now = T0.plus_ms(10 * HOUR_MS);
    let started = Instant::now();
    for _ in 0..REPEATS {
        store.due_predictions(&PredictionsOf::All, now, PageRequest::first(100)).await?;
    }
    each("due predictions", started);
    Ok(())
}

fn series(number: usize) -> SeriesKey {
    let symbol = Symbol::new(&format!("COIN{number}USDT")).expect("letters and digits");
    let interval: Interval = "1h".parse().expect("a known interval");
    SeriesKey::new(Venue::binance(), symbol, interval)
}

fn model(i: usize) -> Model {
    Model {
        id: format!("recorded-{i}"),
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
        meta: json!({"dataPoints": 8_760}),
        activated_at: None,
    }
}

fn prediction(i: usize) -> NewPrediction {
    let number = i % N_SERIES;
    let origin = T0.plus_ms((i / N_SERIES) as i64 * HOUR_MS);
    NewPrediction {
        model_id: format!("model-{number}"),
        series: series(number),
        origin,
        step: 1,
        target_time: origin.plus_ms(HOUR_MS),
        made_at: origin,
        base_price: 100.0,
        prediction: 101.0,
        interval: None,
        confidence: Some(0.5),
    }
}

fn rate(what: &str, n: usize, started: Instant) {
    println!("{what:<36} {:>10.0} /s", n as f64 / started.elapsed().as_secs_f64());
}

fn each(what: &str, started: Instant) {
    println!("{what:<36} {:>10.2} ms a page of 100", started.elapsed().as_secs_f64() * 1e3 / f64::from(REPEATS));
}
