//! [`Session`]: hears the exchange, lets the models go along, and hands on what is to be written.

use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{Candle, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::{BookTop, Exchange, ExchangeError, Live, LiveEvent, Origin};
use candlecast_host::Host;
use candlecast_pipeline::LiveForecaster;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use crate::cancel::{cancelled, with_grace};
use crate::connect::exchange_error;
use crate::event::{Ended, LiveForecast, Part, StreamEvent, StreamOpened, StreamedCandle};
use crate::outage::{Outage, Pauses};

/// A stream that has worked is tried again after such pauses when all retries have failed.
const EXCHANGE_PAUSES: Pauses = Pauses { first: Duration::from_secs(30), longest: Duration::from_secs(300) };
/// Longest time for which an exchange is obeyed that wants no requests.
const LONGEST_BLOCK: Duration = Duration::from_secs(3_600);
/// Best prices are told of once in this time.
const BOOK_PAUSE: Duration = Duration::from_secs(1);

/// How long a stream goes on, unless it is asked to stop or comes to its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// For ever.
    Stopped,
    /// For this time of ours.
    Passed(Duration),
    /// Until a candle has closed at this time of the market.
    Closed(Timestamp),
}

/// What was counted on the way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) forecasts: u64,
    pub(super) seen_future: u64,
    pub(super) too_late: u64,
    pub(super) disconnects: u64,
    pub(super) missing: u64,
    pub(super) retries: u64,
}

/// A stream under way.
pub(super) struct Session {
    app: Host,
    exchange: Arc<dyn Exchange>,
    live: Box<dyn Live>,
    key: Arc<SeriesKey>,
    forecasters: Vec<LiveForecaster>,
    predict_every: u32,
    events: Sender<StreamEvent>,
    tally: Tally,
    /// True once something of the market has come.
    has_worked: bool,
    /// Since when nothing of the market comes, though it is tried.
    outage: Option<Outage>,
    book_told: Option<Instant>,
}

impl Session {
    pub(super) fn new(
        app: Host,
        exchange: Arc<dyn Exchange>,
        live: Box<dyn Live>,
        opened: &StreamOpened,
        forecasters: Vec<LiveForecaster>,
        predict_every: u32,
        events: Sender<StreamEvent>,
    ) -> Self {
        Self {
            app,
            exchange,
            live,
            key: Arc::clone(&opened.key),
            forecasters,
            predict_every,
            events,
            tally: Tally::default(),
            has_worked: false,
            outage: None,
            book_told: None,
        }
    }

    /// Tells of the beginning, and of forecasts from the last candle of the past that are still in time.
    pub(super) async fn begin(&mut self, opened: StreamOpened) -> Result<(), Problem> {
        self.tell(StreamEvent::Opened(opened)).await?;
        if self.forecasters.is_empty() {
            return Ok(());
        }
        let now = self.exchange.now().await.map_err(exchange_error)?;
        let made: Vec<LiveForecast> = (0..self.forecasters.len()).filter_map(|i| self.forecast(i, now)).collect();
        for forecast in made {
            if forecast.in_time && self.is_due(forecast.forecast.origin) {
                self.tell_forecast(forecast).await?;
            }
        }
        Ok(())
    }

    /// Goes on until it is asked to stop, the time is over, or the market is through. Also ends, as if it were asked
    /// to, when nobody writes any more: whoever wrote knows why.
    ///
    /// Asked to stop it ends within seconds, whatever it waits for: the exchange, a pause before another attempt, or room
    /// in the queue of a writer that has trouble itself.
    pub(super) async fn run(&mut self, until: Until) -> Result<Ended, Problem> {
        let (app, events) = (self.app.clone(), self.events.clone());
        let (stop, over, gone) = (cancelled(&app), passed(until), events.closed());
        tokio::pin!(stop, over, gone);
        loop {
            let event = tokio::select! {
                biased;
                () = &mut stop => return Ok(Ended::Interrupted),
                () = &mut over => return Ok(Ended::TimeOver),
                () = &mut gone => return Ok(Ended::Interrupted),
                event = self.next() => event?,
            };
            let Some(event) = event else { return Ok(Ended::Exhausted) };
            let Some(heard) = with_grace(&app, self.on_event(event)).await else { return Ok(Ended::Interrupted) };
            if let (Some(close), Until::Closed(end)) = (heard?, until)
                && close >= end
            {
                return Ok(Ended::TimeOver);
            }
        }
    }

    /// What was counted; the events end with it.
    pub(super) fn finish(self) -> Tally {
        self.tally
    }

