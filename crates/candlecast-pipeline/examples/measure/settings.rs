//! [`Settings`]: which coins, which period, which files.

use std::fmt;
use std::path::{Path, PathBuf};

use candlecast_core::{TimeRange, Timestamp};
use candlecast_pipeline::PipelineOptions;

use crate::Result;

/// The flags that every measurement takes, each with a value; those that it has no use for change nothing.
pub(crate) const FLAGS: [&str; 7] = ["--coins", "--from", "--to", "--data", "--model", "--retrain-days", "--seeds"];

/// Coins where none are named.
const COINS: &str = "BTC,ETH,BNB,XRP,LTC";
/// First instant that is not scored where none is named: the data for tests end there.
const TO: &str = "2024-01-01";
/// What a coin without a quote currency is quoted in.
const QUOTE: &str = "USDT";

/// What a measurement is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// Symbols as files name them, such as BTCUSDT.
    pub(crate) coins: Vec<String>,
    /// Open times of the origins that are scored.
    pub(crate) range: TimeRange,
    /// Folders with candles; later ones are laid over earlier ones.
    pub(crate) data: Vec<PathBuf>,
    /// The model of prices.
    pub(crate) model: String,
    /// Days between refits.
    pub(crate) retrain_days: u32,
    /// Draws of the placebo.
    pub(crate) seeds: u64,
}

impl Settings {
    /// Reads flags with their values; of one that is given twice the last counts. Scored is from `from` on unless the
    /// flags say otherwise.
    pub(crate) fn parse(words: &[String], from: &str) -> Result<Self> {
        let mut settings = Self {
            coins: list(COINS).map(symbol).collect(),
            range: TimeRange { from: Timestamp::parse(from)?, to: Timestamp::parse(TO)? },
            data: vec![],
            model: "linear".into(),
            retrain_days: PipelineOptions::new(1).retrain_days,
            seeds: 20,
        };
        let mut rest = words.iter();
        while let Some(flag) = rest.next() {
            if !FLAGS.contains(&flag.as_str()) {
                return Err(format!("unknown flag `{flag}`; there are {}", FLAGS.join(", ")).into());
            }
            let value = rest.next().ok_or_else(|| format!("{flag} needs a value after it"))?;
            settings.set(flag, value).map_err(|error| format!("{flag} {value}: {error}"))?;
        }
        if settings.coins.is_empty() {
            return Err("--coins names none".into());
        }
        if settings.data.is_empty() {
            settings.data.push(default_data());
        }
        Ok(settings)
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<()> {
        match flag {
            "--coins" => self.coins = list(value).map(symbol).collect(),
            "--from" => self.range.from = Timestamp::parse(value)?,
            "--to" => self.range.to = Timestamp::parse(value)?,
            "--data" => self.data = list(value).map(PathBuf::from).collect(),
            "--model" => self.model = value.into(),
            "--retrain-days" => self.retrain_days = value.parse()?,
            _ => self.seeds = value.parse()?,
        }
        Ok(())
    }

    /// The defaults of the program for `horizon`, with the refits that were asked for.
    pub(crate) fn options(&self, horizon: usize) -> PipelineOptions {
        PipelineOptions { retrain_days: self.retrain_days, ..PipelineOptions::new(horizon) }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (coins, range, days) = (self.coins.join(", "), self.range, self.retrain_days);
        write!(f, "{coins}, 1h; origins {range}; refits every {days} days")
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

fn symbol(coin: &str) -> String {
    let coin = coin.to_ascii_uppercase();
    if coin.contains("USD") { coin } else { format!("{coin}{QUOTE}") }
}

fn default_data() -> PathBuf {
    std::env::var_os("CANDLECAST_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Settings> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        Settings::parse(&words, "2021-01-01")
    }

    #[test]
    fn flags_replace_the_defaults_and_the_last_of_two_counts() {
        let plain = parsed("").unwrap();
        assert_eq!(plain.coins, ["BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "LTCUSDT"]);
        assert_eq!((plain.retrain_days, plain.seeds, plain.data.len()), (7, 20, 1));
        let other =
            parsed("--data a --coins sol,BTCUSDC --from 2024-01-01 --to 2025-09-01 --data x,y --seeds 3").unwrap();
        assert_eq!(other.coins, ["SOLUSDT", "BTCUSDC"]);
        assert_eq!(other.data, [Path::new("x"), Path::new("y")]);
        assert_eq!(other.range.to, Timestamp::parse("2025-09-01").unwrap());
        assert_eq!((other.seeds, other.model.as_str()), (3, "linear"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("--coin BTC", "--coins"),
            ("--from", "needs a value"),
            ("--from yesterday", "--from yesterday"),
            ("--seeds many", "--seeds many"),
            ("--coins ,", "names none"),
        ] {
            let error = parsed(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
