//! [`AppError`]: what a use case answers when it cannot: a stable code, the field at fault, what to do.

use serde::Serialize;

/// Who has to act, and the exit code that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The request is wrong as written: exit code 2.
    Usage,
    /// Data, files or state do not allow it: exit code 1.
    Data,
    /// Asked to stop: exit code 130.
    Cancelled,
}

/// A problem in the form of RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{detail}")]
pub struct AppError {
    /// `urn:candlecast:problem:` and the code.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// Stable kebab-case code.
    pub code: &'static str,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong, with values, and what to do.
    pub detail: String,
    /// Field or option at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Who has to act.
    #[serde(skip)]
    pub blame: Blame,
}

impl AppError {
    /// A problem with a stable `code`.
    pub fn new(code: &'static str, status: u16, blame: Blame, detail: impl Into<String>) -> Self {
        Self {
            type_uri: format!("urn:candlecast:problem:{code}"),
            code,
            title: code.replace('-', " "),
            status,
            detail: detail.into(),
            field: None,
            blame,
        }
    }

    /// A request that is wrong as written.
    pub fn usage(code: &'static str, field: &str, detail: impl Into<String>) -> Self {
        Self::new(code, 422, Blame::Usage, detail).with_field(field)
    }

    /// Data or state that do not allow the request.
    pub fn data(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(code, 409, Blame::Data, detail)
    }

    /// Names the field at fault.
    #[must_use]
    pub fn with_field(mut self, field: &str) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Puts what was being done before the detail.
    #[must_use]
    pub fn context(mut self, doing: impl std::fmt::Display) -> Self {
        self.detail = format!("{doing}: {}", self.detail);
        self
    }

    /// One problem for all `failures` of `of` things of a kind (`files`), so that a reader of JSON finds one document:
    /// the first one's code and field, a line for each in the detail. `None` without failures.
    pub fn joined(failures: &[Self], of: usize, what: &str) -> Option<Self> {
        let first = failures.first()?.clone();
        if failures.len() == 1 {
            return Some(first);
        }
        let lines: Vec<&str> = failures.iter().map(|e| e.detail.as_str()).collect();
        let detail = format!("{} of {of} {what} failed:\n  {}", failures.len(), lines.join("\n  "));
        Some(Self { detail, ..first })
    }

    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::Usage => 2,
            Blame::Data => 1,
            Blame::Cancelled => 130,
        }
    }
}

impl From<candlecast_core::KeyError> for AppError {
    fn from(e: candlecast_core::KeyError) -> Self {
        use candlecast_core::KeyError as K;
        let field = match e {
            K::Symbol(_) => "symbol",
            K::Venue(_) => "venue",
            K::Interval(_) => "interval",
        };
        Self::usage("bad-series-key", field, e.to_string())
    }
}

impl From<candlecast_core::TimeError> for AppError {
    fn from(e: candlecast_core::TimeError) -> Self {
        Self::usage("bad-time", "time", e.to_string())
    }
}

impl From<candlecast_core::HorizonError> for AppError {
    fn from(e: candlecast_core::HorizonError) -> Self {
        Self::usage("bad-horizon", "horizon", e.to_string())
    }
}

impl From<candlecast_core::catalog::RecipeError> for AppError {
    fn from(e: candlecast_core::catalog::RecipeError) -> Self {
        let field = e.violations.first().map_or_else(String::new, |v| v.param.clone());
        Self::usage("bad-parameter", &field, e.to_string())
    }
}

impl From<candlecast_core::ResampleError> for AppError {
    fn from(e: candlecast_core::ResampleError) -> Self {
        Self::usage("bad-interval", "to", e.to_string())
    }
}

impl From<candlecast_features::FeatureError> for AppError {
    fn from(e: candlecast_features::FeatureError) -> Self {
        Self::usage("bad-feature", "features", e.to_string())
    }
}

impl From<candlecast_ingest::IngestError> for AppError {
    fn from(e: candlecast_ingest::IngestError) -> Self {
        use candlecast_ingest::IngestError as I;
        match e {
            I::NoSymbol { .. } => Self::usage("symbol-unknown", "symbol", e.to_string()),
            I::NoInterval { .. } | I::IntervalMismatch { .. } => {
                Self::data("bad-interval", e.to_string()).with_field("interval")
            }
            I::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::new("no-such-file", 404, Blame::Usage, e.to_string()).with_field("files")
            }
            _ => Self::data("bad-file", e.to_string()),
        }
    }
}

