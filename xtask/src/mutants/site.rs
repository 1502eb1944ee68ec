//! [`Site`]: a working tree of its own in which mutants are built and tested.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use super::list::Mutant;
use super::outcomes::{Outcome, Verdict};
use crate::postgres::Postgres;
use crate::{sh, test_data};

/// Longest build; one that takes longer hangs.
const BUILD_LIMIT: Duration = Duration::from_secs(3_600);
/// Tests of a mutant may take so many times as long as those of the code as it is, and so much longer.
const SLACK: (u32, Duration) = (3, Duration::from_secs(30));
const POLL: Duration = Duration::from_millis(20);
/// How cargo's own test runner and nextest end when a test fails.
const TEST_FAILED: [i32; 2] = [101, 100];
/// Lines of the log that go into an error.
const LAST_LINES: usize = 15;

/// A tree at one revision, with its own folder of builds.
pub(super) struct Site {
    tree: PathBuf,
    builds: PathBuf,
    log: PathBuf,
    has_nextest: bool,
    /// Servers for the tests, if there are any.
    postgres: Option<Postgres>,
}

impl Site {
    /// Checks `revision` out below `folder`, over what an interrupted run left there.
    pub(super) fn prepare(folder: &Path, revision: &str, postgres: Option<Postgres>) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let tree = folder.join("tree");
        let git = |words: &[&str]| sh::run(sh::program("git").args(words));
        let at = tree.display().to_string();
        if tree.join(".git").exists() {
            git(&["-C", &at, "reset", "--quiet", "--hard", revision])?;
            git(&["-C", &at, "clean", "--quiet", "-fd"])?;
        } else {
            git(&["worktree", "prune"])?;
            git(&["worktree", "add", "--quiet", "--force", "--detach", &at, revision])?;
        }
        let has_nextest = sh::succeeds(&mut sh::cargo(&["nextest", "--version"]));
        let (builds, log) = (folder.join("builds"), folder.join("last.log"));
        Ok(Self { tree, builds, log, has_nextest, postgres })
    }

    /// Every mutant of `packages`.
    pub(super) fn mutants(&self, packages: &[&str]) -> Result<Vec<Mutant>> {
        let mut cargo = self.cargo(&["mutants", "--list", "--json"]);
        cargo.args(packages.iter().flat_map(|package| ["--package", *package]));
        Mutant::list(&sh::capture(&mut cargo)?)
    }

    /// The crates of ours that use `package` themselves.
    pub(super) fn dependants(&self, package: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.tree.join("crates"))? {
            let manifest = entry?.path().join("Cargo.toml");
            if let Ok(text) = fs::read_to_string(&manifest) {
                let user = user_of(&text, package).with_context(|| format!("reading {}", manifest.display()))?;
                found.extend(user);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Builds and tests `scope` as it is, which must pass; how long the tests take.
    pub(super) fn baseline(&self, scope: &[String]) -> Result<Duration> {
        let build = self.run(&self.words(scope, true), BUILD_LIMIT)?;
        ensure!(build.is_some_and(|status| status.success()), "{} does not build: {}", scope.join(", "), self.tail());
        let begun = Instant::now();
        let tests = self.run(&self.words(scope, false), BUILD_LIMIT)?;
        let is_passed = tests.is_some_and(|status| status.success());
        ensure!(is_passed, "tests of {} fail without any mutant: {}", scope.join(", "), self.tail());
        Ok(begun.elapsed())
    }

    /// Applies `mutant`, tests `scope`, whose tests take `usual`, and takes it back.
    pub(super) fn test(&self, mutant: &Mutant, scope: &[String], usual: Duration) -> Result<Outcome> {
        let begun = Instant::now();
        let file = self.tree.join(&mutant.file);
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mutated = mutant.applied(&text).with_context(|| format!("{} is not there", mutant.name()))?;
        fs::write(&file, mutated)?;
        let verdict = self.judge(scope, usual);
        // Whatever became of it, the next one begins with the code as it is.
        fs::write(&file, text)?;
        Ok(Outcome { verdict: verdict?, seconds: begun.elapsed().as_secs_f64() })
    }

    fn judge(&self, scope: &[String], usual: Duration) -> Result<Verdict> {
        match self.run(&self.words(scope, true), BUILD_LIMIT)? {
            None => bail!("a build did not end: {}", self.tail()),
            Some(status) if !status.success() => return Ok(Verdict::Unviable),
            Some(_) => {}
        }
        match self.run(&self.words(scope, false), SLACK.0 * usual + SLACK.1)? {
            None => Ok(Verdict::TimedOut),
            Some(status) if status.success() => Ok(Verdict::Missed),
            Some(status) if status.code() == Some(TEST_FAILED[usize::from(self.has_nextest)]) => Ok(Verdict::Caught),
            Some(status) => bail!("the test runner ended with {status}: {}", self.tail()),
        }
    }

    /// The words of cargo that build or run the tests of `scope`.
    fn words(&self, scope: &[String], builds_only: bool) -> Vec<String> {
        let runner: &[&str] = if self.has_nextest { &["nextest", "run"] } else { &["test"] };
        let mut words: Vec<String> = runner.iter().map(|word| (*word).to_owned()).collect();
        words.extend(scope.iter().flat_map(|package| ["--package".to_owned(), package.clone()]));
        words.extend(["--lib", "--bins", "--tests"].map(str::to_owned));
        if builds_only {
            words.push("--no-run".into());
        }
        words
    }

    fn cargo(&self, words: &[&str]) -> Command {
        let mut cargo = sh::cargo(words);
        cargo.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.builds);
        cargo
    }

    /// Runs cargo with its output in the log; `None` where it did not end within `limit`. Then it is killed, with all
    /// that it started.
    fn run(&self, words: &[String], limit: Duration) -> Result<Option<ExitStatus>> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut cargo = self.cargo(&words);
        test_data::pass_to(&mut cargo);
        if let Some(postgres) = &self.postgres {
            postgres.pass_to(&mut cargo);
        }
        let log = File::create(&self.log).with_context(|| format!("cannot write {}", self.log.display()))?;
        cargo.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = cargo.spawn().context("cannot start cargo")?;
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                let group = format!("-{}", child.id());
                // It may end at this very moment.
                let _ = sh::capture(Command::new("kill").args(["-KILL", "--", &group]));
                child.wait()?;
                return Ok(None);
            }
            sleep(POLL);
        }
    }

    /// The end of the log.
    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// The crate with this manifest, if it uses `package` at run time.
