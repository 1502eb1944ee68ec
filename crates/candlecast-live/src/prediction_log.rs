//! [`PredictionLog`]: forecasts of a stream in the prediction log, and their outcomes as soon as they are known.
//!
//! Outcomes are taken from the candles at hand, without reading the store. What these do not decide, a target that is
//! missing or lies before the stream, is left to [`Host::after_candles`](crate::App::after_candles).

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::{Candle, Problem, SeriesKey, Timestamp};
use candlecast_meta::{
    Cursor, LoggedPrediction, MAX_PAGE, MetadataStore, NewPrediction, PageRequest, PredictionsOf, Retry, Settled,
};
use candlecast_monitor::{outcome_price, rows_of};

use crate::event::{LiveForecast, StreamedCandle};
use crate::request::LogSteps;

/// Predictions written at once.
const ROWS_AT_ONCE: usize = 5_000;

/// What became of predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    pub(super) validated: u64,
    pub(super) unscorable: u64,
}

/// The log of one series.
pub(super) struct PredictionLog {
    store: Arc<dyn MetadataStore>,
    retry: Retry,
    steps: LogSteps,
    of: PredictionsOf,
    interval_ms: i64,
    /// Pending predictions up to here are left to others.
    left: Option<Cursor>,
}

impl PredictionLog {
    pub(super) fn new(store: Arc<dyn MetadataStore>, retry: Retry, key: &SeriesKey, steps: LogSteps) -> Self {
        let (of, interval_ms) = (PredictionsOf::Series(key.clone()), key.interval.ms());
        Self { store, retry, steps, of, interval_ms, left: None }
    }

    /// Logs the steps wanted of all loggable `forecasts`; how many are new. What is logged already stays as it is.
    pub(super) async fn append(&self, forecasts: &[&LiveForecast]) -> Result<u64, Problem> {
        let loggable = forecasts.iter().filter(|forecast| forecast.is_loggable());
        let rows: Vec<NewPrediction> = loggable.flat_map(|forecast| self.rows(forecast)).collect();
        let mut new = 0;
        for part in rows.chunks(ROWS_AT_ONCE) {
            new += self.retry.run(|| self.store.append_predictions(part)).await?;
        }
        Ok(new)
    }

    /// Predictions wait again whose time is past: those that were left to others are looked at anew.
    pub(super) fn look_again(&mut self) {
        self.left = None;
    }

    /// True when predictions whose time is past are left to others.
    pub(super) fn leaves_some(&self) -> bool {
        self.left.is_some()
    }

    /// Settles the predictions that `candles`, which have closed in this order, decide; `now` is recorded.
    pub(super) async fn settle(&mut self, candles: &[&StreamedCandle], now: Timestamp) -> Result<Outcomes, Problem> {
        let targets: BTreeMap<i64, &Candle> =
            candles.iter().map(|c| (c.candle.open_time.ms() + self.interval_ms, &c.candle)).collect();
        let mut outcomes = Outcomes::default();
        let Some((&newest, _)) = targets.last_key_value() else { return Ok(outcomes) };
        loop {
            let request = PageRequest { after: self.left, limit: MAX_PAGE };
            let page = self.retry.run(|| self.store.due_predictions(&self.of, Timestamp(newest), request)).await?;
            let settled: Vec<Settled> = page.items.iter().filter_map(|logged| outcome(logged, &targets)).collect();
            // The oldest targets come first, so what is left lies at the head of a page sooner or later.
            let head = page.items.iter().take_while(|logged| outcome(logged, &targets).is_none());
            self.left = head.last().map(LoggedPrediction::cursor).or(self.left);
            let (scored, unscorable): (Vec<_>, Vec<_>) = settled.into_iter().partition(|one| one.actual.is_some());
            outcomes.validated += self.write_outcomes(&scored, now).await?;
            outcomes.unscorable += self.write_outcomes(&unscorable, now).await?;
            if page.next.is_none() {
                return Ok(outcomes);
            }
        }
    }

    /// Returns how many were waiting; what another program settled first is not counted twice.
    async fn write_outcomes(&self, settled: &[Settled], now: Timestamp) -> Result<u64, Problem> {
        if settled.is_empty() {
            return Ok(0);
        }
        Ok(self.retry.run(|| self.store.settle_predictions(settled, now)).await?)
    }

    fn rows(&self, live: &LiveForecast) -> Vec<NewPrediction> {
        let mut rows = rows_of(&live.forecast, &live.model.id, live.model.trained_to, live.made_at);
        rows.retain(|row| self.steps.has(row.step as usize) && is_finite(row));
        rows
    }
}

/// What the candle at its target, by close time in ms, makes of a prediction; `None` when it is not at hand.
fn outcome(logged: &LoggedPrediction, targets: &BTreeMap<i64, &Candle>) -> Option<Settled> {
    let candle = targets.get(&logged.made.target_time.ms())?;
    Some(Settled { id: logged.id, actual: outcome_price(candle) })
}

/// A forecast that left the range of numbers cannot be compared with anything.
fn is_finite(row: &NewPrediction) -> bool {
    row.prediction.is_finite() && row.interval.is_none_or(|i| i.lower.is_finite() && i.upper.is_finite())
}
