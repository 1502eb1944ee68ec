//! [`ClockWatch`]: notices that the system's clock was set, or that this process stood still.
//!
//! Where leases go by the system's clock (SQLite), all of them seem to have run out at once after the clock was set
//! ahead or the machine slept, though everybody is about to renew theirs. A worker that notices gives the others that
//! time.

use candlecast_host::system_time;

/// Difference of the two clocks, and pause between two looks, from which on something has happened, ms.
const DISTURBED_MS: i64 = 5_000;

/// What the clocks say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The system's clock, ms since 1970; it may be set.
    pub(crate) wall_ms: i64,
    /// Time since the machine was started, ms: never set, and on Linux counted on while the machine sleeps.
    pub(crate) since_boot_ms: i64,
}

impl Reading {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { wall_ms: system_time().ms(), since_boot_ms: since_boot_ms() }
    }
}

/// Why leases may seem to have run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// The clock was set by so many ms, back where negative.
    ClockSet(i64),
    /// Nothing was done for so many ms: the machine slept, the process was stopped, or a call took that long.
    StoodStill(i64),
}

/// Compares the clocks from one look to the next.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    last: Reading,
}

impl ClockWatch {
    /// Looks for the first time.
    pub(crate) fn new(now: Reading) -> Self {
        Self { last: now }
    }

    /// What has happened since the last look, after which one was to come within `pause_ms`.
    pub(crate) fn look(&mut self, now: Reading, pause_ms: i64) -> Option<Disturbance> {
        let last = std::mem::replace(&mut self.last, now);
        let passed_ms = now.since_boot_ms.saturating_sub(last.since_boot_ms);
        let set_ms = now.wall_ms.saturating_sub(last.wall_ms).saturating_sub(passed_ms);
        if set_ms.saturating_abs() > DISTURBED_MS {
            return Some(Disturbance::ClockSet(set_ms));
        }
        (passed_ms.saturating_sub(pause_ms) > DISTURBED_MS).then_some(Disturbance::StoodStill(passed_ms))
    }
}

#[cfg(target_os = "linux")]
fn since_boot_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    std::time::Duration::try_from(time).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// Since the first call, and on some systems without the time that the machine slept: then it shows as a clock that was
/// set.
#[cfg(not(target_os = "linux"))]
fn since_boot_ms() -> i64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let first = FIRST.get_or_init(std::time::Instant::now);
    i64::try_from(first.elapsed().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_s: i64, since_boot_s: i64) -> Reading {
        Reading { wall_ms: 1_704_067_200_000 + 1_000 * wall_s, since_boot_ms: 1_000 * since_boot_s }
    }

    #[test]
    fn clocks_that_are_set_and_pauses_are_noticed_once() {
        let mut watch = ClockWatch::new(at(0, 50));
        assert_eq!(watch.look(at(1, 51), 1_000), None);
        // Corrected a little, as clocks are all the time.
        assert_eq!(watch.look(at(5, 52), 1_000), None);
        assert_eq!(watch.look(at(66, 53), 1_000), Some(Disturbance::ClockSet(60_000)));
        assert_eq!(watch.look(at(67, 54), 1_000), None);
        assert_eq!(watch.look(at(8, 55), 1_000), Some(Disturbance::ClockSet(-60_000)));
        // The machine slept for ten minutes: both clocks went on.
        assert_eq!(watch.look(at(608, 655), 1_000), Some(Disturbance::StoodStill(600_000)));
        assert_eq!(watch.look(at(638, 685), 30_000), None, "such a pause was meant");
    }

    #[test]
    fn time_since_the_start_passes() {
        let first = Reading::now();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let passed = Reading::now().since_boot_ms - first.since_boot_ms;
        assert!(passed >= 10, "{passed} ms");
    }
}
