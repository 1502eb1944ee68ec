//! The roll-up: predictions that were settled long ago are summed up by day and forgotten.

use std::fmt;

use async_trait::async_trait;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};

use crate::{LoggedPrediction, MetaError, Page, PageRequest, PredictionsOf};

/// A day, ms.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// What is left of predictions of one task that a model made on a series with a target in one day, once they are rolled
/// up. A day may have several of these, which add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredictionDay {
    /// The model.
    pub model_id: String,
    /// The series.
    pub series: SeriesKey,
    /// The task.
    pub task: String,
    /// When the day begins: midnight, UTC.
    pub day: Timestamp,
    /// Predictions that had met their outcome; `sums` is over these.
    pub validated: u64,
    /// Predictions that were unscorable.
    pub unscorable: u64,
    /// First origin of all of them.
    pub first_origin: Timestamp,
    /// First target time of those that had met their outcome; of all, where none had.
    pub first_target: Timestamp,
    /// Last target time of the same.
    pub last_target: Timestamp,
    /// True where candles that outcomes depend on may have changed since: the predictions are gone, so they cannot be
    /// set beside the new ones.
    pub corrected: bool,
    /// What [`SumUp`] made of those that had met their outcome.
    pub sums: String,
}

/// Which predictions are to be rolled up. All conditions must hold, and the prediction must be settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollUpDue {
    /// With a target time before this. On a day's border, days are rolled up whole.
    pub target_before: Timestamp,
    /// Logged by this instant, as far as the [marks](RollUpStore::mark_predictions) tell.
    pub logged_by: Timestamp,
    /// At most so many at once.
    pub limit: u32,
}

/// Sums up predictions of one model, series, task and day that have met their outcome, in order of target time. The
/// answer is kept as it is.
pub type SumUp = dyn Fn(&[LoggedPrediction]) -> String + Send + Sync;

/// The roll-up of the prediction log.
#[async_trait]
pub trait RollUpStore: Send + Sync {
    /// Notes that the predictions that are logged by now were there at `at`, so that they age by one clock, whatever
    /// clock they were made by: those of a replay are as old as the replay, not as old as what is replayed. What was
    /// there before the first note counts as logged at any time. Notes that say nothing more than a later one does of
    /// what was logged by `oldest_asked` are dropped.
    async fn mark_predictions(&self, at: Timestamp, oldest_asked: Timestamp) -> Result<(), MetaError>;

    /// Rolls up predictions of one model that are `due`: sums them up by series, task and day with `sum_up`, and forgets
    /// them, both or neither. Returns how many; 0 when none is due any more.
    async fn roll_up_predictions(&self, due: &RollUpDue, sum_up: &SumUp, now: Timestamp) -> Result<u64, MetaError>;

    /// A number that every roll-up makes larger; 0 before the first. Who reads the log and the days one after the other
    /// has seen each prediction once where it is the same before and after.
    async fn roll_up_state(&self) -> Result<i64, MetaError>;

    /// What predictions that had met their outcome were rolled up to, last day first: of days that lie wholly in
    /// `range`.
    async fn prediction_days(
        &self,
        of: &PredictionsOf,
        task: Option<&str>,
        range: TimeRange,
        page: PageRequest,
    ) -> Result<Page<PredictionDay>, MetaError>;

    /// The newest target time of predictions that had met their outcome and were rolled up.
    async fn newest_rolled_up(&self, of: &PredictionsOf, task: Option<&str>) -> Result<Option<Timestamp>, MetaError>;
}

/// The day of a time: its midnight, UTC.
pub(crate) fn day_of(time: Timestamp) -> Timestamp {
    Timestamp(time.ms().div_euclid(DAY_MS).saturating_mul(DAY_MS))
}

impl fmt::Display for PredictionDay {
    /// `BTCUSDT_LINEAR_1.0.0 price 2024-01-31T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.model_id, self.task, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight() {
        let midnight = Timestamp(1_704_067_200_000);
        assert_eq!(day_of(midnight), midnight);
        assert_eq!(day_of(midnight.plus_ms(DAY_MS - 1)), midnight);
        assert_eq!(day_of(midnight.plus_ms(-1)), midnight.plus_ms(-DAY_MS));
        assert_eq!(day_of(Timestamp(-1)), Timestamp(-DAY_MS));
    }
}
