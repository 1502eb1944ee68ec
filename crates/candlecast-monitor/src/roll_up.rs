//! Old predictions: summed up by day, and forgotten one by one. What [`range_accuracy`](crate::range_accuracy) says of
//! them stays what it was.

use candlecast_core::{Problem, Timestamp};
use candlecast_meta::{MetadataStore, RollUpDue};

use crate::accuracy::sum_up;

const DAY_MS: i64 = 86_400_000;
/// Predictions that are rolled up at once.
const AT_ONCE: u32 = 10_000;

/// How old predictions are that are rolled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldPredictions {
    /// Their target lies before the day (UTC) of this instant.
    pub target_before: Timestamp,
    /// They were logged by this instant of the system's clock, whatever clock they were made by.
    pub logged_by: Timestamp,
}

/// What a roll-up did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolledUp {
    /// Predictions that were rolled up.
    pub predictions: u64,
    /// False where it ended before all of them were.
    pub is_done: bool,
}

/// Rolls up settled predictions that are `old`, those with an outcome and those without, some thousand at a time, each
/// time wholly or not at all, until none is left or `go_on` says no. `now` is recorded.
pub async fn roll_up_predictions(
    store: &dyn MetadataStore,
    old: OldPredictions,
    now: Timestamp,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<RolledUp, Problem> {
    let midnight = old.target_before.ms().div_euclid(DAY_MS).saturating_mul(DAY_MS);
    let due = RollUpDue { target_before: Timestamp(midnight), logged_by: old.logged_by, limit: AT_ONCE };
    let mut done = RolledUp::default();
    while !done.is_done && go_on() {
        let n = store.roll_up_predictions(&due, &sum_up, now).await?;
        done.predictions += n;
        done.is_done = n == 0;
    }
    Ok(done)
}
