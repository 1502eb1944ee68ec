//! Real candles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlecast_core::{CandleSeries, TimeRange, Timestamp};
use candlecast_ingest::ImportOptions;
use candlecast_learn::Market;

use crate::markets;

/// Folder of the real data; `None`, said aloud, when it is not there.
fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CANDLECAST_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if folder.join("candles").is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no test data at {} (set CANDLECAST_TEST_DATA)", folder.display());
    None
}

/// The candles of a file that open from one day to another, the latter left out.
pub(crate) fn market(file: &str, from: &str, to: &str) -> Option<Arc<Market>> {
    let path = folder()?.join("candles").join(file);
    let mut import =
        candlecast_ingest::open(&path, &ImportOptions::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut whole = CandleSeries::empty(import.key().clone());
    while let Some(chunk) = import.next_chunk().unwrap() {
        whole = whole.merged(&chunk).unwrap();
    }
    Some(markets::market(&whole.between(days(from, to))))
}

/// From the beginning of one day to that of another.
pub(crate) fn days(from: &str, to: &str) -> TimeRange {
    let at = |day: &str| Timestamp::parse(day).unwrap();
    TimeRange { from: at(from), to: at(to) }
}
