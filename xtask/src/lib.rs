//! Developer commands of candlecast, run as `cargo xtask COMMAND`.
//!
//! Three tiers of checks: `test` is what continuous integration runs, `verify` the long statistical and crash
//! runs (it writes `RESULTS.md`), `bench-peers` the speed beside other programs (it writes `BENCHMARKS.md`).
//! The crash harness, [`kill`], is public so that an integration test can run a short form of it.
#![allow(clippy::print_stdout, reason = "these are command-line tools; their output is their result")]

mod args;
mod bench_peers;
mod candle_file;
mod compiler;
mod demo;
mod document;
mod dump;
mod faketime;
mod instant;
pub mod kill;
mod machine;
mod mutants;
mod packages;
mod peers;
mod postgres;
mod program;
mod sections;
mod sh;
mod stream_faults;
mod streamed;
mod test;
mod test_data;
mod tidy;
mod two_hosts;
mod verify;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [-- ARGS]                   build the release binary and run `candlecast demo ARGS`
  test [STEPS] [--strict] [--without-data]
                                   everything that continuous integration runs; strict fails for what is not there and
                                   cannot be installed, and for real candles unless they are waived
  tidy [--write-touch-counts]      crate graph, purity, catalog lists and house rules only; with the flag, what a part
                                   of each kind costs is first recorded in ARCHITECTURE.md as it is
  verify [NAMES]                   the named long runs, or those not done at this revision, into RESULTS.md
  verify NAMES [--coins A,B] [--from DATE] [--to DATE] [--data FOLDER,FOLDER] [--model ID] [--retrain-days N]
         [--seeds N]               measurements (forecasts, intervals, volatility, placebo, unseen-coin) of other coins,
                                   periods and data, printed only
  verify NAME [FLAGS]              a run of one of the four commands below with its flags, printed only; `mutants` with
                                   --minutes is recorded as far as it comes, and gone on with by the next verify
  kill-harness [--kills N] [--seed N] [--kinds LIST] [--records sqlite|postgresql] [--binary PATH]
                                   kill -9 at random moments of imports, trainings, walk-forwards, saving, streams and
                                   backups, then look what is left and go on; kills that come too late do not count
  stream-faults [--seconds N] [--seed N] [--binary PATH]
                                   a day of candles streamed while the database crashes and stands still, the lake is
                                   locked and the clock jumps
  two-hosts [--jobs N] [--seed N] [--binary PATH]
                                   two hosts with clocks a minute apart share a queue over encrypted PostgreSQL
  mutants [--sample N] [--seed N] [--minutes N] [--dependants 0|1]
                                   change code in one place at a time, which tests must notice; goes on where it was
  bench-peers [NAMES] [--rounds N] speed beside pandas, PyTorch, xgboost and others, into BENCHMARKS.md
";

/// The commands that build the program, and so need the compiler that it needs.
const BUILDS: [&str; 8] =
    ["demo", "test", "verify", "kill-harness", "stream-faults", "two-hosts", "mutants", "bench-peers"];

/// Runs the command line `args` (without the program's name).
pub fn run(args: &[String]) -> Result<()> {
    let Some((command, rest)) = args.split_first() else {
        bail!("no command given\n{USAGE}");
    };
    if BUILDS.contains(&command.as_str()) {
        compiler::check()?;
    }
    match command.as_str() {
        "demo" => demo::run(rest),
        "test" => test::run(rest),
        "tidy" => tidy::run(rest),
        "verify" => verify::run(rest),
        "kill-harness" => kill::command(rest),
        "stream-faults" => stream_faults::command(rest),
        "two-hosts" => two_hosts::command(rest),
        "mutants" => mutants::command(rest),
        "bench-peers" => bench_peers::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown command `{other}`\n{USAGE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_builds_stands_in_the_usage() {
        for command in BUILDS {
            assert!(USAGE.contains(&format!("\n  {command}")), "{command}");
        }
    }

    #[test]
    fn what_is_no_command_is_answered_with_the_usage() {
        let error = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            run(&words).unwrap_err().to_string()
        };
        assert!(error(&[]).contains("usage: cargo xtask COMMAND"));
        assert!(error(&["kill-jobs"]).starts_with("unknown command `kill-jobs`"));
    }
}
