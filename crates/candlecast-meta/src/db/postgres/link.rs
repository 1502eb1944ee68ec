//! [`Link`]: a connection of the pool while a call has it. It goes back only if it is known to be at rest.
//!
//! A connection whose answer did not come, or that nobody waited for, may be cut off. The pool would ask it whether it
//! lives before it takes it back, without any limit, and a place in the pool would be lost meanwhile. So such a
//! connection is closed at once, and a new one takes its place.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Postgres};
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::query;
use crate::db::Statement;
use crate::db::deadline::unanswered;
use crate::db::fault::{is_demoted, is_refusal, postgres_fault};
use crate::{CallLimits, MetaError};

/// What all connections of a pool share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Host, port and database, without user and password.
    pub(super) place: String,
    pub(super) limits: CallLimits,
    doubted: Mutex<Option<Instant>>,
}

impl Shared {
    pub(super) fn new(place: String, limits: CallLimits) -> Self {
        Self { place, limits, doubted: Mutex::new(None) }
    }

    /// No connection that is open now is used again: what cut off one of them, or made a server read-only, has probably
    /// done so to all.
    pub(super) fn doubt_all(&self) {
        *self.doubted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// True for a connection that was opened before the last doubt.
    fn doubts(&self, age: Duration) -> bool {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < age)
    }

    /// Whether a connection that lay idle, opened `age` ago, may be used. There must be time left to open another one.
    pub(super) async fn is_usable(&self, connection: &mut PgConnection, age: Duration) -> bool {
        if self.doubts(age) {
            return false;
        }
        let Ok(answer) = timeout(self.limits.connect / 2, connection.ping()).await else {
            self.doubt_all();
            return false;
        };
        answer.is_ok()
    }
}

/// A connection in use.
pub(super) struct Link {
    /// Taken out only when this is dropped.
    inner: Option<PoolConnection<Postgres>>,
    pub(super) shared: Arc<Shared>,
    /// False while an answer is outstanding.
    at_rest: bool,
    /// True from a BEGIN to the end of its transaction.
    pub(super) in_transaction: bool,
}

impl Link {
    pub(super) fn new(connection: PoolConnection<Postgres>, shared: Arc<Shared>) -> Self {
        Self { inner: Some(connection), shared, at_rest: true, in_transaction: false }
    }

    /// Reads.
    pub(super) async fn rows(&mut self, statement: Statement, limit: Duration) -> Result<Vec<PgRow>, MetaError> {
        let answer = timeout(limit, self.ask().fetch_all(query(statement))).await;
        self.settle(answer, limit)
    }

    /// Changes; returns how many records.
    pub(super) async fn execute(&mut self, statement: Statement, limit: Duration) -> Result<u64, MetaError> {
        let answer = timeout(limit, self.ask().execute(query(statement))).await;
        self.settle(answer, limit).map(|done| done.rows_affected())
    }

    /// Runs statements without values.
    pub(super) async fn script(&mut self, sql: Cow<'static, str>, limit: Duration) -> Result<(), MetaError> {
        let answer = timeout(limit, self.ask().execute(AssertSqlSafe(sql))).await;
        self.settle(answer, limit).map(drop)
    }

    /// The connection, for a call whose answer [`rest`](Self::rest) tells of; one that nothing tells of closes it.
    pub(super) fn ask(&mut self) -> &mut PgConnection {
        self.ask_at().0
    }

    /// The same, and where the server is.
    pub(super) fn ask_at(&mut self) -> (&mut PgConnection, &str) {
        self.at_rest = false;
        let connection = self.inner.as_mut().expect("it is taken out only when this is dropped");
        (&mut **connection, &self.shared.place)
    }

    /// What became of a call.
    fn settle<T>(&mut self, answer: Result<sqlx::Result<T>, Elapsed>, limit: Duration) -> Result<T, MetaError> {
        match answer {
            Ok(Ok(value)) => {
                self.rest();
                Ok(value)
            }
            Ok(Err(error)) => {
                if is_refusal(&error) {
                    self.rest();
                }
                if is_demoted(&error) {
                    self.shared.doubt_all();
                }
                Err(postgres_fault(&error, &self.shared.place))
            }
            Err(_) => {
                self.shared.doubt_all();
                Err(unanswered(limit, &self.shared.place))
            }
        }
    }

    /// The answer is there.
    pub(super) fn rest(&mut self) {
        self.at_rest = true;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let Some(mut connection) = self.inner.take() else { return };
        match Handle::try_current() {
            Ok(runtime) if self.at_rest && !self.in_transaction => {
                // The pool asks it whether it lives, which has no limit of its own.
                let limit = self.shared.limits.connect;
                runtime.spawn(timeout(limit, connection.return_to_pool()));
            }
            // The server undoes what is not committed.
            _ => drop(connection.detach()),
        }
    }
}
