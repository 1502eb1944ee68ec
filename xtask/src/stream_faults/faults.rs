//! [`Fault`]: what happens to a stream while it runs.

use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use crate::faketime;
use crate::postgres::Rig;
use crate::sh;

/// What faults happen to.
#[derive(Debug)]
pub(super) struct Stage {
    /// The server of the stream's records.
    pub(super) rig: Rig,
    /// The lock of the lake's writers.
    pub(super) lake_lock: PathBuf,
    /// How far the stream's clock is ahead, and the words behind which a program has that clock.
    pub(super) offset: PathBuf,
    pub(super) clock: Vec<String>,
}

/// A fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// When it begins, as a share of the stream's time.
    pub(super) at: f64,
    pub(super) act: Act,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// The server crashes, and is started again after so many seconds.
    Crash(u64),
    /// The server's processes stand still for so many seconds.
    Freeze(u64),
    /// Another program holds the lake's lock for so many seconds.
    LockLake(u64),
    /// The clock is set so many seconds ahead of the machine's.
    SetClock(i64),
}

/// The faults, in order. Each outlasts what the stream waits for: 10 seconds for the log, as long for the lake's lock.
pub(super) static FAULTS: [Fault; 6] = [
    Fault { name: "the database crashes and is started again", at: 0.08, act: Act::Crash(15) },
    Fault { name: "the database stands still", at: 0.25, act: Act::Freeze(25) },
    Fault { name: "another program holds the lake's lock", at: 0.45, act: Act::LockLake(25) },
    Fault { name: "the clock is set an hour ahead", at: 0.70, act: Act::SetClock(3_600) },
    Fault { name: "the clock is set two hours back", at: 0.78, act: Act::SetClock(-3_600) },
    Fault { name: "the clock is right again", at: 0.86, act: Act::SetClock(0) },
];

impl Fault {
    /// The part of the stream that must tell of it, if one fails.
    pub(super) fn part(&self) -> Option<&'static str> {
        match self.act {
            Act::Crash(_) | Act::Freeze(_) => Some("log"),
            Act::LockLake(_) => Some("store"),
            Act::SetClock(_) => None,
        }
    }

    /// Lets it happen; returns when it is over.
    pub(super) fn happen(&self, stage: &Stage) -> Result<()> {
        match self.act {
            Act::Crash(seconds) => {
                stage.rig.crash();
                sleep(Duration::from_secs(seconds));
                stage.rig.start_again()
            }
            Act::Freeze(seconds) => {
                stage.rig.freeze()?;
                sleep(Duration::from_secs(seconds));
                stage.rig.thaw()
            }
            Act::LockLake(seconds) => {
                let mut flock = Command::new("flock");
                flock.arg("--exclusive").arg(&stage.lake_lock).args(["sleep", &seconds.to_string()]);
                sh::capture(&mut flock).map(drop)
            }
            Act::SetClock(offset_s) => {
                faketime::write_offset(&stage.offset, offset_s)?;
                faketime::check(&stage.clock, offset_s)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_outlast_patience() {
        assert!(FAULTS.windows(2).all(|pair| pair[0].at < pair[1].at) && FAULTS.iter().all(|fault| fault.at < 0.9));
        for fault in &FAULTS {
            let (Act::Crash(seconds) | Act::Freeze(seconds) | Act::LockLake(seconds)) = fault.act else { continue };
            assert!(seconds > 10, "{}", fault.name);
        }
        let parts: Vec<_> = FAULTS.iter().filter_map(Fault::part).collect();
        assert_eq!(parts, ["log", "log", "store"]);
    }

    #[test]
    fn the_clock_is_right_in_the_end() {
        assert_eq!(FAULTS[FAULTS.len() - 1].act, Act::SetClock(0));
    }
}
