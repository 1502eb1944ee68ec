//! Changing the file of a year: read what is affected, merge, write the next version. No segment may be beside it, but
//! the one that is being compacted.

use std::io;
use std::path::Path;

use candlecast_core::{Columns, SeriesKey, TimeRange};
use rayon::ThreadPool;

use super::commit;
use super::damage::guarded;
use super::decode::decode;
use super::encode::encode;
use super::format::{GROUP_ROWS, N_COLUMNS};
use super::layout::{partition_file, partition_path};
use super::partition::{Loaded, Partition};
use crate::StoreError;
use crate::crop::without;
use crate::overlay::overlay;

/// A partition's address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    pub(super) root: &'a Path,
    pub(super) key: &'a SeriesKey,
    pub(super) year: i32,
}

/// Lays `newer`, not empty and all of the partition's year, over the file. Returns the first and the last changed open
/// time; the file is not touched when there is none. For the holder of the lake's lock.
pub(super) fn upsert(at: Address<'_>, newer: &Columns, pool: &ThreadPool) -> Result<Option<(i64, i64)>, StoreError> {
    let ends = newer.open_time.first().copied().zip(newer.open_time.last().copied());
    let Some((first, _)) = ends else { return Ok(None) };
    let Some(partition) = Partition::open(at.root, at.key, at.year)? else {
        write(at, &[], newer)?;
        return Ok(ends);
    };
    let (kept, stored) = parted(&partition, first, pool)?;
    let overlaid = overlay(stored, newer);
    if overlaid.changed.is_some() {
        write(at, &kept, &overlaid.columns)?;
    }
    Ok(overlaid.changed)
}

/// Removes the candles of `range` from the file and returns how many there were. For the holder of the lake's lock.
pub(super) fn delete(at: Address<'_>, range: TimeRange, pool: &ThreadPool) -> Result<usize, StoreError> {
    let Some(partition) = Partition::open(at.root, at.key, at.year)? else { return Ok(0) };
    let (kept, stored) = parted(&partition, range.from.0, pool)?;
    let (rest, deleted) = without(&stored, range);
    if deleted > 0 && deleted == partition.rows() {
        commit::remove(at.root, at.key, &partition_file(at.year))?;
    } else if deleted > 0 {
        write(at, &kept, &rest)?;
    }
    Ok(deleted)
}

/// Parts a partition into the full row groups that end before `from`, to be copied, and all later candles.
fn parted<'a>(
    partition: &'a Partition,
    from: i64,
    pool: &ThreadPool,
) -> Result<(Vec<Loaded<'a>>, Columns), StoreError> {
    let n_kept = partition.groups.iter().take_while(|g| g.rows == GROUP_ROWS && g.last < from).count();
    let mut loaded = (0..partition.groups.len()).map(|i| partition.load(i)).collect::<Result<Vec<_>, _>>()?;
    let stored = decode(&loaded[n_kept..], pool)?;
    loaded.truncate(n_kept);
    for group in &loaded {
        // A damaged group must not get a fresh checksum by being copied.
        guarded(&partition.path, || (0..N_COLUMNS).try_for_each(|column| group.verify(column)))?;
    }
    Ok((loaded, stored))
}

fn write(at: Address<'_>, kept: &[Loaded<'_>], rest: &Columns) -> Result<(), StoreError> {
    let bytes = encode(at.key, kept, rest)
        .map_err(|e| StoreError::io(&partition_path(at.root, at.key, at.year), io::Error::other(e)))?;
    commit::replace_partition(at.root, at.key, at.year, &bytes)
}
