//! [`Clock`]: a clock that never goes back, and the only way to wait.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

/// Longest sleep at once, in ms: timers stand still while the machine is suspended, so a wait looks at its clock now and
/// then.
const SLICE_MS: u64 = 30_000;

/// A clock that never goes back.
#[async_trait]
pub trait Clock: Send + Sync + Debug {
    /// Milliseconds since some instant. Goes on while the machine is suspended, where the system has such a clock.
    fn elapsed_ms(&self) -> u64;
    /// Waits.
    async fn sleep_ms(&self, ms: u64);
    /// The wall clock, in ms since 1970. It tells no time here: how far it moves against [`Self::elapsed_ms`] shows that
    /// one of them was set or stood still. `None` where there is none.
    fn wall_ms(&self) -> Option<i64> {
        None
    }
    /// True for the clock of the machine: any two of them show the same [`Self::elapsed_ms`].
    fn is_of_machine(&self) -> bool {
        false
    }
}

/// The machine's clock. All of a process count from the same instant.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock(());

impl SystemClock {
    /// The clock.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn elapsed_ms(&self) -> u64 {
        machine_ms()
    }

    async fn sleep_ms(&self, ms: u64) {
        let end = self.elapsed_ms().saturating_add(ms);
        loop {
            let left_ms = end.saturating_sub(self.elapsed_ms());
            if left_ms == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left_ms.min(SLICE_MS))).await;
        }
    }

    fn wall_ms(&self) -> Option<i64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        i64::try_from(since.as_millis()).ok()
    }

    fn is_of_machine(&self) -> bool {
        true
    }
}

/// `CLOCK_BOOTTIME`: unlike `CLOCK_MONOTONIC`, which the standard library reads, it counts the time in suspend.
#[cfg(target_os = "linux")]
fn machine_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    (time.tv_sec as u64).saturating_mul(1_000).saturating_add(time.tv_nsec as u64 / 1_000_000)
}

/// Other systems' monotonic clock may stand still in suspend; then the wall clock tells.
#[cfg(not(target_os = "linux"))]
fn machine_ms() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A clock that stands still until somebody sleeps, and then jumps: tests and replays do not wait.
#[derive(Debug, Default)]
pub struct VirtualClock {
    now_ms: AtomicU64,
}

impl VirtualClock {
    /// A clock at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves forward to `ms`; a time already passed changes nothing.
    pub fn advance_to(&self, ms: u64) {
        self.now_ms.fetch_max(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn elapsed_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        // Others get their turn, as they would while this task slept.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn clocks_of_the_machine_agree_and_waits_go_by_them() {
        let (one, other) = (SystemClock::new(), SystemClock::new());
        let (first, second, third) = (one.elapsed_ms(), other.elapsed_ms(), one.elapsed_ms());
        assert!(first <= second && second <= third, "{first} {second} {third}");
        one.sleep_ms(5).await;
        assert!(other.elapsed_ms() >= third + 5);
        assert!(one.is_of_machine() && !VirtualClock::new().is_of_machine());
        assert!(one.wall_ms().is_some() && VirtualClock::new().wall_ms().is_none());
    }
}
