//! [`Settings`] and the [`Flags`] of the command line.

use std::fmt;
use std::path::{Path, PathBuf};

use candlecast_core::Problem;

use crate::dot_env::DotEnv;
use crate::environment::Environment;
use crate::faults::Faults;
use crate::file::ConfigFile;
use crate::layers::{Ineffective, Layers};
use crate::model_catalog::ModelCatalog;
use crate::resolved::{Resolved, Values};
use crate::schedule::ScheduledTraining;
use crate::table;

const DAY_MS: i64 = 86_400_000;

/// Where things are, how much may be used, and what the models begin with.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// Folder of the lake and, unless set apart, the models.
    pub data_dir: PathBuf,
    /// Folder of the models.
    pub models_dir: PathBuf,
    /// Versions of a model that are kept, at least 1.
    pub keep_versions: usize,
    /// Age after which a model's forecasts are marked stale, in seconds.
    pub model_ttl_s: i64,
    /// Memory that trainings and evaluations of a process may use together, in bytes.
    pub max_memory: u64,
    /// PostgreSQL of the metadata; the file `candlecast.db` in the data folder if `None`. Holds a password.
    pub database_url: Option<String>,
    /// Log on standard error: `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// False where no training may be queued by schedule or taken by a worker.
    pub training_enabled: bool,
    /// True where models that have outlived `model_ttl_s` are trained again without being asked.
    pub auto_retrain: bool,
    /// Time for which jobs that have ended are kept, in days; longer than between any two times of the schedule.
    pub keep_jobs_days: u32,
    /// Time for which settled predictions are kept one by one, in days; for ever if `None`.
    pub keep_predictions_days: Option<u32>,
    /// Time for which runs that nothing refers to are kept, in days; for ever if `None`.
    pub keep_runs_days: Option<u32>,
    /// Longest wait for a forecast before the last good one is served, in milliseconds.
    pub inference_timeout_ms: u64,
    /// Members of ensembles that name none; empty where nobody has said which.
    pub ensemble_members: Vec<String>,
    /// Trainings at set times, in the order of the file.
    pub schedule: Vec<ScheduledTraining>,
    values: Values,
    file: Option<PathBuf>,
    dot_env: Option<PathBuf>,
    ineffective: Vec<Ineffective>,
}

/// What flags say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--quiet`: without a level that was asked for, only errors are logged.
    pub quiet: bool,
}

impl Settings {
    /// Reads the settings of a program that was started with `flags` in `environment`. Every misspelt name and every
    /// bad value, in whichever layer, is named by one error with the code `bad-config`.
    pub fn read(flags: &Flags, environment: &Environment, models: &ModelCatalog) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let file = ConfigFile::read(flags.config.as_deref(), environment.folder(), models, &mut faults)?;
        let dot_env = DotEnv::read(environment.folder(), &mut faults)?;
        let layers = Layers { file: &file, dot_env: &dot_env, environment, flags };
        layers.check_names(&mut faults);
        let values = layers.values(&mut faults);
        let ineffective = layers.ineffective();
        check_schedule(&file.schedule, &values, &mut faults);
        faults.into_result()?;
        let data_dir = values.folder("data_dir").cloned().ok_or_else(|| {
            Problem::usage("no-data-dir", "data-dir", "no home folder was found: pass --data-dir DIR")
        })?;
        let whole = |key| values.whole(key).expect("the table gives it a default");
        let kept = |key| u32::try_from(whole(key)).ok().filter(|&days| days > 0);
        let switch = |key| values.switch(key).expect("the table gives it a default");
        Ok(Self {
            models_dir: values.folder("models_dir").cloned().unwrap_or_else(|| data_dir.join("models")),
            data_dir,
            keep_versions: usize::try_from(whole("keep_versions")).unwrap_or(usize::MAX),
            model_ttl_s: whole("model_ttl_s"),
            max_memory: whole("max_memory").unsigned_abs(),
            database_url: values.text("database_url").map(str::to_owned),
            log_level: values.text("log_level").expect("the table gives it a default").to_owned(),
            training_enabled: switch("training_enabled"),
            auto_retrain: switch("auto_retrain"),
            keep_jobs_days: u32::try_from(whole("keep_jobs_days")).unwrap_or(u32::MAX),
            keep_predictions_days: kept("keep_predictions_days"),
            keep_runs_days: kept("keep_runs_days"),
            inference_timeout_ms: whole("inference_timeout_ms").unsigned_abs(),
            ensemble_members: names(values.text("ensemble.members").unwrap_or_default()),
            schedule: file.schedule,
            values,
            file: file.path,
            dot_env: dot_env.path,
            ineffective,
        })
    }

    /// [`read`](Self::read) in the working directory, where `env` looks environment variables up. It is asked for the
    /// known names only, so misspelt ones stay unseen.
    pub fn load(flags: &Flags, env: impl Fn(&str) -> Option<String>, models: &ModelCatalog) -> Result<Self, Problem> {
        let known = table::environment_names().filter_map(|name| Some((name.to_owned(), env(name)?)));
        Self::read(flags, &Environment::new("", known), models)
    }

    /// Every setting in the order of the table.
    pub(crate) fn resolved(&self) -> impl Iterator<Item = &Resolved> {
        self.values.iter()
    }

    /// Configuration file that was read.
    pub(crate) fn config_file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// `.env` that was read.
    pub(crate) fn dot_env_file(&self) -> Option<&Path> {
        self.dot_env.as_deref()
    }

    /// Variables that are accepted and change nothing.
    pub(crate) fn ineffective(&self) -> &[Ineffective] {
        &self.ineffective
    }
}

/// The names in a list by comma.
fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Refuses a schedule whose jobs would be forgotten before their next time comes: a set time counts as queued as long as
/// its job is kept, and would be queued again.
fn check_schedule(schedule: &[ScheduledTraining], values: &Values, faults: &mut Faults) {
    let Some(days) = values.whole("keep_jobs_days") else { return };
    for training in schedule {
        if let Some(gap_ms) = training.when.gap_from(days.saturating_mul(DAY_MS)) {
            let gap_days = (10.0 * gap_ms as f64 / DAY_MS as f64).round() / 10.0;
            let message = format!(
                "keep_jobs_days is {days}: it must be longer than the {gap_days} days between two times of the {training} ({}); write {} or more, or let it come more often",
                training.when,
                gap_ms / DAY_MS + 1
            );
            faults.add("keep_jobs_days", message);
        }
    }
}

impl fmt::Debug for Settings {
    /// Every setting with its value, secrets masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.values.iter().map(|r| (r.setting.key, r.shown()))).finish()
    }
}
