//! [`Partition`]: an open file of one year, its footer read and checked.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use candlecast_core::{SeriesKey, TimeRange};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::damage::{Damage, guarded};
use super::format::{CHECKSUMS_ENTRY, COLUMNS, FORMAT, FORMAT_ENTRY, N_COLUMNS, SERIES_ENTRY};
use super::layout::partition_path;
use super::seal::sealed_footer;
use super::span::{Span, read_at};
use crate::{StoreError, years};

const DAY_MS: i64 = 86_400_000;

/// An open partition. It reads one version of the file, whatever replaces it meanwhile.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) path: PathBuf,
    pub(super) metadata: ParquetMetaData,
    pub(super) groups: Vec<Group>,
    pub(super) bytes: u64,
    file: File,
}

/// What the footer says of a row group.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) rows: usize,
    /// First open time in ms.
    pub(super) first: i64,
    /// Last open time in ms.
    pub(super) last: i64,
    /// Where its bytes lie in the file.
    span: Range<u64>,
    /// Of the columns, in order.
    checksums: [u64; N_COLUMNS],
}

/// The bytes of a row group or of one of its columns, in memory.
pub(super) struct Loaded<'a> {
    pub(super) partition: &'a Partition,
    pub(super) index: usize,
    pub(super) span: Arc<Span>,
}

impl Partition {
    /// Opens the partition of `year`; `None` when there is none.
    pub(super) fn open(root: &Path, key: &SeriesKey, year: i32) -> Result<Option<Self>, StoreError> {
        let path = partition_path(root, key, year);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io(&path, e)),
        };
        let bytes = file.metadata().map_err(|e| StoreError::io(&path, e))?.len();
        let footer = sealed_footer(&file, &path, bytes)?;
        let metadata = guarded(&path, || Ok(ParquetMetaDataReader::decode_metadata(&footer)?))?;
        check_format(&path, &metadata)?;
        let groups = guarded(&path, || {
            check_identity(&metadata, key)?;
            read_groups(&metadata, key, year, bytes)
        })?;
        Ok(Some(Self { path, metadata, groups, bytes, file }))
    }

    /// Number of candles.
    pub(super) fn rows(&self) -> usize {
        self.groups.iter().map(|g| g.rows).sum()
    }

    /// Numbers of the row groups that may hold candles of `range`.
    pub(super) fn groups_within(&self, range: TimeRange) -> Range<usize> {
        let start = self.groups.partition_point(|g| g.last < range.from.0);
        let end = self.groups.partition_point(|g| g.first < range.to.0).max(start);
        start..end
    }

    /// Reads the bytes of a row group.
    pub(super) fn load(&self, index: usize) -> Result<Loaded<'_>, StoreError> {
        self.load_span(index, self.groups[index].span.clone())
    }

    /// Reads the bytes of a row group's open times only.
    pub(super) fn load_times(&self, index: usize) -> Result<Loaded<'_>, StoreError> {
        let (start, length) = self.metadata.row_group(index).column(0).byte_range();
        self.load_span(index, start..start + length)
    }

    fn load_span(&self, index: usize, span: Range<u64>) -> Result<Loaded<'_>, StoreError> {
        let mut buffer = vec![0; (span.end - span.start) as usize];
        read_at(&self.file, &mut buffer, span.start).map_err(|e| StoreError::io(&self.path, e))?;
        let span = Arc::new(Span { start: span.start, bytes: Bytes::from(buffer) });
        Ok(Loaded { partition: self, index, span })
    }
}

impl Loaded<'_> {
    pub(super) fn group(&self) -> &Group {
        &self.partition.groups[self.index]
    }

    pub(super) fn metadata(&self) -> &RowGroupMetaData {
        self.partition.metadata.row_group(self.index)
    }

    /// Sees that the bytes of a column are those that were written.
    pub(super) fn verify(&self, column: usize) -> Result<(), Damage> {
        let (start, length) = self.metadata().column(column).byte_range();
        let bytes = self.span.slice(start, length as usize)?;
        if super::format::checksum(&bytes) == self.group().checksums[column] {
            return Ok(());
        }
        Err(Damage::new(format!("the checksum of column {} is wrong", COLUMNS[column].0)))
    }
}

fn entry<'a>(metadata: &'a ParquetMetaData, name: &str) -> Option<&'a str> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|e| e.key == name)?.value.as_deref()
}

