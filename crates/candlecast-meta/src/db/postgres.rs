//! PostgreSQL: a pool of connections that are replaced when the server went away.

use std::str::FromStr;
use std::time::Duration;

use candlecast_core::Timestamp;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, PgPool, Postgres};

use super::fault::postgres_fault;
use super::migrate;
use super::{Arg, Record, Statement, Transaction};
use crate::MetaError;

/// How long a call waits for a connection; a server that is restarting is tried for that long.
const TURN: Duration = Duration::from_secs(5);
/// Connections a process opens.
const CONNECTIONS: u32 = 8;

#[derive(Debug, Clone)]
pub(crate) struct PostgresDatabase {
    pool: PgPool,
    place: String,
}

impl PostgresDatabase {
    pub(crate) async fn open(url: &str, now: Timestamp) -> Result<Self, MetaError> {
        let db = Self::unmigrated(url).await?;
        let mut transaction = db.begin().await?;
        migrate::up(&mut transaction, migrate::POSTGRES, now).await?;
        transaction.commit().await?;
        Ok(db)
    }

    /// Connects and leaves the schema as it is.
    pub(crate) async fn unmigrated(url: &str) -> Result<Self, MetaError> {
        // The text of a parse error may repeat the URL, and with it the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| MetaError::Open {
            place: "DATABASE_URL".into(),
            detail: "not of the form postgres://user:password@host:5432/database".into(),
        })?;
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("candlecast") };
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("postgres://{}:{}/{database}", options.get_host(), options.get_port());
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(TURN)
            .connect_with(options)
            .await
            .map_err(|error| postgres_fault(&error, &place))?;
        Ok(Self { pool, place })
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction, MetaError> {
        let begun = self.pool.begin().await;
        Ok(Transaction::postgres(begun.map_err(|error| postgres_fault(&error, &self.place))?, &self.place))
    }

    /// Begins a transaction that sees one state of the database, whatever others write meanwhile.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, MetaError> {
        let begun = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await;
        Ok(Transaction::postgres(begun.map_err(|error| postgres_fault(&error, &self.place))?, &self.place))
    }

    pub(crate) async fn rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        let pool = &self.pool;
        let rows = pool.fetch_all(query(statement)).await.map_err(|error| postgres_fault(&error, &self.place))?;
        Ok(rows.into_iter().map(Record::Postgres).collect())
    }

    pub(crate) async fn change(&self, statement: Statement) -> Result<u64, MetaError> {
        let pool = &self.pool;
        let done = pool.execute(query(statement)).await.map_err(|error| postgres_fault(&error, &self.place))?;
        Ok(done.rows_affected())
    }

    pub(crate) async fn change_all(&self, statements: Vec<Statement>) -> Result<Vec<u64>, MetaError> {
        let fault = |error: sqlx::Error| postgres_fault(&error, &self.place);
        let mut transaction = self.pool.begin().await.map_err(fault)?;
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            let done = (&mut *transaction).execute(query(statement)).await.map_err(fault)?;
            changed.push(done.rows_affected());
        }
        transaction.commit().await.map_err(fault)?;
        Ok(changed)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

pub(super) fn query(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let mut query: Query<'static, Postgres, PgArguments> = sqlx::query(AssertSqlSafe(statement.sql));
    for arg in statement.args {
        query = match arg {
            Arg::Int(value) => query.bind(value),
            Arg::Real(value) => query.bind(value),
            Arg::Text(value) => query.bind(value),
            Arg::Blob(value) => query.bind(value),
        };
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_url_is_refused_without_repeating_it() {
        let error = PostgresDatabase::open("postgres://me:hunter2@[", Timestamp(0)).await.unwrap_err();
        assert!(matches!(error, MetaError::Open { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
