//! Restores on record, so that whoever lost the connection as one was committed can find out what became of it.

use candlecast_core::Timestamp;

use crate::db::{Database, Statement, Transaction};
use crate::{MetaError, check};

/// Beside the records, as the schema's own history: no dump holds it.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS candlecast_restores (
    id TEXT PRIMARY KEY,
    restored_at BIGINT NOT NULL
)";

/// Puts the restore `id` on record; that counts together with what it restores.
pub(super) async fn record(transaction: &mut Transaction, id: &str, now: Timestamp) -> Result<(), MetaError> {
    let id = check::id("restore_id", id)?;
    transaction.script(TABLE).await?;
    let insert = Statement::new("INSERT INTO candlecast_restores (id, restored_at) VALUES ($1, $2)");
    transaction.execute(insert.bind(id).bind(now)).await.map(drop)
}

/// True if the restore `id` counts. A restore holds the lock on the schema until it counts or is undone, so this waits
/// for one that the server is still at.
pub(super) async fn is_on_record(db: &Database, id: &str) -> Result<bool, MetaError> {
    let mut transaction = db.begin().await?;
    transaction.lock_schema().await?;
    let table = Statement::new("SELECT 1 AS one WHERE to_regclass('candlecast_restores') IS NOT NULL");
    let restore = Statement::new("SELECT 1 AS one FROM candlecast_restores WHERE id = $1").bind(id);
    let is_there = !transaction.rows(table).await?.is_empty() && !transaction.rows(restore).await?.is_empty();
    transaction.commit().await?;
    Ok(is_there)
}