    /// The next event. What fails at the start is an error; a stream that has worked is tried again for ever, unless what
    /// the exchange says is final.
    async fn next(&mut self) -> Result<Option<LiveEvent>, Problem> {
        loop {
            let error = match self.live.next().await {
                Ok(event) => {
                    self.on_success(event.as_ref()).await?;
                    return Ok(event);
                }
                Err(error) => error,
            };
            if !self.has_worked || !error.is_passing() {
                return Err(exchange_error(error));
            }
            let pause = self.outage.get_or_insert_with(|| Outage::new(EXCHANGE_PAUSES)).failed();
            let pause = match &error {
                ExchangeError::Blocked { wait_s, .. } => Duration::from_secs(*wait_s).min(LONGEST_BLOCK),
                _ => pause,
            };
            self.tally.retries += 1;
            self.tell(StreamEvent::Retrying { part: Part::Exchange, reason: error.to_string() }).await?;
            self.exchange.wait_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)).await;
        }
    }

    /// The exchange has answered. That it connects says little; what it tells of the market counts.
    async fn on_success(&mut self, event: Option<&LiveEvent>) -> Result<(), Problem> {
        if matches!(event, None | Some(LiveEvent::Connected | LiveEvent::Disconnected { .. })) {
            return Ok(());
        }
        self.has_worked = true;
        match self.outage.take() {
            Some(outage) => self.tell(outage.healed(Part::Exchange)).await,
            None => Ok(()),
        }
    }

    /// Lets the models go along and tells of it. When the candle closed, where it is one.
    async fn on_event(&mut self, event: LiveEvent) -> Result<Option<Timestamp>, Problem> {
        match event {
            LiveEvent::Closed { candle, origin, .. } => return self.on_candle(candle, origin).await.map(Some),
            LiveEvent::Missing { range, .. } => self.on_missing(range).await?,
            LiveEvent::Book(top) => self.on_book(top).await?,
            LiveEvent::Connected => self.tell(StreamEvent::Connected).await?,
            LiveEvent::Disconnected { reason } => {
                self.tally.disconnects += 1;
                self.tell(StreamEvent::Disconnected { reason }).await?;
            }
            LiveEvent::Forming { .. } | LiveEvent::Trade(_) => {}
        }
        Ok(None)
    }

    async fn on_missing(&mut self, range: TimeRange) -> Result<(), Problem> {
        let length_ms = range.to.ms().saturating_sub(range.from.ms());
        let candles = (length_ms / self.key.interval.ms()).max(0).unsigned_abs();
        self.tally.missing += candles;
        self.tell(StreamEvent::Missing { range, candles }).await
    }

    /// When the candle closed.
    async fn on_candle(&mut self, candle: Candle, origin: Origin) -> Result<Timestamp, Problem> {
        let interval_ms = self.key.interval.ms();
        let close = candle.open_time.plus_ms(interval_ms);
        let at = match self.exchange.now().await {
            Ok(now) => now,
            Err(error) => {
                // Without a clock nobody can tell that a forecast was made in time; then it counts as too late.
                tracing::warn!(%error, "the exchange's time is not known");
                close.plus_ms(interval_ms)
            }
        };
        let is_due = self.is_due(close);
        let mut made = Vec::new();
        for i in 0..self.forecasters.len() {
            if self.forecasters[i].push(&candle).is_some() && is_due {
                made.extend(self.forecast(i, at));
            }
        }
        let (key, backfilled) = (Arc::clone(&self.key), origin == Origin::Backfill);
        self.tell(StreamEvent::Candle(StreamedCandle { key, candle, backfilled, at })).await?;
        for forecast in made {
            self.tell_forecast(forecast).await?;
        }
        Ok(close)
    }

    /// True where forecasts from the candle that closed at `origin` are told of and logged.
    fn is_due(&self, origin: Timestamp) -> bool {
        origin.ms().div_euclid(self.key.interval.ms()) % i64::from(self.predict_every) == 0
    }

    /// The newest forecast of one model.
    fn forecast(&self, i: usize, made_at: Timestamp) -> Option<LiveForecast> {
        let forecaster = &self.forecasters[i];
        let forecast = forecaster.latest()?.clone();
        let first_target = forecast.origin.plus_ms(self.key.interval.ms());
        Some(LiveForecast { model: Arc::clone(forecaster.label()), made_at, in_time: made_at < first_target, forecast })
    }

    async fn tell_forecast(&mut self, forecast: LiveForecast) -> Result<(), Problem> {
        self.tally.forecasts += 1;
        if forecast.has_seen_future() {
            self.tally.seen_future += 1;
        } else if !forecast.in_time {
            self.tally.too_late += 1;
        }
        self.tell(StreamEvent::Forecast(forecast)).await
    }

    async fn on_book(&mut self, top: BookTop) -> Result<(), Problem> {
        if self.book_told.is_some_and(|told| told.elapsed() < BOOK_PAUSE) {
            return Ok(());
        }
        self.book_told = Some(Instant::now());
        self.tell(StreamEvent::Book(top)).await
    }

    async fn tell(&mut self, event: StreamEvent) -> Result<(), Problem> {
        let gone = |_| Problem::data("stream-failed", "what the stream brought could not be written");
        self.events.send(event).await.map_err(gone)
    }
}

async fn passed(until: Until) {
    match until {
        Until::Passed(duration) => tokio::time::sleep(duration).await,
        Until::Stopped | Until::Closed(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
