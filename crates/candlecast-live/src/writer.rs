//! [`Writer`]: stores candles, logs forecasts, settles predictions, and only then tells of them.
//!
//! It takes all that is waiting at once. So every candle of a slow stream is written as it comes, and the faster a
//! stream is, the larger are the pieces.

use std::sync::Arc;

use candlecast_core::{CandleSeries, Columns, Problem, SeriesKey};
use candlecast_host::{Host, upsert_candles};
use candlecast_monitor::{LATE_CANDLES, after_candles};
use tokio::sync::mpsc::Receiver;

use crate::event::{Listener, LiveForecast, StreamEvent, StreamedCandle};
use crate::prediction_log::{Outcomes, PredictionLog};

/// Events written at once at most, and events that may wait.
pub(super) const MAX_WAITING: usize = 8_192;

/// Candles after which a fast stream, one that brings many at once, has what it left to others looked at.
const FAST_LOOK: u64 = 1_000;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) candles: u64,
    pub(super) backfilled: u64,
    pub(super) logged: u64,
    pub(super) outcomes: Outcomes,
}

/// Writes what a stream brings.
pub(super) struct Writer {
    pub(super) app: Host,
    pub(super) key: Arc<SeriesKey>,
    /// `None` where nothing is logged.
    pub(super) log: Option<PredictionLog>,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) written: Written,
    /// Candles since predictions that the stream's own candles do not decide were last looked at.
    pub(super) since_look: u64,
}

impl Writer {
    /// Writes until `events` ends.
    pub(super) async fn run(mut self, mut events: Receiver<StreamEvent>) -> Result<Written, Problem> {
        let mut batch = Vec::new();
        while events.recv_many(&mut batch, MAX_WAITING).await > 0 {
            let settled = self.write(&batch).await?;
            for event in batch.drain(..).chain(settled) {
                self.listener.hear(&event)?;
            }
        }
        Ok(self.written)
    }

    async fn write(&mut self, batch: &[StreamEvent]) -> Result<Option<StreamEvent>, Problem> {
        let candles: Vec<&StreamedCandle> = batch.iter().filter_map(candle).collect();
        let reopened = self.store_candles(&candles).await?;
        let Some(log) = &mut self.log else { return Ok(None) };
        let forecasts: Vec<&LiveForecast> = batch.iter().filter_map(forecast).collect();
        self.written.logged += log.append(&forecasts).await?;
        let Some(newest) = candles.last() else { return Ok(None) };
        if reopened > 0 {
            log.look_again();
        }
        let mut outcomes = log.settle(&candles, newest.at).await?;
        self.since_look += candles.len() as u64;
        if log.leaves_some() && self.since_look >= look_after(candles.len()) {
            self.since_look = 0;
            let late = after_candles(&self.app, &self.key).await;
            outcomes.validated += late.validated;
            outcomes.unscorable += late.missing + late.halted;
            log.look_again();
        }
        self.written.outcomes.validated += outcomes.validated;
        self.written.outcomes.unscorable += outcomes.unscorable;
        let Outcomes { validated, unscorable } = outcomes;
        Ok((outcomes != Outcomes::default()).then_some(StreamEvent::Settled { validated, unscorable }))
    }

    /// Returns how many settled predictions wait again, since the candles differ from those that were stored.
    async fn store_candles(&mut self, candles: &[&StreamedCandle]) -> Result<u64, Problem> {
        if candles.is_empty() {
            return Ok(0);
        }
        let mut columns = Columns::default();
        candles.iter().for_each(|c| columns.push(&c.candle));
        let series = CandleSeries::new((*self.key).clone(), columns)
            .map_err(|e| Problem::data("exchange-failed", format!("{}: {e}", self.key)))?;
        let upserted = upsert_candles(&self.app, &series).await?;
        self.written.candles += candles.len() as u64;
        self.written.backfilled += candles.iter().filter(|c| c.backfilled).count() as u64;
        Ok(upserted.reopened)
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
mod tests {
    use super::*;

    #[test]
    fn a_fast_stream_looks_more_seldom() {
        assert_eq!([1, 24, 25, 8_192].map(look_after), [24, 24, 1_000, 1_000]);
    }
}
