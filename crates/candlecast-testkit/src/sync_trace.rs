//! [`SyncTrace`]: whether a program made its files durable in the right order, from the system calls that it made.
//!
//! A kill keeps what the system has in memory, so no test that kills a program notices a missing sync; only a power cut
//! would. The trace shows the order itself. What was written counts as lost until it is synced, and so does every
//! change of a folder: each is as much as a power cut may take.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that matter. A question mark: not there on every processor.
const CALLS: &str = "trace=?open,openat,write,writev,pwrite64,pwritev,ftruncate,fsync,fdatasync,?rename,renameat,\
                     ?renameat2,?mkdir,mkdirat,?unlink,unlinkat,?rmdir";
/// Writing a file of this name acknowledges what was written before, as standard output does.
const ACKNOWLEDGED: &str = "acknowledged";

/// `strace`, which notes in `log` what [`SyncTrace::read`] reads; to be given a program and its arguments. `None`, said
/// aloud, where it is missing or may not trace.
pub fn strace(log: &Path) -> Option<Command> {
    let probe = ["-f", "--seccomp-bpf", "-y", "-qq", "-o", "/dev/null", "-e", "trace=none", "true"];
    match Command::new("strace").args(probe).output() {
        Err(_) => {
            candlecast_testenv::missing("the order of writing and syncing: strace is not installed");
            return None;
        }
        Ok(run) if !run.status.success() => {
            candlecast_testenv::forbidden("the order of writing and syncing: strace may not trace here");
            return None;
        }
        Ok(_) => {}
    }
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "--seccomp-bpf", "-y", "-qq", "-s", "0", "-e", "signal=none", "-e", CALLS, "-o"])
        .arg(log)
        .arg("--");
    Some(strace)
}

/// One call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    /// A file was opened that may be new or was emptied.
    Create(PathBuf),
    /// Content was added, changed or cut off.
    Write(PathBuf),
    /// A file or folder was synced.
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeFolder(PathBuf),
    /// Somebody was told that what was asked for is done.
    Acknowledge,
}

/// The calls of a program, in order.
#[derive(Debug, Clone)]
pub struct SyncTrace {
    calls: Vec<Call>,
}

impl SyncTrace {
    /// Reads what [`strace`] noted.
    ///
    /// # Panics
    /// When the file cannot be read.
    pub fn read(log: &Path) -> Self {
        let text = fs::read_to_string(log).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        // The first part of calls that others came between, by thread.
        let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
        let mut calls = Vec::new();
        let mut here = PathBuf::new();
        for line in text.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            if let Some(folder) = current_folder(call) {
                here = folder;
            }
            if let Some(first) = call.strip_suffix(" <unfinished ...>") {
                begun.insert(thread, first);
            } else if let Some(resumed) = call.strip_prefix("<... ") {
                let rest = resumed.split_once(" resumed>").map_or("", |(_, rest)| rest);
                let first = begun.remove(thread).unwrap_or_default();
                calls.extend(read_call(&format!("{first}{rest}"), &here));
            } else {
                calls.extend(read_call(call, &here));
            }
        }
        Self { calls }
    }

    /// What is wrong with the order, in words: of files and folders at or below one of `roots`, and of the folders above
    /// them that were made. Names that begin with a dot are locks and what is being written; they need not last.
    ///
    /// - A file is synced before it is renamed.
    /// - A folder is synced after a file in it got its name before another gets or loses one, and after a file lost its
    ///   name before another gets one: what comes later must not outlast what came before.
    /// - When something is acknowledged, and at the end, nothing is left that was not synced: no content, no name, no
    ///   folder.
    pub fn violations(&self, roots: &[&Path]) -> Vec<String> {
        let mut disk = Disk::new(roots);
        self.calls.iter().for_each(|call| disk.follow(call));
        disk.acknowledge();
        disk.violations
    }

    /// What was synced at or below one of `roots`, or above them, with something to be synced.
    pub fn synced(&self, roots: &[&Path]) -> Vec<PathBuf> {
        let mut disk = Disk::new(roots);
        let mut synced = BTreeSet::new();
        for call in &self.calls {
            if let Call::Sync(path) = call
                && (disk.unsynced.contains(path) || disk.changes.get(path).is_some_and(|left| !left.is_empty()))
            {
                synced.insert(path.clone());
            }
            disk.follow(call);
        }
        synced.into_iter().collect()
    }

    /// The same calls, had `path` never been synced.
    #[must_use]
    pub fn without_syncs_of(&self, path: &Path) -> Self {
        let is_other = |call: &&Call| !matches!(call, Call::Sync(synced) if synced == path);
        Self { calls: self.calls.iter().filter(is_other).cloned().collect() }
    }

    /// How often something was acknowledged.
    pub fn n_acknowledged(&self) -> usize {
        self.calls.iter().filter(|call| **call == Call::Acknowledge).count()
    }
}

