//! [`Owner`]: who holds a lease, in words that tell whether the process is still there.
//!
//! `host:kernel:pid:start`. `kernel` is the boot and the process namespace that `pid` belongs to, and `start` is when
//! the process began, in ticks since that boot; so an owner on the same kernel whose `pid` is free, or was given to a
//! process that began at another time, has certainly ended. Of owners elsewhere, and on systems without `/proc`,
//! nothing can be told: their leases run out.

use std::io::ErrorKind;
use std::str::FromStr;
use std::sync::OnceLock;
use std::{fmt, fs};

use crate::id::tag;

/// A process that holds leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    host: String,
    /// Boot and namespace; `-` where the system does not tell.
    kernel: String,
    pid: u32,
    /// Ticks from boot to the process's start; a random word where the system does not tell.
    start: String,
}

const UNKNOWN_KERNEL: &str = "-";

impl Owner {
    /// This process.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Owner> = OnceLock::new();
        THIS.get_or_init(|| {
            let pid = std::process::id();
            let known = kernel().zip(start_of(pid).ok().flatten());
            let (kernel, start) = known.unwrap_or_else(|| (UNKNOWN_KERNEL.into(), tag()));
            Self { host: host(), kernel, pid, start }
        })
    }

    /// True when the process has certainly ended.
    pub fn has_ended(&self) -> bool {
        let this = Self::this();
        let is_near = self.kernel != UNKNOWN_KERNEL && (&self.host, &self.kernel) == (&this.host, &this.kernel);
        // Where the first process is hidden, others may be, too.
        if !is_near || fs::read("/proc/1/stat").is_err() {
            return false;
        }
        start_of(self.pid).is_ok_and(|start| start.as_ref() != Some(&self.start))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.host, self.kernel, self.pid, self.start)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.split(':').collect();
        let [host, kernel, pid, start] = parts[..] else { return Err(()) };
        let pid = pid.parse().map_err(drop)?;
        Ok(Self { host: host.into(), kernel: kernel.into(), pid, start: start.into() })
    }
}

/// Name of this host, of characters that an owner may have.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let name: String = name
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .take(64)
        .collect();
    if name.is_empty() { "localhost".into() } else { name }
}

/// What a process number counts within: this boot of the kernel, and the namespace.
fn kernel() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot: String = boot.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace: String = link.to_str()?.chars().filter(char::is_ascii_digit).collect();
    (!boot.is_empty() && !namespace.is_empty()).then(|| format!("{boot}-{namespace}"))
}

/// When process `pid` began; `None` when there is none, or only what its parent has not buried yet.
fn start_of(pid: u32) -> Result<Option<String>, std::io::Error> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(start_in(&stat)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The start in a `/proc/PID/stat` line (proc(5)): the 22nd field. The second is a name in brackets that may hold
/// anything, brackets too. `None` for the dead (states Z and X).
fn start_in(stat: &str) -> Option<String> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| start.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_survive_their_text() {
        let this = Owner::this();
        assert_eq!(this.to_string().parse::<Owner>().as_ref(), Ok(this));
        assert!(this.to_string().bytes().all(|b| b.is_ascii_graphic()) && this.to_string().len() < 200);
        for bad in ["", "worker-1", "a:b:c:d", "a:b:1", "a:b:1:2:3"] {
            assert!(bad.parse::<Owner>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let rest = "1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200 18446744073709551615";
        assert_eq!(start_in(&format!("7 (a (b) c) S {rest}")).as_deref(), Some("98765"));
        assert_eq!(start_in(&format!("7 (gone) Z {rest}")), None);
        assert_eq!(start_in("7 (cut) S 1 2"), None);
        assert_eq!(start_in(""), None);
    }

    #[test]
    fn what_cannot_be_known_is_not_taken_for_dead() {
        let this = Owner::this();
        assert!(!this.has_ended());
        assert!(!Owner { host: "elsewhere".into(), pid: u32::MAX, ..this.clone() }.has_ended());
        assert!(!Owner { kernel: "another-1".into(), pid: u32::MAX, ..this.clone() }.has_ended());
        assert!(!Owner { kernel: UNKNOWN_KERNEL.into(), pid: u32::MAX, ..this.clone() }.has_ended());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processes_that_ended_are_known() {
        let this = Owner::this();
        if this.kernel == UNKNOWN_KERNEL || fs::read("/proc/1/stat").is_err() {
            println!("skipped: /proc tells nothing here");
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_of(child.id()).unwrap().unwrap();
        let owner = Owner { pid: child.id(), start, ..this.clone() };
        assert!(!owner.has_ended());
        assert!(Owner { start: "1".into(), ..owner.clone() }.has_ended(), "the number was given to another process");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(owner.has_ended());
    }
}
