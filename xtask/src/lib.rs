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
mod packages;
mod peers;
mod postgres;
mod program;
mod sections;
mod sh;
mod test;
mod test_data;
mod tidy;
mod verify;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [-- ARGS]                   build the release binary and run `candlecast demo ARGS`
  test [--strict] [--without-data]
                                   everything that continuous integration runs; strict fails for what is not there and
                                   cannot be installed, and for real candles unless they are waived
  tidy [--write-touch-counts]      crate graph, purity, catalog lists and house rules only; with the flag, what a part
                                   of each kind costs is first recorded in ARCHITECTURE.md as it is
  verify [NAMES]                   the named long runs, or those not done at this revision, into RESULTS.md
  verify NAMES [--coins A,B] [--from DATE] [--to DATE] [--data FOLDER,FOLDER] [--model ID] [--retrain-days N]
         [--seeds N]               measurements (forecasts, intervals, volatility, placebo, unseen-coin) of other coins,
                                   periods and data, printed only
  kill-harness [--kills N] [--seed N] [--kinds LIST] [--records sqlite|postgresql] [--binary PATH]
                                   kill -9 at random moments of imports, trainings, walk-forwards, saving, streams and
                                   backups, then look what is left and go on; kills that come too late do not count
  bench-peers [NAMES] [--rounds N] speed beside pandas, PyTorch, xgboost and others, into BENCHMARKS.md
";

/// The commands that build the program, and so need the compiler that it needs.
const BUILDS: [&str; 5] = ["demo", "test", "verify", "kill-harness", "bench-peers"];

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
        "bench-peers" => bench_peers::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown command `{other}`\n{USAGE}"),
    }
}
