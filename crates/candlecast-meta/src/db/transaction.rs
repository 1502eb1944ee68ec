//! [`Transaction`]: statements of either database that count together or not at all.

use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use sqlx::{Executor, Sqlite};

use super::deadline::{paced, within};
use super::fault::sqlite_fault;
use super::postgres::PgTransaction;
use super::{Record, Statement, sqlite};
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
    Postgres(PgTransaction),
}

impl Transaction {
    pub(super) fn sqlite(inner: sqlx::Transaction<'static, Sqlite>, place: &str) -> Self {
        Self { place: place.to_owned(), inner: Inner::Sqlite(inner) }
    }

    pub(super) fn postgres(inner: PgTransaction, place: &str) -> Self {
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

    /// Waits until no other process changes the schema or restores. A SQLite transaction that writes holds the file
    /// already.
    pub(crate) async fn lock_schema(&mut self) -> Result<(), MetaError> {
        match &mut self.inner {
            Inner::Sqlite(_) => Ok(()),
            Inner::Postgres(t) => t.lock(SCHEMA_LOCK).await,
        }
    }

    /// Runs statements without values.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), MetaError> {
        let place = &self.place;
        match &mut self.inner {
            Inner::Sqlite(t) => {
                let done = async { (&mut **t).execute(sql).await.map(drop).map_err(|e| sqlite_fault(&e, place)) };
                within(sqlite::LONG, place, done).await
            }
            Inner::Postgres(t) => t.script(sql).await,
        }
    }

    /// Runs a statement; returns how many records it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, MetaError> {
        let place = &self.place;
        match &mut self.inner {
            Inner::Sqlite(t) => {
                let done =
                    async { (&mut **t).execute(sqlite::query(statement)).await.map_err(|e| sqlite_fault(&e, place)) };
                within(sqlite::LIMIT, place, done).await.map(|done| done.rows_affected())
            }
            Inner::Postgres(t) => t.execute(statement).await,
        }
    }

    /// Reads, record by record: a table may be larger than memory.
    pub(crate) fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Record, MetaError>> {
        match &mut self.inner {
            Inner::Sqlite(t) => {
                let rows = (&mut **t).fetch(sqlite::query(statement));
                paced(rows, sqlite::LONG, &self.place, Record::Sqlite, sqlite_fault)
            }
            Inner::Postgres(t) => t.stream(statement),
        }
    }

    /// Reads.
    pub(crate) async fn rows(&mut self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        self.stream(statement).try_collect().await
    }

    /// Makes it count. Where it is not known whether it does, the error is [`MetaError::CommitUnknown`].
    pub(crate) async fn commit(self) -> Result<(), MetaError> {
        let place = &self.place;
        match self.inner {
            Inner::Sqlite(t) => {
                let done = async { t.commit().await.map_err(|e| sqlite_fault(&e, place)) };
                within(sqlite::LIMIT, place, done).await.map_err(|error| match error {
                    MetaError::Unreachable { place, detail } => MetaError::CommitUnknown { place, detail },
                    other => other,
                })
            }
            Inner::Postgres(t) => t.commit().await,
        }
    }
}
