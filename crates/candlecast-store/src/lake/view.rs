//! [`View`]: a partition at one moment, its file and the segment over it.

use std::path::Path;

use candlecast_core::{Columns, SeriesKey, TimeRange};
use rayon::ThreadPool;

use super::decode::decode;
use super::partition::Partition;
use super::segment::Segment;
use crate::StoreError;
use crate::crop::crop;
use crate::overlay::overlay;

/// A reader is overtaken by a compaction once in a blue moon.
const MOST_TRIES: usize = 1_000;

/// What is stored of one year: the candles of the segment laid over those of the file. At least one of the two is
/// there.
#[derive(Debug)]
pub(super) struct View {
    pub(super) partition: Option<Partition>,
    pub(super) segment: Option<Segment>,
}

impl View {
    /// Opens what there is of `year`; `None` where there is nothing.
    ///
    /// Without the lock, too, it is what was stored at one moment. A compaction first puts the segment's candles into
    /// the file and then removes the segment, so whoever reads the segment first misses none of them; and until the
    /// segment is gone the file does not change otherwise. So where the same segment is still there after the file was
    /// opened, the two belong together. Where it is not, the file may be one of a later time, over which the segment
    /// must not be laid.
    pub(super) fn open(root: &Path, key: &SeriesKey, year: i32) -> Result<Option<Self>, StoreError> {
        for _ in 0..MOST_TRIES {
            let segment = Segment::read(root, key, year)?;
            let partition = Partition::open(root, key, year)?;
            let is_of_one_time = match &segment {
                Some(segment) => Segment::id_at(&segment.path)? == Some(segment.id),
                None => true,
            };
            if is_of_one_time {
                let is_there = partition.is_some() || segment.is_some();
                return Ok(is_there.then_some(Self { partition, segment }));
            }
        }
        let reason = format!("the candles of {year} of {key} were compacted again and again while they were read");
        Err(StoreError::Interrupted { reason })
    }

    /// The candles that open within `range`. Reads those row groups of the file only that may have some.
    pub(super) fn between(&self, range: TimeRange, pool: &ThreadPool) -> Result<Columns, StoreError> {
        let loaded = match &self.partition {
            Some(file) => file.groups_within(range).map(|i| file.load(i)).collect::<Result<Vec<_>, _>>()?,
            None => Vec::new(),
        };
        let mut columns = decode(&loaded, pool)?;
        crop(&mut columns, range);
        Ok(match &self.segment {
            Some(segment) => overlay(columns, &segment.between(range)).columns,
            None => columns,
        })
    }
}
