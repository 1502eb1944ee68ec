//! PostgreSQL: a pool of connections that are replaced when the server went away or gave no answer in time.

mod encryption;
mod link;
mod target;
mod transaction;

use std::sync::{Arc, Once};
use std::time::Duration;

use candlecast_core::Timestamp;
use sqlx::postgres::{PgArguments, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, PgPool, Postgres};
use tokio::time::timeout;

use self::encryption::encryption_fault;
use self::link::{Link, Shared};
use self::target::Target;
pub(crate) use self::transaction::PgTransaction;
use super::fault::postgres_fault;
use super::migrate;
use super::{Arg, Record, Statement, Transaction};
use crate::{CallLimits, MetaError};

/// Connections a process opens.
const CONNECTIONS: u32 = 8;

#[derive(Debug, Clone)]
pub(crate) struct PostgresDatabase {
    pool: PgPool,
    shared: Arc<Shared>,
}

impl PostgresDatabase {
    pub(crate) async fn open(url: &str, limits: CallLimits, now: Timestamp) -> Result<Self, MetaError> {
        let db = Self::unmigrated(url, limits).await?;
        let mut transaction = db.begin().await?;
        migrate::up(&mut transaction, migrate::POSTGRES, now).await?;
        transaction.commit().await?;
        Ok(db)
    }

    /// Connects and leaves the schema as it is.
    pub(crate) async fn unmigrated(url: &str, limits: CallLimits) -> Result<Self, MetaError> {
        static WARNED: Once = Once::new();
        let target = Target::read(url, limits)?;
        if let Some(warning) = target.warning {
            WARNED.call_once(|| tracing::warn!("{warning}"));
        }
        let shared = Arc::new(Shared::new(target.place, limits));
        let asked = Arc::clone(&shared);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(limits.connect)
            // The pool would wait for the answer until the whole time for a connection is over.
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let asked = Arc::clone(&asked);
                Box::pin(async move { Ok(asked.is_usable(connection, meta.age).await) })
            })
            .connect_with(target.options)
            .await
            .map_err(|error| connect_fault(&error, &shared.place))?;
        Ok(Self { pool, shared })
    }

    async fn link(&self) -> Result<Link, MetaError> {
        let acquired = self.pool.acquire().await.map_err(|error| connect_fault(&error, &self.shared.place))?;
        Ok(Link::new(acquired, Arc::clone(&self.shared)))
    }

    /// Begins a transaction that may take long, as a change of the schema or a restore does.
    pub(crate) async fn begin(&self) -> Result<Transaction, MetaError> {
        let long = self.shared.limits.long.as_millis().max(1);
        let sql = format!(
            "BEGIN; SET LOCAL statement_timeout = {long}; SET LOCAL idle_in_transaction_session_timeout = {long}"
        );
        let begun = PgTransaction::begin(self.link().await?, sql).await?;
        Ok(Transaction::postgres(begun, &self.shared.place))
    }

    /// Begins a transaction that sees one state of the database, whatever others write meanwhile. A statement may take
    /// as long as its records are being read.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, MetaError> {
        let long = self.shared.limits.long.as_millis().max(1);
        let sql = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
             SET LOCAL idle_in_transaction_session_timeout = {long}"
        );
        let begun = PgTransaction::begin(self.link().await?, sql).await?;
        Ok(Transaction::postgres(begun, &self.shared.place))
    }

    pub(crate) async fn rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        self.fetch(statement, self.shared.limits.statement).await
    }

    pub(crate) async fn changed_rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        self.fetch(statement, self.shared.limits.brief).await
    }

    async fn fetch(&self, statement: Statement, limit: Duration) -> Result<Vec<Record>, MetaError> {
        let mut link = self.link().await?;
        Ok(link.rows(statement, limit).await?.into_iter().map(Record::Postgres).collect())
    }

    pub(crate) async fn change(&self, statement: Statement) -> Result<u64, MetaError> {
        let mut link = self.link().await?;
        link.execute(statement, self.shared.limits.statement).await
    }

    pub(crate) async fn change_all(&self, statements: Vec<Statement>) -> Result<Vec<u64>, MetaError> {
        let mut transaction = PgTransaction::begin(self.link().await?, "BEGIN").await?;
        let mut changed = Vec::with_capacity(statements.len());
        for statement in statements {
            match transaction.execute(statement).await {
                Ok(n) => changed.push(n),
                Err(error) => {
                    transaction.roll_back().await;
                    return Err(error);
                }
            }
        }
        transaction.commit().await?;
        Ok(changed)
    }

    pub(crate) async fn close(&self) {
        // Calls under way have limits of their own; whatever is left after that is closed with the process.
        drop(timeout(self.shared.limits.statement, self.pool.close()).await);
    }

    pub(crate) fn place(&self) -> &str {
        &self.shared.place
    }
}

/// An error met while connecting to `place`.
fn connect_fault(error: &sqlx::Error, place: &str) -> MetaError {
    encryption_fault(error, place).unwrap_or_else(|| postgres_fault(error, place))
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
        let error =
            PostgresDatabase::open("postgres://me:hunter2@[", CallLimits::default(), Timestamp(0)).await.unwrap_err();
        assert!(matches!(error, MetaError::Open { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
