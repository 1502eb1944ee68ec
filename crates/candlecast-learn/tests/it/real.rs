//! Real candles.

use std::sync::Arc;

use candlecast_core::{CandleSeries, TimeRange, Timestamp};
use candlecast_ingest::ImportOptions;
use candlecast_learn::Market;

use crate::markets;

/// The candles of a file that open from one day to another, the latter left out.
pub(crate) fn market(file: &str, from: &str, to: &str) -> Option<Arc<Market>> {
    let path = candlecast_testenv::real_data()?.join("candles").join(file);
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
