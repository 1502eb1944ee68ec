//! [`StoreError`]: why a store could not do what was asked, and what helps.

use std::io;
use std::path::{Path, PathBuf};

use candlecast_core::{SeriesKey, TimeRange, Timestamp};

use crate::years::{FIRST_YEAR, LAST_YEAR};

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is stored under the key.
    #[error("series {key} is not stored: {}", advice(.nearest))]
    UnknownSeries {
        /// As asked.
        key: SeriesKey,
        /// Stored series of similar names, most similar first, at most three.
        nearest: Vec<SeriesKey>,
    },
    /// Another program kept the lake's lock for too long.
    #[error(
        "lake {} is being written by another program and did not become free within {waited_ms} ms: \
         try again, or stop the other program",
        .path.display()
    )]
    Locked {
        /// The lake's folder.
        path: PathBuf,
        /// Time waited.
        waited_ms: u64,
    },
    /// No space left. The year that was being written is as it was.
    #[error("no space is left for {}: free some and try again; {}", .path.display(), told(*.stored))]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
        /// Range of the candles that the same request changed in earlier years, which stay changed.
        stored: Option<TimeRange>,
    },
    /// The file system does not allow it. The year that was being written is as it was.
    #[error(
        "no permission for {}: give this user access to the folder, or choose another data folder ({source})",
        .path.display()
    )]
    NotAllowed {
        /// What was being read or written.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error(
        "file {} cannot be used: {reason}; move it away and import {} again, or restore it from a backup",
        .path.display(),
        content_of(.path)
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file was written by a newer program.
    #[error("file {} has format {found}, this program knows formats up to {known}: update candlecast", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Newest known format.
        known: u32,
    },
    /// A candle lies outside the years that can be stored.
    #[error(
        "open time {time} lies outside the years {first} to {last}: check the unit of the source's times",
        first = FIRST_YEAR,
        last = LAST_YEAR
    )]
    OutsideYears {
        /// Its open time.
        time: Timestamp,
    },
    /// The file system failed otherwise.
    #[error("reading or writing {} failed: {source}; see that its disk is in order and try again", .path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The work was cut off, by the program's end or by a defect.
    #[error("the store's work was cut off: {reason}; try again")]
    Interrupted {
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// Sorts a failure of the file system by what helps against it.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path, source, stored: None }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::NotAllowed { path, source },
            _ => Self::Io { path, source },
        }
    }

    /// The failure of a request that changed the candles of `changed` before it failed.
    pub(crate) fn after(mut self, changed: Option<TimeRange>) -> Self {
        if let Self::DiskFull { stored, .. } = &mut self {
            *stored = changed;
        }
        self
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: reason.into() }
    }
}

/// What to import in the place of a damaged file: what its name says that it holds.
fn content_of(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match (stem.strip_prefix("year="), stem.strip_prefix("_segment-")) {
        (Some(year), _) => format!("the year {year}"),
        (None, Some(year)) => format!("or fetch the newest candles of {year}"),
        (None, None) => "its year".into(),
    }
}

/// What a failed request had done before.
fn told(stored: Option<TimeRange>) -> String {
    stored.map_or_else(
        || "nothing was changed".into(),
        |range| format!("candles {range} were stored before, and doing the same again completes it"),
    )
}

fn advice(nearest: &[SeriesKey]) -> String {
    if nearest.is_empty() {
        return "nothing is stored yet, bring candles in with `candlecast import` first".into();
    }
    let names: Vec<String> = nearest.iter().map(ToString::to_string).collect();
    format!("did you mean {}? Otherwise bring its candles in with `candlecast import` first", names.join(" or "))
}

impl From<crate::StoreError> for candlecast_core::Problem {
    fn from(e: crate::StoreError) -> Self {
        use crate::StoreError as S;
        let (code, status) = match e {
            S::UnknownSeries { .. } => ("unknown-series", 404),
            S::Locked { .. } => ("store-locked", 503),
            S::DiskFull { .. } => ("disk-full", 507),
            S::NotAllowed { .. } => ("not-allowed", 500),
            S::Corrupt { .. } | S::NewerFormat { .. } => ("corrupt-file", 500),
            S::Io { ref source, .. } => ("store-failed", candlecast_core::io_status(source).unwrap_or(500)),
            _ => ("store-failed", 500),
        };
        Self::new(code, status, candlecast_core::Blame::Data, e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Interval, Symbol, Venue};

    #[test]
    fn failures_are_sorted_by_their_remedy() {
        let path = Path::new("/data/x");
        let sorted = |kind: io::ErrorKind| StoreError::io(path, io::Error::from(kind));
        assert!(matches!(sorted(io::ErrorKind::StorageFull), StoreError::DiskFull { .. }));
        assert!(matches!(sorted(io::ErrorKind::ReadOnlyFilesystem), StoreError::NotAllowed { .. }));
        assert!(matches!(sorted(io::ErrorKind::PermissionDenied), StoreError::NotAllowed { .. }));
        assert!(matches!(sorted(io::ErrorKind::TimedOut), StoreError::Io { .. }));
        assert!(sorted(io::ErrorKind::StorageFull).to_string().contains("/data/x"));
    }

    #[test]
    fn a_damaged_partition_names_the_year_to_import() {
        let text = |path: &str| StoreError::corrupt(Path::new(path), "cut").to_string();
        assert!(text("/lake/interval=1h/year=2023.parquet").contains("import the year 2023 again"));
        assert!(
            text("/lake/interval=1h/_segment-2023.log").contains("import or fetch the newest candles of 2023 again")
        );
        assert!(text("/lake/other.parquet").contains("import its year again"));
    }

    #[test]
    fn a_full_disk_tells_what_was_stored_before() {
        let full = || StoreError::io(Path::new("/data/x"), io::ErrorKind::StorageFull.into());
        assert!(full().after(None).to_string().contains("nothing was changed"));
        let range = TimeRange { from: Timestamp::year_start(2022), to: Timestamp::year_start(2023) };
        let text = full().after(Some(range)).to_string();
        assert!(!text.contains("nothing was changed") && text.contains(&range.to_string()), "{text}");
        let other = StoreError::corrupt(Path::new("/data/x"), "cut").after(Some(range)).to_string();
        assert_eq!(other, StoreError::corrupt(Path::new("/data/x"), "cut").to_string());
    }

    #[test]
    fn an_unknown_series_comes_with_advice() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let other = SeriesKey { interval: Interval::M1, ..key.clone() };
        let known = StoreError::UnknownSeries { key: key.clone(), nearest: vec![other] };
        assert!(known.to_string().contains("did you mean binance:BTCUSDT:1m?"));
        let none = StoreError::UnknownSeries { key, nearest: vec![] };
        assert!(none.to_string().contains("`candlecast import`"));
    }
}
