//! Turns: work that one process at a time does, on whatever host.

use async_trait::async_trait;
use candlecast_core::Timestamp;

use crate::MetaError;

/// Longest time that a turn is held for, ms: an hour. One that lasts longer was taken by a clock that was wrong, and is
/// free.
pub const MAX_TURN_MS: u64 = 3_600_000;

/// Who does what only one is to do.
#[async_trait]
pub trait TurnStore: Send + Sync {
    /// Takes the turn called `name`, or keeps it, for `for_ms` (at most [`MAX_TURN_MS`]) from now on: true where
    /// `owner` has it then, false where somebody else does. Goes by the clock of the database; `now` is only looked at
    /// where leases go by the caller's.
    async fn take_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError>;

    /// The same for what is done once a day: false, too, where it was done within the last day. A time of that which lies
    /// ahead was written by a clock that was wrong, and counts as none.
    async fn take_daily_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError>;

    /// Lets go of the turn, so that another may have it at once. Nothing where `owner` does not have it.
    async fn end_turn(&self, name: &str, owner: &str) -> Result<(), MetaError>;

    /// Lets go of the turn, and what it is for is done for the day. Nothing where `owner` does not have it.
    async fn finish_daily_turn(&self, name: &str, owner: &str, now: Timestamp) -> Result<(), MetaError>;
}
