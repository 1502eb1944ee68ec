//! SQLite: one file, one connection that writes, some that read.
//!
//! A single writing connection makes the writers of a process take turns without ever seeing "locked"; other
//! processes on the file are waited for (`busy_timeout`). With a write-ahead log and `synchronous = FULL` nothing that
//! was acknowledged is lost, neither by a killed program nor by a power cut: each transaction waits for the disk once.
//! They are rare, since what is written often (forecasts, outcomes, log lines) is written many at a time.
//!
//! A file that is made here can give the space of deleted records back (`auto_vacuum = INCREMENTAL`), some pages at a
//! time. One that was made without uses it again itself and keeps its size: changing that takes `VACUUM`, which writes
//! the whole file anew and lets nobody write meanwhile. A backup that is restored makes such a file, too.

use std::path::Path;
use std::time::Duration;

use candlecast_core::{Seed, Timestamp};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection, Executor, Sqlite, SqliteConnection, SqlitePool};

use super::deadline::within;
use super::fault::sqlite_fault;
use super::migrate::{self, Migration};
use super::{Arg, Record, Statement, Transaction};
use crate::{MAX_PAGE, MetaError, Retry};

/// How long another process may hold the file before a write gives up.
const BUSY: Duration = Duration::from_secs(10);
/// How long a call waits for its turn within this process.
const TURN: Duration = Duration::from_secs(30);
/// How long any call may take, waiting included, before the disk counts as gone.
pub(super) const LIMIT: Duration = Duration::from_secs(120);
/// How long a step of the schema may take, or the next record of a dump.
pub(super) const LONG: Duration = Duration::from_secs(3_600);
/// Connections that read.
const READERS: u32 = 4;

#[derive(Debug, Clone)]
pub(crate) struct SqliteDatabase {
    writer: SqlitePool,
    readers: SqlitePool,
    place: String,
}

impl SqliteDatabase {
    pub(crate) async fn open(file: &Path, now: Timestamp) -> Result<Self, MetaError> {
        // Switching a new file to its write-ahead log does not wait for others that do the same.
        let together = Retry { first_ms: 10, longest_ms: 200, budget_ms: 30_000, seed: Seed::default() };
        together.run(|| Self::open_with(file, now, migrate::SQLITE)).await
    }

    async fn open_with(file: &Path, now: Timestamp, steps: &[Migration]) -> Result<Self, MetaError> {
        let db = Self::unmigrated(file).await?;
        let mut transaction = db.begin().await?;
        migrate::up(&mut transaction, steps, now).await?;
        transaction.commit().await?;
        Ok(db)
    }

    /// Opens, or makes, the file and leaves its schema as it is.
    pub(crate) async fn unmigrated(file: &Path) -> Result<Self, MetaError> {
        let place = file.display().to_string();
        let fault = |error: sqlx::Error| opening(sqlite_fault(&error, &place));
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Rows come from another thread: a page of a list without waiting for each other.
            .row_buffer_size(MAX_PAGE as usize)
            .busy_timeout(BUSY);
        // Only of a new file: to an old one it means nothing, and each connection that sets it waits for the write lock.
        let is_new = std::fs::metadata(file).map_or(true, |found| found.len() == 0);
        let mut writing = options.clone();
        if is_new {
            writing = writing.auto_vacuum(SqliteAutoVacuum::Incremental);
        }
        let writer = kept(1).connect_with(writing).await.map_err(fault)?;
        let readers = kept(READERS).connect_with(options.pragma("query_only", "1")).await.map_err(fault)?;
        Ok(Self { writer, readers, place })
    }

