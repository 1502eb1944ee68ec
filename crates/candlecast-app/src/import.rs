//! Importing files: chunks from `ingest` into the store, acknowledged once they are durable.

use std::path::{Path, PathBuf};

use candlecast_core::{Problem, ProgressSink, SeriesKey, TimeRange};
use candlecast_host::{Host, blocking, compact_candles, upsert_candles};
use candlecast_ingest::{ImportOptions, IngestError, QualityReport};
use candlecast_monitor::after_candles;

/// Rows handed to the store at once: a year of minutes and some, so that a yearly partition is written once.
pub const CHUNK_ROWS: usize = 540_000;

/// An imported file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The file.
    pub file: PathBuf,
    /// What it holds.
    pub key: SeriesKey,
    /// Format as recognised.
    pub format: String,
    /// Quality of its rows.
    pub report: QualityReport,
    /// Range of the candles that changed in the store; `None` when all were there already.
    pub changed: Option<TimeRange>,
}

/// Imports one file. Chunks are stored as they are read, so memory does not grow with the file.
pub async fn import_file(
    host: &Host,
    path: &Path,
    options: &ImportOptions,
    watch: &dyn ProgressSink,
) -> Result<Imported, Problem> {
    let name = path.display();
    let (file, how) = (path.to_owned(), options.clone());
    let opened = blocking(host, move |_| candlecast_ingest::open(&file, &how).map_err(|e| of_file(&file, e)));
    let mut import = opened.await?;
    let label = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let total = import.bytes_total();
    let mut changed: Option<TimeRange> = None;
    loop {
        host.check_cancelled()?;
        // Parsing has a thread of its own to decompress on; the store writes on blocking threads.
        let (back, chunk) = tokio::task::spawn_blocking(move || {
            let chunk = import.next_chunk();
            (import, chunk)
        })
        .await
        .map_err(|e| Problem::data("import-failed", format!("{name}: reading ended abnormally: {e}")))?;
        import = back;
        let Some(chunk) = chunk.map_err(|e| of_file(path, e))? else { break };
        let stored = upsert_candles(host, &chunk).await;
        let stored = stored.map_err(|e| Problem::from(e).context(name.to_string()))?;
        changed = match (changed, stored.changed) {
            (Some(a), Some(b)) => Some(TimeRange { from: a.from.min(b.from), to: a.to.max(b.to) }),
            (a, b) => a.or(b),
        };
        watch.progress(&label, import.bytes_read().min(total), total);
    }
    let key = import.key().clone();
    if changed.is_some() {
        compact_candles(host, &key).await;
        after_candles(host, &key).await;
    }
    Ok(Imported { file: path.to_owned(), key, format: import.format().to_string(), report: import.report(), changed })
}

/// What went wrong with the file at `path`, which is named once.
fn of_file(path: &Path, e: IngestError) -> Problem {
    let name = path.display().to_string();
    let named = matches!(&e, IngestError::Io { path, .. } if *path == name);
    let problem = Problem::from(e);
    if named { problem } else { problem.context(name) }
}
