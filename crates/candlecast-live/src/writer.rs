//! [`Writer`]: stores candles, logs forecasts, settles predictions, and only then tells of them.
//!
//! It takes all that is waiting at once. So every candle of a slow stream is written as it comes, and the faster a
//! stream is, the larger are the pieces. What the store does not take for now is kept and tried again, for as long as it
//! takes; meanwhile events pile up in the queue before it, and when that is full the stream waits. The log is not waited
//! for in that way ([`LogKeeper`]).

use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{CandleSeries, Columns, Problem, SeriesKey};
use candlecast_host::{Host, upsert_candles};
use candlecast_monitor::{LATE_CANDLES, Settlement, after_candles};
use candlecast_store::StoreError;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

use crate::cancel::{is_cancelled, pause, with_grace};
use crate::event::{Listener, LiveForecast, Part, StreamEvent, StreamedCandle};
use crate::log_keeper::{Kept, LogKeeper};
use crate::outage::{Outage, Pauses};
use crate::prediction_log::Outcomes;

/// Events written at once at most, and events that may wait.
pub(super) const MAX_WAITING: usize = 8_192;

/// Candles after which a fast stream, one that brings many at once, has what it left to others looked at.
const FAST_LOOK: u64 = 1_000;
/// Longest such look; the next goes on from there.
const LONGEST_LOOK: Duration = Duration::from_secs(60);
/// Between attempts to store.
const STORE_PAUSES: Pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) candles: u64,
    pub(super) backfilled: u64,
    pub(super) logged: u64,
    pub(super) unlogged: u64,
    pub(super) retries: u64,
    pub(super) outcomes: Outcomes,
}

/// Writes what a stream brings.
pub(super) struct Writer {
    pub(super) app: Host,
    pub(super) key: Arc<SeriesKey>,
    /// `None` where nothing is logged.
    pub(super) log: Option<LogKeeper>,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) written: Written,
    /// Candles since predictions that the stream's own candles do not decide were last looked at.
    pub(super) since_look: u64,
}

impl Writer {
    /// Writes until `events` ends.
    pub(super) async fn run(mut self, mut events: Receiver<StreamEvent>) -> Result<Written, Problem> {
        let mut batch = Vec::new();
        while self.next_batch(&mut events, &mut batch).await? {
            let settled = self.write(&batch).await?;
            for event in batch.drain(..).chain(settled) {
                self.listener.hear(&event)?;
            }
        }
        self.write_log(&[], true).await?;
        Ok(self.written)
    }

    /// Waits for events, and lets what waits for the log be tried again meanwhile. False when there will be none.
    async fn next_batch(
        &mut self,
        events: &mut Receiver<StreamEvent>,
        batch: &mut Vec<StreamEvent>,
    ) -> Result<bool, Problem> {
        loop {
            let waiting = self.log.as_ref().filter(|log| log.has_waiting());
            let next_try = waiting.map(|log| log.next_try().unwrap_or_else(Instant::now));
            tokio::select! {
                biased;
                n = events.recv_many(batch, MAX_WAITING) => return Ok(n > 0),
                () = at(next_try) => {}
            }
            self.write_log(&[], false).await?;
        }
    }

    async fn write(&mut self, batch: &[StreamEvent]) -> Result<Option<StreamEvent>, Problem> {
        let candles: Vec<&StreamedCandle> = batch.iter().filter_map(candle).collect();
        let has_reopened = self.store_candles(&candles).await?;
        let Some(log) = &mut self.log else { return Ok(None) };
        if has_reopened {
            log.look_again();
        }
        batch.iter().filter_map(forecast).for_each(|made| log.take(made));
        let mut outcomes = self.write_log(&candles, false).await?;
        self.since_look = self.since_look.saturating_add(candles.len() as u64);
        if let Some(log) = &mut self.log
            && !candles.is_empty()
            && !log.is_away()
            && log.leaves_some()
            && self.since_look >= look_after(candles.len())
        {
            self.since_look = 0;
            let late = look_at_others(&self.app, &self.key).await;
            outcomes.validated += late.validated;
            outcomes.unscorable += late.missing + late.halted;
            log.look_again();
        }
        self.written.outcomes.validated += outcomes.validated;
        self.written.outcomes.unscorable += outcomes.unscorable;
        let Outcomes { validated, unscorable } = outcomes;
        Ok((outcomes != Outcomes::default()).then_some(StreamEvent::Settled { validated, unscorable }))
    }

