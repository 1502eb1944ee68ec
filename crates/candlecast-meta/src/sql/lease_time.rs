//! [`LeaseTime`]: "now" in statements about leases, delays and turns.
//!
//! Processes whose clocks differ may share a database, and the clock of one may be set while it works. So the database
//! says what time it is: a lease that one process renews cannot look as if it had run out to another.

use candlecast_core::Timestamp;

use crate::SqlStore;
use crate::db::{Database, Statement};
use crate::sql_store::LeaseClock;

/// Milliseconds since 1970 of SQLite: the system's clock, one value a statement.
const SQLITE_NOW: &str = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)";
/// The same of the server, when it was sent the statement. It does not move while the statement runs or waits for
/// another, so an index can be used, and a lease never ends later than it was asked for.
const POSTGRES_NOW: &str = "CAST(FLOOR(EXTRACT(EPOCH FROM statement_timestamp()) * 1000) AS BIGINT)";

/// Where a statement has its time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeaseTime {
    /// SQLite says it.
    Sqlite,
    /// PostgreSQL says it.
    Postgres,
    /// The caller says it.
    Caller(Timestamp),
}

impl LeaseTime {
    /// "Now" in SQL, where the caller's value, if it is one, is number `place` of the statement. It is bound by
    /// [`bind`](Self::bind), so `place` is that of the last value.
    pub(crate) fn sql(self, place: usize) -> String {
        match self {
            Self::Sqlite => SQLITE_NOW.to_owned(),
            Self::Postgres => POSTGRES_NOW.to_owned(),
            Self::Caller(_) => format!("${place}"),
        }
    }

    /// Adds the caller's value, if it is one, after all others.
    pub(crate) fn bind(self, statement: Statement) -> Statement {
        match self {
            Self::Sqlite | Self::Postgres => statement,
            Self::Caller(now) => statement.bind(now),
        }
    }
}

impl SqlStore {
    /// What leases go by in a call at `now`.
    pub(crate) fn lease_time(&self, now: Timestamp) -> LeaseTime {
        match (self.lease_clock, &self.db) {
            (LeaseClock::Caller, _) => LeaseTime::Caller(now),
            (LeaseClock::Database, Database::Sqlite(_)) => LeaseTime::Sqlite,
            (LeaseClock::Database, Database::Postgres(_)) => LeaseTime::Postgres,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_of_a_caller_is_a_value() {
        let of = |time: LeaseTime| {
            let statement = Statement::new(format!("SELECT $1, {}", time.sql(2))).bind(7_i64);
            time.bind(statement)
        };
        let by_caller = of(LeaseTime::Caller(Timestamp(9)));
        assert_eq!((&*by_caller.sql, by_caller.args.len()), ("SELECT $1, $2", 2));
        for time in [LeaseTime::Sqlite, LeaseTime::Postgres] {
            let by_database = of(time);
            assert!(!by_database.sql.contains("$2") && by_database.args.len() == 1, "{}", by_database.sql);
        }
    }
}
