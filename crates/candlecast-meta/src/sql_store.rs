//! [`SqlStore`]: every store trait over one SQL database, SQLite or PostgreSQL.

use std::path::Path;

use candlecast_core::Timestamp;

use crate::MetaError;
use crate::db::Database;

/// Name of the SQLite file in the data folder.
pub const DATABASE_FILE: &str = "candlecast.db";

/// The metadata database. Cloning is cheap and shares the connections.
#[derive(Debug, Clone)]
pub struct SqlStore {
    pub(crate) db: Database,
}

impl SqlStore {
    /// Opens, or makes, the SQLite file `candlecast.db` in `data_dir`, which must exist, and brings its schema up
    /// to date. `now` is recorded with the schema.
    pub async fn open_in(data_dir: &Path, now: Timestamp) -> Result<Self, MetaError> {
        Self::open_file(&data_dir.join(DATABASE_FILE), now).await
    }

    /// Opens, or makes, a SQLite file.
    pub async fn open_file(file: &Path, now: Timestamp) -> Result<Self, MetaError> {
        Ok(Self { db: Database::open_sqlite(file, now).await? })
    }

    /// Connects to PostgreSQL (`postgres://user:password@host:5432/database`) and brings its schema up to date.
    /// `?options=-c%20search_path=NAME` keeps the tables in a schema of their own.
    pub async fn connect(url: &str, now: Timestamp) -> Result<Self, MetaError> {
        Ok(Self { db: Database::open_postgres(url, now).await? })
    }

    /// Opens, or makes, the SQLite file in `data_dir` and leaves its schema as it is, of whichever program: to be looked
    /// at only. What is read of another schema may be an error.
    pub async fn open_as_it_is(data_dir: &Path) -> Result<Self, MetaError> {
        Ok(Self { db: Database::unmigrated_sqlite(&data_dir.join(DATABASE_FILE)).await? })
    }

    /// Connects to PostgreSQL and leaves the schema as it is, as [`open_as_it_is`](Self::open_as_it_is) does.
    pub async fn connect_as_it_is(url: &str) -> Result<Self, MetaError> {
        Ok(Self { db: Database::unmigrated_postgres(url).await? })
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
