//! [`CandleStore`], the contract of every store, and [`Coverage`], what a store says about a series.

use std::fmt::Debug;

use async_trait::async_trait;
use candlecast_core::{CandleSeries, Gaps, SeriesKey, TimeRange};
use futures::stream::BoxStream;

use crate::StoreError;

/// What is stored of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Its name.
    pub key: SeriesKey,
    /// Stored candles.
    pub rows: usize,
    /// From the first open time to the last close; `None` only where no part of the series is readable.
    pub range: Option<TimeRange>,
    /// Missing candles between the first and the last.
    pub gaps: Gaps,
    /// Space taken, in bytes.
    pub bytes: u64,
    /// Parts that cannot be read, each in words with its remedy; empty when all is well. A scan that touches
    /// such a part fails with the same words.
    pub damaged: Vec<String>,
}

/// A series in pieces, oldest first. Dropping the stream stops the reading.
pub type CandlePieces = BoxStream<'static, Result<CandleSeries, StoreError>>;

/// Keeps candles. The law suite `assert_store_laws` of `candlecast-testkit` is the contract in full.
///
/// Trade counts are whole numbers: a fraction is rounded when it is stored. Candles of the years
/// [`FIRST_YEAR`](crate::FIRST_YEAR) to [`LAST_YEAR`](crate::LAST_YEAR) are accepted. Of an optional column,
/// "missing everywhere" and "no column" are the same. Work that was begun goes on when its future is dropped.
#[async_trait]
pub trait CandleStore: Send + Sync + Debug {
    /// Lays `series` over what is stored; where both have a candle the newer wins as a whole. Returns the range
    /// from the first changed open time to the close of the last changed candle, or `None` when nothing changed.
    ///
    /// Acknowledged means durable. After an error any part of `series` may have been stored: doing the same
    /// again completes it, and until then whatever was derived from the series' range counts as changed.
    async fn upsert(&self, series: &CandleSeries) -> Result<Option<TimeRange>, StoreError>;

    /// The candles that open within `range`; a series without candles when none does.
    /// [`StoreError::UnknownSeries`] when nothing is stored under `key`.
    async fn scan(&self, key: &SeriesKey, range: TimeRange) -> Result<CandleSeries, StoreError>;

    /// Like [`scan`](Self::scan), but in pieces of at most one calendar year (UTC), oldest first and none empty,
    /// so that memory stays bounded. A write between two pieces shows in those read after it.
    fn scan_pieces(&self, key: &SeriesKey, range: TimeRange) -> CandlePieces;

    /// What is stored, sorted by key.
    async fn list(&self) -> Result<Vec<Coverage>, StoreError>;

    /// What is stored of one series. [`StoreError::UnknownSeries`] when nothing is.
    async fn coverage(&self, key: &SeriesKey) -> Result<Coverage, StoreError>;

    /// Removes the candles that open within `range` and returns how many there were. A series whose last candle
    /// goes is no longer known. [`StoreError::UnknownSeries`] when nothing is stored under `key`.
    async fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError>;

    /// Brings candles that were stored a few at a time into the form in which other programs read the store in place,
    /// and returns how many there were. No answer of the store changes by it, and none waits for it.
    /// [`StoreError::UnknownSeries`] when nothing is stored under `key`.
    async fn compact(&self, key: &SeriesKey) -> Result<usize, StoreError> {
        self.coverage(key).await.map(|_| 0)
    }
}
