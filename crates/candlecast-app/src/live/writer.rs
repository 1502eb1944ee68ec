//! [`Writer`]: stores candles, logs forecasts, settles predictions, and only then tells of them.
//!
//! It takes all that is waiting at once. So every candle of a slow stream is written as it comes, and the faster a
//! stream is, the larger are the pieces.

use std::sync::Arc;

use candlecast_core::{CandleSeries, Columns, SeriesKey};
use tokio::sync::mpsc::Receiver;

use super::event::{Listener, LiveForecast, StreamEvent, StreamedCandle};
use super::prediction_log::{Outcomes, PredictionLog};
use crate::{App, AppError};

/// Events written at once at most, and events that may wait.
pub(super) const MAX_WAITING: usize = 8_192;

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
    pub(super) app: App,
    pub(super) key: Arc<SeriesKey>,
    /// `None` where nothing is logged.
    pub(super) log: Option<PredictionLog>,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) written: Written,
}

impl Writer {
    /// Writes until `events` ends.
    pub(super) async fn run(mut self, mut events: Receiver<StreamEvent>) -> Result<Written, AppError> {
        let mut batch = Vec::new();
        while events.recv_many(&mut batch, MAX_WAITING).await > 0 {
            let settled = self.write(&batch).await?;
            for event in batch.drain(..).chain(settled) {
                self.listener.hear(&event)?;
            }
        }
        Ok(self.written)
    }

    async fn write(&mut self, batch: &[StreamEvent]) -> Result<Option<StreamEvent>, AppError> {
        let candles: Vec<&StreamedCandle> = batch.iter().filter_map(candle).collect();
        let reopened = self.store_candles(&candles).await?;
        let Some(log) = &mut self.log else { return Ok(None) };
        let forecasts: Vec<&LiveForecast> = batch.iter().filter_map(forecast).collect();
        self.written.logged += log.append(&forecasts).await?;
        let Some(newest) = candles.last() else { return Ok(None) };
        if reopened > 0 {
            log.look_again();
        }
        let outcomes = log.settle(&candles, newest.at).await?;
        self.written.outcomes.validated += outcomes.validated;
        self.written.outcomes.unscorable += outcomes.unscorable;
        let Outcomes { validated, unscorable } = outcomes;
        Ok((outcomes != Outcomes::default()).then_some(StreamEvent::Settled { validated, unscorable }))
    }

    /// Returns how many settled predictions wait again, since the candles differ from those that were stored.
    async fn store_candles(&mut self, candles: &[&StreamedCandle]) -> Result<u64, AppError> {
        if candles.is_empty() {
            return Ok(0);
        }
        let mut columns = Columns::default();
        candles.iter().for_each(|c| columns.push(&c.candle));
        let series = CandleSeries::new((*self.key).clone(), columns)
            .map_err(|e| AppError::data("exchange-failed", format!("{}: {e}", self.key)))?;
        let upserted = self.app.upsert_candles(&series).await?;
        self.written.candles += candles.len() as u64;
        self.written.backfilled += candles.iter().filter(|c| c.backfilled).count() as u64;
        Ok(upserted.reopened)
    }
}

fn candle(event: &StreamEvent) -> Option<&StreamedCandle> {
    if let StreamEvent::Candle(candle) = event { Some(candle) } else { None }
}

fn forecast(event: &StreamEvent) -> Option<&LiveForecast> {
    if let StreamEvent::Forecast(forecast) = event { Some(forecast) } else { None }
}
