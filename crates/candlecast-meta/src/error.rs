//! [`MetaError`]: why the metadata database did not do what was asked.
//!
//! `Unreachable`, `Unavailable`, `Busy` and `CommitUnknown` pass by themselves and are worth repeating
//! ([`crate::Retry`]); every write takes its identity from the caller, so repeating one whose answer was lost is
//! harmless. All others stay until somebody acts.

/// Why the metadata database did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetaError {
    /// The database does not answer, or went away under the statement.
    #[error("the metadata database at {place} does not answer ({detail}): it is tried again while work goes on")]
    Unreachable {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// It answers, but cannot serve at the moment: short of memory or connections, read-only after a failover, or with
    /// an internal error.
    #[error("the metadata database at {place} cannot serve now ({detail}): it is tried again while work goes on")]
    Unavailable {
        /// Server, without password.
        place: String,
        /// What the database said.
        detail: String,
    },
    /// The connection was lost, or gave no answer in time, while a transaction was being committed: it counts, or it
    /// does not.
    #[error(
        "the metadata database at {place} did not say whether the last changes count ({detail}): repeating them does no harm"
    )]
    CommitUnknown {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// Another transaction is in the way.
    #[error("the metadata database at {place} is busy ({detail}): try again")]
    Busy {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// No space is left.
    #[error("no space is left for the metadata database at {place} ({detail}): free some; nothing was half written")]
    DiskFull {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// Writing is not allowed.
    #[error(
        "the metadata database at {place} cannot be written ({detail}): check the rights of the file and its folder, or of the server's user, or --data-dir"
    )]
    ReadOnly {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// It could not be opened at all.
    #[error("the metadata database at {place} cannot be opened ({detail}): check the path, or DATABASE_URL")]
    Open {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
    /// No connection that is encrypted as `sslmode` asks for.
    #[error("no encrypted connection to the metadata database at {place} ({detail}): {remedy}")]
    Encryption {
        /// Server, without password.
        place: String,
        /// What went wrong.
        detail: String,
        /// What to set, and where.
        remedy: &'static str,
    },
    /// A newer program wrote the schema.
    #[error("the metadata database has schema {found}, this program knows {known}: use the newer program")]
    Newer {
        /// Schema version found.
        found: i64,
        /// Newest schema version known.
        known: i64,
    },
    /// A migration that was applied is not the one of this program.
    #[error(
        "migration {version} ({name}) of the metadata database is not the one this program knows: restore a backup, or use the program that wrote it"
    )]
    Changed {
        /// Version of the migration.
        version: i64,
        /// Its name as recorded.
        name: String,
    },
    /// Nothing has that name.
    #[error("{what} `{id}` is not known: list what there is")]
    NotFound {
        /// Kind of record.
        what: &'static str,
        /// Name asked for.
        id: String,
    },
    /// The record is there, but not in a state that allows it.
    #[error("{what} `{id}` {problem}")]
    Conflict {
        /// Kind of record.
        what: &'static str,
        /// Its name.
        id: String,
        /// Problem and remedy.
        problem: String,
    },
    /// A worker speaks for a job that is no longer its own.
    #[error("job `{job}` is no longer leased to `{owner}` (attempt {attempt}): stop working on it")]
    LeaseLost {
        /// The job.
        job: String,
        /// Who asked.
        owner: String,
        /// The attempt it was leased for.
        attempt: u32,
    },
    /// A value cannot be stored.
    #[error("{field} `{value}` cannot be stored: {remedy}")]
    Invalid {
        /// Field.
        field: &'static str,
        /// Value, shortened.
        value: String,
        /// What would be accepted.
        remedy: &'static str,
    },
    /// A stored value does not read back.
    #[error("the metadata database is damaged: {field} holds {detail}: restore a backup")]
    Damaged {
        /// Column.
        field: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A dump does not read back.
    #[error("the dump of table {table} cannot be read: {detail}: use another backup")]
    BadDump {
        /// Table, as the dump names it.
        table: String,
        /// What is wrong, with the line.
        detail: String,
    },
    /// A rule of the schema was broken; a defect of the program when it shows.
    #[error("the metadata database refused a record: {detail}")]
    Refused {
        /// What kind of rule.
        rule: Rule,
        /// What the database said.
        detail: String,
    },
    /// Anything else.
    #[error("the metadata database at {place} failed: {detail}")]
    Database {
        /// File or server, without password.
        place: String,
        /// What the driver said.
        detail: String,
    },
}

/// Rules of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// One record a key.
    Unique,
    /// The record referred to is there.
    Reference,
    /// A value lies in its range.
    Check,
}

impl MetaError {
    /// True when the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::Busy { .. } | Self::CommitUnknown { .. }
        )
    }

    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.chars().take(80).collect() }
    }

    pub(crate) fn conflict(what: &'static str, id: &str, problem: impl Into<String>) -> Self {
        Self::Conflict { what, id: id.chars().take(80).collect(), problem: problem.into() }
    }

    pub(crate) fn invalid(field: &'static str, value: &str, remedy: &'static str) -> Self {
        Self::Invalid { field, value: value.chars().take(80).collect(), remedy }
    }

    pub(crate) fn bad_dump(table: &str, detail: impl std::fmt::Display) -> Self {
        let short = |text: String| text.chars().take(200).collect();
        Self::BadDump { table: short(table.to_owned()), detail: short(detail.to_string()) }
    }

    pub(crate) fn is_rule(&self, wanted: Rule) -> bool {
        matches!(self, Self::Refused { rule, .. } if *rule == wanted)
    }
}

impl From<crate::MetaError> for candlecast_core::Problem {
    fn from(e: crate::MetaError) -> Self {
        use crate::MetaError as M;
        let (code, status) = match e {
            M::Unreachable { .. } | M::Unavailable { .. } | M::Busy { .. } | M::CommitUnknown { .. } => {
                ("metadata-unreachable", 503)
            }
            M::DiskFull { .. } => ("disk-full", 507),
            M::ReadOnly { .. } => ("not-allowed", 500),
            M::NotFound { .. } => ("not-found", 404),
            M::Conflict { .. } | M::LeaseLost { .. } => ("conflict", 409),
            M::Invalid { field, .. } => return Self::usage("bad-value", field, e.to_string()),
            _ => ("metadata-failed", 500),
        };
        Self::new(code, status, candlecast_core::Blame::Data, e.to_string())
    }
}
