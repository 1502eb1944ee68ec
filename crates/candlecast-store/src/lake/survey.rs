//! What a lake holds of a series, from the footers of its files.

use std::path::Path;

use candlecast_core::{Gaps, Interval, SeriesKey, TimeRange, Timestamp};

use super::decode::decode_times;
use super::partition::Partition;
use crate::{Coverage, StoreError};

/// Coverage of the partitions of `years`. Reads the footers, and the open times of those row groups only in which
/// candles are missing. A partition that cannot be read is named in `damaged` and not counted.
pub(super) fn coverage(root: &Path, key: &SeriesKey, years: &[i32]) -> Result<Coverage, StoreError> {
    let mut survey = Survey::new(key);
    for &year in years {
        match survey.add(root, year) {
            Err(damage @ (StoreError::Corrupt { .. } | StoreError::NewerFormat { .. })) => {
                survey.coverage.damaged.push(damage.to_string());
            }
            other => other?,
        }
    }
    Ok(survey.coverage)
}

struct Survey {
    coverage: Coverage,
    last: Option<i64>,
}

impl Survey {
    fn new(key: &SeriesKey) -> Self {
        let coverage =
            Coverage { key: key.clone(), rows: 0, range: None, gaps: Gaps::default(), bytes: 0, damaged: Vec::new() };
        Self { coverage, last: None }
    }

    fn add(&mut self, root: &Path, year: i32) -> Result<(), StoreError> {
        let Some(partition) = Partition::open(root, &self.coverage.key, year)? else { return Ok(()) };
        let interval = self.coverage.key.interval;
        let (gaps, first, last) = gaps_of(&partition, interval)?;
        let before = self.last.map_or_else(Gaps::default, |t| Gaps::of(&[t, first], interval));
        self.last = Some(last);
        let c = &mut self.coverage;
        c.rows += partition.rows();
        c.bytes += partition.bytes;
        c.gaps = joined(joined(c.gaps, before), gaps);
        let from = c.range.map_or(Timestamp(first), |r| r.from);
        c.range = Some(TimeRange { from, to: Timestamp(last + interval.ms()) });
        Ok(())
    }
}

/// Gaps of a partition, and its first and last open time.
fn gaps_of(partition: &Partition, interval: Interval) -> Result<(Gaps, i64, i64), StoreError> {
    let mut gaps = Gaps::default();
    let mut last = None;
    for (i, group) in partition.groups.iter().enumerate() {
        if let Some(last) = last {
            gaps = joined(gaps, Gaps::of(&[last, group.first], interval));
        }
        if (group.last - group.first) / interval.ms() + 1 != group.rows as i64 {
            let times = decode_times(&[partition.load_times(i)?])?;
            gaps = joined(gaps, Gaps::of(&times, interval));
        }
        last = Some(group.last);
    }
    let first = partition.groups.first().map_or(0, |g| g.first);
    Ok((gaps, first, last.unwrap_or(first)))
}

fn joined(a: Gaps, b: Gaps) -> Gaps {
    Gaps { count: a.count + b.count, longest: a.longest.max(b.longest), missing: a.missing + b.missing }
}
