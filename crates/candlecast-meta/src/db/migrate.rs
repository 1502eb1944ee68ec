//! The schema's history. Migrations are only ever added; one that was applied is checked by its SHA-256.

use candlecast_core::{Timestamp, hex};
use sha2::{Digest, Sha256};

use super::{Record, Statement, Transaction};
use crate::MetaError;

/// One step of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// Steps for SQLite.
pub(crate) const SQLITE: &[Migration] = &[
    Migration { version: 1, name: "base", sql: include_str!("../../migrations/sqlite/0001_base.sql") },
    Migration { version: 2, name: "horizons", sql: include_str!("../../migrations/sqlite/0002_horizons.sql") },
    Migration {
        version: 3,
        name: "prediction_tasks",
        sql: include_str!("../../migrations/sqlite/0003_prediction_tasks.sql"),
    },
    Migration {
        version: 4,
        name: "prediction_directions",
        sql: include_str!("../../migrations/sqlite/0004_prediction_directions.sql"),
    },
    Migration { version: 5, name: "turns", sql: include_str!("../../migrations/sqlite/0005_turns.sql") },
    Migration { version: 6, name: "roll_up", sql: include_str!("../../migrations/sqlite/0006_roll_up.sql") },
    Migration { version: 7, name: "folders", sql: include_str!("../../migrations/sqlite/0007_folders.sql") },
    Migration { version: 8, name: "ledger_days", sql: include_str!("../../migrations/sqlite/0008_ledger_days.sql") },
];

/// Steps for PostgreSQL.
pub(crate) const POSTGRES: &[Migration] = &[
    Migration { version: 1, name: "base", sql: include_str!("../../migrations/postgres/0001_base.sql") },
    Migration { version: 2, name: "horizons", sql: include_str!("../../migrations/postgres/0002_horizons.sql") },
    Migration {
        version: 3,
        name: "prediction_tasks",
        sql: include_str!("../../migrations/postgres/0003_prediction_tasks.sql"),
    },
    Migration {
        version: 4,
        name: "prediction_directions",
        sql: include_str!("../../migrations/postgres/0004_prediction_directions.sql"),
    },
    Migration { version: 5, name: "turns", sql: include_str!("../../migrations/postgres/0005_turns.sql") },
    Migration { version: 6, name: "roll_up", sql: include_str!("../../migrations/postgres/0006_roll_up.sql") },
    Migration { version: 7, name: "folders", sql: include_str!("../../migrations/postgres/0007_folders.sql") },
    Migration { version: 8, name: "ledger_days", sql: include_str!("../../migrations/postgres/0008_ledger_days.sql") },
];

/// Where the applied steps are recorded.
const HISTORY_TABLE: &str = "CREATE TABLE IF NOT EXISTS candlecast_schema (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// Applies those of `steps` that are missing, one process at a time; they count once the transaction is committed.
pub(crate) async fn up(transaction: &mut Transaction, steps: &[Migration], now: Timestamp) -> Result<(), MetaError> {
    transaction.lock_schema().await?;
    transaction.script(HISTORY_TABLE).await?;
    let applied = transaction.rows(Applied::select()).await?;
    let applied = applied.iter().map(Applied::read).collect::<Result<Vec<_>, MetaError>>()?;
    for step in pending(steps, &applied)? {
        transaction.script(step.sql).await?;
        transaction.execute(step.insert(now)).await?;
    }
    Ok(())
}

/// True where the schema is this program's, or was once; false where there is none of ours. A newer one, and one with
/// another history, is refused. Nothing is changed.
pub(crate) async fn is_there(transaction: &mut Transaction, steps: &[Migration]) -> Result<bool, MetaError> {
    let tables = if transaction.is_postgres() {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_name = 'candlecast_schema'"
    } else {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'candlecast_schema'"
    };
    if transaction.rows(Statement::new(tables)).await?.is_empty() {
        return Ok(false);
    }
    let applied = transaction.rows(Applied::select()).await?;
    let applied = applied.iter().map(Applied::read).collect::<Result<Vec<_>, MetaError>>()?;
    pending(steps, &applied)?;
    Ok(!applied.is_empty())
}

/// A step that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Applied {
    version: i64,
    name: String,
    checksum: String,
}

impl Applied {
    fn select() -> Statement {
        Statement::new("SELECT version, name, checksum FROM candlecast_schema ORDER BY version")
    }

    fn read(row: &Record) -> Result<Self, MetaError> {
        Ok(Self { version: row.int("version")?, name: row.text("name")?, checksum: row.text("checksum")? })
    }
}

impl Migration {
    /// The record that it was applied.
    fn insert(&self, now: Timestamp) -> Statement {
        Statement::new("INSERT INTO candlecast_schema (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)")
            .bind(self.version)
            .bind(self.name)
            .bind(self.checksum())
            .bind(now)
    }

    /// SHA-256 of the SQL, hexadecimal. Line ends are those of Unix, so that a checkout on Windows agrees.
    fn checksum(&self) -> String {
        hex(&Sha256::digest(self.sql.replace("\r\n", "\n").as_bytes()))
    }
}

/// The steps still to do. Refuses a schema that is newer than this program or has another history.
fn pending<'a>(known: &'a [Migration], applied: &[Applied]) -> Result<&'a [Migration], MetaError> {
    let newest_known = known.last().map_or(0, |m| m.version);
    if let Some(newer) = applied.iter().map(|a| a.version).filter(|&v| v > newest_known).max() {
        return Err(MetaError::Newer { found: newer, known: newest_known });
    }
    for (position, done) in applied.iter().enumerate() {
        let same = known.get(position).is_some_and(|m| m.version == done.version && m.checksum() == done.checksum);
        if !same {
            return Err(MetaError::Changed { version: done.version, name: done.name.clone() });
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(version: i64, sql: &'static str) -> Migration {
        Migration { version, name: "step", sql }
    }

    fn done(step: &Migration) -> Applied {
        Applied { version: step.version, name: step.name.into(), checksum: step.checksum() }
    }

    #[test]
    fn versions_count_from_one_in_both_dialects() {
        for steps in [SQLITE, POSTGRES] {
            assert!(steps.iter().enumerate().all(|(i, s)| s.version == i as i64 + 1));
        }
        let names = |steps: &[Migration]| steps.iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
    }

    #[test]
    fn checksums_ignore_line_ends_only() {
        assert_eq!(step(1, "a\nb").checksum(), step(1, "a\r\nb").checksum());
        assert_ne!(step(1, "a\nb").checksum(), step(1, "a b").checksum());
        assert_eq!(step(1, "").checksum(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn what_is_missing_is_done_and_another_history_is_refused() {
        let known = [step(1, "a"), step(2, "b"), step(3, "c")];
        assert_eq!(pending(&known, &[]), Ok(&known[..]));
        assert_eq!(pending(&known, &[done(&known[0])]), Ok(&known[1..]));
        assert_eq!(pending(&known, &known.map(|s| done(&s))), Ok(&known[3..]));

        let changed = [done(&known[0]), done(&step(2, "other"))];
        assert_eq!(pending(&known, &changed), Err(MetaError::Changed { version: 2, name: "step".into() }));
        let hole = [done(&known[0]), done(&known[2])];
        assert_eq!(pending(&known, &hole), Err(MetaError::Changed { version: 3, name: "step".into() }));
        let newer = known.map(|s| done(&s));
        assert_eq!(pending(&known[..2], &newer), Err(MetaError::Newer { found: 3, known: 2 }));
    }
}
