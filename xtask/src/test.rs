//! `cargo xtask test`: what continuous integration runs. Every step runs, whatever became of the others; the
//! summary says how each went, what could not be tested here and why, and ends with the test runner's own words.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::args::Args;
use crate::postgres::{self, Postgres, Programs};
use crate::sh::{self, Transcript};
use crate::{packages, test_data, tidy};

struct Step {
    name: &'static str,
    run: fn(&mut Site) -> Result<()>,
}

/// Names the file in which tests tell what is missing, the one that `candlecast-testenv` knows.
const GAPS_VARIABLE: &str = "CANDLECAST_TEST_GAPS";

/// The test runners' own summary lines, in order.
type RunnerLines = Vec<String>;

/// Something that is not tested here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    what: String,
    /// It could be installed or handed over, so a strict run fails.
    is_failure: bool,
}

/// What the steps leave for each other and for the summary.
#[derive(Default)]
struct Site {
    /// Real candles are left out on purpose.
    without_data: bool,
    lines: RunnerLines,
    /// Servers for the tests, until all steps are done.
    postgres: Option<Postgres>,
    gaps: Vec<Gap>,
}

/// The steps in order. Steps that prepare services (browsers, databases) go before `tests`.
static STEPS: [Step; 8] = [
    Step { name: "tools", run: tools },
    Step { name: "tidy", run: |_| tidy::run(&[]) },
    Step { name: "format", run: |_| sh::run(&mut sh::cargo(&["fmt", "--all", "--check"])) },
    Step {
        name: "clippy",
        run: |_| sh::run(&mut sh::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
    },
    Step {
        name: "docs",
        // The dependencies were checked for clippy already, so this costs only our own crates.
        run: |_| sh::run(sh::cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")),
    },
    Step { name: "doc tests", run: |site| run_tests(&["test", "--doc", "--workspace", "--no-fail-fast"], site) },
    Step { name: "services", run: services },
    Step { name: "tests", run: tests },
];

enum Outcome {
    Passed,
    Failed(String),
}

struct Done {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

/// Runs all steps; an error if any failed or, in a strict run, if something was left out that could be had.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = Args::with_switches(args, &[], &["strict", "without-data"])?;
    if let Some(unknown) = args.names.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("unknown step `{unknown}`; there are: {}", known.join(", "));
    }
    let chosen = |step: &&Step| args.names.is_empty() || args.names.iter().any(|name| name == step.name);
    let mut site = Site { without_data: args.has("without-data"), ..Site::default() };
    let done: Vec<Done> = STEPS.iter().filter(chosen).map(|step| perform(step, &mut site)).collect();
    let n_failed = done.iter().filter(|step| matches!(step.outcome, Outcome::Failed(_))).count();
    site.gaps.sort_by(|a, b| a.what.cmp(&b.what));
    site.gaps.dedup();
    print!("{}", summary(&done, &site.gaps, &site.lines));
    ensure!(n_failed == 0, "{n_failed} of {} steps failed, see the summary above", done.len());
    let n_missing = site.gaps.iter().filter(|gap| gap.is_failure).count();
    ensure!(!args.has("strict") || n_missing == 0, "{n_missing} things are missing, see `not tested here` above");
    Ok(())
}

fn perform(step: &Step, site: &mut Site) -> Done {
    println!("== {}", step.name);
    let start = Instant::now();
    let outcome = (step.run)(site).map_or_else(|e| Outcome::Failed(format!("{e:#}")), |()| Outcome::Passed);
    Done { name: step.name, outcome, took: start.elapsed() }
}

/// Installs what the steps and tests run. A tool that cannot be had is a gap: its step fails by itself, or its tests
/// are left out.
#[expect(clippy::unnecessary_wraps, reason = "a step like the others")]
fn tools(site: &mut Site) -> Result<()> {
    let missing = packages::install_tools();
    site.gaps.extend(missing.into_iter().map(|what| Gap { what, is_failure: true }));
    if !site.without_data && test_data::folder().is_none() {
        let what = format!("tests on real candles: no folder named by {}, none at ../shared/data", test_data::VARIABLE);
        site.gaps.push(Gap { what, is_failure: true });
    }
    Ok(())
}

fn has_nextest() -> bool {
    sh::succeeds(&mut sh::cargo(&["nextest", "--version"]))
}

/// A server that the environment names is used as it is; otherwise private ones are started, if PostgreSQL is here or
/// can be installed.
fn services(site: &mut Site) -> Result<()> {
    if std::env::var_os(postgres::URL_VARIABLE).is_some() {
        return Ok(());
    }
    let gap = |reason: &str| Gap { what: format!("PostgreSQL: {reason}"), is_failure: true };
    match Programs::find_or_install() {
        Ok(programs) => {
            let postgres = Postgres::start(&programs).inspect_err(|_| site.gaps.push(gap("it did not start")))?;
            site.gaps.extend(postgres.gap().map(|what| Gap { what, is_failure: true }));
            site.postgres = Some(postgres);
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
    if !site.without_data {
        test_data::pass_to(&mut command);
    }
    let told = sh::target_dir().join("test-gaps.txt");
    fs::write(&told, "").with_context(|| format!("cannot write {}", told.display()))?;
    command.env(GAPS_VARIABLE, &told);
    if let Some(postgres) = &site.postgres {
        postgres.pass_to(&mut command);
    }
    let transcript = sh::tee(&mut command)?;
    site.lines.extend(summary_lines(&transcript));
    let told = fs::read_to_string(&told).with_context(|| format!("cannot read {}", told.display()))?;
    site.gaps.extend(told.lines().filter_map(|line| gap_told(line, site.without_data)));
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

/// A line of `candlecast-testenv`: `missing` or `forbidden`, a tab, what and why.
fn gap_told(line: &str, without_data: bool) -> Option<Gap> {
    let (kind, what) = line.split_once('\t')?;
    let is_waived = without_data && what.starts_with("real candles");
    Some(Gap { what: what.to_owned(), is_failure: kind == "missing" && !is_waived })
}

fn summary(done: &[Done], gaps: &[Gap], lines: &[String]) -> String {
    let mut text = vec!["\n== cargo xtask test".to_owned()];
    text.extend(done.iter().map(summary_row));
    text.extend(gaps.iter().map(|gap| format!("not tested here: {}", gap.what)));
    text.push("\n== test runner".to_owned());
    text.extend_from_slice(lines);
    text.join("\n") + "\n"
}

fn summary_row(step: &Done) -> String {
    let (word, reason) = match &step.outcome {
        Outcome::Passed => ("ok", ""),
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
    fn gaps_that_tests_tell_count_unless_they_are_waived_or_beyond_help() {
        let is_failure = |line: &str, waived| gap_told(line, waived).map(|gap| gap.is_failure);
        assert_eq!(is_failure("missing\tPostgreSQL: no server", true), Some(true));
        assert_eq!(is_failure("missing\treal candles: there is no x", false), Some(true));
        assert_eq!(is_failure("missing\treal candles: there is no x", true), Some(false));
        assert_eq!(is_failure("forbidden\tfull disks", false), Some(false));
        assert_eq!(is_failure("other words", false), None);
    }

    #[test]
    fn the_summary_names_every_step_and_ends_with_the_runner() {
        let done = [
            Done { name: "tidy", outcome: Outcome::Passed, took: Duration::from_millis(1_500) },
            Done { name: "tests", outcome: Outcome::Failed("exit 100".into()), took: Duration::ZERO },
        ];
        let gap = Gap { what: "the lake".into(), is_failure: true };
        let text = summary(&done, &[gap], &["Summary [1s] 3 tests run".into()]);
        assert!(text.contains("ok      tidy           1.5 s\n"), "{text}");
        assert!(text.contains("FAILED  tests") && text.contains("exit 100"), "{text}");
        assert!(text.contains("not tested here: the lake") && text.ends_with("3 tests run\n"), "{text}");
    }
}
