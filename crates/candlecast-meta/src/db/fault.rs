//! What the drivers report, told in [`MetaError`].

use sqlx::error::DatabaseError;

use crate::MetaError;
use crate::error::Rule;

/// How a database's own code reads.
type Reading = fn(&dyn DatabaseError, &str) -> MetaError;

/// An error of SQLite at `place`.
pub(crate) fn sqlite_fault(error: &sqlx::Error, place: &str) -> MetaError {
    fault(error, place, sqlite_code)
}

/// An error of PostgreSQL at `place`.
pub(crate) fn postgres_fault(error: &sqlx::Error, place: &str) -> MetaError {
    fault(error, place, postgres_code)
}

fn fault(error: &sqlx::Error, place: &str, reading: Reading) -> MetaError {
    let (place_text, detail) = (place.to_owned(), error.to_string());
    match error {
        sqlx::Error::Database(inner) => reading(&**inner, place),
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
            MetaError::Unreachable { place: place_text, detail }
        }
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => MetaError::Open { place: place_text, detail },
        _ => MetaError::Database { place: place_text, detail },
    }
}

/// Result codes of <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn sqlite_code(error: &dyn DatabaseError, place: &str) -> MetaError {
    let code: u32 = error.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    let (place, detail) = (place.to_owned(), error.message().to_owned());
    match code & 0xff {
        5 | 6 => MetaError::Busy { place, detail },
        8 => MetaError::ReadOnly { place, detail },
        13 => MetaError::DiskFull { place, detail },
        14 => MetaError::Open { place, detail },
        11 | 26 => MetaError::Damaged { field: place, detail },
        19 => refused(error).unwrap_or(MetaError::Database { place, detail }),
        _ => MetaError::Database { place, detail },
    }
}

/// SQLSTATE of <https://www.postgresql.org/docs/current/errcodes-appendix.html>; the first two are the class.
fn postgres_code(error: &dyn DatabaseError, place: &str) -> MetaError {
    let code = error.code().unwrap_or_default();
    let (place, detail) = (place.to_owned(), error.message().to_owned());
    match &*code {
        "40001" | "40P01" | "55P03" => MetaError::Busy { place, detail },
        "53100" => MetaError::DiskFull { place, detail },
        "25006" | "42501" => MetaError::ReadOnly { place, detail },
        "53300" | "57P01" | "57P02" | "57P03" => MetaError::Unreachable { place, detail },
        "28000" | "28P01" | "3D000" => MetaError::Open { place, detail },
        code if code.starts_with("08") => MetaError::Unreachable { place, detail },
        code if code.starts_with("XX00") => MetaError::Damaged { field: place, detail },
        _ => refused(error).unwrap_or(MetaError::Database { place, detail }),
    }
}

/// A broken rule of the schema, if that is what it is.
fn refused(error: &dyn DatabaseError) -> Option<MetaError> {
    let rule = if error.is_unique_violation() {
        Rule::Unique
    } else if error.is_foreign_key_violation() {
        Rule::Reference
    } else if error.is_check_violation() {
        Rule::Check
    } else {
        return None;
    };
    Some(MetaError::Refused { rule, detail: error.message().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_connections_are_transient_and_closed_pools_are_not() {
        let gone = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for error in [gone, sqlx::Error::PoolTimedOut, sqlx::Error::WorkerCrashed] {
            assert!(postgres_fault(&error, "host").is_transient(), "{error}");
        }
        for error in [sqlx::Error::PoolClosed, sqlx::Error::RowNotFound] {
            assert!(!postgres_fault(&error, "host").is_transient(), "{error}");
        }
    }
}
