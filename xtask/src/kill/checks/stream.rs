//! Replayed streams: every candle that was told of is stored, and every forecast that was told of is logged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Check, Round, Undisturbed};
use crate::dump::{Dump, Row};
use crate::instant;
use crate::kill::kinds::{MINUTES, NOW, arguments, play};
use crate::kill::known::Known;
use crate::kill::scene::PLAYED_MINUTES;
use crate::program::Program;

/// Where a replay of the series is stored.
const VENUE: &str = "replay-binance";
pub(in crate::kill) const SERIES: &str = "replay-binance SOLUSDT 1m";
/// Steps that are logged.
const STEPS: [u32; 2] = [1, 5];
const PREDICTIONS: &str = "ml_predictions";

/// Open time in ms, open, high, low, close and volume.
type Candle = [f64; 6];

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
    let told = Told::read(printed)?;
    ensure!(told.candles == candles.len(), "a stream of {} candles told of {}", candles.len(), told.candles);
    let mut stream = Stream { candles, predictions: BTreeMap::new() };
    stream.check_stored(program, stream.candles.len())?;
    stream.predictions = settled(program)?.gained(PREDICTIONS, &before.records);
    ensure!(!stream.predictions.is_empty(), "the stream logged nothing, so nothing could be lost");
    Ok(Box::new(stream))
}

impl Check for Stream {
    fn left(&self, round: &Round<'_>) -> Result<()> {
        let mut acknowledged = round.known.rows(SERIES)?;
        for run in &round.runs {
            let told = Told::read(&run.printed)?;
            acknowledged = acknowledged.max(told.candles);
            for logged in &told.logged {
                let is_there = round.left.records.has(PREDICTIONS, logged);
                ensure!(is_there, "the forecast `{logged}` was told of and is not in the log");
            }
        }
        let stored = round.left.rows(SERIES)?;
        ensure!(stored >= acknowledged, "{stored} candles in the store, {acknowledged} were told of");
        self.check_stored(round.program, stored)
    }

    fn complete(&self, round: &Round<'_>) -> Result<()> {
        let words = [vec!["--now".to_owned(), NOW.to_owned()], play(round.site, "max")].concat();
        round.program.complete(&arguments(&words))?;
        let records = settled(round.program)?;
        let after = Known::of(round.program)?;
        after.holds(round.known, Some(SERIES))?;
        let stored = after.rows(SERIES)?;
        ensure!(stored == self.candles.len(), "{stored} candles after the whole stream of {}", self.candles.len());
        self.check_stored(round.program, stored)?;
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
    /// The first `n` candles that are played are stored as they are.
    fn check_stored(&self, program: &Program, n: usize) -> Result<()> {
        if n == 0 {
            return Ok(());
        }
        let file = program.data_dir.with_extension("export.csv");
        let path = file.display().to_string();
        let export = ["data", "export", "--venue", VENUE, "--output", &path];
        program.complete(&[&export[..], &MINUTES].concat())?;
        let stored = candles_in(&file)?;
        let expected = self.candles.get(..n).with_context(|| format!("{n} candles, more than were played"))?;
        ensure!(stored.len() == n, "{} candles were exported of {n}", stored.len());
        let differs = stored.iter().zip(expected).position(|(stored, played)| stored != played);
        ensure!(differs.is_none(), "stored candle {differs:?} is not the one that was played");
        Ok(())
    }
}

/// The records once every prediction is set beside its outcome.
fn settled(program: &Program) -> Result<Dump> {
    program.complete(&["--now", NOW, "predictions", "validate"])?;
    Dump::of(program)
}

/// The candles of a CSV file.
fn candles_in(path: &Path) -> Result<Vec<Candle>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let row = |line: &str| -> Option<Candle> {
        let mut fields = line.split(',').map(|field| field.parse::<f64>().ok());
        let mut candle = [0.0; 6];
        for value in &mut candle {
            *value = fields.next()??;
        }
        Some(candle)
    };
    let rows: Option<Vec<Candle>> = text.lines().skip(1).map(row).collect();
    rows.with_context(|| format!("{} has a line that is no candle", path.display()))
}

/// What the lines of a stream acknowledge; a last one without its end does not count.
#[derive(Debug, PartialEq)]
struct Told {
    candles: usize,
    /// Identities of predictions that are in the log.
    logged: Vec<String>,
}

impl Told {
    fn read(printed: &str) -> Result<Self> {
        let mut told = Self { candles: 0, logged: Vec::new() };
        for line in printed.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let event: Value = serde_json::from_str(line).with_context(|| format!("no document: {line}"))?;
            if event["event"] == "candle" {
                told.candles += 1;
            }
            if event["event"] == "forecast" && event["inTime"] == true && event["seenFuture"] == false {
                let word = |name: &str| event[name].as_str().with_context(|| format!("no {name}: {line}"));
                let origin = instant::millis(word("origin")?).with_context(|| format!("no instant: {line}"))?;
                let series = [word("venue")?, word("symbol")?, word("interval")?].join(" ");
                let model = word("modelId")?;
                told.logged.extend(STEPS.map(|step| format!("price {model} {series} {origin} {step}")));
            }
        }
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORECAST: &str = r#"{"event":"forecast","venue":"replay-binance","symbol":"A","interval":"1m","modelId":"M","origin":"1970-01-01T00:01:00Z","inTime":IN_TIME,"seenFuture":false}"#;

    #[test]
    fn whole_lines_acknowledge_and_half_ones_do_not() {
        let forecast = FORECAST.replace("IN_TIME", "true");
        let late = FORECAST.replace("IN_TIME", "false");
        let printed =
            format!("{{\"event\":\"opened\"}}\n{{\"event\":\"candle\"}}\n{forecast}\n{late}\n{{\"event\":\"can");
        let told = Told::read(&printed).unwrap();
        let logged = ["price M replay-binance A 1m 60000 1", "price M replay-binance A 1m 60000 5"];
        assert_eq!(told, Told { candles: 1, logged: logged.map(str::to_owned).to_vec() });
        assert_eq!(Told::read("").unwrap().candles, 0);
        assert!(Told::read("candle\n").is_err());
    }

    #[test]
    fn candles_are_read_without_the_columns_behind_the_volume() {
        let file = std::env::temp_dir().join(format!("xtask-candles-{}.csv", std::process::id()));
        fs::write(&file, "open_time,open,high,low,close,volume,trades\n60000,1.5,2,1,1.75,10.25,7\n").unwrap();
        assert_eq!(candles_in(&file).unwrap(), [[60_000.0, 1.5, 2.0, 1.0, 1.75, 10.25]]);
        fs::write(&file, "open_time,open\n60000,x\n").unwrap();
        assert!(candles_in(&file).is_err());
        fs::remove_file(file).unwrap();
    }
}
