//! [`blocking`]: the one way from async code to files, locks and whatever else may keep its caller waiting.

use candlecast_core::Problem;

use crate::host::Host;

/// Does `work` on a thread that may wait, so that none of the few async threads, on which leases are kept and signals
/// are heard, ever stands still for a disk or for the lock of another program.
///
/// Where `work` waits for other writers of models, the wait ends when `host` is cancelled. Once begun, `work` goes on
/// when its future is dropped.
pub async fn blocking<T: Send + 'static>(
    host: &Host,
    work: impl FnOnce(&Host) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let host = host.clone();
    tokio::task::spawn_blocking(move || work(&host))
        .await
        .map_err(|e| Problem::data("work-failed", format!("work on files ended abnormally: {e}")))?
}
