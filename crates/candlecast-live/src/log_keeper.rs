//! [`LogKeeper`]: forecasts on their way into the prediction log.
//!
//! A stream does not depend on the log. While it fails, forecasts wait here, in the order in which they were made, and are
//! logged when it works again: they were made in time, and say when. What waits is bounded. Only where it is full and the
//! log has failed for long are the oldest given up, and that is told.

use std::collections::VecDeque;
use std::time::Duration;

use candlecast_meta::NewPrediction;
use tokio::time::Instant;

use crate::event::{LiveForecast, Part, StreamEvent, StreamedCandle};
use crate::outage::{Outage, Pauses};
use crate::prediction_log::{LogError, Outcomes, PredictionLog};

/// Predictions written at once.
const ROWS_AT_ONCE: usize = 5_000;

/// How much the keeper bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Predictions that may wait while the log fails.
    pub(super) rows: usize,
    /// For so long a stream waits for the log where that many do, before it gives any up.
    pub(super) patience: Duration,
    pub(super) pauses: Pauses,
}

impl Default for Limits {
    /// Some 20 MB; longer than a server takes to restart.
    fn default() -> Self {
        let pauses = Pauses { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
        Self { rows: 50_000, patience: Duration::from_secs(120), pauses }
    }
}

/// What came of what was to be logged, since it was last asked.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Predictions that were not logged before.
    pub(super) logged: u64,
    /// Forecasts given up.
    pub(super) unlogged: u64,
    /// Attempts that failed.
    pub(super) retries: u64,
    pub(super) outcomes: Outcomes,
    /// True when the log works after it had failed.
    pub(super) healed: bool,
    /// What is to be told.
    pub(super) notes: Vec<StreamEvent>,
}

/// Logs forecasts and settles predictions, as far as the log works.
pub(super) struct LogKeeper {
    log: PredictionLog,
    limits: Limits,
    /// Rows that wait, of one forecast after another, the oldest first.
    rows: VecDeque<NewPrediction>,
    /// How many of them are of each forecast.
    forecasts: VecDeque<usize>,
    outage: Option<Outage>,
    /// No attempt before.
    next_try: Option<Instant>,
    kept: Kept,
}

impl LogKeeper {
    pub(super) fn new(log: PredictionLog, limits: Limits) -> Self {
        let (rows, forecasts) = (VecDeque::new(), VecDeque::new());
        Self { log, limits, rows, forecasts, outage: None, next_try: None, kept: Kept::default() }
    }

    /// Takes what of a forecast is to be logged.
    pub(super) fn take(&mut self, forecast: &LiveForecast) {
        let rows = self.log.rows(forecast);
        if !rows.is_empty() {
            self.forecasts.push_back(rows.len());
            self.rows.extend(rows);
        }
    }

    /// What came of it since it was last asked.
    pub(super) fn kept(&mut self) -> Kept {
        std::mem::take(&mut self.kept)
    }

    /// True while the log fails.
    pub(super) fn is_away(&self) -> bool {
        self.outage.is_some()
    }

    /// When the next attempt may be made; `None` for at once.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.next_try.filter(|&at| at > Instant::now())
    }

    /// True while predictions wait.
    pub(super) fn has_waiting(&self) -> bool {
        !self.rows.is_empty()
    }

    /// True when more wait than may; at the end of a stream none may.
    pub(super) fn is_overfull(&self, at_end: bool) -> bool {
        self.rows.len() > self.room(at_end)
    }

    /// True when the log has failed for so long that nothing should wait for it.
    pub(super) fn is_out_of_patience(&self) -> bool {
        self.outage.is_some_and(|outage| outage.lasts() >= self.limits.patience)
    }

    /// Predictions wait again whose time is past.
    pub(super) fn look_again(&mut self) {
        self.log.look_again();
    }

    /// True when predictions whose time is past are left to others.
    pub(super) fn leaves_some(&self) -> bool {
        self.log.leaves_some()
    }

    /// Logs what waits, and settles what `candles` decide; false when the log fails.
    pub(super) async fn attempt(&mut self, candles: &[&StreamedCandle]) -> bool {
        let is_asked = self.has_waiting() || !candles.is_empty();
        match self.write(candles).await {
            Ok(()) if is_asked => self.works(),
            Ok(()) => {}
            Err(LogError::Refused(reason) | LogError::Away(reason)) => {
                self.fails(reason);
                return false;
            }
        }
        true
    }

    /// Gives up the oldest forecasts, until no more wait than may.
    pub(super) fn give_up(&mut self, at_end: bool) {
        let mut forecasts = 0;
        while self.is_overfull(at_end) && self.drop_first(1) {
            forecasts += 1;
        }
        let reason = if at_end { "the stream ended while the log failed" } else { "the log has failed for too long" };
        self.lose(forecasts, reason.to_owned());
    }

    async fn write(&mut self, candles: &[&StreamedCandle]) -> Result<(), LogError> {
        while self.has_waiting() {
            let (forecasts, rows) = self.part();
            let appended = self.log.append(&self.rows.make_contiguous()[..rows]).await;
            match appended {
                Ok(new) => self.kept.logged += new,
                Err(LogError::Refused(reason)) => self.lose(forecasts as u64, reason),
                Err(away) => return Err(away),
            }
            self.drop_first(forecasts);
        }
        let Some(newest) = candles.last() else { return Ok(()) };
        if self.is_away() {
            // What fell due meanwhile was settled by nobody.
            self.log.look_again();
        }
        self.log.settle(candles, newest.at, &mut self.kept.outcomes).await
    }

    /// The first forecasts that are written at once: how many, and their rows.
    fn part(&self) -> (usize, usize) {
        let (mut forecasts, mut rows) = (0, 0);
        for of_one in &self.forecasts {
            if forecasts > 0 && rows + of_one > ROWS_AT_ONCE {
                break;
            }
            forecasts += 1;
            rows += of_one;
        }
        (forecasts, rows)
    }

    /// Drops the first forecasts; false when there are none.
    fn drop_first(&mut self, forecasts: usize) -> bool {
        let forecasts = forecasts.min(self.forecasts.len());
        let rows: usize = self.forecasts.drain(..forecasts).sum();
        self.rows.drain(..rows);
        forecasts > 0
    }

    fn lose(&mut self, forecasts: u64, reason: String) {
        if forecasts > 0 {
            self.kept.unlogged += forecasts;
            self.kept.notes.push(StreamEvent::Unlogged { forecasts, reason });
        }
    }

    fn fails(&mut self, reason: String) {
        let pauses = self.limits.pauses;
        let pause = self.outage.get_or_insert_with(|| Outage::new(pauses)).failed();
        self.next_try = Some(Instant::now() + pause);
        self.kept.retries += 1;
        self.kept.notes.push(StreamEvent::Retrying { part: Part::Log, reason });
    }

    fn works(&mut self) {
        self.next_try = None;
        if let Some(outage) = self.outage.take() {
            self.kept.notes.push(outage.healed(Part::Log));
            self.kept.healed = true;
        }
    }

    fn room(&self, at_end: bool) -> usize {
        if at_end { 0 } else { self.limits.rows }
    }
}
