//! [`ModelManifest`]: all that is known of a stored model without its weights.

use candlecast_core::{Interval, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Family, ModelName, RegistryError, Slot, Version};

/// Format of model files that this program writes. Those of format 1 are read too.
pub const FORMAT: u32 = 2;

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

/// How much has been scored on candles of a model's test part, as the ledger had it when the model was saved, its own
/// training included. The more was tried, the less the best of it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tries {
    /// Models that trainings and evaluations scored there; the same data, configuration and seed count once.
    pub scorings: u64,
    /// Different configurations among them.
    pub configurations: u64,
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
    /// Parameters of the learner; different ones bump the minor version.
    pub config: Value,
    /// The rest of the pipeline; a different one bumps the minor version.
    pub pipeline: Value,
    /// Steps ahead: the slot of the family that the model belongs to.
    pub horizon_steps: usize,
    /// Features in order; different ones bump the major version.
    pub features: Vec<FeatureVersion>,
    /// Range of the training data.
    pub data_range: DataRange,
    /// Fingerprint of the training data.
    pub data_fingerprint: String,
    /// The series that the fit learned from, and for each of which a model is saved.
    pub trained_on: Vec<String>,
    /// Series that it learned from beside them; having any or none is a part of the configuration.
    pub pool: Vec<String>,
    /// True when out-of-fold forecasts are kept with the model.
    pub out_of_fold: bool,
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
    /// How much has been scored on the test part; `None` where that is not known.
    pub tries: Option<Tries>,
    /// Histogram of each feature over the training part, the reference for drift; `null` if there is none.
    pub feature_histograms: Value,
}

/// The `.meta.json` file of a model. Field names are camelCase there; unknown fields are refused. Fields that format 1
/// does not have are left out where they are empty, so a file of format 1 keeps its form when its status changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelManifest {
    /// Format of both files, at most [`FORMAT`].
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
    /// Parameters of the learner; in format 1 the whole configuration.
    pub config: Value,
    /// The rest of the pipeline; null in format 1.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub pipeline: Value,
    /// Steps ahead.
    #[serde(rename = "horizon")]
    pub horizon_steps: usize,
    /// Features in order.
    pub features: Vec<FeatureVersion>,
    /// Range of the training data.
    pub data_range: DataRange,
    /// Fingerprint of the training data.
    pub data_fingerprint: String,
    /// The series that the fit learned from, and for each of which a model was saved; empty in format 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained_on: Vec<String>,
    /// Series that it learned from beside them, none in most models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<String>,
    /// True when out-of-fold forecasts are kept with the model; false in format 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_fold: bool,
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
    /// How much has been scored on the test part; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<Tries>,
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
        self.name.as_ref().map_or(Ok(()), |name| check_label("name", name))
    }

    /// The manifest of this model as the candidate `name` with a payload of `payload_bytes` and digest `sha256`.
    pub(crate) fn into_manifest(self, name: &ModelName, payload_bytes: u64, sha256: String) -> ModelManifest {
        let SeriesKey { venue, symbol, interval } = name.family.key().clone();
        let (model, task) = (name.family.model(), name.family.task());
        ModelManifest {
            format: FORMAT,
            id: name.to_string(),
            name: self.name.unwrap_or_else(|| format!("{symbol} {model} {interval} {task}")),
            symbol,
            venue,
            interval,
            model_type: name.family.model_type(),
            task: task.to_owned(),
            version: name.version,
            status: Status::Candidate,
            trained_at: self.trained_at,
            accuracy: self.accuracy,
            training_duration_ms: self.training_duration_ms,
            data_points: self.data_points,
            config: self.config,
            pipeline: self.pipeline,
            horizon_steps: self.horizon_steps,
            features: self.features,
            data_range: self.data_range,
            data_fingerprint: self.data_fingerprint,
            trained_on: self.trained_on,
            pool: self.pool,
            out_of_fold: self.out_of_fold,
            seed: self.seed,
            program_version: self.program_version,
            instruction_set: self.instruction_set,
            metrics: self.metrics,
            baseline_metrics: self.baseline_metrics,
            tries: self.tries,
            feature_histograms: self.feature_histograms,
            payload_bytes,
            sha256,
        }
    }
}

