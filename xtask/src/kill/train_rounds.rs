//! [`TrainRounds`]: trainings killed over a registry that serves a model.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Plan;
use super::program::{Ending, Program};
use crate::candle_file::{CandleFile, YEAR_2020_MS};

const SERIES: [&str; 4] = ["--symbol", "ETHUSDT", "--interval", "1h"];
const MODEL: [&str; 4] = ["--model", "linear", "--horizon", "24h"];

/// A data folder with hourly candles and at least one saved model; it is not renewed between rounds, so that
/// what one kill leaves behind meets the next training.
#[derive(Debug)]
pub(super) struct TrainRounds {
    program: Program,
    /// Time of a training that is left alone.
    pub(super) typical: Duration,
}

impl TrainRounds {
    /// Imports the candles and trains once.
    pub(super) fn prepare(plan: &Plan) -> Result<Self> {
        let folder = plan.scratch.join("train");
        fs::create_dir_all(&folder)?;
        let csv = folder.join("ETHUSDT-1h.csv");
        let candles = CandleFile {
            start_ms: YEAR_2020_MS,
            interval_ms: 3_600_000,
            n_rows: plan.train_rows,
            seed: plan.seed ^ 1,
            extra_volume: 0.0,
        };
        candles.write(&csv)?;
        let mut rounds = Self { program: Program::new(&plan.binary, folder.join("data")), typical: Duration::ZERO };
        rounds.program.complete(&["import", &csv.display().to_string()])?;
        rounds.typical = rounds.complete()?;
        Ok(rounds)
    }

    /// One training killed after `delay`, and what it left checked.
    pub(super) fn round(&self, delay: Duration) -> Result<Ending> {
        let ending = self.program.kill_after(&command("train"), delay)?;
        self.check().with_context(|| format!("killed after {delay:?}"))?;
        Ok(ending)
    }

    /// A training that is left alone, and its time.
    pub(super) fn complete(&self) -> Result<Duration> {
        let took = self.program.complete(&command("train"))?;
        self.check()?;
        Ok(took)
    }

    /// A model was acknowledged before, so one must be listed; all that is listed is complete; forecasts are made.
    fn check(&self) -> Result<()> {
        let list = self.program.json(&["models", "list"])?;
        let models = list.as_array().with_context(|| format!("no list of models: {list}"))?;
        ensure!(!models.is_empty(), "the acknowledged model is not listed");
        for model in models {
            self.check_model(model).with_context(|| format!("listed model {model}"))?;
        }
        check_documents(&self.program.data_dir)?;
        let forecast = self.program.json(&command("predict"))?;
        ensure!(forecast.is_object(), "no forecast: {forecast}");
        Ok(())
    }

    fn check_model(&self, model: &Value) -> Result<()> {
        let status = model["status"].as_str().context("it has no status")?;
        ensure!(status != "corrupt", "it is listed as corrupt");
        let path = model["path"].as_str().context("it has no path")?;
        let candidates = [self.program.data_dir.join(path), self.program.data_dir.join("models").join(path)];
        let file = candidates.iter().find(|file| file.is_file()).context("its file is missing")?;
        check_document(file)?;
        check_document(&file.with_extension("meta.json"))
    }
}

fn command(name: &'static str) -> Vec<&'static str> {
    let mut words = vec![name];
    words.extend(SERIES.iter().chain(&MODEL));
    words
}

/// Every JSON file under its final name is whole: the old one or the new one.
fn check_documents(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            check_documents(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            check_document(&path)?;
        }
    }
    Ok(())
}

fn check_document(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let document: Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no whole document", path.display()))?;
    ensure!(document.is_object() || document.is_array(), "{} holds no document", path.display());
    Ok(())
}
