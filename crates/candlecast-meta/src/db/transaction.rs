//! [`Transaction`]: statements of either database that count together or not at all.

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::{Executor, Postgres, Sqlite};

use super::fault::{postgres_fault, sqlite_fault};
use super::{Record, Statement, postgres, sqlite};
use crate::MetaError;

/// The advisory lock under which one process at a time changes a schema ("candlecs" in ASCII).
const SCHEMA_LOCK: i64 = 0x6361_6e64_6c65_6373;

/// A transaction under way. What it did is undone unless it is committed.
pub(crate) struct Transaction {
    place: String,
    inner: Inner,
}

enum Inner {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    pub(super) fn sqlite(inner: sqlx::Transaction<'static, Sqlite>, place: &str) -> Self {
        Self { place: place.to_owned(), inner: Inner::Sqlite(inner) }
    }

    pub(super) fn postgres(inner: sqlx::Transaction<'static, Postgres>, place: &str) -> Self {
        Self { place: place.to_owned(), inner: Inner::Postgres(inner) }
    }

    /// True on PostgreSQL, where the dialects differ.
    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.inner, Inner::Postgres(_))
    }

    /// File or server, without password.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Waits until no other process changes the schema. A SQLite transaction that writes holds the file already.
    pub(crate) async fn lock_schema(&mut self) -> Result<(), MetaError> {
        if self.is_postgres() {
            self.execute(Statement::new("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK)).await?;
        }
        Ok(())
    }

    /// Runs statements without values.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), MetaError> {
        let place = &self.place;
        match &mut self.inner {
            Inner::Sqlite(t) => (&mut **t).execute(sql).await.map(drop).map_err(|e| sqlite_fault(&e, place)),
            Inner::Postgres(t) => (&mut **t).execute(sql).await.map(drop).map_err(|e| postgres_fault(&e, place)),
        }
    }

    /// Runs a statement; returns how many records it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, MetaError> {
        let place = &self.place;
        match &mut self.inner {
            Inner::Sqlite(t) => {
                let done = (&mut **t).execute(sqlite::query(statement)).await;
                done.map(|done| done.rows_affected()).map_err(|e| sqlite_fault(&e, place))
            }
            Inner::Postgres(t) => {
                let done = (&mut **t).execute(postgres::query(statement)).await;
                done.map(|done| done.rows_affected()).map_err(|e| postgres_fault(&e, place))
            }
        }
    }

    /// Reads, record by record: a table may be larger than memory.
    pub(crate) fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Record, MetaError>> {
        let place = &self.place;
        match &mut self.inner {
            Inner::Sqlite(t) => {
                let rows = (&mut **t).fetch(sqlite::query(statement));
                rows.map(move |row| row.map(Record::Sqlite).map_err(|e| sqlite_fault(&e, place))).boxed()
            }
            Inner::Postgres(t) => {
                let rows = (&mut **t).fetch(postgres::query(statement));
                rows.map(move |row| row.map(Record::Postgres).map_err(|e| postgres_fault(&e, place))).boxed()
            }
        }
    }

    /// Reads.
    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        self.stream(statement).try_collect().await
    }

    /// Makes it count.
    pub(crate) async fn commit(self) -> Result<(), MetaError> {
        let place = &self.place;
        match self.inner {
            Inner::Sqlite(t) => t.commit().await.map_err(|e| sqlite_fault(&e, place)),
            Inner::Postgres(t) => t.commit().await.map_err(|e| postgres_fault(&e, place)),
        }
    }
}
