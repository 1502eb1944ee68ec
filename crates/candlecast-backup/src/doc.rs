//! Documents of `backup` and `restore`.

use candlecast_core::Timestamp;
use serde::Serialize;

use crate::make::BackedUp;
use crate::restore::Restored;

/// A finished backup. Sizes are bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupDoc {
    file: String,
    bytes: u64,
    created_at: Timestamp,
    candles: bool,
    content_bytes: u64,
    candle_files: usize,
    model_files: usize,
    records: u64,
}

impl From<&BackedUp> for BackupDoc {
    fn from(made: &BackedUp) -> Self {
        Self {
            file: made.file.display().to_string(),
            bytes: made.bytes,
            created_at: made.created_at,
            candles: made.candles,
            content_bytes: made.content_bytes,
            candle_files: made.candle_files,
            model_files: made.model_files,
            records: made.records,
        }
    }
}

/// A finished restore. Sizes are bytes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreDoc {
    data_dir: String,
    program: String,
    created_at: Timestamp,
    candles: bool,
    content_bytes: u64,
    candle_files: usize,
    model_files: usize,
    records: u64,
    set_aside: Vec<String>,
}

impl From<&Restored> for RestoreDoc {
    fn from(restored: &Restored) -> Self {
        Self {
            data_dir: restored.data_dir.display().to_string(),
            program: restored.program.clone(),
            created_at: restored.created_at,
            candles: restored.candles,
            content_bytes: restored.content_bytes,
            candle_files: restored.candle_files,
            model_files: restored.model_files,
            records: restored.records,
            set_aside: restored.set_aside.iter().map(|path| path.display().to_string()).collect(),
        }
    }
}
