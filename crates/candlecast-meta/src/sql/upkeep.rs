//! The daily upkeep in SQL.

use async_trait::async_trait;
use candlecast_core::Timestamp;

use crate::db::{Database, Statement};
use crate::roll_up::DAY_MS;
use crate::upkeep::UpkeepStore;
use crate::{MetaError, SqlStore, check};

/// After so long, ms, who began an upkeep and did not end it is gone.
const TURN_MS: i64 = 600_000;

/// Pages of a SQLite file that are given back at once; 8 MB.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(2000)";

#[async_trait]
impl UpkeepStore for SqlStore {
    async fn begin_upkeep(&self, name: &str, now: Timestamp) -> Result<bool, MetaError> {
        let statement = Statement::new(
            "INSERT INTO ml_upkeep (name, begun_at, done_at) VALUES ($1, $2, 0) \
             ON CONFLICT (name) DO UPDATE SET begun_at = excluded.begun_at \
             WHERE (ml_upkeep.done_at <= $3 OR ml_upkeep.done_at > $4) \
             AND (ml_upkeep.begun_at <= $5 OR ml_upkeep.begun_at > $6)",
        )
        .bind(check::id("name", name)?)
        .bind(now)
        .bind(now.plus_ms(-DAY_MS))
        .bind(now)
        .bind(now.plus_ms(-TURN_MS))
        .bind(now);
        Ok(self.db.change(statement).await? == 1)
    }

    async fn end_upkeep(&self, name: &str, begun: Timestamp, is_done: bool) -> Result<(), MetaError> {
        let ended = if is_done { "begun_at = 0, done_at = begun_at" } else { "begun_at = 0" };
        let sql = format!("UPDATE ml_upkeep SET {ended} WHERE name = $1 AND begun_at = $2");
        self.db.change(Statement::new(sql).bind(name).bind(begun)).await.map(drop)
    }

    async fn give_back_space(&self) -> Result<bool, MetaError> {
        if !matches!(self.db, Database::Sqlite(_)) {
            return Ok(false);
        }
        let before = free_pages(&self.db).await?;
        if before == 0 {
            return Ok(false);
        }
        self.db.changed_rows(Statement::new(GIVE_BACK)).await?;
        let after = free_pages(&self.db).await?;
        Ok(0 < after && after < before)
    }
}

/// Pages of the SQLite file that hold nothing.
async fn free_pages(db: &Database) -> Result<i64, MetaError> {
    let row = db.changed_row(Statement::new("PRAGMA freelist_count")).await?;
    row.map_or(Ok(0), |row| row.int("freelist_count"))
}
