//! [`IngestError`]: what ends an import.

use candlecast_core::Interval;

/// Why an import ended. Chunks handed out before stay valid; `rows` counts the candles among them.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The operating system failed.
    #[error("cannot read {path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// No bytes.
    #[error("the file is empty: nothing to import")]
    Empty,
    /// A header or an empty list, but no row.
    #[error("the file has no rows after its header: nothing to import")]
    NoRows,
    /// Rows, but none valid.
    #[error("none of the {rejected} rows is a valid candle; the first: {reasons}")]
    NoValidRow {
        /// Rows refused.
        rejected: u64,
        /// The first reasons with their lines.
        reasons: String,
    },
    /// A candle's required columns are not all there.
    #[error("required columns missing: {missing}; found: {found}. Name them open_time, open, high, low, close, volume")]
    MissingColumns {
        /// Names of the missing.
        missing: String,
        /// Names in the file.
        found: String,
    },
    /// The file stops too early.
    #[error("the {what} is cut off: {rows} candles before the cut were read; get the file again")]
    Truncated {
        /// Container or format.
        what: &'static str,
        /// Valid candles read before.
        rows: u64,
    },
    /// The content contradicts its format.
    #[error("the {what} is damaged: {reason}; {rows} candles before it were taken; get the file again")]
    Damaged {
        /// Container or format.
        what: &'static str,
        /// What was seen.
        reason: String,
        /// Valid candles read before.
        rows: u64,
    },
    /// Decompresses to absurd size.
    #[error(
        "the {what} expands to more than {expanded} bytes from {compressed}: refused as a decompression bomb; \
         decompress it yourself if it is genuine"
    )]
    Bomb {
        /// Container or format.
        what: &'static str,
        /// Bytes after decompression so far.
        expanded: u64,
        /// Compressed bytes behind them.
        compressed: u64,
    },
    /// A line no candle file has.
    #[error("line {line} is longer than {limit} bytes: this is no candle file")]
    LineTooLong {
        /// Line (element, in JSON), from 1.
        line: u64,
        /// Allowed.
        limit: usize,
    },
    /// Neither text nor a known binary format.
    #[error(
        "binary content (first bytes {first_bytes}): csv, json, parquet and arrow/feather files are read, text also in \
         gzip or zip"
    )]
    Binary {
        /// Hexadecimal.
        first_bytes: String,
    },
    /// Recognised, but not read.
    #[error("not supported: {what}")]
    Unsupported {
        /// What and the remedy.
        what: String,
    },
    /// A zip member's name is refused.
    #[error("zip member `{name}` is refused: {reason}")]
    ArchiveName {
        /// Name, control characters escaped.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// Members of one archive belong to different series.
    #[error("the archive mixes series: `{first}` and `{other}`; import its members one by one")]
    MixedMembers {
        /// First member.
        first: String,
        /// A member of another series.
        other: String,
    },
    /// Nothing names the symbol.
    #[error("no symbol in the file name `{name}`: pass --symbol, for example --symbol BTCUSDT")]
    NoSymbol {
        /// File name.
        name: String,
    },
    /// Neither name nor spacing tells the interval.
    #[error("cannot tell the interval: {reason}; pass --interval, for example --interval 1h")]
    NoInterval {
        /// What was seen.
        reason: String,
    },
    /// The spacing of the rows contradicts the declared interval.
    #[error("{origin} says {declared} candles, but the rows are {found} apart: correct --interval or the file name")]
    IntervalMismatch {
        /// Where the interval was declared.
        origin: &'static str,
        /// As declared.
        declared: Interval,
        /// Spacing seen.
        found: String,
    },
    /// A bad row under `strict`.
    #[error("line {line}: {reason}; leave out --strict to skip bad rows")]
    BadRow {
        /// Line (row, in columnar files), from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

impl IngestError {
    /// This error with the number of candles read before it.
    pub(crate) fn after(mut self, kept: u64) -> Self {
        if let Self::Truncated { rows, .. } | Self::Damaged { rows, .. } = &mut self {
            *rows = kept;
        }
        self
    }

    pub(crate) fn damaged(what: &'static str, reason: impl ToString) -> Self {
        Self::Damaged { what, reason: reason.to_string(), rows: 0 }
    }

    pub(crate) fn truncated(what: &'static str) -> Self {
        Self::Truncated { what, rows: 0 }
    }
}

impl From<crate::IngestError> for candlecast_core::Problem {
    fn from(e: crate::IngestError) -> Self {
        use crate::IngestError as I;
        match e {
            I::NoSymbol { .. } => Self::usage("symbol-unknown", "symbol", e.to_string()),
            I::NoInterval { .. } | I::IntervalMismatch { .. } => {
                Self::data("bad-interval", e.to_string()).with_field("interval")
            }
            I::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::new("no-such-file", 404, candlecast_core::Blame::Usage, e.to_string()).with_field("files")
            }
            _ => Self::data("bad-file", e.to_string()),
        }
    }
}
