//! [`PgTransaction`]: a transaction on PostgreSQL. Dropped without an end, it closes its connection, whereupon the
//! server undoes it.

use std::borrow::Cow;
use std::time::Duration;

use futures::stream::BoxStream;
use sqlx::Executor;
use tokio::time::timeout;

use super::link::Link;
use super::query;
use crate::db::deadline::{paced, silence};
use crate::db::fault::{is_refusal, postgres_fault};
use crate::db::{Record, Statement};
use crate::{CallLimits, MetaError};

/// A transaction under way.
pub(crate) struct PgTransaction {
    link: Link,
}

impl PgTransaction {
    /// Begins one by `sql`.
    pub(super) async fn begin(mut link: Link, sql: impl Into<Cow<'static, str>>) -> Result<Self, MetaError> {
        link.in_transaction = true;
        let limit = link.shared.limits.statement;
        link.script(sql.into(), limit).await?;
        Ok(Self { link })
    }

    fn limits(&self) -> CallLimits {
        self.link.shared.limits
    }

    /// Waits until this is the only transaction that has asked for `key`; it lasts until its end.
    pub(crate) async fn lock(&mut self, key: i64) -> Result<(), MetaError> {
        let limits = self.limits();
        self.wait_for_locks(limits.statement).await?;
        let statement = Statement::new("SELECT pg_advisory_xact_lock($1)").bind(key);
        let locked = self.link.execute(statement, limits.statement + limits.connect).await;
        locked.map_err(|error| match error {
            MetaError::Busy { place, .. } => {
                MetaError::Busy { place, detail: "another program changes its schema, or restores into it".into() }
            }
            other => other,
        })?;
        self.wait_for_locks(limits.lock).await
    }

    async fn wait_for_locks(&mut self, limit: Duration) -> Result<(), MetaError> {
        let sql = format!("SET LOCAL lock_timeout = {}", limit.as_millis().max(1));
        self.link.script(sql.into(), self.limits().statement).await
    }

    /// Runs statements of the schema.
    pub(crate) async fn script(&mut self, sql: &'static str) -> Result<(), MetaError> {
        self.link.script(sql.into(), self.limits().long).await
    }

    /// Runs a statement; returns how many records it changed.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, MetaError> {
        self.link.execute(statement, self.limits().statement).await
    }

    /// Reads, record by record. While records come the connection counts as busy.
    pub(crate) fn stream(&mut self, statement: Statement) -> BoxStream<'_, Result<Record, MetaError>> {
        let limit = self.limits().long;
        let (connection, place) = self.link.ask_at();
        paced(connection.fetch(query(statement)), limit, place, Record::Postgres, postgres_fault)
    }

    /// Makes it count. Where it is not known whether it does, the error is [`MetaError::CommitUnknown`].
    pub(crate) async fn commit(mut self) -> Result<(), MetaError> {
        let limit = self.limits().statement;
        let place = self.link.shared.place.clone();
        let answer = timeout(limit, self.link.ask().execute("COMMIT")).await;
        let detail = match answer {
            Ok(Ok(_)) => {
                self.end();
                return Ok(());
            }
            // What the server itself reports, before it ends a session, it has undone.
            Ok(Err(error)) if is_refusal(&error) => {
                self.end();
                return Err(postgres_fault(&error, &place));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.link.shared.doubt_all();
                silence(limit)
            }
        };
        Err(MetaError::CommitUnknown { place, detail })
    }

    /// Undoes it, so that the connection can be used again.
    pub(super) async fn roll_back(mut self) {
        let limit = self.limits().brief;
        // A connection that cannot even do this is closed, to the same effect.
        if self.link.script("ROLLBACK".into(), limit).await.is_ok() {
            self.end();
        }
    }

    fn end(&mut self) {
        self.link.rest();
        self.link.in_transaction = false;
    }
}
