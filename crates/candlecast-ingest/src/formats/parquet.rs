//! Parquet: columns by their usual names; times as timestamps, dates, whole numbers or text.

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::columnar::{BatchRows, Projection};
use super::parquet_pages;
use crate::input::Input;
use crate::row::{BATCH_ITEMS, RowReader};
use crate::{IngestError, VolumeUnit};

pub(super) const WHAT: &str = "parquet file";

/// Opens the file at its first row group; pages are read as they are needed.
pub(super) fn open(input: Input, unit: VolumeUnit) -> Result<Box<dyn RowReader>, IngestError> {
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| open_checked(input, unit)));
    opened.unwrap_or_else(|_| Err(IngestError::damaged(WHAT, "its decoder failed")))
}

fn open_checked(input: Input, unit: VolumeUnit) -> Result<Box<dyn RowReader>, IngestError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(input.clone()).map_err(|e| broken(&e))?;
    let projection = Projection::of(builder.schema(), unit)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), projection.indices.iter().copied());
    let leaves = 0..builder.parquet_schema().num_columns();
    let used: Vec<usize> = leaves.filter(|&i| mask.leaf_included(i)).collect();
    parquet_pages::check(&input, builder.metadata(), &used)?;
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ITEMS).build().map_err(|e| broken(&e))?;
    let batches = reader.map(|batch| batch.map_err(|e| IngestError::damaged(WHAT, e)));
    Ok(Box::new(BatchRows::new(batches, projection, WHAT)))
}

/// A file that is cut off lacks its footer.
fn broken(error: &ParquetError) -> IngestError {
    let reason = error.to_string();
    match error {
        ParquetError::EOF(_) => IngestError::truncated(WHAT),
        _ if reason.contains("Corrupt footer") => IngestError::truncated(WHAT),
        _ => IngestError::damaged(WHAT, reason),
    }
}
