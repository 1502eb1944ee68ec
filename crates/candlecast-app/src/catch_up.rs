//! What programs that are gone could not bring to its end.

use candlecast_host::Host;
use candlecast_monitor::settle_reopened;

use crate::records::pending::replay_pending;

/// To be called when a program begins, and now and then while it goes on: records what runs tried while the records
/// could not be reached, and sets predictions beside candles that changed when the log could not follow. Never fails;
/// what cannot be done now is done by the next one, and the reason is logged. Where nothing was left it opens nothing.
pub async fn catch_up(host: &Host) {
    replay_pending(host).await;
    settle_reopened(host).await;
}
