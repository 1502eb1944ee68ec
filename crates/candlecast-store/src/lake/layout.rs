//! Where a lake keeps what: `venue=binance/symbol=BTCUSDT/interval=1h/year=2023.parquet`, and beside it
//! `_segment-2023.log`, where candles wait that were stored a few at a time. Readers of Parquet folders skip names that
//! begin with `_` (Spark only if there is no `=` in them).
//!
//! Every path is made of the parts of a [`SeriesKey`] and a year, never of other text.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use candlecast_core::{Interval, SeriesKey, Symbol, Venue};
use candlecast_files::of_temp_name;

use crate::StoreError;
use crate::years::{FIRST_YEAR, LAST_YEAR};

const SEGMENT_PREFIX: &str = "_segment-";
const SEGMENT_SUFFIX: &str = ".log";

/// The folder of a series.
pub(super) fn series_folder(root: &Path, key: &SeriesKey) -> PathBuf {
    root.join(format!("venue={}", key.venue))
        .join(format!("symbol={}", key.symbol))
        .join(format!("interval={}", key.interval))
}

/// The file that holds the candles of one year.
pub(super) fn partition_path(root: &Path, key: &SeriesKey, year: i32) -> PathBuf {
    series_folder(root, key).join(partition_file(year))
}

/// The name of that file.
pub(super) fn partition_file(year: i32) -> String {
    format!("year={year}.parquet")
}

/// The file that holds what is not compacted into the file of its year yet.
pub(super) fn segment_path(root: &Path, key: &SeriesKey, year: i32) -> PathBuf {
    series_folder(root, key).join(segment_file(year))
}

/// The name of that file.
pub(super) fn segment_file(year: i32) -> String {
    format!("{SEGMENT_PREFIX}{year}{SEGMENT_SUFFIX}")
}

/// The hidden neighbour in which the next version of a partition is written. Readers of folders skip it.
#[cfg(test)]
pub(super) fn temporary_path(folder: &Path, year: i32) -> PathBuf {
    folder.join(candlecast_files::temp_name(&partition_file(year)))
}

/// Years of which a partition exists, its file or a segment, in order; empty for a series that is not stored.
pub(super) fn years(root: &Path, key: &SeriesKey) -> Result<Vec<i32>, StoreError> {
    let mut years: Vec<i32> = names(&series_folder(root, key))?.iter().filter_map(|n| year_of(n)).collect();
    years.sort_unstable();
    years.dedup();
    Ok(years)
}

/// Keys with at least one partition, in order.
pub(super) fn keys(root: &Path) -> Result<Vec<SeriesKey>, StoreError> {
    let mut keys = Vec::new();
    for key in key_folders(root)? {
        if !years(root, &key)?.is_empty() {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Removes what writers left behind when they were killed. Only for the holder of the lake's lock.
pub(super) fn remove_leftovers(root: &Path) -> Result<(), StoreError> {
    for key in key_folders(root)? {
        let folder = series_folder(root, &key);
        for name in names(&folder)? {
            if of_temp_name(&name).and_then(year_of).is_some() {
                let path = folder.join(name);
                fs::remove_file(&path).map_err(|e| StoreError::io(&path, e))?;
            }
        }
    }
    Ok(())
}

/// Keys that have a folder, in order. Folders of other names are not ours and are left alone.
fn key_folders(root: &Path) -> Result<Vec<SeriesKey>, StoreError> {
    let mut keys = Vec::new();
    for venue in parts(root, "venue=", |t| Venue::new(t).ok())? {
        let folder = root.join(format!("venue={venue}"));
        for symbol in parts(&folder, "symbol=", |t| Symbol::new(t).ok())? {
            let folder = folder.join(format!("symbol={symbol}"));
            for interval in parts(&folder, "interval=", |t| t.parse::<Interval>().ok())? {
                keys.push(SeriesKey::new(venue.clone(), symbol.clone(), interval));
            }
        }
    }
    keys.sort();
    Ok(keys)
}

/// Reads the names `label` + part in a folder; only the exact form that we write counts.
fn parts<T: ToString>(folder: &Path, label: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, StoreError> {
    let read_exact = |name: &String| {
        let text = name.strip_prefix(label)?;
        read(text).filter(|part| part.to_string() == text)
    };
    Ok(names(folder)?.iter().filter_map(read_exact).collect())
}

/// The year of a partition's file or segment.
fn year_of(name: &str) -> Option<i32> {
    let between = |prefix: &str, suffix: &str| name.strip_prefix(prefix)?.strip_suffix(suffix);
    let text = between("year=", ".parquet").or_else(|| between(SEGMENT_PREFIX, SEGMENT_SUFFIX))?;
    let year: i32 = text.parse().ok()?;
    ((FIRST_YEAR..=LAST_YEAR).contains(&year) && year.to_string() == text).then_some(year)
}

/// Names in a folder, in no order; none where there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let missing = |e: &io::Error| matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if missing(&e) => return Ok(Vec::new()),
        Err(e) => return Err(StoreError::io(folder, e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| StoreError::io(folder, e))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_read() {
        let root = tempfile::tempdir().unwrap();
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let folder = series_folder(root.path(), &key);
        fs::create_dir_all(&folder).unwrap();
        for name in ["year=2023.parquet", "year=2021.parquet", "year=02022.parquet", "year=99999.parquet", "notes.txt"]
        {
            fs::write(folder.join(name), b"").unwrap();
        }
        for name in ["_segment-2023.log", "_segment-2024.log", "_segment-02020.log", "segment-2019.log"] {
            fs::write(folder.join(name), b"").unwrap();
        }
        let leftovers = [temporary_path(&folder, 2023), folder.join("._segment-2024.log.tmp")];
        leftovers.iter().for_each(|path| fs::write(path, b"").unwrap());
        for other in
            ["venue=binance/symbol=btcusdt/interval=1h", "venue=Bad_Venue", "venue=binance/symbol=ETHUSDT/interval=1h"]
        {
            fs::create_dir_all(root.path().join(other)).unwrap();
        }
        assert_eq!(years(root.path(), &key).unwrap(), [2021, 2023, 2024]);
        assert_eq!(keys(root.path()).unwrap(), std::slice::from_ref(&key));
        remove_leftovers(root.path()).unwrap();
        assert!(leftovers.iter().all(|path| !path.exists()));
        assert!(folder.join("notes.txt").exists() && segment_path(root.path(), &key, 2023).exists());
        assert!(keys(&root.path().join("nowhere")).unwrap().is_empty());
    }
}
