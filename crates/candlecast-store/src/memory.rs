//! [`MemoryStore`]: candles in memory, for tests and for work that leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use candlecast_core::{CandleSeries, Columns, Gaps, SeriesKey, TimeRange, Timestamp};
use futures::{StreamExt, stream};

use crate::crop::without;
use crate::nearest::nearest;
use crate::overlay::{changed_range, overlay, union};
use crate::{CandlePieces, CandleStore, Coverage, StoreError, years};

/// Bytes of one candle: nine columns of eight.
const CANDLE_BYTES: usize = 72;

type Stored = BTreeMap<SeriesKey, Columns>;

/// Keeps candles in memory until it is dropped. Passes the same laws as the lake; "durable" means as long as the
/// store lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    stored: RwLock<Stored>,
}

impl MemoryStore {
    /// A store without candles.
    pub fn new() -> Self {
        Self::default()
    }

    // Nothing under the lock panics, so a poisoned lock is no reason to stop.
    fn read(&self) -> RwLockReadGuard<'_, Stored> {
        self.stored.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Stored> {
        self.stored.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn within(&self, key: &SeriesKey, range: TimeRange) -> Result<CandleSeries, StoreError> {
        let stored = self.read();
        let columns = known(&stored, key)?;
        let start = columns.open_time.partition_point(|&t| t < range.from.0);
        let end = columns.open_time.partition_point(|&t| t < range.to.0).max(start);
        Ok(series(key, columns.slice(start..end)))
    }
}

fn known<'a>(stored: &'a Stored, key: &SeriesKey) -> Result<&'a Columns, StoreError> {
    stored
        .get(key)
        .ok_or_else(|| StoreError::UnknownSeries { key: key.clone(), nearest: nearest(key, stored.keys().cloned()) })
}

fn series(key: &SeriesKey, columns: Columns) -> CandleSeries {
    CandleSeries::new(key.clone(), columns).expect("stored candles come from valid series of the same key")
}

fn coverage(key: &SeriesKey, columns: &Columns) -> Coverage {
    let ends = columns.open_time.first().zip(columns.open_time.last());
    Coverage {
        key: key.clone(),
        rows: columns.len(),
        range: ends.map(|(&a, &b)| TimeRange { from: Timestamp(a), to: Timestamp(b + key.interval.ms()) }),
        gaps: Gaps::of(&columns.open_time, key.interval),
        bytes: (columns.len() * CANDLE_BYTES) as u64,
        damaged: Vec::new(),
    }
}

#[async_trait]
impl CandleStore for MemoryStore {
    async fn upsert(&self, series: &CandleSeries) -> Result<Option<TimeRange>, StoreError> {
        let parts = years::split(series.columns())?;
        if parts.is_empty() {
            return Ok(None);
        }
        let mut stored = self.write();
        let columns = stored.entry(series.key().clone()).or_default();
        let mut changed = None;
        for (_, newer) in &parts {
            let overlaid = overlay(std::mem::take(columns), newer);
            *columns = overlaid.columns;
            changed = union(changed, overlaid.changed);
        }
        Ok(changed_range(changed, series.key().interval))
    }

    async fn scan(&self, key: &SeriesKey, range: TimeRange) -> Result<CandleSeries, StoreError> {
        self.within(key, range)
    }

    fn scan_pieces(&self, key: &SeriesKey, range: TimeRange) -> CandlePieces {
        let pieces = self.within(key, range).and_then(|all| years::split(all.columns()));
        match pieces {
            Ok(pieces) => {
                let key = key.clone();
                stream::iter(pieces.into_iter().map(move |(_, columns)| Ok(series(&key, columns)))).boxed()
            }
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list(&self) -> Result<Vec<Coverage>, StoreError> {
        Ok(self.read().iter().map(|(key, columns)| coverage(key, columns)).collect())
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Coverage, StoreError> {
        let stored = self.read();
        Ok(coverage(key, known(&stored, key)?))
    }

    async fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError> {
        let mut stored = self.write();
        let columns = known(&stored, key)?;
        let (kept, deleted) = without(columns, range);
        if kept.is_empty() {
            stored.remove(key);
        } else {
            stored.insert(key.clone(), kept);
        }
        Ok(deleted)
    }
}
