//! [`CallLimits`]: how long calls to PostgreSQL may take.

use std::time::Duration;

/// How long calls to a metadata database on PostgreSQL may take. One that takes longer ends with
/// [`MetaError::Unreachable`](crate::MetaError::Unreachable), and its connection is not used again.
///
/// The server is told `statement` and `lock`, too, as `statement_timeout`, `idle_in_transaction_session_timeout` and
/// `lock_timeout`, so that it does not go on with what nobody waits for. What `options` in the URL sets counts instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Until there is a connection; a server that is restarting is tried for that long.
    pub connect: Duration,
    /// A change of few records that tells what became of it, as those of the job queue are.
    pub brief: Duration,
    /// Any other statement.
    pub statement: Duration,
    /// Waiting for what another transaction holds. Shorter than `brief`, so that the server says what is in the way.
    pub lock: Duration,
    /// A step of the schema, and the next record of a dump; also how long a restore may pause.
    pub long: Duration,
}

impl Default for CallLimits {
    /// A third of a lease for what keeps one, a minute for other statements, ten minutes for a step of the schema.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            brief: Duration::from_secs(10),
            statement: Duration::from_secs(60),
            lock: Duration::from_secs(5),
            long: Duration::from_secs(600),
        }
    }
}
