//! [`cancelled`]: waits until the work is asked to stop.

use std::sync::atomic::Ordering;
use std::time::Duration;

use candlecast_host::Host;

/// How often the flag is looked at; a signal handler can do no more than set it.
const LOOK: Duration = Duration::from_millis(50);

/// Ends once the work was asked to stop.
pub(crate) async fn cancelled(app: &Host) {
    while !app.cancel().load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}
