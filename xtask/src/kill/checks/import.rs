//! Imports: a file's candles are in the store as a whole or in part, never fewer than before.

use anyhow::{Result, ensure};

use super::{Check, Round, Undisturbed};
use crate::kill::kinds::arguments;
use crate::kill::known::Known;

/// The series of the file.
pub(in crate::kill) const SERIES: &str = "binance BTCUSDT 5m";

#[derive(Debug)]
struct Import {
    /// Candles of the whole file.
    all: usize,
}

pub(in crate::kill) fn prepare(undisturbed: &Undisturbed<'_>) -> Result<Box<dyn Check>> {
    let (head, all) = (undisturbed.before.rows(SERIES)?, undisturbed.after.rows(SERIES)?);
    ensure!(all > head && head > 0, "an import over {head} candles gave {all}");
    Ok(Box::new(Import { all }))
}

impl Check for Import {
    fn left(&self, round: &Round<'_>) -> Result<()> {
        let least = if round.is_acknowledged() { self.all } else { round.known.rows(SERIES)? };
        let rows = round.left.rows(SERIES)?;
        ensure!(
            (least..=self.all).contains(&rows),
            "{rows} candles in the store, acknowledged were {least}, the file has {}",
            self.all
        );
        Ok(())
    }

    fn complete(&self, round: &Round<'_>) -> Result<()> {
        round.program.complete(&arguments(round.line))?;
        let after = Known::of(round.program)?;
        after.holds(round.known, Some(SERIES))?;
        let rows = after.rows(SERIES)?;
        ensure!(rows == self.all, "{rows} candles after a whole import of {}", self.all);
        Ok(())
    }
}
