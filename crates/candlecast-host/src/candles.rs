//! Candles that change: predictions that were set beside them wait for their outcome again.

use candlecast_core::{CandleSeries, Problem, SeriesKey, TimeRange};
use candlecast_meta::DATABASE_FILE;
use candlecast_store::{Coverage, StoreError};

use crate::deadline::briefly;
use crate::host::Host;

/// What laying candles over the stored ones did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    /// From the first changed open time to the close of the last changed candle; `None` when nothing changed.
    pub changed: Option<TimeRange>,
    /// Settled predictions that wait for their outcome again.
    pub reopened: u64,
}

/// Lays candles over the stored ones, and reopens the settled predictions that changed candles are the outcome of.
/// Every candle that the platform stores comes this way. `candlecast_monitor::after_candles` settles them.
pub async fn upsert_candles(host: &Host, series: &CandleSeries) -> Result<Upserted, StoreError> {
    let outcome = host.store.upsert(series).await;
    let changed = match &outcome {
        Ok(changed) => *changed,
        // Any part of them may have been stored.
        Err(_) => series.range(),
    };
    let reopened = match changed {
        Some(range) => reopen_after_change(host, series.key(), range).await,
        None => 0,
    };
    Ok(Upserted { changed: outcome?, reopened })
}

/// Lets other programs find in the files of the store what was brought a few candles at a time; for the end of an import
/// or a stream. Never fails: the candles are stored, and the reason is logged.
pub async fn compact_candles(host: &Host, key: &SeriesKey) {
    match host.store.compact(key).await {
        // Nothing was brought.
        Ok(_) | Err(StoreError::UnknownSeries { .. }) => {}
        Err(error) => tracing::warn!(
            series = %key, %error, "the newest candles are stored, but other programs do not see them in the Parquet \
            files yet; `candlecast data compact` puts them there"
        ),
    }
}

/// What is stored of `key`; `None` when nothing is.
pub async fn stored_candles(host: &Host, key: &SeriesKey) -> Result<Option<Coverage>, Problem> {
    match host.store.coverage(key).await {
        Ok(coverage) => Ok(Some(coverage)),
        Err(StoreError::UnknownSeries { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// False where there is no database yet: then nothing was logged, and none has to be made.
pub fn may_have_predictions(host: &Host) -> bool {
    host.settings.database_url.is_some() || host.settings.data_dir.join(DATABASE_FILE).exists()
}

/// How many predictions wait again since candles of `changed` have changed. Never fails: the candles are stored,
/// and the reason is logged.
async fn reopen_after_change(host: &Host, key: &SeriesKey, changed: TimeRange) -> u64 {
    if !may_have_predictions(host) {
        return 0;
    }
    briefly(reopen(host, key, target_times(changed))).await.unwrap_or_else(|error| {
        tracing::warn!(series = %key, %error, "candles changed {changed}, predictions keep the outcomes they had; `candlecast predictions validate --again` sets them right");
        0
    })
}

async fn reopen(host: &Host, key: &SeriesKey, target: TimeRange) -> Result<u64, Problem> {
    Ok(host.metadata().await?.reopen_predictions(key, target).await?)
}

/// Target times of the candles of a range that begins with an open and ends with a close: a target is a close.
pub fn target_times(range: TimeRange) -> TimeRange {
    TimeRange { from: range.from.plus_ms(1), to: range.to.plus_ms(1) }
}
