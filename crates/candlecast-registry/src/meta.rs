//! [`Meta`]: all that is known of a stored model without its weights.

use candlecast_core::{Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ModelName, RegistryError, Slot, Version};

/// Format of model files that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Where a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Saved, has not served yet.
    Candidate,
    /// Serves.
    Active,
    /// Served before, or older than what serves.
    Archived,
    /// Its files are damaged; only in lists, never stored.
    Corrupt,
}

impl Status {
    /// The word used in files, lists and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Corrupt => "corrupt",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = RegistryError;

    /// Reads the word, ignoring case.
    fn from_str(text: &str) -> Result<Self, RegistryError> {
        [Self::Candidate, Self::Active, Self::Archived, Self::Corrupt]
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| RegistryError::name("status", text, "write candidate, active, archived or corrupt"))
    }
}

/// A feature as the model was trained on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureVersion {
    /// Feature id (`rsi_14`).
    pub id: String,
    /// Version of its definition.
    pub version: u32,
}

/// Range of the training data, half-open; milliseconds in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRange {
    /// Open time of the first candle.
    #[serde(with = "crate::epoch_ms")]
    pub from: Timestamp,
    /// Close of the last candle.
    #[serde(with = "crate::epoch_ms")]
    pub to: Timestamp,
}

impl From<TimeRange> for DataRange {
    fn from(range: TimeRange) -> Self {
        Self { from: range.from, to: range.to }
    }
}

/// What the caller knows of a model that is to be saved; the registry adds name, version, status and digest.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    /// For people; `None` gives one like `BTCUSDT lstm 1h price`. 1 to 100 characters, no control characters.
    pub name: Option<String>,
    /// When the fit ended.
    pub trained_at: Timestamp,
    /// Directional accuracy on the test part (price) or class accuracy (direction), a share; `None` if not tested.
    pub accuracy: Option<f64>,
    /// Duration of the fit in milliseconds.
    pub training_duration_ms: u64,
    /// Candles that the fit learned from.
    pub data_points: u64,
    /// The whole configuration; a different one bumps the minor version.
    pub config: Value,
    /// Steps ahead; a different number bumps the major version.
    pub horizon_steps: usize,
    /// Features in order; different ones bump the major version.
    pub features: Vec<FeatureVersion>,
    /// Range of the training data.
    pub data_range: DataRange,
    /// Fingerprint of the training data.
    pub data_fingerprint: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Program and version that trained it (`candlecast 0.1.0`).
    pub program_version: String,
    /// Instruction set of the fit (`avx2`): results are bit-exact on the same one.
    pub instruction_set: String,
    /// Metrics of the model.
    pub metrics: Value,
    /// The same of the baselines, by id.
    pub baseline_metrics: Value,
    /// Histogram of each feature over the training part, the reference for drift; `null` if there is none.
    pub feature_histograms: Value,
}

/// The `.meta.json` file of a model. Field names are camelCase there; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Meta {
    /// Format of both files, [`FORMAT`].
    pub format: u32,
    /// The text form of [`ModelName`].
    pub id: String,
    /// For people.
    pub name: String,
    /// Symbol of the series.
    pub symbol: Symbol,
    /// Venue of the series.
    pub venue: Venue,
    /// Interval of the series.
    pub interval: Interval,
    /// Model id in upper case, as in the file name.
    pub model_type: String,
    /// Task id.
    pub task: String,
    /// Version.
    pub version: Version,
    /// As the active pointer has it. In the file it is a copy for readers of the file; the pointer decides.
    pub status: Status,
    /// When the fit ended; milliseconds in the file.
    #[serde(with = "crate::epoch_ms")]
    pub trained_at: Timestamp,
    /// Directional or class accuracy on the test part, a share.
    pub accuracy: Option<f64>,
    /// Duration of the fit in milliseconds.
    #[serde(rename = "trainingDuration")]
    pub training_duration_ms: u64,
    /// Candles that the fit learned from.
    pub data_points: u64,
    /// The whole configuration.
    pub config: Value,
    /// Steps ahead.
    #[serde(rename = "horizon")]
    pub horizon_steps: usize,
    /// Features in order.
    pub features: Vec<FeatureVersion>,
    /// Range of the training data.
    pub data_range: DataRange,
    /// Fingerprint of the training data.
    pub data_fingerprint: String,
    /// Seed of the fit.
    pub seed: u64,
    /// Program and version that trained it.
    pub program_version: String,
    /// Instruction set of the fit.
    pub instruction_set: String,
    /// Metrics of the model.
    pub metrics: Value,
    /// The same of the baselines.
    pub baseline_metrics: Value,
    /// Histogram of each feature over the training part.
    pub feature_histograms: Value,
    /// Size of the payload file.
    pub payload_bytes: u64,
    /// Hex SHA-256 of the payload file.
    pub sha256: String,
}

impl NewModel {
    /// Checks what JSON or a list could not carry.
    pub(crate) fn check(&self) -> Result<(), RegistryError> {
        if let Some(value) = self.accuracy.filter(|a| !a.is_finite()) {
            return Err(RegistryError::NotFinite { field: "accuracy".into(), value });
        }
        match &self.name {
            Some(name) if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) => {
                Err(RegistryError::name("name", name, "1 to 100 characters without control characters"))
            }
            _ => Ok(()),
        }
    }

    /// The meta of this model as the candidate `name` with a payload of `payload_bytes` and digest `sha256`.
    pub(crate) fn into_meta(self, name: &ModelName, payload_bytes: u64, sha256: String) -> Meta {
        let SeriesKey { venue, symbol, interval } = name.slot.key().clone();
        let (model, task) = (name.slot.model(), name.slot.task());
        Meta {
            format: FORMAT,
            id: name.to_string(),
            name: self.name.unwrap_or_else(|| format!("{symbol} {model} {interval} {task}")),
            symbol,
            venue,
            interval,
            model_type: name.slot.model_type(),
            task: task.to_owned(),
            version: name.version,
            status: Status::Candidate,
            trained_at: self.trained_at,
            accuracy: self.accuracy,
            training_duration_ms: self.training_duration_ms,
            data_points: self.data_points,
            config: self.config,
            horizon_steps: self.horizon_steps,
            features: self.features,
            data_range: self.data_range,
            data_fingerprint: self.data_fingerprint,
            seed: self.seed,
            program_version: self.program_version,
            instruction_set: self.instruction_set,
            metrics: self.metrics,
            baseline_metrics: self.baseline_metrics,
            feature_histograms: self.feature_histograms,
            payload_bytes,
            sha256,
        }
    }
}

impl Meta {
    /// The series.
    pub fn key(&self) -> SeriesKey {
        SeriesKey::new(self.venue.clone(), self.symbol.clone(), self.interval)
    }

    /// What the model is for.
    pub fn slot(&self) -> Result<Slot, RegistryError> {
        Slot::new(self.key(), &self.model_type.to_ascii_lowercase(), &self.task)
    }

    /// True when the file is the one of `name`: a file copied to another name is not.
    pub(crate) fn is_of(&self, name: &ModelName) -> bool {
        self.version == name.version && self.id == name.to_string() && self.slot().is_ok_and(|slot| slot == name.slot)
    }
}