    /// Begins a transaction that holds the file's write lock.
    pub(crate) async fn begin(&self) -> Result<Transaction, MetaError> {
        let fault = |error: sqlx::Error| sqlite_fault(&error, &self.place);
        let begun = async { self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault) };
        Ok(Transaction::sqlite(within(LIMIT, &self.place, begun).await?, &self.place))
    }

    /// Begins a transaction that sees one state of the file, whatever others write meanwhile.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, MetaError> {
        let fault = |error: sqlx::Error| sqlite_fault(&error, &self.place);
        let begun = async { self.readers.begin().await.map_err(fault) };
        Ok(Transaction::sqlite(within(LIMIT, &self.place, begun).await?, &self.place))
    }

    pub(crate) async fn rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        fetch(&self.readers, statement, &self.place).await
    }

    pub(crate) async fn changed_rows(&self, statement: Statement) -> Result<Vec<Record>, MetaError> {
        fetch(&self.writer, statement, &self.place).await
    }

    pub(crate) async fn change(&self, statement: Statement) -> Result<u64, MetaError> {
        let (pool, place) = (&self.writer, &self.place);
        let done = async { pool.execute(query(statement)).await.map_err(|error| sqlite_fault(&error, place)) };
        Ok(within(LIMIT, place, done).await?.rows_affected())
    }

    /// On failure the connection is replaced: on a full disk SQLite rolls back by itself, the driver does not
    /// learn of it, and every later transaction on that connection would be refused.
    pub(crate) async fn change_all(&self, statements: Vec<Statement>) -> Result<Vec<u64>, MetaError> {
        within(LIMIT, &self.place, self.all_or_none(statements)).await
    }

    async fn all_or_none(&self, statements: Vec<Statement>) -> Result<Vec<u64>, MetaError> {
        let fault = |error: sqlx::Error| sqlite_fault(&error, &self.place);
        let mut connection = self.writer.acquire().await.map_err(fault)?;
        let result = in_transaction(&mut connection, statements).await.map_err(fault);
        if result.is_err() {
            // What went wrong is reported already; a failure to close adds nothing.
            drop(connection.close().await);
        }
        result
    }

    /// On failure the connection is replaced, as by [`change_all`](Self::change_all).
    pub(crate) async fn change_then<F>(&self, first: Statement, then: F) -> Result<u64, MetaError>
    where
        F: FnOnce(Vec<Record>) -> Result<Vec<Statement>, MetaError> + Send,
    {
        within(LIMIT, &self.place, self.one_after_another(first, then)).await
    }

    async fn one_after_another<F>(&self, first: Statement, then: F) -> Result<u64, MetaError>
    where
        F: FnOnce(Vec<Record>) -> Result<Vec<Statement>, MetaError> + Send,
    {
        let mut connection = self.writer.acquire().await.map_err(|error| sqlite_fault(&error, &self.place))?;
        let result = in_sequence(&mut connection, first, then, &self.place).await;
        if result.is_err() {
            // What went wrong is reported already; a failure to close adds nothing.
            drop(connection.close().await);
        }
        result
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// Runs all statements or none.
async fn in_transaction(connection: &mut SqliteConnection, statements: Vec<Statement>) -> sqlx::Result<Vec<u64>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut changed = Vec::with_capacity(statements.len());
    for statement in statements {
        changed.push((&mut *transaction).execute(query(statement)).await?.rows_affected());
    }
    transaction.commit().await?;
    Ok(changed)
}

/// Runs `first` and what `then` makes of its records, or nothing; how many records there were.
async fn in_sequence<F>(
    connection: &mut SqliteConnection,
    first: Statement,
    then: F,
    place: &str,
) -> Result<u64, MetaError>
where
    F: FnOnce(Vec<Record>) -> Result<Vec<Statement>, MetaError> + Send,
{
    let fault = |error: sqlx::Error| sqlite_fault(&error, place);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    let rows = (&mut *transaction).fetch_all(query(first)).await.map_err(fault)?;
    let changed = rows.len() as u64;
    let statements = then(rows.into_iter().map(Record::Sqlite).collect())?;
    for statement in statements {
        (&mut *transaction).execute(query(statement)).await.map_err(fault)?;
    }
    transaction.commit().await.map_err(fault)?;
    Ok(changed)
}

/// A pool that keeps its connections: reopening a file buys nothing.
fn kept(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(TURN)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .test_before_acquire(false)
}

/// Failing for want of rights or of a folder is, while opening, a matter of the path.
fn opening(error: MetaError) -> MetaError {
    match error {
        MetaError::Unreachable { place, detail } | MetaError::Database { place, detail } => {
            MetaError::Open { place, detail }
        }
        other => other,
    }
}

async fn fetch(pool: &SqlitePool, statement: Statement, place: &str) -> Result<Vec<Record>, MetaError> {
    let rows = async { pool.fetch_all(query(statement)).await.map_err(|error| sqlite_fault(&error, place)) };
    Ok(within(LIMIT, place, rows).await?.into_iter().map(Record::Sqlite).collect())
}

