//! Columns to the bytes of a partition file.

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use candlecast_core::{Columns, SeriesKey};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::{DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, RowGroupMetaData};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::format::{CHECKSUMS_ENTRY, GROUP_ROWS, checksum, properties, schema};
use super::partition::Loaded;
use super::seal::sealed;

type GroupWriter<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of the row groups `kept`, copied as they are, followed by the candles of `rest`. The groups must be
/// verified, full, and come before `rest`.
pub(super) fn encode(key: &SeriesKey, kept: &[Loaded<'_>], rest: &Columns) -> Result<Vec<u8>, ParquetError> {
    // Copied chunks must carry the very schema of the new file.
    let schema = match kept.first() {
        Some(group) => group.partition.metadata.file_metadata().schema_descr().root_schema_ptr(),
        None => schema()?,
    };
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(key)))?;
    for group in kept {
        copy(group, writer.next_row_group()?)?;
    }
    for start in (0..rest.len()).step_by(GROUP_ROWS) {
        let end = rest.len().min(start + GROUP_ROWS);
        write_group(rest, start..end, writer.next_row_group()?)?;
    }
    writer.flush()?;
    let checksums = checksums(writer.inner(), writer.flushed_row_groups());
    writer.append_key_value_metadata(KeyValue::new(CHECKSUMS_ENTRY.to_owned(), checksums));
    Ok(sealed(writer.into_inner()?))
}

fn copy(group: &Loaded<'_>, mut writer: GroupWriter<'_>) -> Result<(), ParquetError> {
    for chunk in group.metadata().columns() {
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed_size() as u64,
            rows_written: group.group().rows as u64,
            metadata: chunk.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        writer.append_column(&*group.span, close)?;
    }
    writer.close()?;
    Ok(())
}

fn write_group(columns: &Columns, rows: Range<usize>, mut writer: GroupWriter<'_>) -> Result<(), ParquetError> {
    write_column::<Int64Type>(&mut writer, &columns.open_time[rows.clone()], None)?;
    for column in [&columns.open, &columns.high, &columns.low, &columns.close, &columns.volume] {
        write_column::<DoubleType>(&mut writer, &column[rows.clone()], None)?;
    }
    let (quote_volume, levels) = present(columns.quote_volume.as_deref(), rows.clone());
    write_column::<DoubleType>(&mut writer, &quote_volume, Some(&levels))?;
    let (trades, levels) = present(columns.trades.as_deref(), rows.clone());
    let trades: Vec<i64> = trades.into_iter().map(|count| count as i64).collect();
    write_column::<Int64Type>(&mut writer, &trades, Some(&levels))?;
    let (taker_buy_base, levels) = present(columns.taker_buy_base.as_deref(), rows);
    write_column::<DoubleType>(&mut writer, &taker_buy_base, Some(&levels))?;
    writer.close()?;
    Ok(())
}

fn write_column<T: DataType>(
    writer: &mut GroupWriter<'_>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = writer
        .next_column()?
        .ok_or_else(|| ParquetError::General("more columns were written than the schema has".into()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

/// The values that are not missing, and the definition level of every row: 1 where there is a value.
fn present(column: Option<&[f64]>, rows: Range<usize>) -> (Vec<f64>, Vec<i16>) {
    let Some(column) = column else {
        return (Vec::new(), vec![0; rows.len()]);
    };
    let column = &column[rows];
    let values = column.iter().copied().filter(|v| !v.is_nan()).collect();
    (values, column.iter().map(|v| i16::from(!v.is_nan())).collect())
}

fn checksums(file: &[u8], groups: &[RowGroupMetaData]) -> String {
    let mut text = String::new();
    for chunk in groups.iter().flat_map(RowGroupMetaData::columns) {
        let (start, length) = chunk.byte_range();
        let _ = write!(text, "{:016x}", checksum(&file[start as usize..(start + length) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_left_out_and_marked() {
        let column = [1.0, f64::NAN, 3.0, f64::NAN];
        assert_eq!(present(Some(&column), 0..3), (vec![1.0, 3.0], vec![1, 0, 1]));
        assert_eq!(present(None, 0..2), (vec![], vec![0, 0]));
    }
}
