//! `cargo xtask verify`: runs too long for every change. Each writes its section of `RESULTS.md`; what is done at a
//! revision is remembered, so that an interrupted series goes on where it was. A run named on the command line runs in
//! any case. With flags, measurements are of other coins, periods and data, and crash runs are shorter: they are
//! printed and not recorded. A run that stops on the way says so by a line that begins with [`PARTIAL`]: what it has by
//! then is recorded, and the next `verify` goes on with it.

mod list;
mod required;
mod shares;
mod state;

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::list::{LONG_RUNS, LongRun, Step};
use self::state::State;
use crate::args::Args;
use crate::program::remove_folder;
use crate::sections::Mark;
use crate::sh::Profile;
use crate::{machine, peers, sections, sh, test_data};

const FILE: &str = "RESULTS.md";
const HEADING: &str = "# Results\n\nWritten by `cargo xtask verify`; each section says how to repeat it.\n";
/// Last lines of a run's output that go into the file.
const MAX_LINES: usize = 200;
/// How a line begins that says how far a run came that is to go on later.
const PARTIAL: &str = "partial: ";
/// Flags by which a run stops on the way; what it measures stays the same.
const PAUSES: [&str; 1] = ["minutes"];

/// Runs what is named, or else all that is not done at this revision.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let known: BTreeSet<&str> = LONG_RUNS.iter().flat_map(LongRun::flags).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let args = Args::parse(args, &known)?;
    let given: Vec<&str> = known.into_iter().filter(|flag| args.get(flag).is_some()).collect();
    check_flags(&args.names, &given)?;
    let value = |flag: &str| [format!("--{flag}"), args.get(flag).unwrap_or_default().to_owned()];
    let flags: Vec<String> = given.iter().flat_map(|flag| value(flag)).collect();
    if given.iter().any(|flag| !PAUSES.contains(flag)) {
        return shortly(&args.names, &flags);
    }
    let revision = machine::revision();
    let mut state = State::load(&sh::target_dir().join("verify/state.json"))?;
    let chosen = choose(&args.names, |run| state.is_done(run.name, &revision))?;
    let mut failed = Vec::new();
    for run in chosen {
        println!("== {}: {}", run.name, run.title);
        let start = Instant::now();
        let result = Site::of(run, &flags).and_then(|site| site.perform());
        let seconds = start.elapsed().as_secs_f64();
        let body = section(run, &revision, seconds, &result)?;
        sections::write(&sh::root().join(FILE), HEADING, Mark { kind: "verify", name: run.name }, &body)?;
        match result {
            Ok(output) if is_partial(&output) => println!("{}: to be gone on with", run.name),
            Ok(_) => state.finish(run.name, &revision, seconds)?,
            Err(error) => {
                eprintln!("{}: {error:#}", run.name);
                failed.push(run.name);
            }
        }
    }
    ensure!(failed.is_empty(), "failed: {}; see above and {FILE}", failed.join(", "));
    Ok(())
}

/// Refuses flags without names of the runs that they are for, and those that a named run does not take.
fn check_flags(names: &[String], given: &[&str]) -> Result<()> {
    let Some(first) = given.first() else { return Ok(()) };
    ensure!(!names.is_empty(), "name the runs that --{first} is for");
    for run in choose(names, |_| false)? {
        let taken = run.flags();
        if let Some(other) = given.iter().find(|flag| !taken.contains(*flag)) {
            bail!("{} takes no --{other}; it takes: {}", run.name, taken.join(", "));
        }
    }
    Ok(())
}

/// Runs what is called `names` with `flags`. Nothing is recorded: `RESULTS.md` holds what the commands without flags
/// give.
fn shortly(names: &[String], flags: &[String]) -> Result<()> {
    for run in choose(names, |_| false)? {
        println!("== {}: {}", run.name, run.title);
        Site::of(run, flags)?.perform()?;
    }
    Ok(())
}

fn is_partial(output: &str) -> bool {
    output.lines().any(|line| line.starts_with(PARTIAL))
}

