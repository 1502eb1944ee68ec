//! Documents of `import` and `data`.

use candlecast_core::{GapsDoc, SeriesKey, TimeRange, Timestamp};
use candlecast_store::Coverage;
use serde::Serialize;

use crate::data::Checked;
use crate::import::Imported;

/// A row that was refused.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectedRowDoc {
    /// Line of the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// A suspicious move between two candles, kept.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JumpDoc {
    /// Open time of the later candle.
    pub time: Timestamp,
    /// Its log return.
    pub log_return: f64,
}

/// One imported file.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportDoc {
    /// Path as given.
    pub file: String,
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Format as recognised.
    pub format: String,
    /// Rows in the file.
    pub rows_read: u64,
    /// Candles kept.
    pub rows_kept: u64,
    /// Rows replaced by a later row of the same open time.
    pub duplicates: u64,
    /// Rows that came too late and were sorted in.
    pub out_of_order: u64,
    /// Rows refused.
    pub rejected: u64,
    /// The first ten of them.
    pub rejected_rows: Vec<RejectedRowDoc>,
    /// Missing candles.
    pub gaps: GapsDoc,
    /// Share of candles without volume.
    pub zero_volume_share: Option<f64>,
    /// Suspicious moves in all.
    pub jumps: u64,
    /// The largest of them, at most 100.
    pub jump_list: Vec<JumpDoc>,
    /// First open time.
    pub from: Option<Timestamp>,
    /// Close of the last candle.
    pub to: Option<Timestamp>,
    /// False when every candle was stored already.
    pub changed: bool,
}

impl From<&Imported> for ImportDoc {
    fn from(i: &Imported) -> Self {
        let r = &i.report;
        Self {
            file: i.file.display().to_string(),
            venue: i.key.venue.to_string(),
            symbol: i.key.symbol.to_string(),
            interval: i.key.interval.to_string(),
            format: i.format.clone(),
            rows_read: r.rows_read,
            rows_kept: r.rows_kept,
            duplicates: r.duplicates,
            out_of_order: r.out_of_order,
            rejected: r.rejected,
            rejected_rows: r
                .first_rejected
                .iter()
                .map(|x| RejectedRowDoc { line: x.line, reason: x.reason.clone() })
                .collect(),
            gaps: r.gaps.into(),
            zero_volume_share: r.zero_volume_share(),
            jumps: r.jumps.total,
            jump_list: r.jumps.list.iter().map(|j| JumpDoc { time: j.open_time, log_return: j.log_return }).collect(),
            from: r.range.map(|x| x.from),
            to: r.range.map(|x| x.to),
            changed: i.changed.is_some(),
        }
    }
}

/// One stored series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageDoc {
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Candles.
    pub rows: usize,
    /// First open time.
    pub from: Option<Timestamp>,
    /// Close of the last candle.
    pub to: Option<Timestamp>,
    /// Missing candles.
    pub gaps: GapsDoc,
    /// Space taken.
    pub bytes: u64,
    /// Files that cannot be read.
    pub damaged: Vec<String>,
    /// True for the generated market.
    pub synthetic: bool,
}

impl From<&Coverage> for CoverageDoc {
    fn from(c: &Coverage) -> Self {
        Self {
            venue: c.key.venue.to_string(),
            symbol: c.key.symbol.to_string(),
            interval: c.key.interval.to_string(),
            rows: c.rows,
            from: c.range.map(|r| r.from),
            to: c.range.map(|r| r.to),
            gaps: c.gaps.into(),
            bytes: c.bytes,
            damaged: c.damaged.clone(),
            synthetic: c.key.venue.is_synthetic(),
        }
    }
}

/// What compacting one series did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CompactDoc {
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Candles that were put into the files of their years.
    pub candles: usize,
}

impl CompactDoc {
    /// Of `candles` candles of the series `key`.
    pub fn new(key: &SeriesKey, candles: usize) -> Self {
        let (venue, symbol, interval) = (key.venue.to_string(), key.symbol.to_string(), key.interval.to_string());
        Self { venue, symbol, interval, candles }
    }
}

/// State of one stored series.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckDoc {
    /// Venue.
    pub venue: String,
    /// Symbol.
    pub symbol: String,
    /// Interval.
    pub interval: String,
    /// Candles read.
    pub rows: usize,
    /// First open time.
    pub from: Option<Timestamp>,
    /// Close of the last candle.
    pub to: Option<Timestamp>,
    /// Missing candles.
    pub gaps: GapsDoc,
    /// The longest gaps: first missing open time and length.
    pub longest_gaps: Vec<(Timestamp, usize)>,
    /// Candles without volume.
    pub zero_volume: usize,
    /// Candles flat and without volume.
    pub flat: usize,
    /// Files that cannot be read.
    pub damaged: Vec<String>,
}

impl From<&Checked> for CheckDoc {
    fn from(c: &Checked) -> Self {
        let range: Option<TimeRange> = c.range;
        Self {
            venue: c.key.venue.to_string(),
            symbol: c.key.symbol.to_string(),
            interval: c.key.interval.to_string(),
            rows: c.rows,
            from: range.map(|r| r.from),
            to: range.map(|r| r.to),
            gaps: c.gaps.into(),
            longest_gaps: c.longest_gaps.clone(),
            zero_volume: c.zero_volume,
            flat: c.flat,
            damaged: c.damaged.clone(),
        }
    }
}
