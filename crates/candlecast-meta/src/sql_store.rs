//! [`SqlStore`]: every store trait over one SQL database, SQLite or PostgreSQL.

use std::path::Path;

use candlecast_core::Timestamp;

use crate::db::{Database, migrate};
use crate::{CallLimits, MetaError};

/// Name of the SQLite file in the data folder.
pub const DATABASE_FILE: &str = "candlecast.db";

/// Which clock leases, delays and turns of a [`SqlStore`] go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseClock {
    /// That of the database: of the server, or, of a file, of this host.
    Database,
    /// The `now` of each call.
    Caller,
}

/// The metadata database. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct SqlStore {
    pub(crate) db: Database,
    pub(crate) lease_clock: LeaseClock,
}

impl SqlStore {
    fn over(db: Database) -> Self {
        Self { db, lease_clock: LeaseClock::Database }
    }

    /// Opens, or makes, the SQLite file `candlecast.db` in `data_dir`, which must exist, and brings its schema up
    /// to date. `now` is recorded with the schema.
    pub async fn open_in(data_dir: &Path, now: Timestamp) -> Result<Self, MetaError> {
        Self::open_file(&data_dir.join(DATABASE_FILE), now).await
    }

    /// Opens, or makes, a SQLite file.
    pub async fn open_file(file: &Path, now: Timestamp) -> Result<Self, MetaError> {
        Ok(Self::over(Database::open_sqlite(file, now).await?))
    }

    /// Connects to PostgreSQL (`postgres://user:password@host:5432/database`) and brings its schema up to date.
    /// `?options=-c%20search_path=NAME` keeps the tables in a schema of their own.
    ///
    /// Connections to other hosts are encrypted and the server's certificate is verified (`sslmode=verify-full`),
    /// unless the URL has another `sslmode`. Where that allows connections in the clear, a warning is logged once.
    pub async fn connect(url: &str, now: Timestamp) -> Result<Self, MetaError> {
        Ok(Self::over(Database::open_postgres(url, now).await?))
    }

    /// Opens the SQLite file `file`, which must be there, to be dumped: its schema stays as it is, also where it is
    /// older than this program's. `None` where nothing of ours is in it; a newer schema is refused.
    pub async fn open_file_as_it_is(file: &Path) -> Result<Option<Self>, MetaError> {
        Self::as_it_is(Database::unmigrated_sqlite(file).await?).await
    }

    /// The same of a PostgreSQL database.
    pub async fn connect_as_it_is(url: &str) -> Result<Option<Self>, MetaError> {
        Self::as_it_is(Database::unmigrated_postgres(url).await?).await
    }

    async fn as_it_is(db: Database) -> Result<Option<Self>, MetaError> {
        let mut transaction = db.begin_reading().await?;
        let is_there = migrate::is_there(&mut transaction, db.steps()).await?;
        transaction.commit().await?;
        Ok(is_there.then(|| Self::over(db)))
    }

    /// The same database, whose leases, delays and turns go by the `now` of each call instead of the database's clock:
    /// for tests, and for nothing where several processes or hosts work.
    #[must_use]
    pub fn by_callers_clock(self) -> Self {
        Self { lease_clock: LeaseClock::Caller, ..self }
    }

    /// The same with limits of the caller's.
    pub async fn connect_within(url: &str, limits: CallLimits, now: Timestamp) -> Result<Self, MetaError> {
        Ok(Self::over(Database::open_postgres_within(url, limits, now).await?))
    }

    /// Where the database is: the file, or the server without user and password.
    pub fn place(&self) -> &str {
        self.db.place()
    }

    /// True when the database answers.
    pub async fn ping(&self) -> Result<(), MetaError> {
        self.db.rows(crate::db::Statement::new("SELECT 1 AS one")).await.map(drop)
    }

    /// Waits for calls under way and closes the connections.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
