//! [`holders`]: which processes hold the lock of a file.

use std::path::Path;

/// Ids of the processes that hold a lock of the file at `path`, in order, as far as the system tells: on Linux those
/// of the same process namespace, elsewhere none.
#[cfg(target_os = "linux")]
pub fn holders(path: &Path) -> Vec<u32> {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(file) = std::fs::metadata(path) else { return Vec::new() };
    let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return Vec::new() };
    holders_in(&locks, file.dev(), file.ino())
}

/// Ids of the processes that hold a lock of the file at `path`; nothing is known of them here.
#[cfg(not(target_os = "linux"))]
pub fn holders(_: &Path) -> Vec<u32> {
    Vec::new()
}

/// The holders in the text of `/proc/locks` (proc_locks(5)). A line is a number, the kind, `ADVISORY`, `READ` or `WRITE`,
/// the process, `major:minor:inode`, first and last byte; who waits has an arrow after the number.
#[cfg(target_os = "linux")]
fn holders_in(locks: &str, device: u64, inode: u64) -> Vec<u32> {
    // The parts of a device number as Linux lays them out (makedev(3)).
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    let holder = |line: &str| -> Option<u32> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, of, ..] = fields[..] else { return None };
        process.parse().ok().filter(|&id| of == file && id > 0)
    };
    let mut found: Vec<u32> = locks.lines().filter_map(holder).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_hold_a_file_are_found_and_those_who_wait_are_not() {
        let locks = "1: FLOCK  ADVISORY  WRITE 4242 08:01:1234567 0 EOF\n\
                     1: -> FLOCK  ADVISORY  WRITE 4300 08:01:1234567 0 EOF\n\
                     2: POSIX  ADVISORY  READ 77 08:01:1234567 128 128\n\
                     3: FLOCK  ADVISORY  READ 12 08:01:1234567 0 EOF\n\
                     4: FLOCK  ADVISORY  READ 12 08:01:1234567 0 EOF\n\
                     5: FLOCK  ADVISORY  WRITE 0 08:01:1234567 0 EOF\n\
                     6: FLOCK  ADVISORY  WRITE 13 08:02:1234567 0 EOF\n\
                     7: FLOCK\n";
        assert_eq!(holders_in(locks, 0x0801, 1_234_567), [12, 4242]);
        assert_eq!(holders_in(locks, 0x0802, 1_234_567), [13]);
        assert!(holders_in(locks, 0x0801, 7).is_empty());
        assert!(holders_in("", 0, 0).is_empty());
    }

    #[test]
    fn a_file_that_nobody_holds_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("free");
        std::fs::write(&path, b"").unwrap();
        assert!(holders(&path).is_empty() && holders(&dir.path().join("nowhere")).is_empty());
    }
}