    /// Stores candles, for as long as it takes unless the stream is asked to stop. True when settled predictions may wait
    /// again, since the candles differ from those that were stored.
    async fn store_candles(&mut self, candles: &[&StreamedCandle]) -> Result<bool, Problem> {
        if candles.is_empty() {
            return Ok(false);
        }
        let mut columns = Columns::default();
        candles.iter().for_each(|c| columns.push(&c.candle));
        let series = CandleSeries::new((*self.key).clone(), columns)
            .map_err(|e| Problem::data("exchange-failed", format!("{}: {e}", self.key)))?;
        let mut outage: Option<Outage> = None;
        let upserted = loop {
            let is_last_try = is_cancelled(&self.app);
            let error = match with_grace(&self.app, upsert_candles(&self.app, &series)).await {
                Some(Ok(upserted)) => break upserted,
                Some(Err(error)) if !is_last_try && passes(&error, self.written.candles > 0) => error,
                Some(Err(error)) => return Err(not_stored(&series, error.into())),
                None => return Err(not_stored(&series, Problem::data("store-failed", "the store took too long"))),
            };
            let wait = outage.get_or_insert_with(|| Outage::new(STORE_PAUSES)).failed();
            self.written.retries += 1;
            self.listener.hear(&StreamEvent::Retrying { part: Part::Store, reason: error.to_string() })?;
            pause(&self.app, wait).await;
        };
        if let Some(outage) = outage {
            self.listener.hear(&outage.healed(Part::Store))?;
        }
        self.written.candles += candles.len() as u64;
        self.written.backfilled += candles.iter().filter(|c| c.backfilled).count() as u64;
        // An attempt that failed may have stored a part and reopened what depends on it.
        Ok(outage.is_some() || upserted.reopened > 0)
    }

    /// Logs what waits and settles what `candles` decide, as far as the log works. Where too much waits, some patience is
    /// had with it; then the oldest is given up.
    async fn write_log(&mut self, candles: &[&StreamedCandle], at_end: bool) -> Result<Outcomes, Problem> {
        let mut outcomes = Outcomes::default();
        let Some(log) = &mut self.log else { return Ok(outcomes) };
        let mut has_settled = false;
        loop {
            let is_last_try = is_cancelled(&self.app);
            if is_last_try || log.next_try().is_none() {
                let candles: &[&StreamedCandle] = if has_settled { &[] } else { candles };
                has_settled |= with_grace(&self.app, log.attempt(candles)).await.unwrap_or(false);
            }
            if log.is_overfull(at_end) && (is_last_try || log.is_out_of_patience()) {
                log.give_up(at_end);
            }
            let Kept { logged, unlogged, retries, outcomes: more, healed, notes } = log.kept();
            self.written.logged += logged;
            self.written.unlogged += unlogged;
            self.written.retries += retries;
            outcomes.validated += more.validated;
            outcomes.unscorable += more.unscorable;
            if healed {
                self.since_look = self.since_look.max(FAST_LOOK);
            }
            for note in notes {
                self.listener.hear(&note)?;
            }
            if !log.is_overfull(at_end) {
                return Ok(outcomes);
            }
            if let Some(next_try) = log.next_try() {
                pause(&self.app, next_try.saturating_duration_since(Instant::now())).await;
            }
        }
    }
}

/// Settles what the stream's own candles do not decide. What it does not get done is done the next time.
pub(super) async fn look_at_others(host: &Host, key: &SeriesKey) -> Settlement {
    let look = tokio::time::timeout(LONGEST_LOOK, Box::pin(after_candles(host, key)));
    with_grace(host, look).await.and_then(Result::ok).unwrap_or_default()
}

/// True when the same may succeed later: another program that writes, a full or failing disk. Whether rights come back is
/// hoped for only where there were some.
fn passes(error: &StoreError, has_stored: bool) -> bool {
    match error {
        StoreError::Locked { .. }
        | StoreError::DiskFull { .. }
        | StoreError::Io { .. }
        | StoreError::Interrupted { .. } => true,
        StoreError::NotAllowed { .. } => has_stored,
        _ => false,
    }
}

/// The error of candles that came and may not be stored: any part of them may be.
fn not_stored(series: &CandleSeries, mut error: Problem) -> Problem {
    if let Some(range) = series.range() {
        error.detail = format!(
            "{}; candles of {} from {} on may not be stored: they come again when the stream is started again",
            error.detail,
            series.key(),
            range.from
        );
    }
    error
}

/// Ends at an instant; never without one.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Candles between two looks at what is left to others, when `at_once` candles come at once.
fn look_after(at_once: usize) -> u64 {
    let late = LATE_CANDLES.unsigned_abs();
    if at_once as u64 > late { FAST_LOOK } else { late }
}

fn candle(event: &StreamEvent) -> Option<&StreamedCandle> {
    if let StreamEvent::Candle(candle) = event { Some(candle) } else { None }
}

fn forecast(event: &StreamEvent) -> Option<&LiveForecast> {
    if let StreamEvent::Forecast(forecast) = event { Some(forecast) } else { None }
}

#[cfg(test)]
mod tests;