impl ModelManifest {
    /// The series.
    pub fn key(&self) -> SeriesKey {
        SeriesKey::new(self.venue.clone(), self.symbol.clone(), self.interval)
    }

    /// Series, model type and task.
    pub fn family(&self) -> Result<Family, RegistryError> {
        Family::new(self.key(), &self.model_type.to_ascii_lowercase(), &self.task)
    }

    /// The slot that the version belongs to.
    pub fn slot(&self) -> Result<Slot, RegistryError> {
        self.family().map(|family| family.slot(self.horizon_steps))
    }

    /// True when the file is the one of `name`: a file copied to another name is not.
    pub(crate) fn is_of(&self, name: &ModelName) -> bool {
        self.version == name.version
            && self.id == name.to_string()
            && self.family().is_ok_and(|family| family == name.family)
    }
}

/// Refuses what a list of models could not show.
pub(crate) fn check_label(field: &'static str, label: &str) -> Result<(), RegistryError> {
    if (1..=100).contains(&label.chars().count()) && !label.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(RegistryError::name(field, label, "1 to 100 characters without control characters"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// Manifest of `name` for `horizon`.
    pub(crate) fn manifest(name: &ModelName, format: u32, horizon: usize, status: Status) -> ModelManifest {
        let new = NewModel {
            name: None,
            trained_at: Timestamp(0),
            accuracy: None,
            training_duration_ms: 0,
            data_points: 0,
            config: json!({"epochs": 10}),
            pipeline: Value::Null,
            horizon_steps: horizon,
            features: Vec::new(),
            data_range: DataRange { from: Timestamp(0), to: Timestamp(0) },
            data_fingerprint: String::new(),
            trained_on: Vec::new(),
            pool: Vec::new(),
            out_of_fold: false,
            seed: 0,
            program_version: "candlecast 0.1.0".into(),
            instruction_set: "avx2".into(),
            metrics: Value::Null,
            baseline_metrics: Value::Null,
            tries: None,
            feature_histograms: Value::Null,
        };
        ModelManifest { format, status, ..new.into_manifest(name, 0, String::new()) }
    }

    #[test]
    fn fields_that_came_later_are_written_only_where_they_say_something() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let family = Family::new(key, "lstm", "price").unwrap();
        let plain = manifest(&family.at(Version::FIRST), 1, 24, Status::Candidate);
        let text = serde_json::to_string(&plain).unwrap();
        for field in ["pipeline", "trainedOn", "pool", "outOfFold", "tries"] {
            assert!(!text.contains(field), "{text}");
        }
        assert_eq!(serde_json::from_str::<ModelManifest>(&text).unwrap(), plain);
        let full = ModelManifest {
            format: FORMAT,
            pipeline: json!({"scaler": "robust"}),
            trained_on: vec!["binance:BTCUSDT:1h".into()],
            pool: vec!["binance:ETHUSDT:1h".into()],
            out_of_fold: true,
            tries: Some(Tries { scorings: 9, configurations: 4 }),
            ..plain
        };
        let value = serde_json::to_value(&full).unwrap();
        assert_eq!((&value["pipeline"]["scaler"], &value["outOfFold"]), (&json!("robust"), &json!(true)));
        assert_eq!(value["trainedOn"], json!(["binance:BTCUSDT:1h"]));
        assert_eq!(value["pool"], json!(["binance:ETHUSDT:1h"]));
        assert_eq!(value["tries"], json!({ "scorings": 9, "configurations": 4 }));
        assert_eq!(serde_json::from_value::<ModelManifest>(value).unwrap(), full);
    }
}
