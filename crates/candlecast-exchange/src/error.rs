//! [`ExchangeError`] and [`Misread`].

use candlecast_core::catalog::RecipeError;
use candlecast_core::{KeyError, SeriesKey, Venue};
use candlecast_ingest::IngestError;

/// What a protocol says of an answer that is no data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// Cut off or of another form: worth asking again.
    #[error("{0}")]
    Unreadable(String),
    /// The exchange wants fewer requests: wait, then ask again.
    #[error("{0}")]
    Busy(String),
    /// The request itself is wrong: asking again is useless.
    #[error("{0}")]
    Refused(String),
}

/// Why an exchange gave no data, once retries have not helped.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No such exchange.
    #[error("exchange `{name}` is not known{hint}: there are {known}")]
    UnknownExchange {
        /// As given.
        name: String,
        /// The nearest name, as a question.
        hint: String,
        /// All names.
        known: String,
    },
    /// The exchange has no such thing.
    #[error("{venue} has no {what}: {remedy}")]
    Unsupported {
        /// Exchange.
        venue: Venue,
        /// What was asked for.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// The exchange understood and said no.
    #[error("{venue} refused {path}: {message}; check symbol, interval and range")]
    Refused {
        /// Exchange.
        venue: Venue,
        /// Path asked for.
        path: String,
        /// Its words.
        message: String,
    },
    /// The exchange, or what stands before it, lets a request through no more: a firewall (403), a region (451), a gateway.
    /// Such a block passes as a rule.
    #[error(
        "{venue} does not let {path} through (status {status}: {message}): a block of this address or region may pass; try again later, or use another --rest-url"
    )]
    Denied {
        /// Exchange.
        venue: Venue,
        /// Path asked for.
        path: String,
        /// Status of the answer.
        status: u16,
        /// Beginning of the answer.
        message: String,
    },
    /// Too many requests came from this address; the exchange names a time longer than `maxWaitMs`.
    #[error("{venue} takes no requests from this address for {wait_s} s (status {status}): try again after that")]
    Blocked {
        /// Exchange.
        venue: Venue,
        /// 418 for a ban, 429 for a limit.
        status: u16,
        /// Seconds until requests are taken again.
        wait_s: u64,
    },
    /// Every attempt failed.
    #[error(
        "{venue} did not answer {what} in {attempts} attempts, the last: {cause}; check the network and the base URL"
    )]
    Unreachable {
        /// Exchange.
        venue: Venue,
        /// Request.
        what: String,
        /// Attempts made.
        attempts: u32,
        /// What the last one met.
        cause: String,
    },
    /// A base URL is none.
    #[error("base URL `{url}` of {venue} cannot be used: {reason}; write for example https://api.example.com")]
    Url {
        /// Exchange.
        venue: Venue,
        /// As given, without user name, password and query.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The network stack could not be set up.
    #[error("cannot set up {what}: {reason}")]
    Setup {
        /// Part.
        what: &'static str,
        /// Cause.
        reason: String,
    },
    /// Nothing to replay.
    #[error("a replay needs at least one file of candles: name them with --replay FILE")]
    NoFiles,
    /// The replayed files hold other series.
    #[error("the replayed files have no series {key}: they hold {known}")]
    NotReplayed {
        /// Asked for.
        key: SeriesKey,
        /// What there is.
        known: String,
    },
    /// A file cannot be replayed.
    #[error("cannot replay {file}: {source}")]
    File {
        /// File.
        file: String,
        /// Cause.
        source: IngestError,
    },
    /// A parameter is not valid.
    #[error(transparent)]
    Config(#[from] RecipeError),
    /// A name is not valid.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl ExchangeError {
    /// True when the same may succeed later without anybody doing anything: the network, a limit, a block.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::Blocked { .. } | Self::Unreachable { .. })
    }
}

/// The first characters of what an exchange said, on one line.
pub(crate) fn brief(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

impl From<crate::ExchangeError> for candlecast_core::Problem {
    fn from(e: crate::ExchangeError) -> Self {
        use crate::ExchangeError as E;
        // The exchange, or the way to it, may be there again later; what else it said stays.
        let status = if matches!(e, E::Unreachable { .. } | E::Blocked { .. }) { 503 } else { 502 };
        Self::new("exchange-failed", status, candlecast_core::Blame::Data, e.to_string())
    }
}