/// The current folder of the program, where a call names it: `AT_FDCWD</tmp>`.
fn current_folder(call: &str) -> Option<PathBuf> {
    let (_, rest) = call.split_once("AT_FDCWD<")?;
    rest.split_once('>').map(|(folder, _)| PathBuf::from(folder))
}

/// A call as strace writes it, if it succeeded and is one that matters. `here` is the current folder.
fn read_call(text: &str, here: &Path) -> Option<Call> {
    let (call, result) = text.rsplit_once(" = ")?;
    let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let argument = |i: usize| arguments.get(i).copied();
    let quoted = |i: usize| argument(i)?.strip_prefix('"')?.strip_suffix('"').map(|path| here.join(path));
    // Below the folder that the argument before it is open on, unless it is absolute.
    let below = |i: usize| {
        let path = argument(i)?.strip_prefix('"')?.strip_suffix('"')?;
        Some(descriptor(argument(i - 1)?).unwrap_or_else(|| here.to_owned()).join(path))
    };
    match name {
        "open" | "openat" => {
            let flags = argument(if name == "open" { 1 } else { 2 })?;
            let creates = flags.contains("O_CREAT") || flags.contains("O_TRUNC");
            creates.then(|| descriptor(result)).flatten().map(Call::Create)
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" => {
            let to = argument(0)?;
            let path = descriptor(to)?;
            let tells = to.starts_with("1<") || path.file_name().is_some_and(|name| name == ACKNOWLEDGED);
            Some(if tells { Call::Acknowledge } else { Call::Write(path) })
        }
        "fsync" | "fdatasync" => descriptor(argument(0)?).map(Call::Sync),
        "rename" => Some(Call::Rename(quoted(0)?, quoted(1)?)),
        "renameat" | "renameat2" => Some(Call::Rename(below(1)?, below(3)?)),
        "mkdir" => quoted(0).map(Call::MakeFolder),
        "mkdirat" => below(1).map(Call::MakeFolder),
        "unlink" | "rmdir" => quoted(0).map(Call::Remove),
        "unlinkat" => below(1).map(Call::Remove),
        _ => None,
    }
}

/// The path of an open file, `3</tmp/file>`, or of `AT_FDCWD</tmp>`.
fn descriptor(text: &str) -> Option<PathBuf> {
    let (_, path) = text.split_once('<')?;
    let (path, _) = path.rsplit_once('>')?;
    Some(PathBuf::from(path))
}

/// A change of a folder that is not synced yet.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// A file got its name.
    Named(PathBuf),
    Removed(PathBuf),
    /// A folder was made.
    Made(PathBuf),
}

impl Change {
    fn path(&self) -> &Path {
        let (Self::Named(path) | Self::Removed(path) | Self::Made(path)) = self;
        path
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(path) => write!(f, "the name of {}", path.display()),
            Self::Removed(path) => write!(f, "the removal of {}", path.display()),
            Self::Made(path) => write!(f, "the folder {}", path.display()),
        }
    }
}

/// What would be lost.
struct Disk<'a> {
    roots: &'a [&'a Path],
    /// Files with content that was not synced.
    unsynced: BTreeSet<PathBuf>,
    /// Folders with changes that were not synced.
    changes: BTreeMap<PathBuf, Vec<Change>>,
    violations: Vec<String>,
}

