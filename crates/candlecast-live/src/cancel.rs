//! Being asked to stop: [`cancelled`] waits for it, the others end work and pauses soon after.

use std::sync::atomic::Ordering;
use std::time::Duration;

use candlecast_host::Host;

/// How often the flag is looked at; a signal handler can do no more than set it.
const LOOK: Duration = Duration::from_millis(50);
/// For so long work that is under way may go on after that.
const GRACE: Duration = Duration::from_secs(3);

/// True once the work was asked to stop.
pub(crate) fn is_cancelled(host: &Host) -> bool {
    host.cancel().load(Ordering::Relaxed)
}

/// Ends once the work was asked to stop.
pub(crate) async fn cancelled(host: &Host) {
    while !is_cancelled(host) {
        tokio::time::sleep(LOOK).await;
    }
}

/// What `work` comes to; `None` once it was asked to stop.
pub(crate) async fn until_cancelled<T>(host: &Host, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = cancelled(host) => None,
    }
}

/// What `work` comes to; `None` when it was asked to stop and still is not done some seconds later.
pub(crate) async fn with_grace<T>(host: &Host, work: impl Future<Output = T>) -> Option<T> {
    let over = async {
        cancelled(host).await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = over => None,
    }
}

/// Waits, less when the work is asked to stop.
pub(crate) async fn pause(host: &Host, pause: Duration) {
    until_cancelled(host, tokio::time::sleep(pause)).await;
}