fn check_format(path: &Path, metadata: &ParquetMetaData) -> Result<(), StoreError> {
    match entry(metadata, FORMAT_ENTRY).and_then(|text| text.parse::<u32>().ok()) {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => Err(StoreError::NewerFormat { path: path.to_owned(), found, known: FORMAT }),
        _ => Err(StoreError::corrupt(path, "it was not written by candlecast")),
    }
}

fn check_identity(metadata: &ParquetMetaData, key: &SeriesKey) -> Result<(), Damage> {
    let found = entry(metadata, SERIES_ENTRY).unwrap_or("none");
    if found != key.to_string() {
        return Err(Damage::new(format!("it holds series {found}, its folder says {key}")));
    }
    let schema = metadata.file_metadata().schema_descr();
    let as_written = schema.num_columns() == N_COLUMNS
        && schema.columns().iter().zip(COLUMNS).all(|(column, (name, nullable, whole))| {
            column.name() == name
                && column.max_rep_level() == 0
                && column.max_def_level() == i16::from(nullable)
                && column.physical_type() == physical_type(whole)
        });
    if as_written { Ok(()) } else { Err(Damage::new("its columns are not those of a candle file")) }
}

fn physical_type(whole: bool) -> parquet::basic::Type {
    if whole { parquet::basic::Type::INT64 } else { parquet::basic::Type::DOUBLE }
}

fn read_groups(metadata: &ParquetMetaData, key: &SeriesKey, year: i32, file_bytes: u64) -> Result<Vec<Group>, Damage> {
    let checksums = read_checksums(entry(metadata, CHECKSUMS_ENTRY).unwrap_or_default(), metadata.num_row_groups())?;
    let groups: Vec<Group> = metadata
        .row_groups()
        .iter()
        .zip(checksums)
        .map(|(group, checksums)| read_group(group, checksums, file_bytes))
        .collect::<Result<_, _>>()?;
    let rows: usize = groups.iter().map(|g| g.rows).sum();
    let most = 366 * DAY_MS / key.interval.ms() + 1;
    let year_span = years::span(year);
    let inside = groups.iter().all(|g| g.first >= year_span.from.0 && g.last < year_span.to.0);
    let in_order = groups.windows(2).all(|w| w[0].last < w[1].first);
    if groups.is_empty() || rows as i64 > most || !inside || !in_order {
        return Err(Damage::new(format!("its footer does not describe candles of {year}")));
    }
    Ok(groups)
}

fn read_group(group: &RowGroupMetaData, checksums: [u64; N_COLUMNS], file_bytes: u64) -> Result<Group, Damage> {
    let nonsense = || Damage::new("its footer contradicts itself");
    let rows = usize::try_from(group.num_rows()).map_err(|_| nonsense())?;
    let Some(Statistics::Int64(times)) = group.column(0).statistics() else {
        return Err(Damage::new("its footer lacks the range of open times"));
    };
    let (Some(&first), Some(&last)) = (times.min_opt(), times.max_opt()) else {
        return Err(Damage::new("its footer lacks the range of open times"));
    };
    let (mut start, mut end) = (u64::MAX, 0);
    for column in group.columns() {
        let (from, length) = column.byte_range();
        start = start.min(from);
        end = end.max(from.checked_add(length).ok_or_else(nonsense)?);
    }
    if rows == 0 || first > last || start >= end || end > file_bytes {
        return Err(nonsense());
    }
    Ok(Group { rows, first, last, span: start..end, checksums })
}

fn read_checksums(text: &str, n_groups: usize) -> Result<Vec<[u64; N_COLUMNS]>, Damage> {
    let wrong = || Damage::new("its footer lacks the checksums");
    if text.len() != 16 * N_COLUMNS * n_groups {
        return Err(wrong());
    }
    let mut all = vec![[0; N_COLUMNS]; n_groups];
    for (i, checksum) in all.iter_mut().flatten().enumerate() {
        let digits = text.get(16 * i..16 * (i + 1)).ok_or_else(wrong)?;
        *checksum = u64::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_read_group_by_group() {
        let text = (0..2 * N_COLUMNS as u64).map(|i| format!("{i:016x}")).collect::<Vec<_>>().concat();
        let read = read_checksums(&text, 2).unwrap();
        assert_eq!((read[0][8], read[1][0]), (8, 9));
        assert!(read_checksums(&text, 3).is_err());
        assert!(read_checksums(&text.replace('0', "x"), 2).is_err());
        assert!(read_checksums(&"é".repeat(8 * N_COLUMNS * 2), 2).is_err());
    }
}
