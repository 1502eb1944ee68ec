//! [`Program`]: the candlecast under test, working on one data folder.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Longest time for a run that is not killed; a lock left behind by a kill shows as a run that waits for ever.
const LIMIT: Duration = Duration::from_secs(600);
const SIGKILL: i32 = 9;
const POLL: Duration = Duration::from_millis(2);

/// How a run that was to be killed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By the kill.
    Killed,
    /// By itself and well, before the kill.
    Finished,
}

/// A program, its data folder, and files for its output beside that folder.
#[derive(Debug)]
pub(super) struct Program {
    binary: PathBuf,
    pub(super) data_dir: PathBuf,
}

impl Program {
    pub(super) fn new(binary: &Path, data_dir: PathBuf) -> Self {
        Self { binary: binary.to_owned(), data_dir }
    }

    /// Runs `args` to the end and returns how long it took.
    pub(super) fn complete(&self, args: &[&str]) -> Result<Duration> {
        let start = Instant::now();
        self.output(&["--quiet"], args)?;
        Ok(start.elapsed())
    }

    /// Runs `args` with `--json` and reads the document.
    pub(super) fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.output(&["--json"], args)?;
        serde_json::from_str(&text)
            .with_context(|| format!("`{}` printed no JSON document: {}", args.join(" "), head(&text)))
    }

    /// Starts `args` and kills the process after `delay`. An error if it fails by itself.
    pub(super) fn kill_after(&self, args: &[&str], delay: Duration) -> Result<Ending> {
        let mut child = self.command(&["--quiet"], args)?.spawn().context("cannot start the program")?;
        sleep(delay);
        child.kill().context("cannot kill the program")?;
        let status = child.wait()?;
        if status.signal() == Some(SIGKILL) {
            return Ok(Ending::Killed);
        }
        ensure!(status.success(), "{}", self.failure(args, status));
        Ok(Ending::Finished)
    }

    fn output(&self, globals: &[&str], args: &[&str]) -> Result<String> {
        let mut child = self.command(globals, args)?.spawn().context("cannot start the program")?;
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("`{}` did not end within {} s", args.join(" "), LIMIT.as_secs());
            }
            sleep(POLL);
        };
        ensure!(status.success(), "{}", self.failure(args, status));
        fs::read_to_string(self.stdout()).context("cannot read the program's output")
    }

    /// Output goes into files, so that no pipe can fill up and stop the program.
    fn command(&self, globals: &[&str], args: &[&str]) -> Result<Command> {
        let folder = self.data_dir.parent().context("the data folder needs a parent")?;
        let mut command = Command::new(&self.binary);
        command.arg("--data-dir").arg(&self.data_dir).args(globals).args(args);
        command.current_dir(folder).stdin(Stdio::null());
        command.stdout(File::create(self.stdout())?).stderr(File::create(self.stderr())?);
        Ok(command)
    }

    fn stdout(&self) -> PathBuf {
        self.data_dir.with_extension("stdout")
    }

    fn stderr(&self) -> PathBuf {
        self.data_dir.with_extension("stderr")
    }

    fn failure(&self, args: &[&str], status: ExitStatus) -> String {
        let stderr = fs::read_to_string(self.stderr()).unwrap_or_default();
        format!("`candlecast {}` ended with {status}: {}", args.join(" "), head(&stderr))
    }
}

/// The first part of `text`, for a message.
fn head(text: &str) -> String {
    text.trim().chars().take(500).collect()
}

/// Copies a folder and all below it.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
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