fn choose(names: &[String], is_done: impl Fn(&LongRun) -> bool) -> Result<Vec<&'static LongRun>> {
    if let Some(unknown) = names.iter().find(|name| LONG_RUNS.iter().all(|run| run.name != name.as_str())) {
        let known: Vec<&str> = LONG_RUNS.iter().map(|run| run.name).collect();
        bail!("unknown run `{unknown}`; there are: {}", known.join(", "));
    }
    let named = |run: &LongRun| names.iter().any(|name| name == run.name);
    let (chosen, done): (Vec<_>, Vec<_>) =
        LONG_RUNS.iter().partition(|run| if names.is_empty() { !is_done(run) } else { named(run) });
    if names.is_empty() {
        for run in done {
            println!("{}: done at this revision (name it to run it again)", run.name);
        }
    }
    Ok(chosen)
}

/// Where a run takes place and what its placeholders stand for.
struct Site {
    run: &'static LongRun,
    scratch: PathBuf,
    data: Option<PathBuf>,
    /// Words behind those of each step that takes flags.
    flags: Vec<String>,
}

impl Site {
    /// Makes an empty scratch folder and the peers' environment, where the run needs them.
    fn of(run: &'static LongRun, flags: &[String]) -> Result<Self> {
        let scratch = sh::target_dir().join("verify").join(run.name);
        if run.uses_scratch() {
            remove_folder(&scratch)?;
            fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        }
        if run.needs_peers {
            peers::python(&["requirements.txt"])?;
        }
        Ok(Self { run, scratch, data: test_data::folder(), flags: flags.to_vec() })
    }

    /// What all steps printed.
    fn perform(&self) -> Result<String> {
        let mut output = String::new();
        for step in self.run.steps {
            output.push_str(&self.perform_step(step)?);
        }
        if let Some(shares) = &self.run.shares {
            shares.check(&output)?;
        }
        required::check(&output)?;
        let data = self.data.as_ref().map(|path| path.display().to_string());
        let shown = data.map_or(output.clone(), |data| output.replace(&data, "$CANDLECAST_TEST_DATA"));
        Ok(shown.replace(&format!("{}/", sh::root().display()), ""))
    }

    fn perform_step(&self, step: &Step) -> Result<String> {
        let words = step.command.iter().map(|word| self.resolve(word)).collect::<Result<Vec<_>>>()?;
        let (program, arguments) = words.split_first().context("a step needs a command")?;
        let mut command = sh::program(program);
        command.args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        if !step.flags().is_empty() {
            command.args(&self.flags);
        }
        test_data::pass_to(&mut command);
        if let Some(file) = step.stdout {
            let file = self.resolve(file)?;
            sh::run(command.stdout(File::create(&file).with_context(|| format!("cannot write {file}"))?))?;
            return Ok(String::new());
        }
        let output = printed(&mut command)?;
        let is_test = step.command.contains(&"test");
        ensure!(!is_test || n_passed(&output) > 0, "`{}` ran no test", sh::display(&command));
        Ok(output)
    }

    fn resolve(&self, word: &str) -> Result<String> {
        let mut text = word.replace("{scratch}", &self.scratch.display().to_string());
        if text.contains("{data}") {
            let data = self.data.as_ref().context("this run needs real candles: set CANDLECAST_TEST_DATA")?;
            text = text.replace("{data}", &data.display().to_string());
        }
        Ok(match text.as_str() {
            "{cargo}" => std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
            "{xtask}" => std::env::current_exe()?.display().to_string(),
            "{candlecast}" => Profile::Dist.folder().join("candlecast").display().to_string(),
            "{python}" => sh::root().join(peers::PYTHON).display().to_string(),
            _ => text,
        })
    }
}

fn printed(command: &mut Command) -> Result<String> {
    let transcript = sh::tee(command)?;
    ensure!(transcript.status.success(), "`{}` ended with {}", sh::display(command), transcript.status);
    Ok(transcript.stdout)
}

