//! [`RegistryError`]: everything that can go wrong with stored models.

use std::io;
use std::path::{Path, PathBuf};

use candlecast_files::{FileError, LockError, who_holds};

/// Why a model could not be saved, found, read or switched.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}{}", .path.display(), remedy(.source))]
    Io {
        /// What was tried, as a verb (`write`, `read`, `lock`).
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another program kept the lock of the model folder for too long.
    #[error(
        "models cannot be changed: `{}` was held by {who} for {waited_s} s: wait until that program has saved its model, or end it, and try again",
        .path.display()
    )]
    Locked {
        /// The lock's file.
        path: PathBuf,
        /// Who holds it, in words.
        who: String,
        /// Time waited, in seconds.
        waited_s: u64,
    },
    /// The wait for the lock of the model folder was ended from outside.
    #[error("cancelled while another program held `{}`; no model was changed", .path.display())]
    Stopped {
        /// The lock's file.
        path: PathBuf,
    },
    /// Truncated, altered, or not what its name says.
    #[error("model file `{}` is damaged ({reason}): restore it from a backup, let another version serve with `candlecast models promote ID`, or train again", .file.display())]
    Corrupt {
        /// Damaged file.
        file: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// Written by a later program.
    #[error("model file `{}` has format {format}, this program reads formats up to {known}: update the program or train again", .file.display())]
    UnknownFormat {
        /// File.
        file: PathBuf,
        /// Format that it names.
        format: u64,
        /// Newest format known here.
        known: u32,
    },
    /// The file is as it was written, yet does not hold what was asked for.
    #[error("model file `{}`, written by {program}, cannot be read here ({reason}): train the model again, or use that program", .file.display())]
    Unreadable {
        /// File.
        file: PathBuf,
        /// Program that wrote it.
        program: String,
        /// What does not fit.
        reason: String,
    },
    /// A part of a model's name is not allowed.
    #[error("{field} `{value}` is not valid: {allowed}")]
    Name {
        /// Which part.
        field: &'static str,
        /// As given, cut to 60 characters.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// NaN or infinity in what was to be saved.
    #[error(
        "model not saved: `{field}` is {value}, only finite numbers can be stored: train again with other settings or inspect the input data"
    )]
    NotFinite {
        /// Where in the model, as a dotted path.
        field: String,
        /// NaN or an infinity.
        value: f64,
    },
    /// What was to be saved has no JSON form.
    #[error(
        "model not saved: it cannot be written as JSON ({reason}); this is a defect of the model, please report it"
    )]
    NotJson {
        /// What the serialiser said.
        reason: String,
    },
    /// Nothing serves.
    #[error(
        "no {model} model serves {task} of {series}: run `candlecast train --symbol {symbol} --interval {interval} --model {model}`, or promote a saved version"
    )]
    NoneActive {
        /// Model id.
        model: String,
        /// Task id.
        task: String,
        /// Series key.
        series: String,
        /// Its symbol.
        symbol: String,
        /// Its interval.
        interval: String,
    },
    /// Models serve, but none reaches as far as was asked for.
    #[error(
        "{model} models serve {task} of {series} up to {} ahead, {asked} were asked for: train one with a longer --horizon, or ask for at most {farthest}",
        steps(.farthest)
    )]
    HorizonTooLong {
        /// Model id.
        model: String,
        /// Task id.
        task: String,
        /// Series key.
        series: String,
        /// Steps that were asked for.
        asked: usize,
        /// Longest horizon that is served, in steps.
        farthest: usize,
    },
    /// This version is not stored.
    #[error("model `{id}` is not stored: see `candlecast models list` for those that are")]
    NoVersion {
        /// Model id with version.
        id: String,
    },
    /// Nothing served before what serves now.
    #[error("`{slot}` has no earlier version that can serve: promote one of its versions or train again")]
    NothingToRollBackTo {
        /// Name without version, and horizon.
        slot: String,
    },
    /// The active version is not deleted by itself.
    #[error(
        "model `{id}` is the active one and is not deleted by itself: promote another version first, or delete it with --force, which lets the version before it serve"
    )]
    DeletesActive {
        /// Model id with version.
        id: String,
    },
    /// A copy would replace a file.
    #[error("`{}` is there already and is not replaced: choose another folder, or move it away", .path.display())]
    Taken {
        /// What is there.
        path: PathBuf,
    },
    /// Version numbers have run out.
    #[error("`{family}` has no version number left after {highest}: delete or move its files and train again")]
    VersionsExhausted {
        /// Name without version.
        family: String,
        /// Highest version given so far.
        highest: String,
    },
}

