//! The two databases behind one face: statements in, records out, errors told in [`MetaError`]. Every call has a limit;
//! an answer that does not come within it is an error.

mod deadline;
mod fault;
pub(crate) mod migrate;
mod postgres;
mod record;
mod sqlite;
mod statement;
mod transaction;

use std::path::Path;

use candlecast_core::Timestamp;

pub(crate) use record::Record;
pub(crate) use statement::{Arg, Statement};
pub(crate) use transaction::Transaction;

use self::postgres::PostgresDatabase;
use self::sqlite::SqliteDatabase;
use crate::{CallLimits, MetaError};

/// An open database.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

impl Database {
    pub(crate) async fn open_sqlite(file: &Path, now: Timestamp) -> Result<Self, MetaError> {
        SqliteDatabase::open(file, now).await.map(Self::Sqlite)
    }

    pub(crate) async fn open_postgres(url: &str, now: Timestamp) -> Result<Self, MetaError> {
        Self::open_postgres_within(url, CallLimits::default(), now).await
    }

    pub(crate) async fn open_postgres_within(url: &str, limits: CallLimits, now: Timestamp) -> Result<Self, MetaError> {
        PostgresDatabase::open(url, limits, now).await.map(Self::Postgres)
    }

    /// Opens, or makes, a SQLite file and leaves its schema as it is.
    pub(crate) async fn unmigrated_sqlite(file: &Path) -> Result<Self, MetaError> {
        SqliteDatabase::unmigrated(file).await.map(Self::Sqlite)
    }

    /// Connects to PostgreSQL and leaves the schema as it is.
    pub(crate) async fn unmigrated_postgres(url: &str) -> Result<Self, MetaError> {
        PostgresDatabase::unmigrated(url, CallLimits::default()).await.map(Self::Postgres)
    }

    /// Every step of the schema, in this database's dialect.
    pub(crate) fn steps(&self) -> &'static [migrate::Migration] {
        match self {
            Self::Sqlite(_) => migrate::SQLITE,
            Self::Postgres(_) => migrate::POSTGRES,
        }
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Transaction, MetaError> {
        match self {
            Self::Sqlite(db) => db.begin().await,
            Self::Postgres(db) => db.begin().await,
        }
    }

    /// Begins a transaction that reads one state, whatever others write meanwhile.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, MetaError> {
        match self {
            Self::Sqlite(db) => db.begin_reading().await,
            Self::Postgres(db) => db.begin_reading().await,
        }
    }

    /// Reads.
    pub(crate) async fn rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        match self {
            Self::Sqlite(db) => db.rows(statement).await,
            Self::Postgres(db) => db.rows(statement).await,
        }
    }

    /// Reads at most one record.
    pub(crate) async fn row(&self, statement: Statement) -> Result<Option<Record>, MetaError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// Changes few records, and returns what `RETURNING` names. It has the shorter limit, since what keeps a lease is
    /// done so.
    pub(crate) async fn changed_rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        match self {
            Self::Sqlite(db) => db.changed_rows(statement).await,
            Self::Postgres(db) => db.changed_rows(statement).await,
        }
    }

    /// Changes, and returns the first of what `RETURNING` names.
    pub(crate) async fn changed_row(&self, statement: Statement) -> Result<Option<Record>, MetaError> {
        Ok(self.changed_rows(statement).await?.into_iter().next())
    }

    /// Changes, and returns how many records.
    pub(crate) async fn change(&self, statement: Statement) -> Result<u64, MetaError> {
        match self {
            Self::Sqlite(db) => db.change(statement).await,
            Self::Postgres(db) => db.change(statement).await,
        }
    }

    /// Changes in one transaction; how many records each statement changed.
    pub(crate) async fn change_all(&self, statements: Vec<Statement>) -> Result<Vec<u64>, MetaError> {
        match self {
            Self::Sqlite(db) => db.change_all(statements).await,
            Self::Postgres(db) => db.change_all(statements).await,
        }
    }

    /// Changes by `first`, then by the statements that `then` makes of what its `RETURNING` names, in one transaction; how
    /// many records `first` changed.
    pub(crate) async fn change_then<F>(&self, first: Statement, then: F) -> Result<u64, MetaError>
    where
        F: FnOnce(Vec<Record>) -> Result<Vec<Statement>, MetaError> + Send,
    {
        if let Self::Sqlite(db) = self {
            return db.change_then(first, then).await;
        }
        let mut transaction = self.begin().await?;
        let records = transaction.rows(first).await?;
        let changed = records.len() as u64;
        for statement in then(records)? {
            transaction.execute(statement).await?;
        }
        transaction.commit().await?;
        Ok(changed)
    }

    /// Waits for calls under way and closes.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(db) => db.close().await,
            Self::Postgres(db) => db.close().await,
        }
    }

    /// File or server, without password.
    pub(crate) fn place(&self) -> &str {
        match self {
            Self::Sqlite(db) => db.place(),
            Self::Postgres(db) => db.place(),
        }
    }
}
