//! The blocking half of the lake.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use candlecast_core::{CandleSeries, Columns, SeriesError, SeriesKey, TimeRange};
use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::decode::{PARALLEL_ROWS, decode};
use super::partition::{Loaded, Partition};
use super::rewrite::{self, Address};
use super::{layout, lock, survey};
use crate::crop::crop;
use crate::nearest::nearest;
use crate::overlay::{changed_range, union};
use crate::{Coverage, StoreError, years};

/// Reads and writes the files of a lake; every call blocks.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) root: PathBuf,
    pub(super) pool: ThreadPool,
    pub(super) lock_wait: Duration,
    /// Queues this program's writers, so that only one of them at a time polls the lock file.
    pub(super) writers: Mutex<()>,
}

impl Engine {
    /// Lays `parts`, candles by year, over what is stored.
    pub(super) fn upsert(&self, key: &SeriesKey, parts: &[(i32, Columns)]) -> Result<Option<TimeRange>, StoreError> {
        let mut changed = None;
        for (year, newer) in parts {
            let at = Address { root: &self.root, key, year: *year };
            changed = union(changed, self.locked(|| rewrite::upsert(at, newer, &self.pool))?);
        }
        Ok(changed_range(changed, key.interval))
    }

    pub(super) fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError> {
        let mut deleted = 0;
        for year in self.years_within(key, range)? {
            let at = Address { root: &self.root, key, year };
            deleted += self.locked(|| rewrite::delete(at, range, &self.pool))?;
        }
        Ok(deleted)
    }

    /// Stored years that overlap `range`.
    pub(super) fn years_within(&self, key: &SeriesKey, range: TimeRange) -> Result<Vec<i32>, StoreError> {
        let mut stored = self.years(key)?;
        stored.retain(|&year| years::overlaps(year, range));
        Ok(stored)
    }

    /// The candles of `years` that open within `range`.
    pub(super) fn read(&self, key: &SeriesKey, years: &[i32], range: TimeRange) -> Result<CandleSeries, StoreError> {
        let mut partitions = Vec::with_capacity(years.len());
        for &year in years {
            // A partition may have been deleted since its folder was listed.
            partitions.extend(Partition::open(&self.root, key, year)?);
        }
        let loaded = self.load(&partitions, range)?;
        let mut columns = decode(&loaded, &self.pool)?;
        let cut = crop(&mut columns, range);
        CandleSeries::new(key.clone(), columns).map_err(|e| invalid(&loaded, cut, &e))
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

    fn load<'a>(&self, partitions: &'a [Partition], range: TimeRange) -> Result<Vec<Loaded<'a>>, StoreError> {
        let wanted: Vec<(&Partition, usize)> =
            partitions.iter().flat_map(|p| p.groups_within(range).map(move |i| (p, i))).collect();
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
