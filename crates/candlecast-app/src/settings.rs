//! [`Settings`]: defaults < `candlecast.toml` < environment < flags.

use std::path::{Path, PathBuf};

use candlecast_core::catalog::nearest;
use serde::Deserialize;

use crate::AppError;
use crate::error::file_error;

/// Where things are and how much may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Folder of the lake and, unless set apart, the models.
    pub data_dir: PathBuf,
    /// Folder of the models.
    pub models_dir: PathBuf,
    /// Versions of a model that are kept.
    pub keep_versions: usize,
    /// Age after which a model's forecasts are marked stale, in seconds.
    pub model_ttl_s: i64,
    /// Memory a training may use, in bytes.
    pub max_memory: u64,
    /// PostgreSQL of the metadata; the file `candlecast.db` in the data folder if `None`.
    pub database_url: Option<String>,
}

/// What flags say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FileSettings {
    data_dir: Option<PathBuf>,
    models_dir: Option<PathBuf>,
    keep_versions: Option<usize>,
    model_ttl_s: Option<i64>,
    max_memory: Option<String>,
}

const FILE_KEYS: [&str; 5] = ["data_dir", "models_dir", "keep_versions", "model_ttl_s", "max_memory"];
const DEFAULT_MAX_MEMORY: u64 = 8 << 30;

impl Settings {
    /// Reads the settings; `env` looks an environment variable up.
    pub fn load(flags: &Flags, env: impl Fn(&str) -> Option<String>) -> Result<Self, AppError> {
        let file = read_file(flags.config.as_deref())?;
        let env = |name: &str| env(name).filter(|v| !v.is_empty());
        let data_dir = flags
            .data_dir
            .clone()
            .or_else(|| env("CANDLECAST_DATA_DIR").map(PathBuf::from))
            .or(file.data_dir)
            .or_else(default_data_dir)
            .ok_or_else(|| {
                AppError::usage("no-data-dir", "data-dir", "no home folder was found: pass --data-dir DIR")
            })?;
        let models_dir = env("ML_MODELS_PATH")
            .or_else(|| env("MODEL_SAVE_PATH"))
            .map(PathBuf::from)
            .or(file.models_dir)
            .unwrap_or_else(|| data_dir.join("models"));
        let ttl = env("ML_MODEL_CACHE_TTL").map(|v| number::<i64>("ML_MODEL_CACHE_TTL", &v)).transpose()?;
        let memory = match env("ML_MAX_MEMORY_USAGE") {
            Some(v) => Some(size("ML_MAX_MEMORY_USAGE", &v)?),
            None => file.max_memory.map(|v| size("max_memory", &v)).transpose()?,
        };
        Ok(Self {
            data_dir,
            models_dir,
            keep_versions: file.keep_versions.unwrap_or(5).max(1),
            model_ttl_s: ttl.or(file.model_ttl_s).unwrap_or(86_400),
            max_memory: memory.unwrap_or(DEFAULT_MAX_MEMORY),
            database_url: env("DATABASE_URL"),
        })
    }
}

fn default_data_dir() -> Option<PathBuf> {
    directories::ProjectDirs::from("", "", "candlecast").map(|d| d.data_dir().to_owned())
}

fn read_file(path: Option<&Path>) -> Result<FileSettings, AppError> {
    let (path, required) = match path {
        Some(path) => (path.to_owned(), true),
        None => (PathBuf::from("candlecast.toml"), false),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(_) if !required => return Ok(FileSettings::default()),
        Err(e) => return Err(file_error(&path, &e).with_field("config")),
    };
    let broken = |reason: String| AppError::usage("bad-config", "config", format!("{}: {reason}", path.display()));
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| broken(e.to_string()))?;
    if let Some(key) = table.keys().find(|k| !FILE_KEYS.contains(&k.as_str())) {
        let hint = nearest(key, &FILE_KEYS)
            .map_or_else(|| format!("known are {}", FILE_KEYS.join(", ")), |n| format!("did you mean `{n}`?"));
        return Err(broken(format!("unknown key `{key}`: {hint}")));
    }
    table.try_into().map_err(|e: toml::de::Error| broken(e.to_string()))
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, AppError> {
    value
        .trim()
        .parse()
        .map_err(|_| AppError::usage("bad-config", name, format!("{name} is `{value}`: write a whole number")))
}

/// A size such as `512MB` or `4GB`; a bare number is bytes.
fn size(name: &str, value: &str) -> Result<u64, AppError> {
    let text = value.trim().to_ascii_uppercase();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[split..].trim() {
        "" | "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => {
            return Err(AppError::usage(
                "bad-config",
                name,
                format!("{name} is `{value}`: write a size such as 512MB or 4GB"),
            ));
        }
    };
    number::<u64>(name, &text[..split])?
        .checked_mul(unit)
        .ok_or_else(|| AppError::usage("bad-config", name, format!("{name} is `{value}`: too large")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(dir: &Path) -> Flags {
        Flags { data_dir: Some(dir.to_owned()), config: None }
    }

    #[test]
    fn environment_beats_defaults_and_models_path_beats_save_path() {
        let env = |name: &str| match name {
            "ML_MODELS_PATH" => Some("/m1".to_owned()),
            "MODEL_SAVE_PATH" => Some("/m2".to_owned()),
            "ML_MAX_MEMORY_USAGE" => Some("512MB".to_owned()),
            _ => None,
        };
        let s = Settings::load(&flags(Path::new("/d")), env).unwrap();
        assert_eq!(s.models_dir, Path::new("/m1"));
        assert_eq!(s.max_memory, 512 << 20);
        let bad = Settings::load(&flags(Path::new("/d")), |n| (n == "ML_MAX_MEMORY_USAGE").then(|| "5 apples".into()));
        assert!(bad.unwrap_err().detail.contains("512MB"));
    }

    #[test]
    fn misspelt_keys_stop_the_start_with_the_nearest_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "data_dri = '/x'\n").unwrap();
        let e = Settings::load(&Flags { data_dir: None, config: Some(path) }, |_| None).unwrap_err();
        assert!(e.detail.contains("did you mean `data_dir`"), "{}", e.detail);
        assert_eq!(e.exit_code(), 2);
    }
}
