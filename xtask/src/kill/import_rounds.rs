//! [`ImportRounds`]: imports killed over a store that holds acknowledged candles.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Plan;
use super::program::{Ending, Program, copy_folder};
use crate::candle_file::{CandleFile, YEAR_2020_MS};

const INTERVAL: &str = "5m";
const INTERVAL_MS: i64 = 300_000;

/// A store with the head of a series, and a file with all of it and every volume corrected: importing the file
/// rewrites what is there and adds what is not.
#[derive(Debug)]
pub(super) struct ImportRounds {
    binary: PathBuf,
    acknowledged: PathBuf,
    data_dir: PathBuf,
    whole: PathBuf,
    /// Candles in the store before each round.
    pub(super) head_rows: usize,
    /// Candles of the file.
    pub(super) all_rows: usize,
    /// Time of an import that is left alone.
    pub(super) typical: Duration,
}

impl ImportRounds {
    /// Writes the files and imports the head; both in folders of their own, as the name tells the series.
    pub(super) fn prepare(plan: &Plan) -> Result<Self> {
        let folder = plan.scratch.join("import");
        let (head_folder, whole_folder) = (folder.join("head"), folder.join("whole"));
        fs::create_dir_all(&head_folder)?;
        fs::create_dir_all(&whole_folder)?;
        let name = format!("BTCUSDT-{INTERVAL}.csv");
        let (head, whole) = (head_folder.join(&name), whole_folder.join(&name));
        let all = CandleFile {
            start_ms: YEAR_2020_MS,
            interval_ms: INTERVAL_MS,
            n_rows: plan.import_rows,
            seed: plan.seed,
            extra_volume: 1.0,
        };
        let head_rows = plan.import_rows * 5 / 8;
        all.write(&whole)?;
        CandleFile { n_rows: head_rows, extra_volume: 0.0, ..all }.write(&head)?;

        let acknowledged = folder.join("acknowledged");
        Program::new(&plan.binary, acknowledged.clone()).complete(&["import", &text(&head)])?;
        let mut rounds = Self {
            binary: plan.binary.clone(),
            acknowledged,
            data_dir: folder.join("data"),
            whole,
            head_rows,
            all_rows: plan.import_rows,
            typical: Duration::ZERO,
        };
        let program = rounds.fresh()?;
        ensure!(rows_of(&program)? == head_rows, "the head's import has {} candles", rows_of(&program)?);
        rounds.typical = rounds.import_again(&program)?;
        Ok(rounds)
    }

    /// One import killed after `delay`, what it left checked, and the import completed.
    pub(super) fn round(&self, delay: Duration) -> Result<Ending> {
        let program = self.fresh()?;
        let ending = program.kill_after(&["import", &text(&self.whole)], delay)?;
        let rows = rows_of(&program).with_context(|| format!("killed after {delay:?}"))?;
        let least = if ending == Ending::Finished { self.all_rows } else { self.head_rows };
        ensure!(
            (least..=self.all_rows).contains(&rows),
            "killed after {delay:?}: {rows} candles in the store, acknowledged were {least}, the file has {}",
            self.all_rows,
        );
        program.complete(&["data", "check"]).with_context(|| format!("killed after {delay:?}"))?;
        self.import_again(&program).with_context(|| format!("killed after {delay:?}, importing again"))?;
        Ok(ending)
    }

    /// The store as acknowledged.
    fn fresh(&self) -> Result<Program> {
        if self.data_dir.exists() {
            fs::remove_dir_all(&self.data_dir)?;
        }
        copy_folder(&self.acknowledged, &self.data_dir)?;
        Ok(Program::new(&self.binary, self.data_dir.clone()))
    }

    fn import_again(&self, program: &Program) -> Result<Duration> {
        let took = program.complete(&["import", &text(&self.whole)])?;
        let rows = rows_of(program)?;
        ensure!(rows == self.all_rows, "{rows} candles after a whole import of {}", self.all_rows);
        program.complete(&["data", "check"])?;
        Ok(took)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Candles of the series in the store.
fn rows_of(program: &Program) -> Result<usize> {
    let list = program.json(&["data", "list"])?;
    let is_ours = |entry: &&Value| entry["symbol"] == "BTCUSDT" && entry["interval"] == INTERVAL;
    let entry = list.as_array().and_then(|entries| entries.iter().find(is_ours));
    let entry = entry.with_context(|| format!("the acknowledged series is not listed: {list}"))?;
    let rows = entry["rows"].as_u64().with_context(|| format!("no count of rows: {entry}"))?;
    Ok(usize::try_from(rows)?)
}
