//! A day of one-minute candles streamed from a local server that answers like an exchange, with faults: answers fail,
//! messages get lost, and four times the network is cut and candles are missed. Every candle must be stored as the market
//! had it, and every forecast logged or counted as not logged. `cargo xtask verify stream-faults` runs it.
//!
//! ```text
//! cargo run --release -p candlecast-app --example network_cuts [-- CANDLES [SEED]]
//! ```
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use candlecast_app::TrainJob;
use candlecast_config::{Flags, Settings};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{
    CandleSeries, Interval, ModelRequest, NoProgress, Problem, Seed, SeriesKey, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_exchange::faults::{FaultPlan, FaultServer, Market};
use candlecast_exchange::{Exchange, Setting, VirtualClock, find};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_live::{Listener, LogSteps, StreamEvent, StreamRequest, StreamSource};
use candlecast_pipeline::PipelineOptions;
use serde_json::json;

/// Candles before the stream: nine days.
const PAST: usize = 12_960;
/// Candles of the stream: a day.
const DAY: usize = 1_440;
/// The network is cut after so many candles, as shares of them.
const CUTS: [f64; 4] = [0.15, 0.35, 0.55, 0.75];
/// Messages that are lost by it; a candle has two.
const LOST: usize = 20;
const STEPS: [usize; 2] = [1, 5];
/// What an exchange weighs in a minute.
const WEIGHT_LIMIT: u32 = 6_000;
/// A stream that has not ended by then hangs.
const LIMIT: Duration = Duration::from_secs(600);

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    candles: usize,
    /// The first of them; what closed before it was fetched before the stream began.
    first: Option<Timestamp>,
    forecasts: u64,
    loggable: u64,
    disconnects: u64,
}

/// Counts, cuts the network, and ends the stream with the last candle.
struct Watcher {
    server: FaultServer,
    cuts: Vec<usize>,
    last: Timestamp,
    cancel: Arc<AtomicBool>,
    heard: Mutex<Heard>,
}

impl Listener for Watcher {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            StreamEvent::Candle(candle) => {
                heard.candles += 1;
                heard.first.get_or_insert(candle.candle.open_time);
                if self.cuts.contains(&heard.candles) {
                    self.server.cut_streams(LOST);
                }
                if candle.candle.open_time >= self.last {
                    self.cancel.store(true, Ordering::Relaxed);
                }
            }
            StreamEvent::Forecast(forecast) => {
                heard.forecasts += 1;
                heard.loggable += u64::from(forecast.is_loggable());
            }
            StreamEvent::Disconnected { .. } => heard.disconnects += 1,
            _ => {}
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let candles = words.next().map_or(Ok(DAY), |word| word.parse::<usize>())?.max(100);
    let seed = words.next().map_or(Ok(9), |word| word.parse::<u64>())?;
    let folder = tempfile::tempdir()?;
    let cancel = Arc::new(AtomicBool::new(false));
    let whole = market(candles)?;
    let host = trained(folder.path(), &whole, &cancel).await?;

    let clock = Arc::new(VirtualClock::new());
    let (start, last) = (whole.candle(PAST).open_time, whole.candle(PAST + candles - 1).open_time);
    let served = Market { series: whole.clone(), start, book: None };
    let server = FaultServer::start(served, FaultPlan::heavy(Seed(seed)), Arc::clone(&clock), WEIGHT_LIMIT).await?;
    let exchange = connect(&server, clock, seed)?;
    let cuts = CUTS.map(|share| (share * candles as f64) as usize).to_vec();
    let watcher = Arc::new(Watcher { server, cuts, last, cancel, heard: Mutex::default() });
    let listener: Arc<Watcher> = Arc::clone(&watcher);
    let stream = candlecast_live::stream(&host, request(whole.key(), exchange), listener, &NoProgress);
    let summary = tokio::time::timeout(LIMIT, stream).await??;

