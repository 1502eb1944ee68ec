//! Candles that change: predictions that were set beside them wait for their outcome again.

use candlecast_core::{CandleSeries, Problem, SeriesKey, TimeRange};
use candlecast_store::{Coverage, StoreError};

use crate::host::Host;
use crate::reopen::{done, noted, reopen_after_change};

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
///
/// Before candles may change that predictions have met, a note says so, which goes when they are reopened: after a kill
/// in between, [`replay_reopenings`](crate::replay_reopenings) does that.
pub async fn upsert_candles(host: &Host, series: &CandleSeries) -> Result<Upserted, StoreError> {
    let note = match series.range() {
        Some(range) => noted(host, series.key(), range).await?,
        None => None,
    };
    let outcome = host.store.upsert(series).await;
    let changed = match &outcome {
        Ok(changed) => *changed,
        // Any part of them may have been stored.
        Err(_) => series.range(),
    };
    let reopened = if let Some(range) = changed {
        Box::pin(reopen_after_change(host, series.key(), range, note)).await
    } else {
        done(host, note).await;
        0
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
