//! `candlecast worker`.

use candlecast_app::text;
use std::sync::Arc;

use candlecast_app::JOBS;
use candlecast_core::{Problem, ProgressSink};
use candlecast_host::Host;
use candlecast_jobs::{WorkerOptions, work};
use clap::Args;

use crate::output::Output;

/// Do queued jobs until interrupted
#[derive(Debug, Args)]
#[command(
    after_help = "An interrupt or SIGTERM stops the jobs under way at their next safe point and gives them back to the queue, within ten seconds; a second one ends the program at once. Several workers may run, also on other hosts where DATABASE_URL names one PostgreSQL for all.\n\nExamples:\n  candlecast worker\n  candlecast worker --once --kinds train"
)]
pub(crate) struct WorkerArgs {
    /// Jobs at once; they share threads and memory
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// End when no job waits
    #[arg(long)]
    once: bool,
    /// Only jobs of these kinds, by comma: train, evaluate, hpo [default: all]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    kinds: Vec<String>,
}

/// What is going on, as remarks.
struct Remarks(Output);

impl ProgressSink for Remarks {
    fn progress(&self, _: &str, _: u64, _: u64) {}

    fn note(&self, text: &str) {
        self.0.remark(text);
    }
}

pub(crate) async fn run(args: &WorkerArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let options = WorkerOptions { jobs: usize::from(args.jobs), once: args.once, kinds: args.kinds.clone() };
    let worked = work(app, &JOBS, &options, Arc::new(Remarks(output))).await?;
    output.result(&worked, || {
        format!(
            "{} done, {} failed, {} cancelled, {} given back, {} put off",
            text::count(usize::try_from(worked.succeeded).unwrap_or(usize::MAX), "job"),
            worked.failed,
            worked.cancelled,
            worked.given_back,
            worked.put_off
        )
    })?;
    if worked.computing > 0 {
        // Threads that do not come to a safe point would keep the program from ending.
        std::process::exit(0);
    }
    Ok(())
}
