//! [`Program`]: the candlecast under test in a folder of its own, and [`Run`]: what one run of it left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::candle_files::{HOUR_MS, csv, rows};

/// Variables of the system that a process may need. All others, of which many would lead the program away from its
/// defaults, are kept from it.
const OF_THE_SYSTEM: [&str; 5] = ["PATH", "HOME", "TMPDIR", "TEMP", "SystemRoot"];

/// The series of [`Program::with_candles`].
pub(crate) const SERIES: &[&str] = &["--symbol", "BTCUSDT", "--interval", "1h"];
/// A small job: six hours ahead, two months of training.
pub(crate) const SHORT: &[&str] = &["--horizon", "6h", "--train-days", "60", "--retrain-days", "30"];
/// Candles of [`Program::with_candles`]: not a multiple of four, so that resampling leaves some out.
pub(crate) const N_CANDLES: usize = 2_002;

/// A command line from its parts.
pub(crate) fn line<'a>(parts: &[&[&'a str]]) -> Vec<&'a str> {
    parts.concat()
}

/// The program, run in a temporary folder with its data folder below.
#[derive(Debug)]
pub(crate) struct Program {
    folder: TempDir,
}

/// An empty schema on the test server; `None`, said aloud, without one.
pub(crate) fn postgres_url(name: &str) -> Option<String> {
    let url = candlecast_testenv::postgres()?;
    let schema = format!("cli_{name}_{}", std::process::id());
    let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    let done = Command::new("psql").args([&url, "--quiet", "--command", &sql]).output();
    if !done.as_ref().is_ok_and(|output| output.status.success()) {
        candlecast_testenv::missing(&format!("PostgreSQL: psql made no schema: {done:?}"));
        return None;
    }
    let joint = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{joint}options=-c%20search_path%3D{schema}"))
}

impl Program {
    /// With an empty data folder.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With [`N_CANDLES`] hourly candles of BTCUSDT imported from `good/BTCUSDT-1h.csv`.
    pub(crate) fn with_candles() -> Self {
        let program = Self::new();
        let file = program.write("good/BTCUSDT-1h.csv", csv(&rows(N_CANDLES, HOUR_MS, 1)));
        program.json(&["import", &file]);
        program
    }

    /// Where it runs; relative paths begin here.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Writes a file below the folder and returns its path as the program may be given it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.folder().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        name.to_owned()
    }

    /// Runs to the end. Whatever was asked, it must not panic.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().unwrap();
        let run = Run {
            args: args.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(run.code.is_some() && !run.stderr.contains("panicked"), "{run:?}");
        run
    }

    /// The document of a run that ends well: one on standard output, nothing on standard error.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let run = self.run(&line(&[&["--json"], args]));
        assert!(run.code == Some(0) && run.stderr.is_empty(), "{run:?}");
        run.document()
    }

    /// A run that must fail with the exit code `exit` and say every one of `words`, to people and to programs, with
    /// nothing on standard output. Returns the problem document.
    pub(crate) fn refuse(&self, args: &[&str], exit: i32, code: &str, words: &[&str]) -> Value {
        let plain = self.run(args);
        let json = self.run(&line(&[&["--json"], args]));
        for run in [&plain, &json] {
            assert!(run.code == Some(exit) && run.stdout.is_empty(), "exit code {exit} was expected: {run:?}");
        }
        let problem = json.problem();
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(problem["code"], code, "{json:?}");
        assert!(plain.stderr.starts_with("error: "), "{plain:?}");
        for word in words {
            assert!(plain.stderr.contains(word) && detail.contains(word), "no `{word}` in {plain:?} or {detail}");
        }
        problem
    }

    /// Starts a run whose output nobody reads.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// What is stored, and every BTCUSDT candle of it as text.
    pub(crate) fn stored(&self) -> (Value, String) {
        let list = self.json(&["data", "list"]);
        self.json(&line(&[&["data", "export", "--output", "stored.csv"], SERIES]));
        (list, fs::read_to_string(self.folder().join("stored.csv")).unwrap())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_candlecast"));
        self.place(command.args(args));
        command
    }

    /// Lets `command` run in the folder, with nothing around it but what the system needs. The data folder goes by the
    /// environment, so that a test can override it with `--data-dir`.
    pub(crate) fn place(&self, command: &mut Command) {
        let kept = OF_THE_SYSTEM.iter().filter_map(|&name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(kept).env("CANDLECAST_DATA_DIR", self.data_dir());
        command.current_dir(self.folder()).stdin(Stdio::null());
    }
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// For messages.
    #[allow(dead_code, reason = "shown by Debug when an assertion fails")]
    args: String,
    /// Exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as the one document that it must be.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no single document on standard output ({e}): {self:?}"))
    }

    /// Standard error as the one problem that it must be.
    pub(crate) fn problem(&self) -> Value {
        let problem: Value = serde_json::from_str(&self.stderr)
            .unwrap_or_else(|e| panic!("no single problem on standard error ({e}): {self:?}"));
        let text = |name: &str| problem[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let code = text("code").unwrap_or_else(|| panic!("no code: {self:?}"));
        assert_eq!(text("type"), Some(format!("urn:candlecast:problem:{code}")), "{self:?}");
        assert!(text("title").is_some() && text("detail").is_some(), "{self:?}");
        assert!(problem["status"].as_u64().is_some_and(|s| (400..600).contains(&s)), "{self:?}");
        problem
    }
}
