//! Row groups to columns: every column is decoded straight into its one vector, columns in parallel.

use std::sync::Arc;

use candlecast_core::Columns;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::file::serialized_reader::SerializedPageReader;
use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::damage::{Damage, guarded};
use super::format::{COLUMNS, N_COLUMNS};
use super::partition::Loaded;
use crate::StoreError;

/// Below this number of candles, handing work to other threads costs more than it saves.
pub(super) const PARALLEL_ROWS: usize = 16_384;

/// All columns of `groups`, one group after the other. In the optional columns NaN means missing.
pub(super) fn decode(groups: &[Loaded<'_>], pool: &ThreadPool) -> Result<Columns, StoreError> {
    let rows: usize = groups.iter().map(|g| g.group().rows).sum();
    let (times, values) = if rows < PARALLEL_ROWS {
        (decode_times(groups), (1..N_COLUMNS).map(|c| decode_values(c, groups)).collect::<Result<Vec<_>, _>>())
    } else {
        pool.install(|| {
            rayon::join(
                || decode_times(groups),
                || (1..N_COLUMNS).into_par_iter().map(|c| decode_values(c, groups)).collect::<Result<Vec<_>, _>>(),
            )
        })
    };
    let mut values = values?.into_iter();
    let mut next = || values.next().unwrap_or_default();
    Ok(Columns {
        open_time: times?,
        open: next(),
        high: next(),
        low: next(),
        close: next(),
        volume: next(),
        quote_volume: Some(next()),
        trades: Some(next()),
        taker_buy_base: Some(next()),
    })
}

/// Open times of `groups` in ms, checked against what the footers say of them.
pub(super) fn decode_times(groups: &[Loaded<'_>]) -> Result<Vec<i64>, StoreError> {
    let mut times = Vec::with_capacity(groups.iter().map(|g| g.group().rows).sum());
    for group in groups {
        guarded(&group.partition.path, || append_times(group, &mut times))?;
    }
    Ok(times)
}

fn append_times(group: &Loaded<'_>, times: &mut Vec<i64>) -> Result<(), Damage> {
    let start = times.len();
    let ColumnReader::Int64ColumnReader(reader) = reader(group, 0)? else {
        return Err(wrong_type(0));
    };
    append(reader, group.group().rows, false, times)?;
    if times[start] != group.group().first || times.last() != Some(&group.group().last) {
        return Err(Damage::new("its open times are not those that its footer names"));
    }
    Ok(())
}

/// One column but the first.
fn decode_values(column: usize, groups: &[Loaded<'_>]) -> Result<Vec<f64>, StoreError> {
    let mut values = Vec::with_capacity(groups.iter().map(|g| g.group().rows).sum());
    let mut whole = Vec::new();
    for group in groups {
        guarded(&group.partition.path, || append_values(group, column, &mut whole, &mut values))?;
    }
    Ok(values)
}

fn append_values(group: &Loaded<'_>, column: usize, whole: &mut Vec<i64>, values: &mut Vec<f64>) -> Result<(), Damage> {
    let (start, rows, nullable) = (values.len(), group.group().rows, COLUMNS[column].1);
    let levels = match reader(group, column)? {
        ColumnReader::DoubleColumnReader(reader) => append(reader, rows, nullable, values)?,
        ColumnReader::Int64ColumnReader(reader) => {
            whole.clear();
            let levels = append(reader, rows, nullable, whole)?;
            values.extend(whole.iter().map(|&v| v as f64));
            levels
        }
        _ => return Err(wrong_type(column)),
    };
    match levels {
        Some(levels) => spread(values, start, &levels),
        None => Ok(()),
    }
}

/// A reader of one column of a row group, its bytes verified.
fn reader(group: &Loaded<'_>, column: usize) -> Result<ColumnReader, Damage> {
    group.verify(column)?;
    let chunk = group.metadata().column(column);
    let pages = SerializedPageReader::new(Arc::clone(&group.span), chunk, group.group().rows, None)?;
    Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
}

/// Appends the values of `rows` rows to `out`. Where some are null only the others are appended, and the
/// definition levels come back: `[row]`, 0 for null.
fn append<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    nullable: bool,
    out: &mut Vec<T::T>,
) -> Result<Option<Vec<i16>>, Damage> {
    let mut levels: Vec<i16> = Vec::new();
    let (records, values, _) = reader.read_records(rows, nullable.then_some(&mut levels), None, out)?;
    if records != rows || (!nullable && values != rows) {
        return Err(Damage::new(format!("a column has {records} values where the footer says {rows}")));
    }
    Ok((values < rows).then_some(levels))
}

/// Moves the values from `start` on to the rows they belong to and puts NaN between them.
fn spread(values: &mut Vec<f64>, start: usize, levels: &[i16]) -> Result<(), Damage> {
    let mut from = values.len();
    if levels.iter().filter(|&&l| l > 0).count() != from - start {
        return Err(Damage::new("a column has more or fewer values than it says"));
    }
    values.resize(start + levels.len(), f64::NAN);
    for (row, &level) in levels.iter().enumerate().rev() {
        values[start + row] = if level > 0 {
            from -= 1;
            values[from]
        } else {
            f64::NAN
        };
    }
    Ok(())
}

fn wrong_type(column: usize) -> Damage {
    Damage::new(format!("column {} has another type", COLUMNS[column].0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_are_spread_in_place() {
        let mut values = vec![9.0, 1.0, 2.0, 3.0];
        spread(&mut values, 1, &[0, 1, 0, 0, 1, 1, 0]).unwrap();
        let shown: Vec<Option<f64>> = values.iter().map(|v| (!v.is_nan()).then_some(*v)).collect();
        assert_eq!(shown, [Some(9.0), None, Some(1.0), None, None, Some(2.0), Some(3.0), None]);
        assert!(spread(&mut vec![1.0], 0, &[1, 1]).is_err());
        let mut none = vec![7.0];
        spread(&mut none, 1, &[0, 0]).unwrap();
        assert!(none.len() == 3 && none[1].is_nan() && none[2].is_nan());
    }
}
