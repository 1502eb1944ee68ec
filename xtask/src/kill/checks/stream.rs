//! Replayed streams: every candle that was told of is stored, and every forecast that was told of is logged.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{Check, Round, Undisturbed};
use crate::dump::{Dump, Row};
use crate::kill::kinds::{MINUTES, NOW, arguments, play};
use crate::kill::known::Known;
use crate::kill::scene::PLAYED_MINUTES;
use crate::program::Program;
use crate::streamed::{Candle, Streamed, candles_in, check_stored};

pub(in crate::kill) const SERIES: &str = "replay-binance SOLUSDT 1m";
const PREDICTIONS: &str = "ml_predictions";

/// What an undisturbed stream comes to.
#[derive(Debug)]
struct Stream {
    /// The candles that are played.
    candles: Vec<Candle>,
    /// What it adds to the prediction log, by identity, with the outcomes.
    predictions: BTreeMap<String, Row>,
}

pub(in crate::kill) fn prepare(undisturbed: &Undisturbed<'_>) -> Result<Box<dyn Check>> {
    let Undisturbed { site, program, before, printed, .. } = undisturbed;
    let all = candles_in(Path::new(&site.minutes()))?;
    let candles = all[all.len().saturating_sub(PLAYED_MINUTES)..].to_vec();
    let told = Streamed::read(printed)?;
    ensure!(told.candles == candles.len(), "a stream of {} candles told of {}", candles.len(), told.candles);
    check_stored(program, &MINUTES, &candles)?;
    let predictions = settled(program)?.gained(PREDICTIONS, &before.records);
    ensure!(!predictions.is_empty(), "the stream logged nothing, so nothing could be lost");
    Ok(Box::new(Stream { candles, predictions }))
}

impl Check for Stream {
    fn left(&self, round: &Round<'_>) -> Result<()> {
        let mut acknowledged = round.known.rows(SERIES)?;
        for run in &round.runs {
            let told = Streamed::read(&run.printed)?;
            acknowledged = acknowledged.max(told.candles);
            for row in told.logged.iter().flat_map(|logged| &logged.rows) {
                let is_there = round.left.records.has(PREDICTIONS, row);
                ensure!(is_there, "the forecast `{row}` was told of and is not in the log");
            }
        }
        let stored = round.left.rows(SERIES)?;
        ensure!(stored >= acknowledged, "{stored} candles in the store, {acknowledged} were told of");
        self.check_first(round.program, stored)
    }

    fn complete(&self, round: &Round<'_>) -> Result<()> {
        let words = [vec!["--now".to_owned(), NOW.to_owned()], play(round.site, "max")].concat();
        round.program.complete(&arguments(&words))?;
        let records = settled(round.program)?;
        let after = Known::of(round.program)?;
        after.holds(round.known, Some(SERIES))?;
        let stored = after.rows(SERIES)?;
        ensure!(stored == self.candles.len(), "{stored} candles after the whole stream of {}", self.candles.len());
        self.check_first(round.program, stored)?;
        let found = records.gained(PREDICTIONS, &round.known.records);
        for (id, row) in &self.predictions {
            let now = found.get(id).with_context(|| format!("the forecast `{id}` is not in the log"))?;
            ensure!(now == row, "the forecast `{id}` is {now:?}, of an undisturbed stream {row:?}");
        }
        let (n_found, n_expected) = (found.len(), self.predictions.len());
        ensure!(n_found == n_expected, "{n_found} forecasts in the log, of an undisturbed stream {n_expected}");
        Ok(())
    }
}

impl Stream {
    /// The first `n` candles that are played are stored as they are, and no others.
    fn check_first(&self, program: &Program, n: usize) -> Result<()> {
        let expected = self.candles.get(..n).with_context(|| format!("{n} candles, more than were played"))?;
        check_stored(program, &MINUTES, expected)
    }
}

/// The records once every prediction is set beside its outcome.
fn settled(program: &Program) -> Result<Dump> {
    program.complete(&["--now", NOW, "predictions", "validate"])?;
    Dump::of(program)
}