/// Tests that passed, by the words of `cargo test`: a filter that fits none is a success to it.
fn n_passed(output: &str) -> u64 {
    let counts = output.lines().filter_map(|line| line.strip_prefix("test result: ok. ")?.split_once(" passed"));
    counts.filter_map(|(count, _)| count.parse::<u64>().ok()).sum()
}

fn section(run: &LongRun, revision: &str, seconds: f64, result: &Result<String>) -> Result<String> {
    let output = match result {
        Ok(output) => last_lines(output),
        Err(error) => format!("FAILED: {error:#}").replace(&format!("{}/", sh::root().display()), ""),
    };
    let commands: Vec<String> = run.steps.iter().map(Step::shown).collect();
    Ok(format!(
        "## {}\n\n{}, revision {revision}, {}, {seconds:.0} s; `cargo xtask verify {}` runs:\n\n```sh\n{}\n```\n\n\
         ```text\n{}\n```",
        run.title,
        machine::today()?,
        machine::processor(),
        run.name,
        commands.join("\n"),
        output.trim_end(),
    ))
}

fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(MAX_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_passed_are_counted_and_none_is_none() {
        let none = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 70 filtered out\n";
        let some = "test result: ok. 12 passed; 0 failed; 0 ignored\n";
        assert_eq!((n_passed(none), n_passed(some), n_passed(&[none, some].concat()), n_passed("")), (0, 12, 12, 0));
    }

    #[test]
    fn names_choose_and_without_names_what_is_not_done_is_chosen() {
        let names = |chosen: Vec<&LongRun>| chosen.iter().map(|run| run.name).collect::<Vec<_>>();
        let rest = names(choose(&[], |run| run.name == "kill").unwrap());
        assert_eq!(rest.len(), LONG_RUNS.len() - 1);
        assert!(!rest.contains(&"kill"));
        assert_eq!(names(choose(&["kill".into()], |_| true).unwrap()), ["kill"]);
        assert!(choose(&["kil".into()], |_| true).unwrap_err().to_string().contains("kill"));
    }

    #[test]
    fn flags_are_for_named_runs_that_take_them() {
        let refused = |words: &str| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            run(&words).unwrap_err().to_string()
        };
        assert!(refused("--coins BTC").contains("name the runs that --coins is for"));
        assert!(refused("kill --coins BTC").contains("kill takes no --coins; it takes: kills, seed"));
        assert!(refused("forecasts dm-size --coins BTC").contains("dm-size takes no --coins"));
        assert!(refused("forecasts kill --kills 3").contains("forecasts takes no --kills"));
        assert!(refused("forecast --coins BTC").contains("unseen-coin"));
        assert!(refused("kill --coin BTC").contains("unknown flag `--coin`"));
    }

    #[test]
    fn a_run_that_stopped_on_the_way_says_so() {
        assert!(is_partial("tested\npartial: 120 of 300 mutants\n"));
        assert!(!is_partial("300 of 300 mutants, none partial: fine\n"));
        let taken = LONG_RUNS.iter().flat_map(LongRun::flags).collect::<Vec<_>>();
        assert!(PAUSES.iter().all(|flag| taken.contains(flag)));
    }

    #[test]
    fn a_section_shows_how_to_repeat_the_run_and_its_failure() {
        let run = LONG_RUNS.iter().find(|run| run.name == "kill").unwrap();
        let text = section(run, "abc", 3.0, &Ok("100 runs\n".into())).unwrap();
        assert!(text.contains("100 runs") && text.contains("cargo xtask kill-harness\n"), "{text}");
        let failed = section(run, "abc", 3.0, &Err(anyhow::anyhow!("rows lost"))).unwrap();
        assert!(failed.contains("FAILED: rows lost"), "{failed}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let long: Vec<String> = (0..MAX_LINES + 5).map(|i| i.to_string()).collect();
        let kept = last_lines(&long.join("\n"));
        assert!(kept.starts_with("5\n") && kept.lines().count() == MAX_LINES);
    }
}
