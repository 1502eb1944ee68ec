//! [`QualityReport`]: what a file was like.

use candlecast_core::{Gaps, Interval, TimeRange};

use crate::Jumps;
use crate::jumps::JumpTracker;
use crate::slots::Slots;

/// Rejected rows that a report lists.
pub const MAX_LISTED_REJECTS: usize = 10;

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Line from 1, counting header and comments; element in JSON, row in columnar files.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// Runs of halted candles: flat (open = high = low = close) and without volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Halts {
    /// Runs.
    pub count: u64,
    /// Longest run, in candles.
    pub longest: u64,
    /// Halted candles in all.
    pub candles: u64,
}

/// Quality of an imported file; `rows_read = rows_kept + duplicates + rejected`.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityReport {
    /// Rows in the file, header and comments not counted.
    pub rows_read: u64,
    /// Candles: valid rows of distinct open times.
    pub rows_kept: u64,
    /// Valid rows whose open time had come before; the last one wins.
    pub duplicates: u64,
    /// Valid rows that open before the latest one seen; in a file that begins newest first, after the earliest.
    pub out_of_order: u64,
    /// True when the file begins newest first.
    pub newest_first: bool,
    /// Rows refused.
    pub rejected: u64,
    /// The first of them, at most [`MAX_LISTED_REJECTS`].
    pub first_rejected: Vec<RejectedRow>,
    /// Missing candles between the first and the last, over the whole file.
    pub gaps: Gaps,
    /// Candles without volume.
    pub zero_volume: u64,
    /// Halts.
    pub halts: Halts,
    /// Suspicious jumps; kept, but listed.
    pub jumps: Jumps,
    /// From the first open to the last close, `None` without candles.
    pub range: Option<TimeRange>,
}

impl QualityReport {
    /// Share of candles without volume, 0-1; `None` without candles.
    pub fn zero_volume_share(&self) -> Option<f64> {
        (self.rows_kept > 0).then(|| self.zero_volume as f64 / self.rows_kept as f64)
    }
}

/// Collects what a report says.
#[derive(Debug)]
pub(crate) struct Quality {
    interval: Interval,
    newest_first: bool,
    slots: Slots,
    jumps: JumpTracker,
    duplicates: u64,
    out_of_order: u64,
    rejected: u64,
    first_rejected: Vec<RejectedRow>,
    /// Latest open time, or the earliest when the file begins newest first.
    front: Option<i64>,
    /// Open time and close at the far end of the last chunk.
    border: Option<(i64, f64)>,
}

impl Quality {
    pub(crate) fn new(interval: Interval, newest_first: bool) -> Self {
        Self {
            interval,
            newest_first,
            slots: Slots::new(interval),
            jumps: JumpTracker::new(),
            duplicates: 0,
            out_of_order: 0,
            rejected: 0,
            first_rejected: Vec::new(),
            front: None,
            border: None,
        }
    }

    /// Notes a valid row.
    pub(crate) fn row(&mut self, open_time: i64, zero_volume: bool, halted: bool) {
        let new = self.slots.insert(open_time, zero_volume, halted);
        self.duplicates += u64::from(!new);
        let behind = |front: i64| if self.newest_first { open_time > front } else { open_time < front };
        match self.front {
            Some(front) if behind(front) => self.out_of_order += 1,
            _ => self.front = Some(open_time),
        }
    }

    pub(crate) fn reject(&mut self, line: u64, reason: impl FnOnce() -> String) {
        self.rejected += 1;
        if self.first_rejected.len() < MAX_LISTED_REJECTS {
            self.first_rejected.push(RejectedRow { line, reason: reason() });
        }
    }

    /// Notes the returns of a chunk, and the one from the chunk before where they follow each other.
    pub(crate) fn chunk(&mut self, open_time: &[i64], close: &[f64]) {
        let (Some((&first, &last)), Some((&open, &end))) =
            (open_time.first().zip(open_time.last()), close.first().zip(close.last()))
        else {
            return;
        };
        match self.border {
            Some(before) if !self.newest_first && before.0 < first => self.step(before, (first, open)),
            Some(after) if self.newest_first && last < after.0 => self.step((last, end), after),
            _ => {}
        }
        for i in 1..open_time.len() {
            self.step((open_time[i - 1], close[i - 1]), (open_time[i], close[i]));
        }
        self.border = Some(if self.newest_first { (first, open) } else { (last, end) });
    }

    fn step(&mut self, before: (i64, f64), after: (i64, f64)) {
        let missing = (after.0 - before.0) / self.interval.ms() - 1;
        self.jumps.observe(after.0, before.1, after.1, missing.max(0) as u64);
    }

    pub(crate) fn kept(&self) -> u64 {
        self.slots.len()
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.rejected
    }

    pub(crate) fn report(&self) -> QualityReport {
        let halts = self.slots.halts();
        let range = self.slots.range();
        QualityReport {
            rows_read: self.slots.len() + self.duplicates + self.rejected,
            rows_kept: self.slots.len(),
            duplicates: self.duplicates,
            out_of_order: self.out_of_order,
            newest_first: self.newest_first,
            rejected: self.rejected,
            first_rejected: self.first_rejected.clone(),
            gaps: self.slots.gaps(),
            zero_volume: self.slots.zero_volume(),
            halts: Halts { count: halts.count, longest: halts.longest, candles: halts.total },
            jumps: self.jumps.finish(),
            range: range.map(|(from, last)| TimeRange { from, to: last.plus_ms(self.interval.ms()) }),
        }
    }
}