impl<'a> Disk<'a> {
    fn new(roots: &'a [&'a Path]) -> Self {
        Self { roots, unsynced: BTreeSet::new(), changes: BTreeMap::new(), violations: Vec::new() }
    }

    fn follow(&mut self, call: &Call) {
        match call {
            Call::Create(path) => {
                if self.is_ours(path) {
                    self.unsynced.insert(path.clone());
                    if is_visible(path) {
                        self.change(path, Change::Named(path.clone()));
                    }
                }
            }
            Call::Write(path) => {
                if self.is_ours(path) {
                    self.unsynced.insert(path.clone());
                }
            }
            Call::Sync(path) => {
                self.unsynced.remove(path);
                self.changes.remove(path);
            }
            Call::Rename(from, to) => self.rename(from, to),
            Call::Remove(path) => {
                self.unsynced.remove(path);
                if self.is_ours(path) && is_visible(path) {
                    self.expect_order(path, &|change| matches!(change, Change::Named(_)));
                    self.change(path, Change::Removed(path.clone()));
                }
            }
            Call::MakeFolder(path) => {
                if self.is_ours(path) || self.roots.iter().any(|root| root.starts_with(path)) {
                    self.change(path, Change::Made(path.clone()));
                }
            }
            Call::Acknowledge => self.acknowledge(),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let was_unsynced = self.unsynced.remove(from);
        if !self.is_ours(to) {
            return;
        }
        if was_unsynced {
            self.violations.push(format!("{} was renamed to {} before it was synced", from.display(), to.display()));
            self.unsynced.insert(to.to_owned());
        }
        if let Some(changes) = self.changes.get_mut(folder_of(from)) {
            changes.retain(|change| change.path() != from);
        }
        if is_visible(to) {
            self.expect_order(to, &|change| !matches!(change, Change::Made(_)));
            self.change(to, Change::Named(to.to_owned()));
        }
    }

    fn change(&mut self, path: &Path, change: Change) {
        self.changes.entry(folder_of(path).to_owned()).or_default().push(change);
    }

    /// Before `path` gets or loses its name, no change of its folder may be left for which `matters` holds, but those of
    /// itself.
    fn expect_order(&mut self, path: &Path, matters: &dyn Fn(&Change) -> bool) {
        for change in self.changes.get(folder_of(path)).into_iter().flatten() {
            if change.path() != path && matters(change) {
                self.violations.push(format!("{change} was not synced before {} was changed", path.display()));
            }
        }
    }

    fn acknowledge(&mut self) {
        let content = self.unsynced.iter().filter(|path| is_visible(path));
        self.violations.extend(content.map(|path| format!("the content of {} was not synced", path.display())));
        let names = self.changes.values().flatten();
        self.violations.extend(names.map(|change| format!("{change} was not synced")));
        // Each is told once. What is being written may still get its name.
        self.unsynced.retain(|path| !is_visible(path));
        self.changes.clear();
    }

    fn is_ours(&self, path: &Path) -> bool {
        self.roots.iter().any(|root| path.starts_with(root))
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn is_visible(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file written whole into a new folder, another appended to, and one removed, as strace 6.1 tells of it.
    const GOOD: &str = r#"10  openat(AT_FDCWD</w>, "/w/d/lake", O_RDONLY|O_CLOEXEC|O_DIRECTORY) = -1 ENOENT (No such file or directory)
10  mkdir("/w/d", 0777)               = 0
10  mkdir("/w/d/lake", 0777)          = -1 ENOENT (No such file or directory)
10  mkdir("/w/d/lake", 0777)          = 0
10  fsync(3</w>)                      = 0
10  fsync(3</w/d>)                    = 0
10  openat(AT_FDCWD</w>, "/w/d/lake/.lock", O_WRONLY|O_CREAT|O_CLOEXEC, 0666) = 3</w/d/lake/.lock>
11  openat(AT_FDCWD</w>, "/w/d/lake/.a.tmp", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 4</w/d/lake/.a.tmp>
11  write(4</w/d/lake/.a.tmp>, ""..., 500 <unfinished ...>
10  write(2</dev/null>, ""..., 5)      = 5
11  <... write resumed>)              = 500
11  fsync(4</w/d/lake/.a.tmp> <unfinished ...>
10  futex(0x7f, FUTEX_WAKE_PRIVATE, 1) = 1
11  <... fsync resumed>)              = 0
11  rename("/w/d/lake/.a.tmp", "/w/d/lake/a") = 0
11  fsync(5</w/d/lake>)               = 0
10  write(1<pipe:[77]>, ""..., 9)      = 9
11  openat(AT_FDCWD</w>, "/w/d/lake/a", O_WRONLY|O_CLOEXEC) = 4</w/d/lake/a>
11  ftruncate(4</w/d/lake/a>, 400)    = 0
11  write(4</w/d/lake/a>, ""..., 100)  = 100
11  fdatasync(4</w/d/lake/a>)         = 0
10  write(7</w/acknowledged>, ""..., 1) = 1
11  openat(AT_FDCWD</w>, "d/lake/.b.tmp", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 4</w/d/lake/.b.tmp>
11  pwrite64(4</w/d/lake/.b.tmp>, ""..., 3, 0) = 3
11  fsync(4</w/d/lake/.b.tmp>)        = 0
11  renameat(AT_FDCWD</w>, "d/lake/.b.tmp", AT_FDCWD</w>, "d/lake/b") = 0
11  fsync(5</w/d/lake>)               = 0
11  unlink("d/lake/a")                = 0
11  fsync(5</w/d/lake>)               = 0
10  write(1<pipe:[77]>, ""..., 9)      = 9
10  +++ exited with 0 +++
"#;

    fn violations(text: &str) -> Vec<String> {
        SyncTrace::parse(text).violations(&[Path::new("/w/d/lake")])
    }

    #[test]
    fn calls_are_read_also_where_others_come_between() {
        let calls = SyncTrace::parse(GOOD).calls;
        let path = |name: &str| PathBuf::from(format!("/w/d/lake/{name}"));
        let expected = [
            Call::MakeFolder("/w/d".into()),
            Call::MakeFolder("/w/d/lake".into()),
            Call::Sync("/w".into()),
            Call::Sync("/w/d".into()),
            Call::Create(path(".lock")),
            Call::Create(path(".a.tmp")),
            Call::Write("/dev/null".into()),
            Call::Write(path(".a.tmp")),
            Call::Sync(path(".a.tmp")),
            Call::Rename(path(".a.tmp"), path("a")),
            Call::Sync("/w/d/lake".into()),
            Call::Acknowledge,
            Call::Write(path("a")),
            Call::Write(path("a")),
            Call::Sync(path("a")),
            Call::Acknowledge,
            Call::Create(path(".b.tmp")),
            Call::Write(path(".b.tmp")),
            Call::Sync(path(".b.tmp")),
            Call::Rename(path(".b.tmp"), path("b")),
            Call::Sync("/w/d/lake".into()),
            Call::Remove(path("a")),
            Call::Sync("/w/d/lake".into()),
            Call::Acknowledge,
        ];
        assert_eq!(calls, expected);
    }

    #[test]
    fn the_right_order_has_no_violations_and_every_missing_sync_is_one() {
        assert_eq!(violations(GOOD), Vec::<String>::new());
        let lines: Vec<&str> = GOOD.lines().collect();
        let mut n_syncs = 0;
        for (i, line) in
            lines.iter().enumerate().filter(|(_, line)| line.contains("sync(") || line.contains("sync resumed"))
        {
            // Of the two halves of one call the second tells that it was done.
            if line.contains("unfinished") {
                continue;
            }
            let without: Vec<&str> = lines.iter().enumerate().filter(|(k, _)| *k != i).map(|(_, line)| *line).collect();
            assert!(!violations(&without.join("\n")).is_empty(), "without line {i}: {line}");
            n_syncs += 1;
        }
        assert_eq!(n_syncs, 8);
    }

    #[test]
    fn what_was_never_synced_is_found_by_path() {
        let (trace, root) = (SyncTrace::parse(GOOD), [Path::new("/w/d/lake")]);
        let synced = trace.synced(&root);
        let names: Vec<&str> = synced.iter().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(names, ["/w", "/w/d", "/w/d/lake", "/w/d/lake/.a.tmp", "/w/d/lake/.b.tmp", "/w/d/lake/a"]);
        for path in &synced {
            assert!(!trace.without_syncs_of(path).violations(&root).is_empty(), "{}", path.display());
        }
        assert_eq!(trace.n_acknowledged(), 3);
        assert_eq!(trace.violations(&[Path::new("/elsewhere")]), Vec::<String>::new());
    }

    #[test]
    fn a_sync_that_comes_too_late_is_told() {
        let renamed_first = GOOD.replace("11  fsync(4</w/d/lake/.b.tmp>)        = 0\n", "");
        assert!(violations(&renamed_first)[0].contains(".b.tmp was renamed to /w/d/lake/b before it was synced"));
        // Without the sync between, the old file may be gone and the new one not there yet.
        let removed_first =
            GOOD.replace("d/lake/b\") = 0\n11  fsync(5</w/d/lake>)               = 0\n", "d/lake/b\") = 0\n");
        assert_eq!(
            violations(&removed_first),
            ["the name of /w/d/lake/b was not synced before /w/d/lake/a was changed"]
        );
        let told_first = GOOD.replace("11  fdatasync(4</w/d/lake/a>)         = 0\n", "");
        assert_eq!(violations(&told_first), ["the content of /w/d/lake/a was not synced"]);
        let failed = GOOD.replace(
            "fdatasync(4</w/d/lake/a>)         = 0",
            "fdatasync(4</w/d/lake/a>)         = -1 EIO (Input/output error)",
        );
        assert_eq!(violations(&failed), ["the content of /w/d/lake/a was not synced"]);
    }
}
