//! Pages of long lists: newest first, continued from where the last page ended.

use std::fmt;
use std::str::FromStr;

use crate::MetaError;

/// Most items a page holds.
pub const MAX_PAGE: u32 = 1_000;

/// Where a page ended; the next one goes on behind it. Its text form (`1704067200000_17`) goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) time_ms: i64,
    pub(crate) seq: i64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.time_ms, self.seq)
    }
}

impl FromStr for Cursor {
    type Err = MetaError;

    fn from_str(text: &str) -> Result<Self, MetaError> {
        let (time_ms, seq) = text
            .split_once('_')
            .and_then(|(time, seq)| Some((time.parse().ok()?, seq.parse().ok()?)))
            .ok_or_else(|| MetaError::invalid("cursor", text, "pass the cursor of the page before, unchanged"))?;
        Ok(Self { time_ms, seq })
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// End of the page before; `None` for the first.
    pub after: Option<Cursor>,
    /// Most items wanted, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

impl Default for PageRequest {
    /// The first 100.
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}

impl PageRequest {
    /// The first `limit` items.
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    pub(crate) fn checked_limit(self) -> Result<u32, MetaError> {
        if (1..=MAX_PAGE).contains(&self.limit) {
            Ok(self.limit)
        } else {
            Err(MetaError::invalid("limit", &self.limit.to_string(), "ask for 1 to 1000 items"))
        }
    }
}

/// Part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when this was the last.
    pub next: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_text() {
        for cursor in [Cursor { time_ms: 1_704_067_200_000, seq: 17 }, Cursor { time_ms: -5, seq: i64::MAX }] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "_", "1", "1_", "a_1", "1_2_3", "1 _2"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_checked() {
        assert_eq!(PageRequest::first(1).checked_limit(), Ok(1));
        assert!(PageRequest::first(0).checked_limit().is_err());
        assert!(PageRequest::first(1_001).checked_limit().is_err());
    }
}