fn user_of(manifest: &str, package: &str) -> Result<Option<String>> {
    let manifest: Table = manifest.parse().context("it is not valid TOML")?;
    let uses = manifest.get("dependencies").and_then(Value::as_table).is_some_and(|table| table.contains_key(package));
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Value::as_str).map(str::to_owned);
    Ok(name.filter(|_| uses))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, has_nextest: bool) -> Site {
        let folder = std::env::temp_dir().join(format!("xtask-site-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (builds, log) = (folder.join("builds"), folder.join("last.log"));
        Site { tree: folder, builds, log, has_nextest, postgres: None }
    }

    #[test]
    fn crates_that_use_a_package_at_run_time_are_its_dependants() {
        let manifest = "[package]\nname = \"b\"\n[dependencies]\na.workspace = true\n[dev-dependencies]\nc = \"1\"\n";
        assert_eq!(user_of(manifest, "a").unwrap().as_deref(), Some("b"));
        assert_eq!(user_of(manifest, "c").unwrap(), None);
        assert!(user_of("[package", "a").is_err());
    }

    #[test]
    fn the_words_name_every_package_of_the_scope() {
        let scope = ["a".to_owned(), "b".to_owned()];
        let words = site("words", true).words(&scope, true).join(" ");
        assert_eq!(words, "nextest run --package a --package b --lib --bins --tests --no-run");
        assert!(site("words", false).words(&scope, false).join(" ").starts_with("test --package a"));
        fs::remove_dir_all(site("words", false).tree).unwrap();
    }

    #[test]
    fn a_run_that_does_not_end_is_killed_with_its_log_kept() {
        let site = site("run", false);
        let version = site.run(&["--version".to_owned()], Duration::from_secs(60)).unwrap();
        assert!(version.is_some_and(|status| status.success()) && site.tail().starts_with("cargo "), "{}", site.tail());
        assert!(site.run(&["--version".to_owned()], Duration::ZERO).is_ok());
        fs::remove_dir_all(&site.tree).unwrap();
    }
}
