//! Arrow IPC files (Feather v2) as freqtrade and pandas write them, plain or with lz4 or zstd.

use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::FileReader;

use super::arrow_blocks::Blocks;
use super::columnar::{BatchRows, Projection};
use crate::input::{Cursor, Input};
use crate::row::RowReader;
use crate::{IngestError, VolumeUnit};

pub(super) const WHAT: &str = "arrow file";

/// Opens the file at its first record batch.
pub(super) fn open(input: Input, unit: VolumeUnit) -> Result<Box<dyn RowReader>, IngestError> {
    let opened = catch_unwind(AssertUnwindSafe(|| open_checked(input, unit)));
    opened.unwrap_or_else(|_| Err(IngestError::damaged(WHAT, "its decoder failed")))
}

fn open_checked(input: Input, unit: VolumeUnit) -> Result<Box<dyn RowReader>, IngestError> {
    let blocks = Blocks::read(&input)?;
    let reader = |columns: Option<Vec<usize>>| -> Result<FileReader<BufReader<Cursor>>, IngestError> {
        FileReader::try_new(BufReader::new(input.cursor()), columns).map_err(|e| broken(&e))
    };
    let projection = Projection::of(&reader(None)?.schema(), unit)?;
    let reader = reader(Some(projection.indices.clone()))?;
    let batches = CheckedBatches { reader, blocks, input, next: 0 };
    Ok(Box::new(BatchRows::new(batches, projection, WHAT)))
}

fn broken(error: &ArrowError) -> IngestError {
    IngestError::damaged(WHAT, error)
}

/// Batches whose declared sizes are checked before anything is reserved for them.
struct CheckedBatches {
    reader: FileReader<BufReader<Cursor>>,
    blocks: Blocks,
    input: Input,
    next: usize,
}

impl Iterator for CheckedBatches {
    type Item = Result<RecordBatch, IngestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next < self.blocks.len() {
            if let Err(error) = self.blocks.check(&self.input, self.next) {
                return Some(Err(error));
            }
            self.next += 1;
        }
        self.reader.next().map(|batch| batch.map_err(|e| broken(&e)))
    }
}
