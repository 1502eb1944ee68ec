//! [`Layers`]: a setting's value in the highest layer that has one.

use std::path::PathBuf;

use crate::dot_env::DotEnv;
use crate::environment::Environment;
use crate::faults::Faults;
use crate::file::ConfigFile;
use crate::kind::Value;
use crate::misspelt::meant;
use crate::resolved::{Resolved, Source, Values};
use crate::setting::{Fallback, Setting};
use crate::settings::Flags;
use crate::table::{FOREIGN_HOST, SETTINGS, TENSORFLOW};

/// Where values may come from, the lowest first.
pub(crate) struct Layers<'a> {
    pub(crate) file: &'a ConfigFile,
    pub(crate) dot_env: &'a DotEnv,
    pub(crate) environment: &'a Environment,
    pub(crate) flags: &'a Flags,
}

/// A variable that is accepted and changes nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Ineffective {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: Source,
}

struct Given {
    source: Source,
    text: String,
}

impl Layers<'_> {
    /// Names every misspelt variable.
    pub(crate) fn check_names(&self, faults: &mut Faults) {
        let is_set = |name: &str| self.environment.get(name).is_some() || self.dot_env.get(name).is_some();
        for name in self.environment.names() {
            if let Some(right) = meant(name, is_set) {
                faults.add(name, format!("environment variable {name}: did you mean {right}?"));
            }
        }
        for v in self.dot_env.variables() {
            if let Some(right) = meant(&v.name, is_set) {
                let source = self.dot_env_source(&v.name, v.line);
                faults.add(&v.name, format!("{source}: did you mean {right}?"));
            }
        }
    }

    /// Every setting with its value.
    pub(crate) fn values(&self, faults: &mut Faults) -> Values {
        let mut values = Values(SETTINGS.iter().map(|setting| self.resolve(setting, faults)).collect());
        self.apply_flags(&mut values);
        derive_folders(&mut values);
        refuse_foreign_host(&mut values);
        values
    }

    /// Variables that are accepted and change nothing; the environment's where `.env` has the same.
    pub(crate) fn ineffective(&self) -> Vec<Ineffective> {
        let of_environment = self.environment.names().filter(|name| name.starts_with(TENSORFLOW)).map(|name| {
            let value = self.environment.get(name).unwrap_or_default().to_string_lossy().into_owned();
            Ineffective { name: name.into(), value, source: Source::Environment { name: name.into() } }
        });
        let of_file = self
            .dot_env
            .variables()
            .filter(|v| v.name.starts_with(TENSORFLOW) && self.environment.get(&v.name).is_none())
            .map(|v| Ineffective {
                name: v.name.clone(),
                value: v.value.clone(),
                source: self.dot_env_source(&v.name, v.line),
            });
        of_environment.chain(of_file).collect()
    }

    /// The value of the highest layer. What lower layers say is checked, too: it holds as soon as the higher is gone.
    fn resolve(&self, setting: &'static Setting, faults: &mut Faults) -> Resolved {
        let value = match setting.fallback {
            Fallback::Value(text) => setting.kind.read(text),
            Fallback::Words(_) => None,
        };
        let mut resolved = Resolved { setting, value, source: Source::Default, remark: None };
        let from_environment = self.from_environment(setting, faults);
        for given in [self.from_file(setting), self.from_dot_env(setting), from_environment].into_iter().flatten() {
            match setting.kind.read(&given.text) {
                Some(value) => resolved = Resolved { value: Some(value), source: given.source, ..resolved },
                None => faults.add(setting.key, bad_value(setting, &given)),
            }
        }
        resolved
    }

    fn from_file(&self, setting: &Setting) -> Option<Given> {
        let text = self.file.values.get(setting.key)?.clone();
        let path = self.file.path.clone()?;
        Some(Given { source: Source::File { path, key: setting.key }, text })
    }

    fn from_dot_env(&self, setting: &Setting) -> Option<Given> {
        let v = setting.environment.iter().find_map(|name| self.dot_env.get(name))?;
        Some(Given { source: self.dot_env_source(&v.name, v.line), text: v.value.clone() })
    }

    fn from_environment(&self, setting: &Setting, faults: &mut Faults) -> Option<Given> {
        let (name, value) = setting.environment.iter().find_map(|&name| Some((name, self.environment.get(name)?)))?;
        let Some(text) = value.to_str() else {
            faults.add(setting.key, format!("{name} is no UTF-8 text: write {}", setting.kind.allowed()));
            return None;
        };
        Some(Given { source: Source::Environment { name: name.into() }, text: text.into() })
    }

    fn dot_env_source(&self, name: &str, line: usize) -> Source {
        let path = self.dot_env.path.clone().unwrap_or_else(|| PathBuf::from(".env"));
        Source::DotEnv { path, line, name: name.into() }
    }

    fn apply_flags(&self, values: &mut Values) {
        if let (Some(dir), Some(r)) = (&self.flags.data_dir, values.of("data_dir")) {
            r.value = Some(Value::Folder(dir.clone()));
            r.source = Source::Flag { name: "--data-dir" };
        }
        // `--quiet` says less than a level that was asked for.
        if let Some(r) = values.of("log_level").filter(|r| self.flags.quiet && r.source == Source::Default) {
            r.value = Some(Value::Text("error".into()));
            r.source = Source::Flag { name: "--quiet" };
        }
    }
}

fn bad_value(setting: &Setting, given: &Given) -> String {
    let value = if setting.secret { "not what is needed".to_owned() } else { format!("`{}`", given.text) };
    let place = match &given.source {
        Source::Environment { name } => name.clone(),
        source => source.to_string(),
    };
    format!("{place} is {value}: write {}", setting.kind.allowed())
}

/// Folders that follow from others or from the platform.
fn derive_folders(values: &mut Values) {
    if let Some(r) = values.of("data_dir").filter(|r| r.value.is_none()) {
        let folders = directories::ProjectDirs::from("", "", "candlecast");
        r.value = folders.map(|d| Value::Folder(d.data_dir().to_owned()));
    }
    let models = values.folder("data_dir").map(|dir| dir.join("models"));
    if let Some(r) = values.of("models_dir").filter(|r| r.value.is_none()) {
        r.value = models.map(Value::Folder);
    }
}

/// Takes a host that is somebody else's for none, so that nothing can contact it.
fn refuse_foreign_host(values: &mut Values) {
    let foreign = Some(Value::Text(FOREIGN_HOST.into()));
    if let Some(r) = values.of("clickhouse.host").filter(|r| r.value == foreign) {
        r.value = None;
        r.remark = Some("the address of an example, which is never contacted: name a server of your own");
    }
}
