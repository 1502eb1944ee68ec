//! [`ConfigFile`]: `candlecast.toml`, its sections flattened to dotted keys, every key known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candlecast_core::catalog::nearest;
use candlecast_core::{Problem, file_problem};
use toml::{Table, Value};

use crate::faults::Faults;
use crate::model_catalog::ModelCatalog;
use crate::schedule::{ScheduledTraining, read_schedule};
use crate::setting::Setting;
use crate::table;
use crate::table::SETTINGS;

const NAME: &str = "candlecast.toml";
const SCHEDULE: &str = "schedule";

/// What a configuration file says; nothing if there is none.
#[derive(Default)]
pub(crate) struct ConfigFile {
    /// The file, if there is one.
    pub(crate) path: Option<PathBuf>,
    /// Values as text, by the setting's key. A value of no text is left out.
    pub(crate) values: BTreeMap<&'static str, String>,
    /// Trainings at set times.
    pub(crate) schedule: Vec<ScheduledTraining>,
}

impl ConfigFile {
    /// Reads `asked`, which must be there, else `candlecast.toml` in `folder`, which need not.
    pub(crate) fn read(
        asked: Option<&Path>,
        folder: &Path,
        catalog: &ModelCatalog,
        faults: &mut Faults,
    ) -> Result<Self, Problem> {
        let path = asked.map_or_else(|| folder.join(NAME), Path::to_owned);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if asked.is_none() && e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(file_problem(&path, &e).with_field("config")),
        };
        let mut file = Self { path: Some(path.clone()), ..Self::default() };
        let mut reader = Reader { place: path.display().to_string(), file: &mut file, catalog, faults };
        match text.parse::<Table>() {
            Ok(table) => reader.table("", &table),
            Err(e) => reader.fault(&format!("line {}: {}", line_of(&text, &e), e.message())),
        }
        Ok(file)
    }
}

/// The line that an error is on. The error's own text shows the line as it is written, secrets included.
fn line_of(text: &str, e: &toml::de::Error) -> usize {
    let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

struct Reader<'a> {
    place: String,
    file: &'a mut ConfigFile,
    catalog: &'a ModelCatalog,
    faults: &'a mut Faults,
}

impl Reader<'_> {
    fn fault(&mut self, message: &str) {
        self.faults.add("config", format!("{}: {message}", self.place));
    }

    /// Reads the section `prefix` (empty at the top).
    fn table(&mut self, prefix: &str, table: &Table) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match (table::find(&key), value) {
                (Some(setting), _) => self.value(setting, value),
                (None, _) if key == SCHEDULE => self.schedule(value),
                (None, Value::Table(section)) if is_section(&key) => self.table(&key, section),
                (None, _) => self.unknown(&key),
            }
        }
    }

    fn value(&mut self, setting: &'static Setting, value: &Value) {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(n) => n.to_string(),
            Value::Float(v) => v.to_string(),
            Value::Boolean(on) => on.to_string(),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                let message =
                    format!("{} is of the type {}: write {}", setting.key, value.type_str(), setting.kind.allowed());
                self.faults.add(setting.key, format!("{}: {message}", self.place));
                return;
            }
        };
        if !text.is_empty() {
            self.file.values.insert(setting.key, text);
        }
    }

    fn schedule(&mut self, value: &Value) {
        let (schedule, bad) = read_schedule(value, self.catalog);
        self.file.schedule = schedule;
        for message in bad {
            self.faults.add(SCHEDULE, format!("{}: {message}", self.place));
        }
    }

    fn unknown(&mut self, key: &str) {
        let known: Vec<&str> = SETTINGS.iter().map(|s| s.key).chain([SCHEDULE]).collect();
        // A setting in a section of another name is near only without it.
        let last = key.rsplit('.').next().unwrap_or(key);
        let moved = || known.iter().copied().find(|k| k.rsplit('.').next() == Some(last));
        let hint = nearest(key, &known)
            .or_else(moved)
            .map_or_else(|| format!("known are {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
        self.fault(&format!("unknown key `{key}`: {hint}"));
    }
}

fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|s| s.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}
