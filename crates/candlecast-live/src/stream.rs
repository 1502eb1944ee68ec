//! [`stream`]: candles stored as they close, forecasts from each, outcomes as they come.

use std::sync::Arc;
use std::time::{Duration, Instant};

use candlecast_core::{CandleSeries, Problem, ProgressSink, SeriesKey, Timestamp};
use candlecast_exchange::{CandleFeed, Exchange, Subscription};
use candlecast_host::{Host, compact_candles, stored_candles};
use candlecast_learn::Task;
use candlecast_meta::{MetadataStore, Retry};
use candlecast_monitor::{Settlement, active_models, family, load_active};
use candlecast_pipeline::{LiveForecaster, LoadedModel};
use candlecast_registry::Family;
use futures::FutureExt;
use tokio::sync::mpsc;

use crate::cancel::{until_cancelled, with_grace};
use crate::connect::exchange_error;
use crate::event::{Ended, Listener, StreamOpened, StreamSummary};
use crate::fetch::{FetchRequest, fetch};
use crate::log_keeper::{Limits, LogKeeper};
use crate::prediction_log::PredictionLog;
use crate::replay::{Prepared, prepare_replay};
use crate::request::{StreamRequest, StreamSource};
use crate::session::{Session, Tally, Until};
use crate::writer::{MAX_WAITING, Writer, Written, look_at_others};

/// Pauses of a call to the log that meets another transaction, in ms together.
const LOG_RETRY_MS: u64 = 2_000;
/// Longest that such a call may take; then the log counts as away, and the candles go on.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// A feed that can begin.
struct Feed {
    exchange: Arc<dyn Exchange>,
    /// Series under which candles are stored.
    key: SeriesKey,
    /// Series that the candles are of.
    source: SeriesKey,
    /// Where the candles are replayed.
    replay: Option<Replayed>,
    book: bool,
}

/// What a replay adds to a feed.
struct Replayed {
    /// When it begins, by the market's clock.
    start: Timestamp,
    /// Candles before that.
    history: CandleSeries,
}

/// Streams until it is asked to stop, the time is over, or the files are through. All that `listener` heard of is
/// stored, also after an error.
pub async fn stream(
    host: &Host,
    request: StreamRequest,
    listener: Arc<dyn Listener>,
    watch: &dyn ProgressSink,
) -> Result<StreamSummary, Problem> {
    // Boxed: it holds all that a stream needs, and whoever awaits it would carry that along.
    stream_to_the_end(host, request, listener, watch).boxed().await
}

async fn stream_to_the_end(
    host: &Host,
    request: StreamRequest,
    listener: Arc<dyn Listener>,
    watch: &dyn ProgressSink,
) -> Result<StreamSummary, Problem> {
    if request.predict_every == 0 {
        let detail = "predict-every is 0: write a whole number from 1 on";
        return Err(Problem::usage("bad-predict-every", "predict-every", detail));
    }
    let started = Instant::now();
    let feed = feed(host, &request).await?;
    let models = models_asked(host, &feed, &request).await?;
    let (history, since) = history(host, &feed, !models.is_empty(), watch).await?;
    let opened = opened(&feed, &models, &history);
    let until = until(&feed, &request);
    let books = if feed.book { vec![feed.key.symbol.clone()] } else { Vec::new() };
    let candles = vec![CandleFeed { key: feed.key.clone(), since }];
    let subscription = Subscription { candles, books, trades: Vec::new() };
    let live = feed.exchange.live(subscription).await.map_err(exchange_error)?;
    let log = prediction_log(host, &feed.key, &models, &request).await?;
    let forecasters = host
        .compute(move || models.into_iter().map(|m| LiveForecaster::open(m, &history)).collect::<Result<Vec<_>, _>>())
        .await?;
    let (events, waiting) = mpsc::channel(MAX_WAITING);
    let (app, key) = (host.clone(), Arc::clone(&opened.key));
    let writer = Writer { app, key, log, listener, written: Written::default(), since_look: 0 };
    let writer = tokio::spawn(writer.run(waiting));
    let exchange = Arc::clone(&feed.exchange);
    let every = request.predict_every;
    let mut session = Session::new(host.clone(), exchange, live, &opened, forecasters, every, events);
    let outcome = match with_grace(host, session.begin(opened)).await {
        Some(Ok(())) => session.run(until).await,
        Some(Err(error)) => Err(error),
        None => Ok(Ended::Interrupted),
    };
    let tally = session.finish();
    let wrote =
        writer.await.unwrap_or_else(|e| Err(Problem::data("stream-failed", format!("writing ended abnormally: {e}"))));
    // After an error too: candles may be stored that others' predictions wait for.
    let late = match &wrote {
        Ok(written) if written.candles == 0 => Settlement::default(),
        _ => {
            let late = async {
                compact_candles(host, &feed.key).await;
                look_at_others(host, &feed.key).await
            };
            // Who is to end waits for no other writer of candles: what is not compacted now will be the next time.
            with_grace(host, late).await.unwrap_or_default()
        }
    };
    let mut written = wrote?;
    written.outcomes.validated += late.validated;
    written.outcomes.unscorable += late.missing + late.halted;
    let ended = outcome.map_err(|error| after(error, &feed.key, written))?;
    Ok(summary(feed.key, ended, tally, written, started.elapsed().as_secs_f64()))
}