    let expected = whole.between(TimeRange { to: last.plus_ms(1), ..TimeRange::ALL });
    let stored = host.series(whole.key()).await?;
    let heard = watcher.heard.lock().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{candles} candles from a server with faults (seed {seed}) in {:.0} s: {} came late from history, the \
         connection was lost {} times; faults: {:?}",
        summary.seconds,
        summary.backfilled,
        summary.disconnects,
        watcher.server.report().faults
    );
    println!(
        "{} forecasts, {} of them logged in time, {} too late, {} by a model that has seen the future, {} given up",
        summary.forecasts, heard.loggable, summary.too_late, summary.seen_future, summary.unlogged
    );
    let logged = STEPS.len() as u64 * (heard.loggable - summary.unlogged.min(heard.loggable));
    let accounted = heard.loggable + summary.too_late + summary.seen_future;
    required("every candle is stored as the market has it", stored == expected);
    let from = heard.first.ok_or("no candle was told of")?;
    let told = expected.between(TimeRange { from, ..TimeRange::ALL }).len();
    required("every candle is told of once", heard.candles == told && summary.candles == told as u64);
    required("the network was cut and each cut was told of", heard.disconnects >= CUTS.len() as u64);
    required("disconnects are counted", summary.disconnects == heard.disconnects);
    required("some forecasts are in time", heard.loggable > 0);
    required(
        "every forecast is logged or counted",
        summary.forecasts == heard.forecasts && accounted == heard.forecasts,
    );
    required("the log holds what was told of", summary.logged == logged);
    Ok(())
}

/// A line that `cargo xtask verify` reads.
fn required(what: &str, is_held: bool) {
    println!("required: {what}: {}", if is_held { "held" } else { "missed" });
}

/// One-minute candles: those of the past, those of the stream, and one that never closes.
fn market(candles: usize) -> Result<CandleSeries, Box<dyn Error>> {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: PAST + candles + 1,
        ..MarketConfig::default()
    };
    let generated = generate(&config);
    let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT")?, Interval::M1);
    Ok(CandleSeries::new(key, generated[0].series.columns().clone())?)
}

/// A platform with the past stored and a linear model trained on it.
async fn trained(folder: &Path, whole: &CandleSeries, cancel: &Arc<AtomicBool>) -> Result<Host, Box<dyn Error>> {
    let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
    let options = HostOptions {
        seed: Seed::default(),
        threads: None,
        clock: Clock::Fixed(Timestamp::year_start(2024)),
        cancel: Arc::clone(cancel),
    };
    let host = Host::open(Settings::load(&flags, |_| None, &candlecast_app::MODEL_CATALOG)?, options)?;
    let past = CandleSeries::new(whole.key().clone(), whole.columns().slice(0..PAST))?;
    candlecast_app::data::store_series(&host, &past).await?;
    let model = ModelRequest { id: "linear".into(), params: json!({}) };
    let job = TrainJob::new(vec![whole.key().clone()], model, PipelineOptions::new(STEPS[1]), host.seed);
    candlecast_app::train(&host, job, Arc::new(NoProgress)).await?;
    Ok(host)
}

/// Twelve retries outlast every run of faults.
fn connect(server: &FaultServer, clock: Arc<VirtualClock>, seed: u64) -> Result<Arc<dyn Exchange>, Box<dyn Error>> {
    let setting = Setting {
        rest_url: Some(server.rest_url()),
        stream_url: Some(server.stream_url()),
        clock,
        seed: Seed(seed + 1),
        ..Setting::default()
    };
    let config = json!({ "timeoutMs": 250, "retries": 12 });
    Ok(Arc::from(find("binance")?.build(&config)?.connect(&setting)?))
}

fn request(key: &SeriesKey, exchange: Arc<dyn Exchange>) -> StreamRequest {
    StreamRequest {
        task: "price".into(),
        symbol: key.symbol.clone(),
        interval: key.interval,
        source: StreamSource::Exchange { exchange, book: false },
        models: vec!["linear".into()],
        model_venue: None,
        predict_every: 1,
        log: LogSteps::Only(STEPS.to_vec()),
        duration: None,
    }
}
