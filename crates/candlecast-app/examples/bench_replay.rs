//! Speed of a replay: a month of one-minute candles with a linear model, one JSON line each: `bench`, `median_ms`,
//! `runs`, `candles_per_second`. First the model alone (features, forecast, interval and outcome of every candle), then
//! whole replays from a file: candles stored, forecasts logged and validated.
//!
//! ```text
//! cargo run --release -p candlecast-app --example bench_replay [-- RUNS]
//! ```
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use candlecast_app::TrainJob;
use candlecast_monitor::family;
use std::error::Error;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use candlecast_config::{Flags, Settings};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{
    CandleSeries, Interval, ModelRequest, NoProgress, Problem, Seed, SeriesKey, Symbol, Timestamp, Venue,
};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_live::{Listener, LogSteps, ReplayRequest, StreamEvent, StreamRequest, StreamSource};
use candlecast_pipeline::{LiveForecaster, PipelineOptions};
use serde_json::json;

/// Candles that the models are trained on: two weeks.
const PAST: usize = 20_160;
/// Candles that are played: thirty days.
const MONTH: usize = 43_200;
const RUNS: usize = 3;

/// Whole replays: steps ahead, steps that are logged.
const REPLAYS: [(usize, &str); 4] = [(1, "all"), (15, "15"), (15, "none"), (15, "all")];

/// Printing is not what is measured.
struct Silent;

impl Listener for Silent {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        black_box(event);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let runs = std::env::args().nth(1).map_or(Ok(RUNS), |runs| runs.parse::<usize>())?.max(1);
    let folder = tempfile::tempdir()?;
    let series = market()?;
    let file = folder.path().join("BTCUSDT-1m.csv");
    candlecast_app::export::write(&part(&series, PAST..PAST + MONTH)?, &file)?;
    for horizon in [1, 15] {
        let app = trained(&folder.path().join(format!("h{horizon}")), &series, horizon).await?;
        alone(&app, &series, horizon, runs).await?;
        for (_, log) in REPLAYS.iter().filter(|(of, _)| *of == horizon) {
            whole(&app, &file, horizon, log, runs).await?;
        }
    }
    Ok(())
}

fn market() -> Result<CandleSeries, Box<dyn Error>> {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: PAST + MONTH,
        ..MarketConfig::default()
    };
    let generated = generate(&config);
    let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT")?, Interval::M1);
    Ok(CandleSeries::new(key, generated[0].series.columns().clone())?)
}

fn part(series: &CandleSeries, rows: std::ops::Range<usize>) -> Result<CandleSeries, Box<dyn Error>> {
    Ok(CandleSeries::new(series.key().clone(), series.columns().slice(rows))?)
}

/// A platform with the past stored and a linear model trained on it.
async fn trained(folder: &Path, series: &CandleSeries, horizon: usize) -> Result<Host, Box<dyn Error>> {
    let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
    let options = HostOptions {
        seed: Seed::default(),
        threads: None,
        clock: Clock::Fixed(Timestamp::year_start(2024)),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    let app = Host::open(Settings::load(&flags, |_| None, &candlecast_app::MODEL_CATALOG)?, options)?;
    candlecast_app::data::store_series(&app, &part(series, 0..PAST)?).await?;
    let request = ModelRequest { id: "linear".into(), params: json!({}) };
    candlecast_app::train(
        &app,
        TrainJob::new(vec![series.key().clone()], request, PipelineOptions::new(horizon), app.seed),
        Arc::new(NoProgress),
    )
    .await?;
    Ok(app)
}

/// The model alone goes along with the month.
async fn alone(app: &Host, series: &CandleSeries, horizon: usize, runs: usize) -> Result<(), Box<dyn Error>> {
    let past = part(series, 0..PAST)?;
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let mut forecaster = LiveForecaster::open(
            candlecast_monitor::load_active(app, &family(series.key(), "linear", "price")?).await?,
            &past,
        )?;
        let started = Instant::now();
        for row in PAST..PAST + MONTH {
            black_box(forecaster.push(&series.candle(row)));
        }
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report(&format!("model-alone-{horizon}-steps"), times);
    Ok(())
}

/// Whole replays, each stored and logged under a venue of its own.
async fn whole(app: &Host, file: &Path, horizon: usize, log: &str, runs: usize) -> Result<(), Box<dyn Error>> {
    let steps: LogSteps = log.parse()?;
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs {
        let request = request(file.to_owned(), &format!("replay-{log}-{run}"), &steps)?;
        let started = Instant::now();
        let summary = candlecast_live::stream(app, request, Arc::new(Silent), &NoProgress).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        let logged = if steps == LogSteps::All { MONTH * horizon } else { MONTH * usize::from(!steps.is_none()) };
        // A forecast more from the last candle of the past; the last ones have no outcome yet.
        let (few, many) = ((logged.saturating_sub(horizon * horizon)) as u64, (logged + horizon) as u64);
        if summary.candles != MONTH as u64 || !(few..=many).contains(&summary.validated) {
            return Err(format!("the replay came to {summary:?}").into());
        }
    }
    report(&format!("replay-{horizon}-steps-{log}-logged"), times);
    Ok(())
}

fn request(file: PathBuf, venue: &str, steps: &LogSteps) -> Result<StreamRequest, Box<dyn Error>> {
    let replay =
        ReplayRequest { files: vec![file], venue: None, speed: 0.0, since: None, store_as: Some(Venue::new(venue)?) };
    Ok(StreamRequest {
        task: "price".into(),
        symbol: Symbol::new("BTCUSDT")?,
        interval: Interval::M1,
        source: StreamSource::Replay(replay),
        models: vec!["linear".into()],
        model_venue: None,
        predict_every: 1,
        log: steps.clone(),
        duration: None,
    })
}

fn report(bench: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let median_ms = times[times.len() / 2];
    let candles_per_second = (MONTH as f64 / median_ms * 1e3).round();
    let figures = json!({
        "bench": bench,
        "median_ms": median_ms,
        "runs": times.len(),
        "candles_per_second": candles_per_second,
    });
    println!("{figures}");
}
