//! The blocking half of the lake.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use candlecast_core::{CandleSeries, Columns, SeriesError, SeriesKey, TimeRange};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::decode::{PARALLEL_ROWS, decode};
use super::partition::{Loaded, Partition};
use super::rewrite::Address;
use super::view::View;
use super::{layout, live, lock, survey};
use crate::crop::crop;
use crate::nearest::nearest;
use crate::overlay::{changed_range, overlay, union};
use crate::{Coverage, StoreError, years};

/// Reads and writes the files of a lake; every call blocks.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) root: PathBuf,
    pub(super) pool: ThreadPool,
    pub(super) lock_wait: Duration,
    /// Candles that a segment may hold.
    pub(super) segment_rows: usize,
    /// Queues this program's writers, so that only one of them at a time polls the lock file.
    pub(super) writers: Mutex<()>,
}

impl Engine {
    /// Lays `parts`, candles by year, over what is stored.
    pub(super) fn upsert(&self, key: &SeriesKey, parts: &[(i32, Columns)]) -> Result<Option<TimeRange>, StoreError> {
        let mut changed = None;
        for (year, newer) in parts {
            let at = Address { root: &self.root, key, year: *year };
            let laid = self.locked(|| live::upsert(at, newer, self.segment_rows, &self.pool));
            // The years before are stored.
            let laid = laid.map_err(|e| e.after(changed_range(changed, key.interval)))?;
            changed = union(changed, laid);
        }
        Ok(changed_range(changed, key.interval))
    }

    pub(super) fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for year in self.years_within(key, range)? {
            let at = Address { root: &self.root, key, year };
            deleted += self.locked(|| live::delete(at, range, &self.pool))?;
        }
        Ok(deleted)
    }

    /// Puts what lies in segments into the files of the years; returns how many candles that were.
    pub(super) fn compact(&self, key: &SeriesKey) -> Result<usize, StoreError> {
        let mut compacted = 0;
        for year in self.years(key)? {
            // Where there is nothing to do, a lake that cannot be written to will do.
            if layout::segment_path(&self.root, key, year).exists() {
                let at = Address { root: &self.root, key, year };
                compacted += self.locked(|| live::compact(at, &self.pool))?;
            }
        }
        Ok(compacted)
    }

    /// Stored years that overlap `range`.
    pub(super) fn years_within(&self, key: &SeriesKey, range: TimeRange) -> Result<Vec<i32>, StoreError> {
        let mut stored = self.years(key)?;
        stored.retain(|&year| years::overlaps(year, range));
        Ok(stored)
    }

    /// The candles of `years` that open within `range`.
    pub(super) fn read(&self, key: &SeriesKey, years: &[i32], range: TimeRange) -> Result<CandleSeries, StoreError> {
        let mut views = Vec::with_capacity(years.len());
        for &year in years {
            // A partition may have been deleted since its folder was listed.
            views.extend(View::open(&self.root, key, year)?);
        }
        let segments = views.iter().filter_map(|view| view.segment.as_ref());
        let newer = segments.fold(Columns::default(), |all, s| overlay(all, &s.between(range)).columns);
        let files: Vec<&Partition> = views.iter().filter_map(|view| view.partition.as_ref()).collect();
        let loaded = self.load(&files, range)?;
        let mut columns = overlay(decode(&loaded, &self.pool)?, &newer).columns;
        crop(&mut columns, range);
        CandleSeries::new(key.clone(), columns).map_err(|e| self.blame(key, &loaded, range, &e))
    }

    /// Names the file in which a series breaks the rules of candles. Those of segments were checked when they were
    /// read, so it is among `loaded`; read again, they tell which.
    fn blame(&self, key: &SeriesKey, loaded: &[Loaded<'_>], range: TimeRange, error: &SeriesError) -> StoreError {
        let mut columns = match decode(loaded, &self.pool) {
            Ok(columns) => columns,
            Err(damage) => return damage,
        };
        let cut = crop(&mut columns, range);
        match CandleSeries::new(key.clone(), columns) {
            Err(error) => invalid(loaded, cut, &error),
            Ok(_) => invalid(loaded, 0, error),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<Coverage>, StoreError> {
        let mut list = Vec::new();
        for key in layout::keys(&self.root)? {
            let coverage = survey::coverage(&self.root, &key, &layout::years(&self.root, &key)?)?;
            if coverage.rows > 0 || !coverage.damaged.is_empty() {
                list.push(coverage);
            }
        }
        Ok(list)
    }

    pub(super) fn coverage(&self, key: &SeriesKey) -> Result<Coverage, StoreError> {
        survey::coverage(&self.root, key, &self.years(key)?)
    }

    fn years(&self, key: &SeriesKey) -> Result<Vec<i32>, StoreError> {
        let years = layout::years(&self.root, key)?;
        if years.is_empty() {
            let nearest = nearest(key, layout::keys(&self.root)?);
            return Err(StoreError::UnknownSeries { key: key.clone(), nearest });
        }
        Ok(years)
    }

    fn load<'a>(&self, files: &[&'a Partition], range: TimeRange) -> Result<Vec<Loaded<'a>>, StoreError> {
        let wanted: Vec<(&'a Partition, usize)> =
            files.iter().flat_map(|&p| p.groups_within(range).map(move |i| (p, i))).collect();
        let rows: usize = wanted.iter().map(|(p, i)| p.groups[*i].rows).sum();
        if rows < PARALLEL_ROWS {
            return wanted.iter().map(|(p, i)| p.load(*i)).collect();
        }
        self.pool.install(|| wanted.par_iter().map(|(p, i)| p.load(*i)).collect())
    }

    fn locked<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _queue = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = lock::acquire(&self.root, self.lock_wait)?;
        work()
    }
}

/// Names the file in which a series breaks the rules of candles; `cut` rows of the first group were not looked at.
fn invalid(groups: &[Loaded<'_>], cut: usize, error: &SeriesError) -> StoreError {
    let row = match error {
        SeriesError::Order { row, .. } | SeriesError::Candle { row, .. } => row + cut,
        SeriesError::Length { .. } | SeriesError::OtherSeries(..) => cut,
    };
    let mut end = 0;
    let holder = groups.iter().find(|g| {
        end += g.group().rows;
        row < end
    });
    let path = holder.or(groups.last()).map_or(Path::new(""), |g| g.partition.path.as_path());
    StoreError::corrupt(path, error.to_string())
}
