//! Candles that change: predictions that were set beside them wait for their outcome again.

use candlecast_core::{CandleSeries, SeriesKey, TimeRange};
use candlecast_meta::DATABASE_FILE;
use candlecast_store::StoreError;

use super::Settlement;
use super::patience::briefly;
use crate::{App, AppError};

/// What laying candles over the stored ones did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Upserted {
    /// From the first changed open time to the close of the last changed candle; `None` when nothing changed.
    pub(crate) changed: Option<TimeRange>,
    /// Settled predictions that wait for their outcome again.
    pub(crate) reopened: u64,
}

impl App {
    /// Lays candles over the stored ones, and reopens the settled predictions that changed candles are the outcome of.
    /// Every candle that the platform stores comes this way. [`after_candles`](Self::after_candles) settles them.
    pub(crate) async fn upsert_candles(&self, series: &CandleSeries) -> Result<Upserted, StoreError> {
        let outcome = self.store.upsert(series).await;
        let changed = match &outcome {
            Ok(changed) => *changed,
            // Any part of them may have been stored.
            Err(_) => series.range(),
        };
        let reopened = match changed {
            Some(range) => self.reopen_after_change(series.key(), range).await,
            None => 0,
        };
        Ok(Upserted { changed: outcome?, reopened })
    }

    /// Sets every prediction beside its outcome anew, also those that are settled: for the case that candles were
    /// corrected and the log could not follow, as when the program was killed in between. Predictions beyond the stored
    /// candles, and those on series that cannot be read, stay as they are.
    pub async fn revalidate_predictions(&self) -> Result<Settlement, AppError> {
        for stored in self.store.list().await? {
            self.check_cancelled()?;
            if let Some(range) = stored.range.filter(|_| stored.damaged.is_empty()) {
                self.metadata().await?.reopen_predictions(&stored.key, targets(range)).await?;
            }
        }
        self.validate_predictions(u64::MAX).await
    }

    /// False where there is no database yet: then nothing was logged, and none has to be made.
    pub(super) fn may_have_predictions(&self) -> bool {
        self.settings.database_url.is_some() || self.settings.data_dir.join(DATABASE_FILE).exists()
    }

    /// How many predictions wait again since candles of `changed` have changed. Never fails: the candles are stored,
    /// and the reason is logged.
    async fn reopen_after_change(&self, key: &SeriesKey, changed: TimeRange) -> u64 {
        if !self.may_have_predictions() {
            return 0;
        }
        briefly(self.reopen(key, targets(changed))).await.unwrap_or_else(|error| {
            tracing::warn!(series = %key, %error, "candles changed {changed}, predictions keep the outcomes they had; `candlecast predictions validate --again` sets them right");
            0
        })
    }

    async fn reopen(&self, key: &SeriesKey, target: TimeRange) -> Result<u64, AppError> {
        Ok(self.metadata().await?.reopen_predictions(key, target).await?)
    }
}

/// Target times of the candles of a range that begins with an open and ends with a close: a target is a close.
fn targets(range: TimeRange) -> TimeRange {
    TimeRange { from: range.from.plus_ms(1), to: range.to.plus_ms(1) }
}
