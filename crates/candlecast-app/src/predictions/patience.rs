//! Calls to the log that nobody is to wait long for: what they are about, a forecast or candles, is there already.

use std::time::Duration;

use crate::{AppError, Blame};

/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `call` to the metadata database answers; an error when that takes more than five seconds.
pub(super) async fn briefly<T>(call: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| {
        let detail = format!("the metadata database did not answer within {} s", PATIENCE.as_secs());
        Err(AppError::new("metadata-unreachable", 503, Blame::Data, detail))
    })
}
