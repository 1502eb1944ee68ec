//! Calls to the log that nobody is to wait long for: what they are about, a forecast or candles, is there already.

use std::time::Duration;

use candlecast_core::{Blame, Problem};

/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `call` to the metadata database answers; an error when that takes more than five seconds.
pub async fn briefly<T>(call: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(PATIENCE, call).await.unwrap_or_else(|_| {
        let detail = format!("the metadata database did not answer within {} s", PATIENCE.as_secs());
        Err(Problem::new("metadata-unreachable", 503, Blame::Data, detail))
    })
}
