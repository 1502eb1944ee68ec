//! `cargo xtask verify`: runs too long for every change. Each writes its section of `RESULTS.md`; what is done at
//! a revision is remembered, so that an interrupted series goes on where it was. A run named on the command line
//! runs in any case. With flags, measurements are of other coins, periods and data: they are printed and not recorded.

mod list;
mod required;
mod shares;
mod state;

use std::fs;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::list::{LONG_RUNS, LongRun, Step};
use self::state::State;
use crate::args::Args;
use crate::sections::Mark;
use crate::sh::Profile;
use crate::{machine, peers, sections, sh, test_data};

const FILE: &str = "RESULTS.md";
const HEADING: &str = "# Results\n\nWritten by `cargo xtask verify`; each section says how to repeat it.\n";
/// Last lines of a run's output that go into the file.
const MAX_LINES: usize = 200;
/// What measurements may be told, without the dashes: the flags of the example `measure`.
const FLAGS: [&str; 7] = ["coins", "from", "to", "data", "model", "retrain-days", "seeds"];

/// Runs what is named, or else all that is not done at this revision.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &FLAGS)?;
    let flags: Vec<String> =
        FLAGS.iter().filter_map(|flag| Some([format!("--{flag}"), args.get(flag)?.to_owned()])).flatten().collect();
    if !flags.is_empty() {
        return measure(&args.names, &flags);
    }
    let revision = machine::revision();
    let mut state = State::load(&sh::target_dir().join("verify/state.json"))?;
    let chosen = choose(&args.names, |run| state.is_done(run.name, &revision))?;
    let mut failed = Vec::new();
    for run in chosen {
        println!("== {}: {}", run.name, run.title);
        let start = Instant::now();
        let result = Site::of(run, &[]).and_then(|site| site.perform());
        let seconds = start.elapsed().as_secs_f64();
        let body = section(run, &revision, seconds, &result)?;
        sections::write(&sh::root().join(FILE), HEADING, Mark { kind: "verify", name: run.name }, &body)?;
        match result {
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

/// Runs the measurements called `names` with `flags`. Nothing is recorded: `RESULTS.md` holds what the commands without
/// flags give.
fn measure(names: &[String], flags: &[String]) -> Result<()> {
    ensure!(!names.is_empty(), "name the measurements that {} is for", flags[0]);
    let chosen = choose(names, |_| false)?;
    if let Some(other) = chosen.iter().find(|run| !run.is_measurement()) {
        bail!("{} takes no flags", other.name);
    }
    for run in chosen {
        println!("== {}: {}", run.name, run.title);
        Site::of(run, flags)?.perform()?;
    }
    Ok(())
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
    /// Words behind those of each step.
    flags: Vec<String>,
}

impl Site {
    /// Makes an empty scratch folder and, where the run needs it, the peers' environment.
    fn of(run: &'static LongRun, flags: &[String]) -> Result<Self> {
        let scratch = sh::target_dir().join("verify").join(run.name);
        if scratch.exists() {
            fs::remove_dir_all(&scratch).with_context(|| format!("cannot empty {}", scratch.display()))?;
        }
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
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
        command.args(arguments).args(&self.flags).env("PYTHONDONTWRITEBYTECODE", "1");
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
    fn flags_are_for_named_measurements_alone() {
        let refused = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            measure(&names, &["--coins".into(), "BTC".into()]).unwrap_err().to_string()
        };
        assert!(refused(&[]).contains("--coins") && refused(&["kill"]).contains("kill takes no flags"));
        assert!(refused(&["forecasts", "dm-size"]).contains("dm-size"));
        assert!(refused(&["forecast"]).contains("unseen-coin"));
    }

    #[test]
    fn a_section_shows_how_to_repeat_the_run_and_its_failure() {
        let run = LONG_RUNS.iter().find(|run| run.name == "kill").unwrap();
        let text = section(run, "abc", 3.0, &Ok("100 runs\n".into())).unwrap();
        assert!(text.contains("100 runs") && text.contains("cargo xtask kill-harness"), "{text}");
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
