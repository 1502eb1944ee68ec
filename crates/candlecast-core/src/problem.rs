//! [`Problem`]: what users are told when something cannot be done: a stable code, the field at fault, what to do.

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
pub struct Problem {
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

impl Problem {
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

    /// Asked to stop.
    pub fn cancelled() -> Self {
        Self::new("cancelled", 499, Blame::Cancelled, "cancelled")
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

    /// True for what passes by itself, or once somebody has made room: a lock that another program holds, a full disk,
    /// a database or an exchange that is away. The same work may succeed later. The status says it: 429, 503, 504 and
    /// 507 mean "not now" in HTTP, too.
    pub fn passes(&self) -> bool {
        // Too little memory for a run is told with 507 as well, and stays so.
        self.blame == Blame::Data && self.code != "memory-limit" && matches!(self.status, 429 | 503 | 504 | 507)
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

impl From<crate::KeyError> for Problem {
    fn from(e: crate::KeyError) -> Self {
        use crate::KeyError as K;
        let field = match e {
            K::Symbol(_) => "symbol",
            K::Venue(_) => "venue",
            K::Interval(_) => "interval",
            K::Series(_) => "series",
        };
        Self::usage("bad-series-key", field, e.to_string())
    }
}

impl From<crate::TimeError> for Problem {
    fn from(e: crate::TimeError) -> Self {
        Self::usage("bad-time", "time", e.to_string())
    }
}

impl From<crate::HorizonError> for Problem {
    fn from(e: crate::HorizonError) -> Self {
        Self::usage("bad-horizon", "horizon", e.to_string())
    }
}

impl From<crate::catalog::RecipeError> for Problem {
    fn from(e: crate::catalog::RecipeError) -> Self {
        let field = e.violations.first().map_or_else(String::new, |v| v.param.clone());
        Self::usage("bad-parameter", &field, e.to_string())
    }
}

impl From<crate::ResampleError> for Problem {
    fn from(e: crate::ResampleError) -> Self {
        Self::usage("bad-interval", "to", e.to_string())
    }
}

/// A file that could not be read or written.
pub fn file_problem(path: &std::path::Path, e: &std::io::Error) -> Problem {
    Problem::new("file-failed", io_status(e).unwrap_or(409), Blame::Data, format!("{}: {e}", path.display()))
}

/// The status of a failure of the system that passes ([`Problem::passes`]); `None` for one that stays until somebody
/// acts on what is in the way.
pub fn io_status(e: &std::io::Error) -> Option<u16> {
    use std::io::ErrorKind as K;
    match e.kind() {
        K::StorageFull | K::QuotaExceeded => Some(507),
        K::WouldBlock
        | K::TimedOut
        | K::Interrupted
        | K::ResourceBusy
        | K::OutOfMemory
        | K::StaleNetworkFileHandle
        | K::HostUnreachable
        | K::NetworkUnreachable
        | K::NetworkDown
        | K::ConnectionRefused
        | K::ConnectionReset
        | K::ConnectionAborted => Some(503),
        _ if is_out_of_descriptors(e) => Some(503),
        _ => None,
    }
}

/// True where the process, or the system, has no file descriptor left (ENFILE, EMFILE), for which there is no kind.
fn is_out_of_descriptors(e: &std::io::Error) -> bool {
    cfg!(unix) && matches!(e.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_passes_is_told_by_the_status() {
        for status in [429, 503, 504, 507] {
            assert!(Problem::new("away", status, Blame::Data, "").passes(), "{status}");
        }
        for stays in [
            Problem::data("corrupt-file", ""),
            Problem::new("registry-failed", 500, Blame::Data, ""),
            Problem::new("memory-limit", 507, Blame::Data, ""),
            Problem::new("odd", 503, Blame::Usage, ""),
            Problem::cancelled(),
        ] {
            assert!(!stays.passes(), "{stays:?}");
        }
    }

    #[test]
    fn failures_of_the_system_that_pass_are_told_from_those_that_stay() {
        let of = |e: io::Error| file_problem(Path::new("x"), &e);
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ResourceBusy, io::ErrorKind::TimedOut] {
            assert!(of(kind.into()).passes(), "{kind:?}");
        }
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidData] {
            let problem = of(kind.into());
            assert_eq!((problem.passes(), problem.status, problem.code), (false, 409, "file-failed"), "{kind:?}");
        }
        if cfg!(unix) {
            // EMFILE is 24 on Linux, the BSDs and macOS.
            assert!(of(io::Error::from_raw_os_error(24)).passes());
        }
    }
}