impl From<candlecast_store::StoreError> for AppError {
    fn from(e: candlecast_store::StoreError) -> Self {
        use candlecast_store::StoreError as S;
        let (code, status) = match e {
            S::UnknownSeries { .. } => ("unknown-series", 404),
            S::Locked { .. } => ("store-locked", 503),
            S::DiskFull { .. } => ("disk-full", 507),
            S::NotAllowed { .. } => ("not-allowed", 500),
            S::Corrupt { .. } | S::NewerFormat { .. } => ("corrupt-file", 500),
            _ => ("store-failed", 500),
        };
        Self::new(code, status, Blame::Data, e.to_string())
    }
}

impl From<candlecast_learn::PlanError> for AppError {
    fn from(e: candlecast_learn::PlanError) -> Self {
        use candlecast_learn::PlanError as P;
        match e {
            P::TooFewCandles { .. } => Self::new("too-few-candles", 422, Blame::Data, e.to_string()),
            P::OutsideData { .. } => Self::new("outside-data", 422, Blame::Data, e.to_string()).with_field("from"),
            P::Contradiction(_) => Self::usage("bad-range", "from", e.to_string()),
        }
    }
}

impl From<candlecast_learn::walk_forward::WalkForwardError> for AppError {
    fn from(e: candlecast_learn::walk_forward::WalkForwardError) -> Self {
        use candlecast_learn::walk_forward::WalkForwardError as W;
        match e {
            W::Cancelled => Self::new(
                "cancelled",
                499,
                Blame::Cancelled,
                "cancelled; what was finished is kept, and the same command goes on from there",
            ),
            W::Fit { .. } => Self::new("fit-failed", 422, Blame::Data, e.to_string()),
            W::NotFinite { .. } => Self::new("forecast-not-finite", 500, Blame::Data, e.to_string()),
            W::NoOrigins { .. } => Self::new("too-few-candles", 422, Blame::Data, e.to_string()),
        }
    }
}

impl From<candlecast_learn::FitError> for AppError {
    fn from(e: candlecast_learn::FitError) -> Self {
        Self::new("fit-failed", 422, Blame::Data, e.to_string())
    }
}

impl From<candlecast_registry::RegistryError> for AppError {
    fn from(e: candlecast_registry::RegistryError) -> Self {
        use candlecast_registry::RegistryError as R;
        let (code, status) = match e {
            R::NoneActive { .. } | R::NoVersion { .. } => ("model-not-trained", 404),
            R::Corrupt { .. } | R::Unreadable { .. } | R::UnknownFormat { .. } => ("corrupt-model", 500),
            _ => ("registry-failed", 500),
        };
        Self::new(code, status, Blame::Data, e.to_string())
    }
}

impl From<candlecast_meta::MetaError> for AppError {
    fn from(e: candlecast_meta::MetaError) -> Self {
        use candlecast_meta::MetaError as M;
        let (code, status) = match e {
            M::Unreachable { .. } | M::Busy { .. } => ("metadata-unreachable", 503),
            M::DiskFull { .. } => ("disk-full", 507),
            M::ReadOnly { .. } => ("not-allowed", 500),
            M::NotFound { .. } => ("not-found", 404),
            M::Conflict { .. } | M::LeaseLost { .. } => ("conflict", 409),
            M::Invalid { field, .. } => return Self::usage("bad-value", field, e.to_string()),
            _ => ("metadata-failed", 500),
        };
        Self::new(code, status, Blame::Data, e.to_string())
    }
}

impl From<candlecast_exchange::ExchangeError> for AppError {
    fn from(e: candlecast_exchange::ExchangeError) -> Self {
        Self::new("exchange-failed", 502, Blame::Data, e.to_string())
    }
}

/// A file that could not be read or written.
pub(crate) fn file_error(path: &std::path::Path, e: &std::io::Error) -> AppError {
    AppError::data("file-failed", format!("{}: {e}", path.display()))
}
