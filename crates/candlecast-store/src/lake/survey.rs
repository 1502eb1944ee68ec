//! What a lake holds of a series, from the footers of its files and from its segments.

use std::path::Path;

use candlecast_core::{Gaps, Interval, SeriesKey, TimeRange, Timestamp};

use super::decode::decode_times;
use super::partition::Partition;
use super::view::View;
use crate::{Coverage, StoreError};

/// Coverage of the partitions of `years`. Reads segments and footers, and the open times of those row groups only in
/// which candles are missing or over which a segment lies. A partition that cannot be read is named in `damaged` and
/// not counted.
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
        let Some(view) = View::open(root, &self.coverage.key, year)? else { return Ok(()) };
        // All of it before any of it counts: what comes later may turn out to be damaged.
        let runs = runs_of(&view, self.coverage.key.interval)?;
        for run in runs {
            self.count(run);
        }
        self.coverage.bytes += view.partition.map_or(0, |file| file.bytes) + view.segment.map_or(0, |s| s.end);
        Ok(())
    }

    fn count(&mut self, run: Run) {
        let interval = self.coverage.key.interval;
        let before = self.last.map_or_else(Gaps::default, |t| Gaps::of(&[t, run.first], interval));
        self.last = Some(run.last);
        let c = &mut self.coverage;
        c.rows += run.rows;
        c.gaps = joined(joined(c.gaps, before), run.gaps);
        let from = c.range.map_or(Timestamp(run.first), |r| r.from);
        c.range = Some(TimeRange { from, to: Timestamp(run.last + interval.ms()) });
    }
}

/// Candles that follow each other in time.
struct Run {
    rows: usize,
    first: i64,
    last: i64,
    gaps: Gaps,
}

impl Run {
    /// `None` without candles. Open times must increase.
    fn of(times: &[i64], interval: Interval) -> Option<Self> {
        let (&first, &last) = times.first().zip(times.last())?;
        Some(Self { rows: times.len(), first, last, gaps: Gaps::of(times, interval) })
    }
}

/// The candles of a partition, in time order.
fn runs_of(view: &View, interval: Interval) -> Result<Vec<Run>, StoreError> {
    let newer = view.segment.as_ref().map(|s| s.columns.open_time.as_slice()).unwrap_or_default();
    let mut runs = Vec::new();
    let mut overlaid = Vec::new();
    if let Some(file) = &view.partition {
        let border = newer.first().map_or(file.groups.len(), |&t| file.groups.partition_point(|g| g.last < t));
        for i in 0..border {
            runs.push(run_of_group(file, i, interval)?);
        }
        let loaded = (border..file.groups.len()).map(|i| file.load_times(i)).collect::<Result<Vec<_>, _>>()?;
        overlaid = decode_times(&loaded)?;
    }
    overlaid.extend_from_slice(newer);
    overlaid.sort_unstable();
    overlaid.dedup();
    runs.extend(Run::of(&overlaid, interval));
    Ok(runs)
}

fn run_of_group(file: &Partition, index: usize, interval: Interval) -> Result<Run, StoreError> {
    let group = &file.groups[index];
    let (rows, first, last) = (group.rows, group.first, group.last);
    let is_without_gaps = (last - first) / interval.ms() + 1 == rows as i64;
    let gaps =
        if is_without_gaps { Gaps::default() } else { Gaps::of(&decode_times(&[file.load_times(index)?])?, interval) };
    Ok(Run { rows, first, last, gaps })
}

fn joined(a: Gaps, b: Gaps) -> Gaps {
    Gaps { count: a.count + b.count, longest: a.longest.max(b.longest), missing: a.missing + b.missing }
}
