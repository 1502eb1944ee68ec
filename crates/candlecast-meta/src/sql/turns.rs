//! Turns in SQL: one row a name, taken by one statement that names the state it starts from.

use async_trait::async_trait;
use candlecast_core::Timestamp;

use crate::db::Statement;
use crate::roll_up::DAY_MS;
use crate::turns::{MAX_TURN_MS, TurnStore};
use crate::{MetaError, SqlStore, check};

impl SqlStore {
    /// Takes a turn, unless another has it; one that is `daily` only where it was not done within the last day.
    async fn take(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp, daily: bool) -> Result<bool, MetaError> {
        let time = self.lease_time(now);
        let now = time.sql(5);
        let due = if daily {
            format!(" AND ml_turns.done_at NOT BETWEEN {now} - {} AND {now}", DAY_MS - 1)
        } else {
            String::new()
        };
        let statement = Statement::new(format!(
            "INSERT INTO ml_turns (name, owner, held_until) VALUES ($1, $2, {now} + $3) \
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, held_until = excluded.held_until \
             WHERE (ml_turns.owner = excluded.owner OR ml_turns.held_until NOT BETWEEN {now} + 1 AND {now} + $4){due} \
             RETURNING owner"
        ));
        let statement = statement
            .bind(check::id("name", name)?)
            .bind(check::id("owner", owner)?)
            .bind(check::whole("for_ms", for_ms.min(MAX_TURN_MS))?)
            .bind(check::whole("for_ms", MAX_TURN_MS)?);
        Ok(self.db.changed_row(time.bind(statement)).await?.is_some())
    }
}

#[async_trait]
impl TurnStore for SqlStore {
    async fn take_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError> {
        self.take(name, owner, for_ms, now, false).await
    }

    async fn take_daily_turn(&self, name: &str, owner: &str, for_ms: u64, now: Timestamp) -> Result<bool, MetaError> {
        self.take(name, owner, for_ms, now, true).await
    }

    async fn end_turn(&self, name: &str, owner: &str) -> Result<(), MetaError> {
        let statement = Statement::new("UPDATE ml_turns SET held_until = 0 WHERE name = $1 AND owner = $2");
        self.db.change(statement.bind(name).bind(owner)).await.map(drop)
    }

    async fn finish_daily_turn(&self, name: &str, owner: &str, now: Timestamp) -> Result<(), MetaError> {
        let time = self.lease_time(now);
        let now = time.sql(3);
        let sql = format!("UPDATE ml_turns SET held_until = 0, done_at = {now} WHERE name = $1 AND owner = $2");
        self.db.change(time.bind(Statement::new(sql).bind(name).bind(owner))).await.map(drop)
    }
}
