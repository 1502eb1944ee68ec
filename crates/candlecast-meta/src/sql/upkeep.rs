//! Giving back the space of deleted records in SQL.

use async_trait::async_trait;

use crate::db::{Database, Statement};
use crate::upkeep::UpkeepStore;
use crate::{MetaError, SqlStore};

/// Pages of a SQLite file that are given back at once; 8 MB.
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(2000)";

#[async_trait]
impl UpkeepStore for SqlStore {
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
