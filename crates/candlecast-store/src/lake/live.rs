//! Storing a few candles at a time, as a live stream brings them: into the segment beside a year's file, and from
//! there into the file.
//!
//! An append costs one write and one sync, where the file of a year would be written anew. A segment holds candles of
//! one day (UTC): with the first candle of another day, and when it is long, it is compacted. Whatever else changes a
//! year compacts it first, so a segment is only ever laid over the file that it was begun beside.

use candlecast_core::{Columns, TimeRange, Timestamp};
use rayon::ThreadPool;

use super::commit;
use super::layout::segment_file;
use super::rewrite::{self, Address};
use super::segment::{Segment, new_segment};
use super::view::View;
use crate::StoreError;
use crate::overlay::overlay;

/// Most candles that are appended at once; more are cheaper written into the file.
const MOST_AT_ONCE: usize = 512;
const DAY_MS: i64 = 86_400_000;

/// Lays `newer`, not empty and all of the partition's year, over the partition. Returns the first and the last changed
/// open time; nothing is written when there is none. `most` is how many candles a segment may hold before it is
/// compacted. For the holder of the lake's lock.
pub(super) fn upsert(
    at: Address<'_>,
    newer: &Columns,
    most: usize,
    pool: &ThreadPool,
) -> Result<Option<(i64, i64)>, StoreError> {
    match View::open(at.root, at.key, at.year)? {
        Some(view) if view.partition.is_some() && are_few(newer, &view, most) => append(at, &view, newer, most, pool),
        Some(view) => {
            settle(at, view.segment, pool)?;
            rewrite::upsert(at, newer, pool)
        }
        // A year begins as a file, so that other programs see it.
        None => rewrite::upsert(at, newer, pool),
    }
}

/// Removes the candles of `range` and returns how many there were. For the holder of the lake's lock.
pub(super) fn delete(at: Address<'_>, range: TimeRange, pool: &ThreadPool) -> Result<usize, StoreError> {
    compact(at, pool)?;
    rewrite::delete(at, range, pool)
}

/// Puts the candles of the segment into the file of the year and returns how many they were. For the holder of the
/// lake's lock.
pub(super) fn compact(at: Address<'_>, pool: &ThreadPool) -> Result<usize, StoreError> {
    let segment = Segment::read(at.root, at.key, at.year)?;
    settle(at, segment, pool)
}

/// A kill before the removal leaves a segment whose candles the file has already. Laying them over it changes nothing,
/// so the next compaction only removes it.
fn settle(at: Address<'_>, segment: Option<Segment>, pool: &ThreadPool) -> Result<usize, StoreError> {
    let Some(segment) = segment else { return Ok(0) };
    rewrite::upsert(at, &segment.columns, pool)?;
    commit::remove(at.root, at.key, &segment_file(at.year))?;
    Ok(segment.columns.len())
}

/// False for candles that would be compacted at once; unless there is a segment, in which case that costs no more.
fn are_few(newer: &Columns, view: &View, most: usize) -> bool {
    newer.len() <= MOST_AT_ONCE.min(most) && (view.segment.is_some() || is_one_day(newer.open_time.iter()))
}

fn append(
    at: Address<'_>,
    view: &View,
    newer: &Columns,
    most: usize,
    pool: &ThreadPool,
) -> Result<Option<(i64, i64)>, StoreError> {
    let ends = newer.open_time.first().zip(newer.open_time.last());
    let Some((&first, &last)) = ends else { return Ok(None) };
    // Behind all that is stored, nothing is read for this.
    let stored = view.between(TimeRange { from: Timestamp(first), to: Timestamp(last + 1) }, pool)?;
    let Some((from, to)) = overlay(stored, newer).changed else { return Ok(None) };
    let start = newer.open_time.partition_point(|&t| t < from);
    let end = newer.open_time.partition_point(|&t| t <= to);
    let rows = newer.slice(start..end);
    if let Some(segment) = &view.segment {
        commit::append(&segment.path, segment.end, &segment.frame(&rows))?;
    } else {
        let bytes = new_segment(at.key, at.year, &rows);
        commit::replace(at.root, at.key, &segment_file(at.year), &bytes)?;
    }
    if is_due(view.segment.as_ref(), &rows, most) {
        // The candles are stored: they can be compacted the next time as well.
        if let Err(error) = compact(at, pool) {
            tracing::warn!(series = %at.key, %error, "the newest candles are stored, but not compacted yet");
        }
    }
    Ok(Some((from, to)))
}

fn is_due(segment: Option<&Segment>, rows: &Columns, most: usize) -> bool {
    let before = segment.map(|s| s.columns.open_time.as_slice()).unwrap_or_default();
    let written = segment.map_or(0, |s| s.written) + rows.len();
    let ends = [before.first(), before.last(), rows.open_time.first(), rows.open_time.last()];
    written >= most || !is_one_day(ends.into_iter().flatten())
}

fn is_one_day<'a>(times: impl Iterator<Item = &'a i64>) -> bool {
    let mut days = times.map(|time| time.div_euclid(DAY_MS));
    match days.next() {
        Some(first) => days.all(|day| day == first),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_utc_before_1970_too() {
        for (times, one) in [
            (vec![], true),
            (vec![0, DAY_MS - 1], true),
            (vec![DAY_MS - 1, DAY_MS], false),
            (vec![-1, 0], false),
            (vec![-DAY_MS, -1], true),
        ] {
            assert_eq!(is_one_day(times.iter()), one, "{times:?}");
        }
    }
}
