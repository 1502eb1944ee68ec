//! `cargo xtask test`: what continuous integration runs. Every step runs, whatever became of the others; the
//! summary says how each went, what could not be tested here and why, and ends with the test runner's own words.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::args::Args;
use crate::postgres::{self, Postgres, Programs};
use crate::sh::{self, Transcript};
use crate::{strace, test_data, tidy};

/// Something a step cannot do without.
struct Need {
    /// Arguments for cargo that succeed where it is there.
    probe: &'static [&'static str],
    /// What is missing and how to get it.
    remedy: &'static str,
}

struct Step {
    name: &'static str,
    need: Option<Need>,
    run: fn(&mut Site) -> Result<()>,
}

/// The test runners' own summary lines, in order.
type RunnerLines = Vec<String>;

/// What the steps leave for each other and for the summary.
#[derive(Default)]
struct Site {
    lines: RunnerLines,
    /// Servers for the tests, until all steps are done.
    postgres: Option<Postgres>,
    /// Services that could not be had, and why.
    gaps: Vec<String>,
}

/// The steps in order. Steps that prepare services (browsers, databases) go before `tests`.
static STEPS: [Step; 7] = [
    Step { name: "tidy", need: None, run: |_| tidy::run(&[]) },
    Step {
        name: "format",
        need: Some(Need {
            probe: &["fmt", "--version"],
            remedy: "rustfmt is not installed (rustup component add rustfmt)",
        }),
        run: |_| sh::run(&mut sh::cargo(&["fmt", "--all", "--check"])),
    },
    Step {
        name: "clippy",
        need: Some(Need {
            probe: &["clippy", "--version"],
            remedy: "clippy is not installed (rustup component add clippy)",
        }),
        run: |_| sh::run(&mut sh::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    },
    Step {
        name: "docs",
        need: None,
        // The dependencies were checked for clippy already, so this costs only our own crates.
        run: |_| sh::run(sh::cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")),
    },
    Step {
        name: "doc tests",
        need: None,
        run: |site| run_tests(&["test", "--doc", "--workspace", "--no-fail-fast"], site),
    },
    Step { name: "services", need: None, run: services },
    Step { name: "tests", need: None, run: tests },
];

enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

struct Done {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs all steps; an error if any failed.
pub(crate) fn run(args: &[String]) -> Result<()> {
    Args::parse(args, &[])?.no_names()?;
    let mut site = Site::default();
    let done: Vec<Done> = STEPS.iter().map(|step| perform(step, &mut site)).collect();
    let n_failed = done.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).count();
    print!("{}", summary(&done, &[gaps(), site.gaps].concat(), &site.lines));
    ensure!(n_failed == 0, "{n_failed} of {} steps failed, see the summary above", done.len());
    Ok(())
}

fn perform(step: &Step, site: &mut Site) -> Done {
    println!("== {}", step.name);
    let start = Instant::now();
    let missing = step.need.as_ref().filter(|need| !sh::succeeds(&mut sh::cargo(need.probe)));
    let outcome = match missing {
        Some(need) => Outcome::Skipped(need.remedy),
        None => (step.run)(site).map_or_else(|e| Outcome::Failed(format!("{e:#}")), |()| Outcome::Passed),
    };
    Done { name: step.name, outcome, took: start.elapsed() }
}

fn has_nextest() -> bool {
    sh::succeeds(&mut sh::cargo(&["nextest", "--version"]))
}

/// A server that the environment names is used as it is; otherwise private ones are started. PostgreSQL and strace are
/// installed where they are missing and can be.
fn services(site: &mut Site) -> Result<()> {
    if let Err(reason) = strace::find_or_install() {
        site.gaps.push(format!("the order in which files are written and synced: {reason}"));
    }
    if std::env::var_os(postgres::URL_VARIABLE).is_some() {
        return Ok(());
    }
    let gap = |reason: &str| format!("the metadata database on PostgreSQL: {reason}");
    match Programs::find_or_install() {
        Ok(programs) => {
            site.postgres = Some(Postgres::start(&programs).inspect_err(|_| site.gaps.push(gap("it did not start")))?);
        }
        Err(reason) => site.gaps.push(gap(&reason)),
    }
    Ok(())
}

/// Unit and integration tests; clippy has compiled examples and benches already.
fn tests(site: &mut Site) -> Result<()> {
    let runner: &[&str] = if has_nextest() { &["nextest", "run"] } else { &["test"] };
    let scope: &[&str] = &["--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"];
    run_tests(&[runner, scope].concat(), site)
}

fn run_tests(args: &[&str], site: &mut Site) -> Result<()> {
    let mut command = sh::cargo(args);
    test_data::pass_to(&mut command);
    if let Some(postgres) = &site.postgres {
        postgres.pass_to(&mut command);
    }
    let transcript = sh::tee(&mut command)?;
    site.lines.extend(summary_lines(&transcript));
    if !transcript.status.success() {
        bail!("`{}` ended with {}", sh::display(&command), transcript.status);
    }
    Ok(())
}

/// Nextest: from its `Summary` line on. `cargo test`: the failed tests and the results of targets with tests.
fn summary_lines(transcript: &Transcript) -> RunnerLines {
    let from_summary = transcript.stderr.lines().skip_while(|line| !line.trim_start().starts_with("Summary ["));
    let nextest: RunnerLines = from_summary.map(str::to_owned).collect();
    if !nextest.is_empty() {
        return nextest;
    }
    let failed = |line: &str| line.starts_with("test ") && line.ends_with("FAILED");
    let result = |line: &str| line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed");
    transcript.stdout.lines().filter(|line| failed(line) || result(line)).map(str::to_owned).collect()
}

/// What the tests leave out on this machine.
fn gaps() -> Vec<String> {
    let mut gaps = Vec::new();
    if test_data::folder().is_none() {
        gaps.push(format!("tests on real candles: no folder named by {}, none at ../shared/data", test_data::VARIABLE));
    }
    if !has_nextest() {
        gaps.push("each test in a process of its own: cargo-nextest is not installed, `cargo test` ran instead".into());
    }
    gaps
}

fn summary(done: &[Done], gaps: &[String], lines: &[String]) -> String {
    let mut text = vec!["\n== cargo xtask test".to_owned()];
    text.extend(done.iter().map(summary_row));
    text.extend(gaps.iter().map(|gap| format!("not tested here: {gap}")));
    text.push("\n== test runner".to_owned());
    text.extend_from_slice(lines);
    text.join("\n") + "\n"
}

fn summary_row(step: &Done) -> String {
    let (word, reason) = match &step.outcome {
        Outcome::Passed => ("ok", ""),
        Outcome::Skipped(reason) => ("skipped", *reason),
        Outcome::Failed(reason) => ("FAILED", reason.as_str()),
    };
    let row = format!("{word:<8}{:<10}{:>8.1} s  {reason}", step.name, step.took.as_secs_f64());
    row.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn transcript(stdout: &str, stderr: &str) -> Transcript {
        Transcript { stdout: stdout.into(), stderr: stderr.into(), status: ExitStatus::from_raw(0) }
    }

    #[test]
    fn the_runners_last_words_are_kept() {
        let nextest = transcript("", "  PASS [1s] a\n  Summary [2s] 2 tests run: 1 passed, 1 failed\n  FAIL [1s] b\n");
        assert_eq!(summary_lines(&nextest).len(), 2);
        let cargo = transcript(
            "test a ... ok\ntest b ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n\
             test result: ok. 0 passed; 0 failed; 0 ignored\n",
            "",
        );
        assert_eq!(summary_lines(&cargo).len(), 2);
    }

    #[test]
    fn the_summary_names_every_step_and_ends_with_the_runner() {
        let done = [
            Done { name: "tidy", outcome: Outcome::Passed, took: Duration::from_millis(1_500) },
            Done { name: "format", outcome: Outcome::Skipped("no rustfmt"), took: Duration::ZERO },
            Done { name: "tests", outcome: Outcome::Failed("exit 100".into()), took: Duration::ZERO },
        ];
        let text = summary(&done, &["the lake".into()], &["Summary [1s] 3 tests run".into()]);
        assert!(text.contains("ok      tidy           1.5 s\n"), "{text}");
        assert!(text.contains("no rustfmt") && text.contains("FAILED  tests") && text.contains("exit 100"), "{text}");
        assert!(text.contains("not tested here: the lake") && text.ends_with("3 tests run\n"), "{text}");
    }
}
