//! [`Family`], [`Slot`] and [`ModelName`]: what a model is for, and the file names that follow from it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use candlecast_core::{Interval, SeriesKey, Symbol, Venue};

use crate::{RegistryError, Version};

/// The task whose name is left out of file names, at the interval that is left out too.
const DEFAULT_TASK: &str = "price";
const DEFAULT_INTERVAL: Interval = Interval::H1;

/// Series, model type and task. The versions of a family lie under one file name and count through all horizons.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    key: SeriesKey,
    model: String,
    task: String,
}

impl Family {
    /// Checks the parts. `model` (`lstm`, `random-forest`) and `task` (`price`, `direction`) are `[a-z0-9-]{2,40}`.
    pub fn new(key: SeriesKey, model: &str, task: &str) -> Result<Self, RegistryError> {
        check_id("model", model)?;
        check_id("task", task)?;
        Ok(Self { key, model: model.to_owned(), task: task.to_owned() })
    }

    /// The series.
    pub fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Model id in kebab-case.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Task id.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// The model's id as it stands in files: upper case, `-` kept.
    pub fn model_type(&self) -> String {
        self.model.to_ascii_uppercase()
    }

    /// `{SYMBOL}_{TYPE}`, with `_{interval}_{task}` unless they are `1h` and `price`.
    pub fn stem(&self) -> String {
        let base = format!("{}_{}", self.key.symbol, self.model_type());
        if self.key.interval == DEFAULT_INTERVAL && self.task == DEFAULT_TASK {
            base
        } else {
            format!("{base}_{}_{}", self.key.interval, self.task)
        }
    }

    /// The stem, after the venue unless that is `binance`.
    fn id(&self) -> String {
        if self.key.venue == Venue::binance() { self.stem() } else { format!("{}_{}", self.key.venue, self.stem()) }
    }

    /// Folder of its files: `root` itself for `binance` at `1h`, else `root/{venue}/{interval}`.
    pub(crate) fn folder(&self, root: &Path) -> PathBuf {
        if self.key.venue == Venue::binance() && self.key.interval == DEFAULT_INTERVAL {
            root.to_owned()
        } else {
            root.join(self.key.venue.as_str()).join(self.key.interval.to_string())
        }
    }

    pub(crate) fn pointer_file(&self) -> String {
        format!("{}.active.json", self.stem())
    }

    /// The slot of this family's versions that forecast `horizon` steps.
    pub fn slot(&self, horizon: usize) -> Slot {
        Slot { family: self.clone(), horizon }
    }

    /// This family's model of `version`.
    pub fn at(&self, version: Version) -> ModelName {
        ModelName { family: self.clone(), version }
    }

    /// Reads `{SYMBOL}_{TYPE}` or `{SYMBOL}_{TYPE}_{interval}_{task}`; `None` unless it is the one spelling.
    fn parse(venue: Venue, interval: Interval, parts: &[&str]) -> Option<Self> {
        let (symbol, model_type, interval, task) = match *parts {
            [symbol, model_type] => (symbol, model_type, interval, DEFAULT_TASK),
            [symbol, model_type, interval, task] => (symbol, model_type, interval.parse().ok()?, task),
            _ => return None,
        };
        let key = SeriesKey::new(venue, Symbol::new(symbol).ok()?, interval);
        let family = Self::new(key, &model_type.to_ascii_lowercase(), task).ok()?;
        (family.stem() == parts.join("_")).then_some(family)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// The versions of a family that forecast one horizon; at most one of them is active.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Series, model type and task.
    pub family: Family,
    /// Steps ahead.
    pub horizon: usize,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = if self.horizon == 1 { "step" } else { "steps" };
        write!(f, "{} at {} {steps}", self.family, self.horizon)
    }
}

fn check_id(field: &'static str, id: &str) -> Result<(), RegistryError> {
    let fits =
        (2..=40).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(())
    } else {
        Err(RegistryError::name(field, id, "2 to 40 lower-case letters, digits and `-`, for example random-forest"))
    }
}

/// One version of one model. Its text form is the model's id: `BTCUSDT_LSTM_1.0.0`,
/// `BTCUSDT_LSTM_4h_price_1.0.0`, `binanceus_BTCUSDT_LSTM_1.0.0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName {
    /// What it is for.
    pub family: Family,
    /// Which version.
    pub version: Version,
}

impl ModelName {
    pub(crate) fn payload_file(&self) -> String {
        format!("{}_{}.json", self.family.stem(), self.version)
    }

    pub(crate) fn meta_file(&self) -> String {
        format!("{}_{}.meta.json", self.family.stem(), self.version)
    }

    pub(crate) fn payload_path(&self, root: &Path) -> PathBuf {
        self.family.folder(root).join(self.payload_file())
    }

    pub(crate) fn meta_path(&self, root: &Path) -> PathBuf {
        self.family.folder(root).join(self.meta_file())
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.family, self.version)
    }
}

impl FromStr for ModelName {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        parse_id(text).ok_or_else(|| {
            RegistryError::name("model id", text, "write it as `models list` does, for example BTCUSDT_LSTM_1.0.0")
        })
    }
}

fn parse_id(text: &str) -> Option<ModelName> {
    let (id, version) = text.rsplit_once('_')?;
    let parts: Vec<&str> = id.split('_').collect();
    let (venue, parts) = match parts.len() {
        3 | 5 => (Venue::new(parts[0]).ok()?, &parts[1..]),
        _ => (Venue::binance(), &parts[..]),
    };
    let family = Family::parse(venue, DEFAULT_INTERVAL, parts)?;
    let name = family.at(version.parse().ok()?);
    (name.to_string() == text).then_some(name)
}

