//! [`Program`]: a candlecast at work on one data folder, run to its end, killed, or left to run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Longest time for a run that is not killed; a lock left behind by a kill shows as a run that waits for ever.
const LIMIT: Duration = Duration::from_secs(600);
const SIGKILL: i32 = 9;
const POLL: Duration = Duration::from_millis(2);
/// Beginnings of the names of variables that would make the program work elsewhere, or in another way.
const FOREIGN: [&str; 5] = ["CANDLECAST_", "DATABASE_URL", "ML_", "MODEL_", "PG"];

/// How a run that was to be killed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By the kill.
    Killed,
    /// By itself and well, before the kill.
    Finished,
}

/// A program, its data folder, its records, and files for its output beside that folder.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    binary: PathBuf,
    pub(crate) data_dir: PathBuf,
    /// PostgreSQL; SQLite in the data folder where there is none.
    database_url: Option<String>,
    /// Words before the program's own, such as `env NAME=VALUE`.
    before: Vec<String>,
}

impl Program {
    pub(crate) fn new(binary: &Path, data_dir: PathBuf) -> Self {
        Self { binary: binary.to_owned(), data_dir, database_url: None, before: Vec::new() }
    }

    /// With its records in another database than the folder's own.
    pub(crate) fn on_database(self, database_url: Option<String>) -> Self {
        Self { database_url, ..self }
    }

    /// Started by another program, which these words begin.
    pub(crate) fn behind(self, before: Vec<String>) -> Self {
        Self { before, ..self }
    }

    /// The same program on another data folder, with its records there.
    pub(crate) fn elsewhere(&self, data_dir: PathBuf) -> Self {
        Self { data_dir, database_url: None, ..self.clone() }
    }

    /// Runs `args` to the end and returns how long it took.
    pub(crate) fn complete(&self, args: &[&str]) -> Result<Duration> {
        let start = Instant::now();
        self.output(&["--quiet"], args)?;
        Ok(start.elapsed())
    }

    /// Runs `args` with `--json` and reads the document.
    pub(crate) fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.output(&["--json"], args)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` printed no JSON document: {}", args.join(" "), head(&text)))
    }

    /// Runs `args` to the end and returns what was printed.
    pub(crate) fn output(&self, globals: &[&str], args: &[&str]) -> Result<String> {
        self.start("run", globals, args)?.finish(LIMIT)
    }

    /// Starts `args`, kills the process after `delay`, and returns with what it had printed. An error if it fails by
    /// itself.
    pub(crate) fn kill_after(&self, globals: &[&str], args: &[&str], delay: Duration) -> Result<(Ending, String)> {
        let mut running = self.start("killed", globals, args)?;
        sleep(delay);
        running.child.kill().context("cannot kill the program")?;
        let status = running.child.wait()?;
        let printed = running.printed()?;
        if status.signal() == Some(SIGKILL) {
            return Ok((Ending::Killed, printed));
        }
        ensure!(status.success(), "{}", running.failure(status));
        Ok((Ending::Finished, printed))
    }

    /// Starts `args`. `name` tells its output's files from those of others that run meanwhile.
    pub(crate) fn start(&self, name: &str, globals: &[&str], args: &[&str]) -> Result<Running> {
        let folder = self.data_dir.parent().context("the data folder needs a parent")?;
        let file = |ending: &str| self.data_dir.with_extension(format!("{name}.{ending}"));
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        let mut words: Vec<OsString> = self.before.iter().map(OsString::from).collect();
        words.push(self.binary.clone().into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("--data-dir").arg(&self.data_dir).args(globals).args(args);
        clean(&mut command);
        command.envs(self.database_url.iter().map(|url| ("DATABASE_URL", url)));
        command.current_dir(folder).stdin(Stdio::null());
        // Output goes into files, so that no pipe can fill up and stop the program.
        command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
        let child = command.spawn().context("cannot start the program")?;
        Ok(Running { child, what: args.join(" "), stdout, stderr })
    }
}

/// Takes away what the developer's own environment would change.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| FOREIGN.iter().any(|beginning| name.starts_with(beginning))) {
            command.env_remove(&name);
        }
    }
}

/// A program that was started. It is killed when this is dropped before its end.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    what: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// True until it has ended.
    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> Result<String> {
        fs::read_to_string(&self.stdout).context("cannot read the program's output")
    }

    /// What it has written to standard error so far.
    pub(crate) fn complained(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Waits for its end, which must be a good one and come within `limit`, and returns what was printed.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                bail!("`{}` did not end within {} s: {}", self.what, limit.as_secs(), head(&self.complained()));
            }
            sleep(POLL);
        };
        ensure!(status.success(), "{}", self.failure(status));
        self.printed()
    }

    fn failure(&self, status: ExitStatus) -> String {
        format!("`candlecast {}` ended with {status}: {}", self.what, head(&self.complained()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first part of `text`, for a message.
fn head(text: &str) -> String {
    text.trim().chars().take(500).collect()
}

/// Copies a folder and all below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// Removes a folder and all below it, if it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that takes its last argument for the words of a shell.
    fn shell(name: &str) -> Program {
        let folder = std::env::temp_dir().join(format!("xtask-program-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let words = ["sh", "-c", "for last; do :; done; eval \"$last\"", "sh"].map(str::to_owned).to_vec();
        Program::new(Path::new("candlecast"), folder.join("data")).behind(words)
    }

    fn clear(program: &Program) {
        remove_folder(program.data_dir.parent().unwrap()).unwrap();
    }

    #[test]
    fn output_is_kept_and_failures_carry_the_words() {
        let program = shell("output");
        assert_eq!(program.output(&[], &["echo out; echo err >&2"]).unwrap(), "out\n");
        assert_eq!(program.json(&["echo '[1]'"]).unwrap(), serde_json::json!([1]));
        assert!(program.json(&["echo no"]).unwrap_err().to_string().contains("no JSON document"));
        let error = program.complete(&["echo broken >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("exit status: 3"), "{error}");
        clear(&program);
    }

    #[test]
    fn records_are_where_it_is_said_and_nowhere_else() {
        let program = shell("records").on_database(Some("postgres://x".into()));
        assert_eq!(program.output(&[], &["echo $DATABASE_URL"]).unwrap(), "postgres://x\n");
        let mut command = Command::new("true");
        clean(&mut command);
        let removed = |name: &str| command.get_envs().any(|(n, value)| n == name && value.is_none());
        assert!(std::env::vars_os().all(|(name, _)| name != "CANDLECAST_DATA_DIR" || removed("CANDLECAST_DATA_DIR")));
        assert!(!removed("PATH"));
        clear(&program);
    }

    #[test]
    fn a_kill_lands_before_the_end_or_not_at_all() {
        let program = shell("kill");
        let (ending, printed) =
            program.kill_after(&[], &["echo begun; exec sleep 60"], Duration::from_millis(300)).unwrap();
        assert_eq!((ending, printed.as_str()), (Ending::Killed, "begun\n"));
        let (ending, printed) = program.kill_after(&[], &["echo done"], Duration::from_millis(300)).unwrap();
        assert_eq!((ending, printed.as_str()), (Ending::Finished, "done\n"));
        clear(&program);
    }

    #[test]
    fn a_program_that_goes_on_is_waited_for_only_so_long() {
        let program = shell("limit");
        let mut running = program.start("a", &[], &["exec sleep 60"]).unwrap();
        assert!(running.runs().unwrap() && running.id() > 0);
        let error = running.finish(Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("did not end"), "{error}");
        clear(&program);
    }
}
