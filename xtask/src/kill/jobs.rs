//! The crash harness for jobs: trainings and walk-forwards are killed while they compute and while they save, and
//! what their jobs say afterwards must be true.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use super::job_rounds::{Found, JobRounds, WORKS};
use super::program::Ending;
use crate::args::Args;
use crate::candle_file::SplitMix64;

/// What to do.
#[derive(Debug, Clone)]
pub struct JobsPlan {
    /// The `candlecast` to kill.
    pub binary: PathBuf,
    /// An empty or missing folder, as an absolute path; removed after success, kept after a failure.
    pub scratch: PathBuf,
    /// Rounds; the kinds of work take turns.
    pub n_runs: usize,
    /// Root of the moments.
    pub seed: u64,
    /// Hourly candles; 17,544 are two years.
    pub rows: usize,
}

impl JobsPlan {
    /// A plan of ordinary size in a folder of its own below the system's temporary one.
    pub fn new(binary: PathBuf, n_runs: usize, seed: u64) -> Self {
        let scratch = std::env::temp_dir().join(format!("candlecast-kill-jobs-{}-{seed}", std::process::id()));
        Self { binary, scratch, n_runs, seed, rows: 17_544 }
    }
}

/// What was done; there is a report only if every check passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsReport {
    /// As planned.
    pub seed: u64,
    /// Rounds by kind of work.
    pub rounds: BTreeMap<&'static str, usize>,
    /// Runs that the kill cut short.
    pub n_killed: usize,
    /// Killed before the job was on record: the command was given again.
    pub n_not_begun: usize,
    /// Marked interrupted, and gone on with by `jobs retry`.
    pub n_interrupted: usize,
    /// On record as ended, with their results.
    pub n_ended: usize,
}

impl fmt::Display for JobsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds: Vec<String> = self.rounds.iter().map(|(name, n)| format!("{n} of {name}")).collect();
        write!(
            f,
            "kill -9 at {} random moments (seed {}): {}; {} cut short. {} jobs were marked interrupted and gone on with \
             by `jobs retry`, {} had ended, {} were not on record yet and begun anew. Every result, each saved model's \
             digest and every score was bit for bit that of an undisturbed run; no acknowledged model, job, forecast or \
             candle was missing, and every database opened.",
            self.rounds.values().sum::<usize>(),
            self.seed,
            rounds.join(", "),
            self.n_killed,
            self.n_interrupted,
            self.n_ended,
            self.n_not_begun,
        )
    }
}

/// Carries out `plan`; the error says what was lost, in which round, and where the data folder is kept.
pub fn run(plan: &JobsPlan) -> Result<JobsReport> {
    super::in_scratch(&plan.scratch, plan.seed, || rounds(plan))
}

fn rounds(plan: &JobsPlan) -> Result<JobsReport> {
    let rounds = JobRounds::prepare(plan).context("before any kill")?;
    let mut random = SplitMix64(plan.seed);
    let mut report = JobsReport {
        seed: plan.seed,
        rounds: BTreeMap::new(),
        n_killed: 0,
        n_not_begun: 0,
        n_interrupted: 0,
        n_ended: 0,
    };
    for round in 0..plan.n_runs {
        let work = &WORKS[round % WORKS.len()];
        let delay = rounds.moment(work, random.uniform());
        let (ending, found) = rounds
            .round(work, delay)
            .with_context(|| format!("round {round}, {}, killed after {delay:?}", work.name))?;
        *report.rounds.entry(work.name).or_default() += 1;
        report.n_killed += usize::from(ending == Ending::Killed);
        *match found {
            Found::NotBegun => &mut report.n_not_begun,
            Found::Interrupted => &mut report.n_interrupted,
            Found::Ended => &mut report.n_ended,
        } += 1;
    }
    ensure!(plan.n_runs < 8 || report.n_interrupted > 0, "no kill came while a job was under way: use more rows");
    Ok(report)
}

/// `cargo xtask kill-jobs`.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["runs", "seed", "binary"])?;
    args.no_names()?;
    let plan = JobsPlan::new(super::binary(&args)?, args.number("runs", 100)?, args.number("seed", 9)?);
    println!("{}", run(&plan)?);
    Ok(())
}
