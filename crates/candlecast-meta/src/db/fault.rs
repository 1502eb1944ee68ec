//! What the drivers report, told in [`MetaError`].

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

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
        sqlx::Error::PoolTimedOut => {
            let detail = "no connection came about in time: it does not answer, or has none to spare".to_owned();
            MetaError::Unreachable { place: place_text, detail }
        }
        // A message that is none: whoever accepts connections there has no server behind it yet, or went out of step.
        sqlx::Error::Protocol(text) if !text.contains("authentication") => {
            MetaError::Unreachable { place: place_text, detail }
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => {
            MetaError::Unreachable { place: place_text, detail }
        }
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            MetaError::Open { place: place_text, detail }
        }
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
    let state = error.code().unwrap_or_default();
    let known = postgres_state(&state, place, error.message()).or_else(|| refused(error));
    known.unwrap_or_else(|| MetaError::Database { place: place.to_owned(), detail: error.message().to_owned() })
}

/// What a state means, where it is no matter of a statement. What passes by itself is told apart from what somebody has
/// to mend: missing rights, a wrong password, a database that is not there, damage.
fn postgres_state(state: &str, place: &str, message: &str) -> Option<MetaError> {
    let (place, detail) = (place.to_owned(), message.to_owned());
    Some(match state {
        "42501" => MetaError::ReadOnly { place, detail },
        // No such database or schema, or none any more.
        "3D000" | "3F000" | "57P04" => MetaError::Open { place, detail },
        "XX001" | "XX002" => MetaError::Damaged { field: place, detail },
        // Too many connections; the session was ended, for being idle in its transaction or by the server.
        "53300" | "25P03" | "25P04" | "57P01" | "57P02" | "57P03" | "57P05" => MetaError::Unreachable { place, detail },
        // A lock that another holds, or an operator or `statement_timeout` that ended the statement.
        "55P03" | "55006" | "57014" => MetaError::Busy { place, detail },
        // A standby, or what was the primary until a failover; an internal error.
        "25006" | "XX000" => MetaError::Unavailable { place, detail },
        _ => match state.get(..2)? {
            "08" => MetaError::Unreachable { place, detail },
            // Wrong credentials, or none of the server's rules for connections lets them in.
            "28" => MetaError::Open { place, detail },
            "40" => MetaError::Busy { place, detail },
            // Resources of the server, its operators, its system.
            "53" | "57" | "58" => MetaError::Unavailable { place, detail },
            _ => return None,
        },
    })
}

/// True where the server refused the statement and the connection goes on: not where it ended the session, and not
/// where the session is one that cannot write.
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(inner) = error else { return false };
    let Some(inner) = inner.try_downcast_ref::<PgDatabaseError>() else { return false };
    !matches!(inner.severity(), PgSeverity::Fatal | PgSeverity::Panic) && !is_demoted(error)
}

/// True where the session cannot write, as after a failover: those that were opened before it are alike.
pub(super) fn is_demoted(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(inner) if inner.code().as_deref() == Some("25006"))
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

    fn read(state: &str) -> Option<MetaError> {
        postgres_state(state, "host", "message")
    }

    #[test]
    fn states_that_pass_by_themselves_are_transient() {
        let unreachable = ["08000", "08001", "08003", "08004", "08006", "08P01", "53300", "25P03", "25P04", "57P01"];
        for state in unreachable.into_iter().chain(["57P02", "57P03", "57P05"]) {
            assert!(matches!(read(state), Some(MetaError::Unreachable { .. })), "{state}");
        }
        for state in ["40000", "40001", "40003", "40P01", "55P03", "55006", "57014"] {
            assert!(matches!(read(state), Some(MetaError::Busy { .. })), "{state}");
        }
        for state in ["25006", "53000", "53100", "53200", "53400", "57000", "58000", "58030", "58P01", "XX000"] {
            assert!(matches!(read(state), Some(MetaError::Unavailable { .. })), "{state}");
        }
        let all =
            unreachable.into_iter().chain(["40001", "40P01", "55P03", "57014", "25006", "53100", "58030", "XX000"]);
        assert!(all.into_iter().all(|state| read(state).is_some_and(|error| error.is_transient())));
    }

    #[test]
    fn states_that_somebody_has_to_mend_are_final() {
        for state in ["28000", "28P01", "3D000", "3F000", "57P04"] {
            assert!(matches!(read(state), Some(MetaError::Open { .. })), "{state}");
        }
        assert!(matches!(read("42501"), Some(MetaError::ReadOnly { .. })));
        for state in ["XX001", "XX002"] {
            assert!(matches!(read(state), Some(MetaError::Damaged { .. })), "{state}");
        }
        for state in ["28000", "28P01", "3D000", "3F000", "57P04", "42501", "XX001", "XX002"] {
            assert!(read(state).is_some_and(|error| !error.is_transient()), "{state}");
        }
        // A wrong schema, values that do not fit, broken rules: matters of the statement.
        for state in ["42P01", "42703", "42883", "42601", "22003", "23505", "23503", "23514", "0A000", "P0001", "", "5"]
        {
            assert_eq!(read(state), None, "{state}");
        }
    }

    #[test]
    fn a_connection_that_is_out_of_step_is_lost_and_an_unknown_authentication_is_final() {
        let out_of_step = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into());
        assert!(postgres_fault(&out_of_step, "host").is_transient());
        let unknown = sqlx::Error::Protocol("unsupported authentication method: Gss".into());
        assert!(matches!(postgres_fault(&unknown, "host"), MetaError::Open { .. }));
    }

    #[test]
    fn only_a_refusal_by_the_server_leaves_the_connection_in_use() {
        let gone = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for error in [gone, sqlx::Error::PoolTimedOut, sqlx::Error::Protocol("x".into())] {
            assert!(!is_refusal(&error) && !is_demoted(&error), "{error}");
        }
    }

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
