//! [`Owner`]: who holds a lease, in words that tell whether it is still there.
//!
//! `host:kernel:pid:start:task`. `kernel` is the boot and the process namespace that `pid` belongs to, and `start` is
//! when the process began, in ticks since that boot; so an owner on the same kernel whose `pid` is free, or was given
//! to a process that began at another time, has certainly ended. Of owners elsewhere, and on systems without `/proc`,
//! nothing can be told: their leases run out. `task` counts through what the process does side by side, so that two
//! requests to one process are two owners; which of them have ended only the process itself knows. Programs before
//! there were tasks wrote the first four parts.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::{fmt, fs};

use crate::id::tag;

/// A process, or one task of it, that holds leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    host: String,
    /// Boot and namespace; `-` where the system does not tell.
    kernel: String,
    pid: u32,
    /// Ticks from boot to the process's start; a random word where the system does not tell.
    start: String,
    /// Number of the task within the process; `None` for the process as a whole.
    task: Option<u64>,
}

const UNKNOWN_KERNEL: &str = "-";

/// The tasks of this process that have not ended.
static LIVE_TASKS: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

fn live_tasks() -> MutexGuard<'static, BTreeSet<u64>> {
    // A set of numbers is whole whenever a thread panics.
    LIVE_TASKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The owner of what one task of this process takes. The task has ended once this is dropped.
#[derive(Debug)]
pub struct TaskOwner {
    owner: Owner,
    task: u64,
}

impl Deref for TaskOwner {
    type Target = Owner;

    fn deref(&self) -> &Owner {
        &self.owner
    }
}

impl Drop for TaskOwner {
    fn drop(&mut self) {
        live_tasks().remove(&self.task);
    }
}

impl Owner {
    /// A new task of this process.
    pub fn task() -> TaskOwner {
        static TASKS: AtomicU64 = AtomicU64::new(1);
        let task = TASKS.fetch_add(1, Ordering::Relaxed);
        live_tasks().insert(task);
        TaskOwner { owner: Self { task: Some(task), ..Self::this().clone() }, task }
    }

    /// This process.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Owner> = OnceLock::new();
        THIS.get_or_init(|| {
            let pid = std::process::id();
            let known = kernel().zip(start_of(pid).ok().flatten());
            let (kernel, start) = known.unwrap_or_else(|| (UNKNOWN_KERNEL.into(), tag()));
            Self { host: host(), kernel, pid, start, task: None }
        })
    }

    /// True when the process, or its task, has certainly ended.
    pub fn has_ended(&self) -> bool {
        self.lives() == Some(false)
    }

    /// True when the process, and its task as far as can be told, is certainly there.
    pub fn is_alive(&self) -> bool {
        self.lives() == Some(true)
    }

    /// True for this process and its tasks, whether they have ended or not.
    pub fn is_of_this_process(&self) -> bool {
        *self == Self { task: self.task, ..Self::this().clone() }
    }

    /// Whether the owner is there; `None` where that cannot be told.
    fn lives(&self) -> Option<bool> {
        if self.is_of_this_process() {
            return Some(self.task.is_none_or(|task| live_tasks().contains(&task)));
        }
        let this = Self::this();
        let is_near = self.kernel != UNKNOWN_KERNEL && (&self.host, &self.kernel) == (&this.host, &this.kernel);
        // Where the first process is hidden, others may be, too.
        if !is_near || fs::read("/proc/1/stat").is_err() {
            return None;
        }
        start_of(self.pid).ok().map(|start| start.as_ref() == Some(&self.start))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.host, self.kernel, self.pid, self.start)?;
        self.task.map_or(Ok(()), |task| write!(f, ":{task}"))
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Vec<&str> = text.split(':').collect();
        let (host, kernel, pid, start, task) = match parts[..] {
            [host, kernel, pid, start] => (host, kernel, pid, start, None),
            [host, kernel, pid, start, task] => (host, kernel, pid, start, Some(task.parse().map_err(drop)?)),
            _ => return Err(()),
        };
        let pid = pid.parse().map_err(drop)?;
        Ok(Self { host: host.into(), kernel: kernel.into(), pid, start: start.into(), task })
    }
}

/// Name of this host, of characters that an owner may have.
pub(crate) fn host() -> String {
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
        let task = Owner::task();
        assert_eq!(task.to_string().parse::<Owner>().as_ref(), Ok(&*task));
        assert!(task.to_string().starts_with(&format!("{this}:")));
        for bad in ["", "worker-1", "a:b:c:d", "a:b:1", "a:b:1:2:x", "a:b:1:2:3:4"] {
            assert!(bad.parse::<Owner>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tasks_of_one_process_are_owners_of_their_own_and_their_ends_are_known() {
        let (one, other) = (Owner::task(), Owner::task());
        assert_ne!(*one, *other);
        assert!(one.is_alive() && !one.has_ended() && one.is_of_this_process());
        let ended = Owner::clone(&one);
        drop(one);
        assert!(ended.has_ended() && !ended.is_alive() && ended.is_of_this_process());
        assert!(other.is_alive(), "it goes on");
        assert!(Owner::this().is_alive() && Owner::this().is_of_this_process(), "without a task it is the process");
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
        for unknown in [
            Owner { host: "elsewhere".into(), pid: u32::MAX, ..this.clone() },
            Owner { kernel: "another-1".into(), pid: u32::MAX, ..this.clone() },
            Owner { kernel: UNKNOWN_KERNEL.into(), pid: u32::MAX, ..this.clone() },
        ] {
            assert!(!unknown.has_ended() && !unknown.is_alive() && !unknown.is_of_this_process(), "{unknown}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn processes_that_ended_are_known() {
        let this = Owner::this();
        if this.kernel == UNKNOWN_KERNEL || fs::read("/proc/1/stat").is_err() {
            candlecast_testenv::forbidden("processes that ended: /proc tells nothing here");
            return;
        }
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let start = start_of(child.id()).unwrap().unwrap();
        let owner = Owner { pid: child.id(), start, ..this.clone() };
        assert!(!owner.has_ended() && owner.is_alive());
        assert!(Owner { start: "1".into(), ..owner.clone() }.has_ended(), "the number was given to another process");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(owner.has_ended());
    }
}
