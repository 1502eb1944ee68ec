//! Turning whatever a file's contents do to the Parquet reader into an error that names the file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;

use crate::StoreError;

/// What is wrong with a file's contents.
#[derive(Debug)]
pub(super) struct Damage(pub(super) String);

impl Damage {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<ParquetError> for Damage {
    fn from(error: ParquetError) -> Self {
        Self(error.to_string())
    }
}

/// Runs `work` on the contents of the file at `path`. Checksums keep accidents away from the Parquet reader, but it
/// asserts a few things that a forged file can violate; its panics end here.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, Damage>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Damage(reason))) => Err(StoreError::corrupt(path, reason)),
        Err(_) => Err(StoreError::corrupt(path, "its contents contradict each other")),
    }
}
