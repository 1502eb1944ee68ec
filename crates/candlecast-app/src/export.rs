//! Writing a series or features to a file of the user's: CSV or Parquet, whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, TimestampMillisecondArray};
use candlecast_core::{CandleSeries, Problem, file_problem};
use candlecast_files::NewFile;

/// Named columns of one length beside a column of open times.
#[derive(Debug)]
pub struct Table<'a> {
    /// Open times in ms.
    pub open_time: &'a [i64],
    /// Columns; NaN is missing.
    pub columns: Vec<(&'a str, &'a [f64])>,
}

/// Writes `series` to `path`.
pub fn write(series: &CandleSeries, path: &Path) -> Result<(), Problem> {
    let c = series.columns();
    let mut columns: Vec<(&str, &[f64])> =
        vec![("open", &c.open), ("high", &c.high), ("low", &c.low), ("close", &c.close), ("volume", &c.volume)];
    for (name, column) in
        [("quote_volume", &c.quote_volume), ("trades", &c.trades), ("taker_buy_base", &c.taker_buy_base)]
    {
        if let Some(column) = column {
            columns.push((name, column));
        }
    }
    write_table(&Table { open_time: &c.open_time, columns }, path)
}

/// Writes `table` to `path`: Parquet where it ends in `.parquet`, else CSV. The file appears whole: it is written
/// beside its place under a name of its own and renamed. Blocks on the disk.
pub fn write_table(table: &Table<'_>, path: &Path) -> Result<(), Problem> {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let fill: fn(&Table<'_>, &Path, &File) -> Result<(), Problem> = match ending.as_deref() {
        Some("parquet") => write_parquet,
        Some("csv") => write_csv,
        _ => {
            let detail = format!("{}: end the file name in .csv or .parquet", path.display());
            return Err(Problem::usage("bad-output", "output", detail));
        }
    };
    let new = NewFile::for_user(path)?;
    fill(table, path, new.file())?;
    Ok(new.persist(path)?)
}

/// Writes `table` to `file`, which becomes `path`.
fn write_csv(table: &Table<'_>, path: &Path, file: &File) -> Result<(), Problem> {
    let failed = |e: io::Error| file_problem(path, &e);
    let mut out = BufWriter::new(file);
    let mut line = String::from("open_time");
    for (name, _) in &table.columns {
        line.push(',');
        line.push_str(name);
    }
    writeln!(out, "{line}").map_err(failed)?;
    for (i, time) in table.open_time.iter().enumerate() {
        use std::fmt::Write as _;
        line.clear();
        // Writing to a string cannot fail.
        let _ = write!(line, "{time}");
        for (_, column) in &table.columns {
            line.push(',');
            if !column[i].is_nan() {
                let _ = write!(line, "{}", column[i]);
            }
        }
        writeln!(out, "{line}").map_err(failed)?;
    }
    out.flush().map_err(failed)
}

/// The same as Parquet.
fn write_parquet(table: &Table<'_>, path: &Path, file: &File) -> Result<(), Problem> {
    let failed = |e: parquet::errors::ParquetError| Problem::data("file-failed", format!("{}: {e}", path.display()));
    let time = TimestampMillisecondArray::from(table.open_time.to_vec()).with_timezone("UTC");
    let mut arrays: Vec<(&str, ArrayRef, bool)> = vec![("open_time", Arc::new(time), false)];
    for (name, column) in &table.columns {
        let array: Float64Array = column.iter().map(|&v| (!v.is_nan()).then_some(v)).collect();
        arrays.push((name, Arc::new(array), true));
    }
    let batch = RecordBatch::try_from_iter_with_nullable(arrays)
        .map_err(|e| Problem::data("file-failed", format!("{}: {e}", path.display())))?;
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.into_inner().map(drop).map_err(failed)
}