pub(super) fn query(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    let statement = statement.with_anonymous_places();
    let mut query: Query<'static, Sqlite, SqliteArguments> = sqlx::query(AssertSqlSafe(statement.sql));
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

    const NOW: Timestamp = Timestamp(1_704_067_200_000);

    fn fold(scope: &str, body: &str) -> Statement {
        Statement::new(
            "INSERT INTO ml_folds (scope, trial, fold, metrics, duration_ms, finished_at) VALUES ($1, 0, 0, $2, 0, 0)",
        )
        .bind(scope)
        .bind(body)
    }

    async fn count(db: &SqliteDatabase) -> i64 {
        let rows = db.rows(Statement::new("SELECT COUNT(*) AS n FROM ml_folds")).await.unwrap();
        rows[0].int("n").unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_named_and_nothing_is_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let db = SqliteDatabase::open(&dir.path().join("full.db"), NOW).await.unwrap();
        let rows = db.rows(Statement::new("PRAGMA page_count")).await.unwrap();
        let pages = rows[0].int("page_count").unwrap();
        let limit = format!("PRAGMA max_page_count = {}", pages + 4);
        db.changed_rows(Statement::new(limit)).await.unwrap();
        let batch = vec![fold("small", "{}"), fold("large", &"x".repeat(1 << 20))];
        let error = db.change_all(batch).await.unwrap_err();
        assert!(matches!(error, MetaError::DiskFull { .. }) && !error.is_transient(), "{error}");
        assert_eq!(count(&db).await, 0, "the small record of the failed batch must be gone");
        db.change_all(vec![fold("one", "{}"), fold("two", "{}")]).await.unwrap();
        assert_eq!(count(&db).await, 2, "writing goes on once there is space");
    }

    #[tokio::test]
    async fn what_follows_from_a_change_counts_with_it_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let db = SqliteDatabase::open(&dir.path().join("then.db"), NOW).await.unwrap();
        db.change_all(["a", "b", "c"].map(|scope| fold(scope, "{}")).into()).await.unwrap();
        let some = || Statement::new("DELETE FROM ml_folds WHERE scope < $1 RETURNING scope").bind("c");
        let one_for_all = |records: Vec<Record>| -> Result<Vec<Statement>, MetaError> {
            let scopes = records.iter().map(|record| record.text("scope")).collect::<Result<Vec<_>, MetaError>>()?;
            Ok(vec![fold(&scopes.join("+"), "{}"), fold("c", "{}")])
        };
        // The record `c` is there already, so nothing is deleted.
        assert!(db.change_then(some(), one_for_all).await.is_err());
        assert_eq!(count(&db).await, 3);
        let fails = |_: Vec<Record>| Err(MetaError::not_found("fold", "x"));
        assert_eq!(db.change_then(some(), fails).await, Err(MetaError::not_found("fold", "x")));
        assert_eq!(count(&db).await, 3);
        let one = |records: Vec<Record>| Ok(vec![fold(&format!("{} of them", records.len()), "{}")]);
        assert_eq!(db.change_then(some(), one).await, Ok(2));
        assert_eq!(count(&db).await, 2);
    }

    #[tokio::test]
    async fn a_new_file_can_give_space_back_and_an_old_one_is_left_as_it_was_made() {
        let dir = tempfile::tempdir().unwrap();
        let mode = async |db: &SqliteDatabase| {
            let rows = db.rows(Statement::new("PRAGMA auto_vacuum")).await.unwrap();
            rows[0].int("auto_vacuum").unwrap()
        };
        let file = dir.path().join("new.db");
        for _ in 0..2 {
            let db = SqliteDatabase::open(&file, NOW).await.unwrap();
            assert_eq!(mode(&db).await, 2, "incremental");
            db.close().await;
        }
        let file = dir.path().join("old.db");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let mut old = SqliteConnection::connect_with(&options).await.unwrap();
        (&mut old).execute("CREATE TABLE other (a BIGINT)").await.unwrap();
        old.close().await.unwrap();
        let db = SqliteDatabase::open(&file, NOW).await.unwrap();
        assert_eq!(mode(&db).await, 0, "none");
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_written_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let db = SqliteDatabase::open(&dir.path().join("read.db"), NOW).await.unwrap();
        db.changed_rows(Statement::new("PRAGMA query_only = 1")).await.unwrap();
        let error = db.change(fold("a", "{}")).await.unwrap_err();
        assert!(matches!(error, MetaError::ReadOnly { .. }) && !error.is_transient(), "{error}");
    }

    #[tokio::test]
    async fn what_is_acknowledged_has_reached_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let db = SqliteDatabase::open(&dir.path().join("sync.db"), NOW).await.unwrap();
        // 2 is FULL; see <https://www.sqlite.org/pragma.html#pragma_synchronous>.
        let rows = db.changed_rows(Statement::new("PRAGMA synchronous")).await.unwrap();
        assert_eq!(rows[0].int("synchronous").unwrap(), 2);
    }

    #[tokio::test]
    async fn a_failed_migration_leaves_the_schema_as_it_was() {
        let known = migrate::SQLITE;
        let version = known.last().unwrap().version + 1;
        let with =
            |name, sql| -> Vec<Migration> { known.iter().copied().chain([Migration { version, name, sql }]).collect() };
        let broken = with("broken", "CREATE TABLE fresh (a BIGINT); CREATE TABLE ml_runs (a BIGINT);");
        let good = with("good", "CREATE TABLE fresh (a BIGINT);");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("steps.db");
        SqliteDatabase::open(&file, NOW).await.unwrap().close().await;
        assert!(SqliteDatabase::open_with(&file, NOW, &broken).await.is_err());
        let db = SqliteDatabase::open_with(&file, NOW, &good).await.unwrap();
        db.change(Statement::new("INSERT INTO fresh (a) VALUES (1)")).await.unwrap();
        db.close().await;
        let newer = SqliteDatabase::open(&file, NOW).await.unwrap_err();
        assert_eq!(newer, MetaError::Newer { found: version, known: version - 1 });
    }
}
