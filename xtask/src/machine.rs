//! What a result was measured on: date, revision, processor, foreign load.

use std::fs;
use std::time::Duration;

use anyhow::Result;

use crate::sh;

/// Files that these commands write themselves; a change in them alone makes no new revision.
const WRITTEN: [&str; 2] = [":!RESULTS.md", ":!BENCHMARKS.md"];

/// Today in UTC, `2026-11-21`.
pub(crate) fn today() -> Result<String> {
    sh::capture(sh::program("date").args(["-u", "+%F"]))
}

/// The commit that last changed anything but results, `-dirty` with uncommitted changes, `uncommitted` where
/// there is no commit or no git.
pub(crate) fn revision() -> String {
    let commit = sh::capture(sh::program("git").args(["log", "-1", "--format=%h", "--", "."]).args(WRITTEN));
    let changes = sh::capture(sh::program("git").args(["status", "--porcelain", "--", "."]).args(WRITTEN));
    match (commit, changes) {
        (Ok(commit), Ok(changes)) if !commit.is_empty() && changes.is_empty() => commit,
        (Ok(commit), _) if !commit.is_empty() => format!("{commit}-dirty"),
        _ => "uncommitted".to_owned(),
    }
}

/// Processor model and number of usable cores, one line.
pub(crate) fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model_name(&cpuinfo).unwrap_or(std::env::consts::ARCH);
    let n_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{model}, {n_cores} cores")
}

fn model_name(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim())
}

/// Share of all cores, 0 to 1, that other programs use: this one sleeps for a second meanwhile. `None` where
/// the system does not tell.
pub(crate) fn foreign_load() -> Option<f64> {
    let before = cpu_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    std::thread::sleep(Duration::from_secs(1));
    let after = cpu_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    let total = after.total.saturating_sub(before.total);
    let idle = after.idle.saturating_sub(before.idle).min(total);
    (total > 0).then(|| (total - idle) as f64 / total as f64)
}

/// The load averages as the system words them, for the record.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

struct Ticks {
    total: u64,
    idle: u64,
}

/// Sum of the first line of `/proc/stat`; waiting for a disk counts as idle, guest time is part of user time.
fn cpu_ticks(stat: &str) -> Option<Ticks> {
    let fields: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    let idle = fields.get(3)? + fields.get(4)?;
    Some(Ticks { total: fields.iter().take(8).sum(), idle })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_split_into_busy_and_idle() {
        let ticks = cpu_ticks("cpu  10 1 5 100 4 2 3 0 7 0\ncpu0 1 1 1 1\n").unwrap();
        assert_eq!((ticks.total, ticks.idle), (125, 104));
        assert!(cpu_ticks("cpu 1 2").is_none());
    }

    #[test]
    fn the_model_is_found_in_cpuinfo() {
        assert_eq!(model_name("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), Some("Some CPU @ 2 GHz"));
        assert_eq!(model_name("processor: 0\n"), None);
    }
}
