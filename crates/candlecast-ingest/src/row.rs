//! Rows as read, before they are candles.

use candlecast_core::CandleError;

/// Places of the values in [`RawRow::values`].
pub(crate) const OPEN: usize = 0;
pub(crate) const HIGH: usize = 1;
pub(crate) const LOW: usize = 2;
pub(crate) const CLOSE: usize = 3;
pub(crate) const VOLUME: usize = 4;
pub(crate) const QUOTE_VOLUME: usize = 5;
pub(crate) const TRADES: usize = 6;
pub(crate) const TAKER_BUY_BASE: usize = 7;
/// From this place on a value may be missing.
pub(crate) const FIRST_OPTIONAL: usize = QUOTE_VOLUME;
/// Names of the values.
pub(crate) const VALUE_NAMES: [&str; 8] =
    ["open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_base"];

/// One row whose fields are numbers; NaN is a missing optional value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawRow {
    /// Line or row number, from 1.
    pub(crate) line: u64,
    /// Open time, ms UTC.
    pub(crate) time: i64,
    pub(crate) values: [f64; 8],
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{found} fields where {expected} are expected")]
    Fields { found: usize, expected: usize },
    #[error("{0} is empty")]
    Missing(&'static str),
    #[error("{field} `{text}` is not a finite decimal number")]
    Number { field: &'static str, text: String },
    #[error("time `{0}` is not a date or a unix time between 2000 and 2200")]
    Time(String),
    #[error("the row is of symbol `{found}`, the file began with `{first}`")]
    OtherSymbol { found: String, first: String },
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error(transparent)]
    Candle(#[from] CandleError),
}

/// What readers produce.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Row(RawRow),
    Bad {
        line: u64,
        problem: Problem,
    },
    /// The rows that follow are of this archive member.
    Part(String),
}

/// Bounded buffer of items.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) items: Vec<Item>,
}

/// Items that one filling adds at most.
pub(crate) const BATCH_ITEMS: usize = 4096;

impl Batch {
    #[inline]
    pub(crate) fn push(&mut self, line: u64, row: Result<RawRow, Problem>) {
        self.items.push(match row {
            Ok(row) => Item::Row(row),
            Err(problem) => Item::Bad { line, problem },
        });
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &RawRow> {
        self.items.iter().filter_map(|item| if let Item::Row(row) = item { Some(row) } else { None })
    }
}

/// A format's reader of a whole file.
pub(crate) trait RowReader: Send {
    /// Adds at most [`BATCH_ITEMS`] items; false when there are no more. On an error the items added before it stand.
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, crate::IngestError>;

    /// Symbol as a symbol column has it, once rows were read.
    fn symbol(&self) -> Option<String> {
        None
    }
}

/// Bytes for a message: at most 40 characters, control characters escaped.
pub(crate) fn snippet(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(160)]).chars().take(40).flat_map(char::escape_debug).collect()
}