async fn feed(host: &Host, request: &StreamRequest) -> Result<Feed, Problem> {
    let (symbol, interval) = (&request.symbol, request.interval);
    match &request.source {
        StreamSource::Exchange { exchange, book } => {
            let key = SeriesKey::new(exchange.venue(), symbol.clone(), interval);
            let exchange = Arc::clone(exchange);
            Ok(Feed { exchange, source: key.clone(), key, replay: None, book: *book })
        }
        StreamSource::Replay(replay) => {
            let Prepared { exchange, key, source, history } = prepare_replay(host, symbol, interval, replay).await?;
            let start = exchange.now().await.map_err(exchange_error)?;
            Ok(Feed { exchange, key, source, replay: Some(Replayed { start, history }), book: false })
        }
    }
}

/// The active models that are to forecast, each checked against what is to be logged of it.
async fn models_asked(host: &Host, feed: &Feed, request: &StreamRequest) -> Result<Vec<LoadedModel>, Problem> {
    let venue = request.model_venue.clone().unwrap_or_else(|| feed.source.venue.clone());
    let key = SeriesKey { venue, ..feed.source.clone() };
    let families: Vec<Family> = if request.models.iter().any(|name| name == "all") {
        let mut active = active_models(host).await?;
        active.retain(|family| *family.key() == key);
        if active.is_empty() {
            let detail = format!("no model of {key} is active: run `candlecast train` first");
            return Err(Problem::data("model-not-trained", detail).with_field("model"));
        }
        active
    } else {
        request.models.iter().map(|name| family(&key, name, &request.task)).collect::<Result<_, _>>()?
    };
    let mut models: Vec<LoadedModel> = Vec::with_capacity(families.len());
    for family in &families {
        let model = load_active(host, family).await?;
        let task = model.forecaster.task();
        if matches!(task, Task::Price { .. }) {
            request.log.check(&model.model, task.horizon())?;
        }
        if models.iter().all(|known| known.id != model.id) {
            models.push(model);
        }
    }
    Ok(models)
}

/// The past to begin with, and where the stream begins. What is missing behind the stored candles of an exchange's
/// series is fetched first.
async fn history(
    host: &Host,
    feed: &Feed,
    wanted: bool,
    watch: &dyn ProgressSink,
) -> Result<(CandleSeries, Option<Timestamp>), Problem> {
    if let Some(replay) = &feed.replay {
        return Ok((replay.history.clone(), None));
    }
    let nothing = CandleSeries::empty(feed.key.clone());
    if stored_candles(host, &feed.key).await?.is_none() {
        return Ok((nothing, None));
    }
    let request = FetchRequest { key: feed.key.clone(), since: None, to: None, fill_gaps: false };
    let fetched = fetch(host, feed.exchange.as_ref(), &request, watch).await?;
    let history = if wanted { host.series(&feed.key).await? } else { nothing };
    Ok((history, fetched.stored.map(|range| range.to)))
}

async fn prediction_log(
    host: &Host,
    key: &SeriesKey,
    models: &[LoadedModel],
    request: &StreamRequest,
) -> Result<Option<LogKeeper>, Problem> {
    if models.is_empty() || request.log.is_none() {
        return Ok(None);
    }
    let retry = Retry { seed: host.seed.derive("live-log", 0), budget_ms: LOG_RETRY_MS, ..Retry::default() };
    let opened = until_cancelled(host, host.metadata()).await.ok_or_else(Problem::cancelled)?;
    let store: Arc<dyn MetadataStore> = Arc::clone(opened?);
    let log = PredictionLog::new(store, retry, LOG_PATIENCE, key, request.log.clone());
    Ok(Some(LogKeeper::new(log, Limits::default())))
}

/// How long the stream goes on: in time of ours where the market is live, in the market's where it is replayed.
fn until(feed: &Feed, request: &StreamRequest) -> Until {
    match (request.duration, &feed.replay) {
        (None, _) => Until::Stopped,
        (Some(duration), None) => Until::Passed(duration),
        (Some(duration), Some(replay)) => {
            Until::Closed(replay.start.plus_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
        }
    }
}

fn opened(feed: &Feed, models: &[LoadedModel], history: &CandleSeries) -> StreamOpened {
    let mut remarks = Vec::new();
    for model in models {
        remarks
            .extend(model.fell_back.as_ref().map(|why| format!("an older version of {} answers: {why}", model.model)));
        if feed.replay.as_ref().is_some_and(|replay| replay.start < model.trained_to) {
            remarks.push(format!(
                "{} has learnt from candles up to {}: forecasts from before that are not logged, since it has seen their outcomes",
                model.id, model.trained_to
            ));
        }
    }
    StreamOpened {
        key: Arc::new(feed.key.clone()),
        history: history.len(),
        models: models.iter().map(|model| Arc::new(model.label())).collect(),
        remarks,
    }
}

/// The error of a stream that ended early, with what is left of it.
fn after(mut error: Problem, key: &SeriesKey, written: Written) -> Problem {
    if written.candles > 0 {
        error.detail = format!("{}; the {} candles of {key} heard before are stored", error.detail, written.candles);
    }
    error
}

fn summary(key: SeriesKey, ended: Ended, tally: Tally, written: Written, seconds: f64) -> StreamSummary {
    StreamSummary {
        key,
        ended,
        candles: written.candles,
        backfilled: written.backfilled,
        missing: tally.missing,
        forecasts: tally.forecasts,
        logged: written.logged,
        unlogged: written.unlogged,
        seen_future: tally.seen_future,
        too_late: tally.too_late,
        validated: written.outcomes.validated,
        unscorable: written.outcomes.unscorable,
        disconnects: tally.disconnects,
        retries: tally.retries + written.retries,
        seconds,
    }
}