/// What a file in a model folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelFile {
    Payload(ModelName),
    Meta(ModelName),
    Pointer(Family),
}

impl ModelFile {
    /// Reads the name of a file in the folder of `venue` and `interval`; `None` for files of others.
    pub(crate) fn parse(venue: &Venue, interval: Interval, file: &str) -> Option<Self> {
        let family = |stem: &str| {
            let parts: Vec<&str> = stem.split('_').collect();
            Family::parse(venue.clone(), interval, &parts).filter(|s| s.key.interval == interval)
        };
        let named = |stem: &str| {
            let (stem, version) = stem.rsplit_once('_')?;
            Some(family(stem)?.at(version.parse().ok()?))
        };
        if let Some(stem) = file.strip_suffix(".active.json") {
            family(stem).map(Self::Pointer)
        } else if let Some(stem) = file.strip_suffix(".meta.json") {
            named(stem).map(Self::Meta)
        } else {
            named(file.strip_suffix(".json")?).map(Self::Payload)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(venue: &str, interval: &str, model: &str, task: &str) -> Family {
        let key =
            SeriesKey::new(Venue::new(venue).unwrap(), Symbol::new("BTCUSDT").unwrap(), interval.parse().unwrap());
        Family::new(key, model, task).unwrap()
    }

    #[test]
    fn names_follow_the_layout() {
        let path = |s: &Family| s.at(Version::FIRST).payload_path(Path::new("m")).to_string_lossy().replace('\\', "/");
        for (s, file, id) in [
            (family("binance", "1h", "lstm", "price"), "m/BTCUSDT_LSTM_1.0.0.json", "BTCUSDT_LSTM_1.0.0"),
            (
                family("binance", "1h", "random-forest", "direction"),
                "m/BTCUSDT_RANDOM-FOREST_1h_direction_1.0.0.json",
                "BTCUSDT_RANDOM-FOREST_1h_direction_1.0.0",
            ),
            (
                family("binance", "4h", "lstm", "price"),
                "m/binance/4h/BTCUSDT_LSTM_4h_price_1.0.0.json",
                "BTCUSDT_LSTM_4h_price_1.0.0",
            ),
            (
                family("binanceus", "1h", "lstm", "price"),
                "m/binanceus/1h/BTCUSDT_LSTM_1.0.0.json",
                "binanceus_BTCUSDT_LSTM_1.0.0",
            ),
        ] {
            assert_eq!(path(&s), file);
            assert_eq!(s.at(Version::FIRST).to_string(), id);
        }
    }

    #[test]
    fn every_name_has_one_reading() {
        for venue in ["binance", "binance-usdm", "4h"] {
            for interval in Interval::all() {
                for (model, task) in [("lstm", "price"), ("a-1h-price", "price"), ("lstm", "direction"), ("1h", "1h")] {
                    let s = family(venue, &interval.to_string(), model, task);
                    let name = s.at(Version { major: 3, minor: 10, patch: 0 });
                    assert_eq!(name.to_string().parse::<ModelName>().unwrap(), name);
                    let read = |file: &str| ModelFile::parse(&s.key.venue, interval, file);
                    assert_eq!(read(&name.payload_file()), Some(ModelFile::Payload(name.clone())));
                    assert_eq!(read(&name.meta_file()), Some(ModelFile::Meta(name.clone())));
                    assert_eq!(read(&s.pointer_file()), Some(ModelFile::Pointer(s.clone())));
                }
            }
        }
    }

    #[test]
    fn hostile_ids_are_refused() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let long = "a".repeat(41);
        for id in [
            "",
            "x",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "LSTM",
            "ls tm",
            "lstm_1",
            "lstm\0",
            "lstm\n",
            "łstm",
            "a.b",
            long.as_str(),
        ] {
            assert!(Family::new(key.clone(), id, "price").is_err(), "{id}");
            assert!(Family::new(key.clone(), "lstm", id).is_err(), "{id}");
        }
        for id in [
            "",
            "BTCUSDT",
            "BTCUSDT_LSTM",
            "BTCUSDT_lstm_1.0.0",
            "btcusdt_LSTM_1.0.0",
            "BTCUSDT_LSTM_1h_price_1.0.0",
            "binance_BTCUSDT_LSTM_1.0.0",
            "../BTCUSDT_LSTM_1.0.0",
            "../x_BTCUSDT_LSTM_1.0.0",
            "BTCUSDT_LSTM_1.0.0/../x",
            "BTC-USDT_LSTM_1.0.0",
            "BTCUSDT_LSTM_1M_price_1.0.0",
            "a_b_c_d_e_f_1.0.0",
        ] {
            assert!(id.parse::<ModelName>().is_err(), "{id}");
        }
        for file in [
            ".lock",
            "notes.json",
            "BTCUSDT_LSTM.json",
            "BTCUSDT_LSTM_1.0.0.safetensors",
            ".BTCUSDT_LSTM_1.0.0.json.tmp",
            "BTCUSDT_LSTM_4h_price_1.0.0.json",
        ] {
            assert_eq!(ModelFile::parse(&Venue::binance(), Interval::H1, file), None, "{file}");
        }
    }
}
