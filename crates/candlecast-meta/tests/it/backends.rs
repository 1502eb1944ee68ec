//! The databases a law is tried on.

use candlecast_meta::SqlStore;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use crate::fixtures::T0;

/// Stores over fresh, empty databases. Their leases go by the times that a test tells.
pub(crate) struct Backends {
    pub(crate) stores: Vec<SqlStore>,
    _dir: TempDir,
}

/// SQLite, and PostgreSQL when there is one; `name` keeps tests apart.
pub(crate) async fn backends(name: &str) -> Backends {
    let dir = tempfile::tempdir().unwrap();
    let mut stores = vec![SqlStore::open_in(dir.path(), T0).await.unwrap().by_callers_clock()];
    if let Some(url) = postgres_url(name).await {
        stores.push(SqlStore::connect(&url, T0).await.unwrap().by_callers_clock());
    }
    Backends { stores, _dir: dir }
}

/// The test server, with a fresh schema for this test; `None` without a server.
pub(crate) async fn postgres_url(name: &str) -> Option<String> {
    let url = candlecast_testenv::postgres()?;
    Some(fresh_schema(&url, name).await)
}

/// The server at `url`, with a fresh schema for the test `name`.
pub(crate) async fn fresh_schema(url: &str, name: &str) -> String {
    let schema = format!("test_{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    let mut connection = PgConnection::connect(url).await.unwrap();
    (&mut connection).execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}options=-c%20search_path%3D{schema}")
}
