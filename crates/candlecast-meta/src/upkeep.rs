//! What is to be done once a day, by whoever comes by.

use async_trait::async_trait;
use candlecast_core::Timestamp;

use crate::MetaError;

/// Turns at the daily upkeep, and space that deleted records took.
#[async_trait]
pub trait UpkeepStore: Send + Sync {
    /// True for the one caller that is to do the upkeep `name` now: it was not done within the last day, and nobody
    /// began it within the last ten minutes. A time that lies ahead was written by a clock that was wrong, and counts as
    /// none.
    async fn begin_upkeep(&self, name: &str, now: Timestamp) -> Result<bool, MetaError>;

    /// Ends the upkeep that was begun at `begun`: it is done as of then, or, where `is_done` is false, the next who asks
    /// is to go on with it. Nothing where another one has begun it since.
    async fn end_upkeep(&self, name: &str, begun: Timestamp, is_done: bool) -> Result<(), MetaError>;

    /// Gives some of the space that deleted records took back to the system; true while there is more to give. Only
    /// SQLite files that can (see the module of SQLite) do so; PostgreSQL uses it again by itself.
    async fn give_back_space(&self) -> Result<bool, MetaError>;
}
