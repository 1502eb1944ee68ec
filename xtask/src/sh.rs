//! Running other programs from the repository's root.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in a folder of the workspace")
}

/// Where cargo builds: `CARGO_TARGET_DIR`, or else `target` in the root.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// `program`, to be run in the root.
pub(crate) fn program(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs this program, with `args`.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// A way to build, as the root's `Cargo.toml` defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For use, quick to build.
    Release,
    /// With link-time optimisation: what is measured and what is handed out.
    Dist,
}

impl Profile {
    /// Its name for cargo.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }

    /// Where cargo puts what is built in this way.
    pub(crate) fn folder(self) -> PathBuf {
        target_dir().join(self.name())
    }
}

/// Builds the binary and returns its path.
pub(crate) fn build_candlecast(profile: Profile) -> Result<PathBuf> {
    run(&mut cargo(&["build", "--profile", profile.name(), "--package", "candlecast"]))?;
    Ok(profile.folder().join(format!("candlecast{}", std::env::consts::EXE_SUFFIX)))
}

/// The command as one would type it, the program by its file name.
pub(crate) fn display(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut words = vec![name.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Runs `command` with this program's own input and output; an error unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", display(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", display(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", display(command));
    }
    Ok(())
}

/// True if `command` can be started and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Standard output of `command`, trimmed; an error with its standard error unless it succeeds.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", display(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` ended with {}: {}", display(command), output.status, stderr.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What a program wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Transcript {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
}

/// Runs `command`, passing its output on as it comes and keeping it.
pub(crate) fn tee(command: &mut Command) -> Result<Transcript> {
    eprintln!("$ {}", display(command));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    let out = child.stdout.take().expect("stdout was piped at the spawn");
    let err = child.stderr.take().expect("stderr was piped at the spawn");
    let (stdout, stderr) = std::thread::scope(|scope| {
        let err = scope.spawn(move || copy(err, std::io::stderr()));
        let stdout = copy(out, std::io::stdout());
        (stdout, err.join().unwrap_or_default())
    });
    let status = child.wait().with_context(|| format!("cannot wait for `{}`", display(command)))?;
    Ok(Transcript { stdout, stderr, status })
}

/// Copies line by line until the pipe closes and returns all of it.
fn copy(from: impl Read, mut to: impl Write) -> String {
    let mut reader = BufReader::new(from);
    let (mut kept, mut line) = (String::new(), Vec::new());
    while reader.read_until(b'\n', &mut line).is_ok_and(|n_bytes| n_bytes > 0) {
        // A closed terminal must not end the run whose transcript is wanted.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        kept.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_holds_both_streams_and_the_status() {
        let t = tee(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert_eq!((t.stdout.as_str(), t.stderr.as_str(), t.status.code()), ("out\n", "err\n", Some(3)));
    }

    #[test]
    fn failures_carry_the_command_and_its_words() {
        let error = capture(Command::new("sh").args(["-c", "echo broken >&2; exit 1"])).unwrap_err().to_string();
        assert!(error.contains("broken") && error.contains("sh -c"), "{error}");
        assert!(!succeeds(&mut Command::new("no-such-program-here")));
    }

    #[test]
    fn every_profile_is_one_of_the_workspace() {
        let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
        for profile in [Profile::Release, Profile::Dist] {
            assert!(manifest["profile"].get(profile.name()).is_some(), "{profile:?}");
            assert!(profile.folder().ends_with(profile.name()));
        }
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(root().join("Cargo.toml").is_file() && root().join("xtask").is_dir());
    }
}
