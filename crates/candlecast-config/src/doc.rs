//! The document of `doctor --config`: every setting, its value and where that came from. Secrets are masked.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::kind::Value as SettingValue;
use crate::layers::Ineffective;
use crate::resolved::{Resolved, Source};
use crate::schedule::ScheduledTraining;
use crate::setting::Fallback;
use crate::settings::Settings;

/// A configuration.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigDoc {
    /// Configuration file that was read.
    pub file: Option<String>,
    /// `.env` file that was read.
    pub dot_env: Option<String>,
    /// Every setting, in the order of the reference.
    pub settings: Vec<SettingDoc>,
    /// Variables that are accepted and change nothing.
    pub without_effect: Vec<VariableDoc>,
    /// Trainings at set times.
    pub schedule: Vec<ScheduledDoc>,
}

/// A setting.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingDoc {
    /// Key in `candlecast.toml`, sections before a dot.
    pub key: &'static str,
    /// Environment variables; within a layer the first that is set counts.
    pub environment: &'static [&'static str],
    /// Option of the command line.
    pub flag: Option<&'static str>,
    /// Value, null where unset. Sizes in bytes, percentages in percent.
    pub value: Value,
    /// Unit of a number.
    pub unit: Option<&'static str>,
    /// Where the value came from.
    pub source: SourceDoc,
    /// What holds when nobody sets it: a value, or in words what is done then.
    pub default: &'static str,
    /// Values it takes, in words.
    pub allowed: String,
    /// What it does.
    pub summary: &'static str,
    /// True where the value is masked.
    pub secret: bool,
    /// False where the part that will use it is not there yet.
    pub takes_effect: bool,
    /// What to know of it.
    pub note: Option<String>,
    /// The value for people, with its unit.
    #[serde(skip)]
    pub shown: String,
}

/// Where a value came from.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceDoc {
    /// `default`, `file`, `dotEnv`, `environment` or `flag`.
    pub kind: &'static str,
    /// Key, variable or option.
    pub name: Option<String>,
    /// File.
    pub path: Option<String>,
    /// Line in the file, from 1, where known.
    pub line: Option<usize>,
    /// All of it in words.
    pub text: String,
}

/// A variable that is accepted and changes nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VariableDoc {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// Where it came from.
    pub source: SourceDoc,
    /// Why it changes nothing.
    pub note: &'static str,
}

/// A training at set times.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledDoc {
    /// Model.
    pub model: String,
    /// Parameters that differ from the defaults.
    pub set: Map<String, Value>,
    /// Symbol.
    pub symbol: String,
    /// Venue, where given.
    pub venue: Option<String>,
    /// Interval, where given.
    pub interval: Option<String>,
    /// How far ahead.
    pub horizon: String,
    /// True where it learns from all other stored series of the venue and interval, too.
    pub pool: bool,
    /// Set times, such as `every 7d` or `cron 0 3 * * 1`; UTC.
    pub when: String,
    /// Higher goes first in the queue.
    pub priority: i32,
}

impl From<&Settings> for ConfigDoc {
    fn from(s: &Settings) -> Self {
        let text = |path: &Path| path.display().to_string();
        Self {
            file: s.config_file().map(text),
            dot_env: s.dot_env_file().map(text),
            settings: s.resolved().map(SettingDoc::from).collect(),
            without_effect: s.ineffective().iter().map(VariableDoc::from).collect(),
            schedule: s.schedule.iter().map(ScheduledDoc::from).collect(),
        }
    }
}

impl From<&Resolved> for SettingDoc {
    fn from(r: &Resolved) -> Self {
        let setting = r.setting;
        let value = match &r.value {
            None => Value::Null,
            Some(_) if setting.secret => r.shown().into(),
            Some(SettingValue::Whole(n)) => (*n).into(),
            Some(SettingValue::Real(v)) => (*v).into(),
            Some(SettingValue::Switch(on)) => (*on).into(),
            Some(SettingValue::Text(text)) => text.as_str().into(),
            Some(SettingValue::Folder(path)) => path.display().to_string().into(),
        };
        Self {
            key: setting.key,
            environment: setting.environment,
            flag: setting.flag,
            value,
            unit: setting.kind.unit(),
            source: SourceDoc::from(&r.source),
            default: match setting.fallback {
                Fallback::Value(text) | Fallback::Words(text) => text,
            },
            allowed: setting.kind.allowed(),
            summary: setting.summary,
            secret: setting.secret,
            takes_effect: setting.waits_for.is_none(),
            note: r.note(),
            shown: r.shown(),
        }
    }
}

impl From<&Source> for SourceDoc {
    fn from(source: &Source) -> Self {
        let text = source.to_string();
        let (kind, name, path, line) = match source {
            Source::Default => ("default", None, None, None),
            Source::File { path, key } => ("file", Some((*key).to_owned()), Some(path), None),
            Source::DotEnv { path, line, name } => ("dotEnv", Some(name.clone()), Some(path), Some(*line)),
            Source::Environment { name } => ("environment", Some(name.clone()), None, None),
            Source::Flag { name } => ("flag", Some((*name).to_owned()), None, None),
        };
        Self { kind, name, path: path.map(|path| path.display().to_string()), line, text }
    }
}

impl From<&Ineffective> for VariableDoc {
    fn from(v: &Ineffective) -> Self {
        Self {
            name: v.name.clone(),
            value: v.value.clone(),
            source: SourceDoc::from(&v.source),
            note: "accepted without effect: networks are computed without TensorFlow",
        }
    }
}

impl From<&ScheduledTraining> for ScheduledDoc {
    fn from(t: &ScheduledTraining) -> Self {
        Self {
            model: t.model.clone(),
            set: t.params.clone(),
            symbol: t.symbol.to_string(),
            venue: t.venue.as_ref().map(ToString::to_string),
            interval: t.interval.map(|i| i.to_string()),
            horizon: t.horizon.clone(),
            pool: t.pool,
            when: t.when.to_string(),
            priority: t.priority,
        }
    }
}
