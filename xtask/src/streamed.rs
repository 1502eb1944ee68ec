//! [`Streamed`]: what the lines of `candlecast --json stream` tell, and the candles that they are of.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::instant;
use crate::program::Program;

/// Steps of forecasts that these runs let streams log.
pub(crate) const STEPS: [u32; 2] = [1, 5];
/// Venue under which replays of these runs are stored.
pub(crate) const VENUE: &str = "replay-binance";

/// Open time in ms, open, high, low, close and volume.
pub(crate) type Candle = [f64; 6];

/// A forecast that is to be in the prediction log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Identities of its predictions, as [`Dump`](crate::dump::Dump) has them.
    pub(crate) rows: [String; 2],
}

/// What a stream tells. A last line without its end does not count.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Streamed {
    /// Candles told of.
    pub(crate) candles: usize,
    /// Forecasts told of.
    pub(crate) forecasts: u64,
    /// Those of them that are to be in the log.
    pub(crate) logged: Vec<Logged>,
    /// Forecasts that are not: their model has seen the future, they were made too late, the log failed for too long.
    pub(crate) seen_future: u64,
    pub(crate) too_late: u64,
    pub(crate) unlogged: u64,
    /// Parts that failed, with the reasons.
    pub(crate) retries: Vec<(String, String)>,
    /// Parts that work again.
    pub(crate) healed: Vec<String>,
    /// The last line of a stream that has ended.
    pub(crate) summary: Option<Value>,
}

impl Streamed {
    /// Reads what was printed.
    pub(crate) fn read(printed: &str) -> Result<Self> {
        let mut streamed = Self::default();
        for line in printed.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let event: Value = serde_json::from_str(line).with_context(|| format!("no document: {line}"))?;
            streamed.hear(event).with_context(|| format!("reading {}", line.trim()))?;
        }
        Ok(streamed)
    }

    fn hear(&mut self, event: Value) -> Result<()> {
        match event["event"].as_str().context("a line without an event")? {
            "candle" => self.candles += 1,
            "forecast" => self.hear_forecast(&event)?,
            "unlogged" => self.unlogged += event["forecasts"].as_u64().context("no count of forecasts")?,
            "retrying" => self.retries.push((word(&event, "part")?, word(&event, "reason")?)),
            "healed" => self.healed.push(word(&event, "part")?),
            "summary" => self.summary = Some(event),
            _ => {}
        }
        Ok(())
    }

    fn hear_forecast(&mut self, event: &Value) -> Result<()> {
        self.forecasts += 1;
        if event["seenFuture"] == true {
            self.seen_future += 1;
        } else if event["inTime"] == false {
            self.too_late += 1;
        } else {
            let origin = instant::millis(&word(event, "origin")?).context("its origin is no instant")?;
            let series = [word(event, "venue")?, word(event, "symbol")?, word(event, "interval")?].join(" ");
            let model = word(event, "modelId")?;
            self.logged.push(Logged { rows: STEPS.map(|step| format!("price {model} {series} {origin} {step}")) });
        }
        Ok(())
    }

    /// Attempts at `part` that failed, and how often it worked again.
    pub(crate) fn outages(&self, part: &str) -> (usize, usize) {
        let failed = self.retries.iter().filter(|(of, _)| of == part).count();
        (failed, self.healed.iter().filter(|of| *of == part).count())
    }
}

fn word(event: &Value, name: &str) -> Result<String> {
    event[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"))
}

/// The candles of a CSV file.
pub(crate) fn candles_in(path: &Path) -> Result<Vec<Candle>> {
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

/// An error unless the replayed series `series` (the words of its options) has `expected` and no other candles.
pub(crate) fn check_stored(program: &Program, series: &[&str], expected: &[Candle]) -> Result<()> {
    if expected.is_empty() {
        return Ok(());
    }
    let file = program.data_dir.with_extension("export.csv");
    let path = file.display().to_string();
    let export = ["data", "export", "--venue", VENUE, "--output", &path];
    program.complete(&[&export[..], series].concat())?;
    let stored = candles_in(&file)?;
    ensure!(stored.len() == expected.len(), "{} candles are stored of {}", stored.len(), expected.len());
    let differs = stored.iter().zip(expected).position(|(stored, played)| stored != played);
    ensure!(differs.is_none(), "stored candle {differs:?} is not the one that was played");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORECAST: &str =
        r#"{"event":"forecast","venue":"replay-binance","symbol":"A","interval":"1m","modelId":"M","#;

    /// A forecast's line.
    fn forecast(in_time: bool, seen_future: bool) -> String {
        format!("{FORECAST}\"origin\":\"1970-01-01T00:01:00Z\",\"inTime\":{in_time},\"seenFuture\":{seen_future}}}")
    }

    #[test]
    fn whole_lines_tell_and_half_ones_do_not() {
        let lines = [
            r#"{"event":"opened","models":[]}"#.to_owned(),
            r#"{"event":"candle"}"#.to_owned(),
            forecast(true, false),
            forecast(false, false),
            forecast(true, true),
            r#"{"event":"retrying","part":"log","reason":"away"}"#.to_owned(),
            r#"{"event":"healed","part":"log","tries":1,"seconds":2.5}"#.to_owned(),
            r#"{"event":"unlogged","forecasts":3,"reason":"away"}"#.to_owned(),
        ];
        let told = Streamed::read(&format!("{}\n{{\"event\":\"can", lines.join("\n"))).unwrap();
        let rows = ["price M replay-binance A 1m 60000 1", "price M replay-binance A 1m 60000 5"].map(str::to_owned);
        assert_eq!((told.candles, told.forecasts, told.logged.as_slice()), (1, 3, &[Logged { rows }][..]));
        assert_eq!((told.too_late, told.seen_future, told.unlogged), (1, 1, 3));
        assert_eq!((told.outages("log"), told.outages("store"), told.summary), ((1, 1), (0, 0), None));
    }

    #[test]
    fn the_last_line_is_kept_and_other_words_are_refused() {
        let told = Streamed::read("{\"event\":\"summary\",\"candles\":2}\n").unwrap();
        assert_eq!(told.summary.unwrap()["candles"], 2);
        assert_eq!(Streamed::read("").unwrap(), Streamed::default());
        assert!(Streamed::read("candle\n").is_err() && Streamed::read("{}\n").is_err());
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