impl RegistryError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn corrupt(file: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { file: file.to_owned(), reason: reason.into() }
    }

    pub(crate) fn name(field: &'static str, value: &str, allowed: &'static str) -> Self {
        Self::Name { field, value: value.chars().take(60).collect(), allowed }
    }
}

impl From<FileError> for RegistryError {
    fn from(e: FileError) -> Self {
        Self::Io { action: e.doing, path: e.path, source: e.source }
    }
}

impl From<LockError> for RegistryError {
    fn from(e: LockError) -> Self {
        match e {
            LockError::Held { path, waited, holders } => {
                Self::Locked { path, who: who_holds(&holders), waited_s: waited.as_secs() }
            }
            LockError::Stopped { path } => Self::Stopped { path },
            LockError::File(e) => e.into(),
        }
    }
}

fn steps(n: &usize) -> String {
    if *n == 1 { "1 step".into() } else { format!("{n} steps") }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; free some space and try again",
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "; make it accessible, or choose another folder with MODEL_SAVE_PATH or --data-dir"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; a file lies where a folder is needed: move it away, or choose another folder with MODEL_SAVE_PATH or --data-dir"
        }
        _ => "",
    }
}

impl From<crate::RegistryError> for candlecast_core::Problem {
    fn from(e: crate::RegistryError) -> Self {
        use crate::RegistryError as R;
        let (code, status, field) = match e {
            R::Stopped { .. } => {
                return Self::new("cancelled", 499, candlecast_core::Blame::Cancelled, e.to_string());
            }
            R::Locked { .. } => ("registry-locked", 503, None),
            R::NoneActive { .. } | R::NoVersion { .. } => ("model-not-trained", 404, None),
            R::HorizonTooLong { .. } => ("horizon-too-long", 409, Some("horizon")),
            R::Corrupt { .. } | R::Unreadable { .. } | R::UnknownFormat { .. } => ("corrupt-model", 500, None),
            R::Io { ref source, .. } => ("registry-failed", candlecast_core::io_status(source).unwrap_or(500), None),
            _ => ("registry-failed", 500, None),
        };
        let problem = Self::new(code, status, candlecast_core::Blame::Data, e.to_string());
        match field {
            Some(field) => problem.with_field(field),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_that_is_too_long_is_a_problem_of_the_request() {
        for (farthest, words) in [(1, "up to 1 step ahead"), (24, "up to 24 steps ahead, 25 were asked for")] {
            let problem = candlecast_core::Problem::from(RegistryError::HorizonTooLong {
                model: "lstm".into(),
                task: "price".into(),
                series: "binance:BTCUSDT:1h".into(),
                asked: 25,
                farthest,
            });
            assert_eq!((problem.code, problem.status), ("horizon-too-long", 409));
            assert_eq!(problem.field.as_deref(), Some("horizon"));
            assert!(problem.detail.contains(words) && problem.detail.contains("--horizon"), "{problem}");
        }
    }

    #[test]
    fn a_lock_that_was_not_had_names_its_file_and_who_holds_it() {
        let (path, waited) = (PathBuf::from("models/.lock"), std::time::Duration::from_secs(60));
        let held = LockError::Held { path: path.clone(), waited, holders: vec![4242] };
        let problem = candlecast_core::Problem::from(RegistryError::from(held));
        assert_eq!((problem.code, problem.status, problem.exit_code()), ("registry-locked", 503, 1));
        assert!(problem.detail.contains("`models/.lock` was held by process 4242 for 60 s"), "{problem}");
        let stopped = candlecast_core::Problem::from(RegistryError::from(LockError::Stopped { path }));
        assert_eq!((stopped.code, stopped.exit_code()), ("cancelled", 130));
    }

    #[test]
    fn a_full_disk_and_a_read_only_folder_say_what_to_do() {
        for (kind, remedy) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::ReadOnlyFilesystem, "MODEL_SAVE_PATH"),
            (io::ErrorKind::PermissionDenied, "MODEL_SAVE_PATH"),
        ] {
            let text = RegistryError::io("write", Path::new("models/x"))(kind.into()).to_string();
            assert!(text.starts_with("cannot write `models/x`: ") && text.contains(remedy), "{text}");
        }
    }
}
