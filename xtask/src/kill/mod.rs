//! Crash harness: `candlecast import` and `candlecast train` are killed with SIGKILL at random moments, and what
//! is left must open, hold all that was acknowledged, and be completed by doing the same again. [`jobs`] does so with
//! work that is on record.

mod import_rounds;
mod job_rounds;
pub mod jobs;
mod program;
mod train_rounds;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use anyhow::{Context, Result, ensure};

use self::import_rounds::ImportRounds;
use self::program::Ending;
use self::train_rounds::TrainRounds;
use crate::args::Args;
use crate::candle_file::SplitMix64;
use crate::sh;
use crate::sh::Profile;

/// Moments are drawn up to this share of an undisturbed run's time, so that some fall after the last write.
const LATEST_SHARE: f64 = 1.1;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `candlecast` to kill.
    pub binary: PathBuf,
    /// An empty or missing folder, as an absolute path; removed after success, kept after a failure.
    pub scratch: PathBuf,
    /// Rounds, imports and trainings in turn.
    pub n_runs: usize,
    /// Root of the moments.
    pub seed: u64,
    /// Five-minute candles of the imported file; 420,768 are four years.
    pub import_rows: usize,
    /// Hourly candles to train on; 17,544 are two years.
    pub train_rows: usize,
}

impl Plan {
    /// A plan of ordinary size in a folder of its own below the system's temporary one.
    pub fn new(binary: PathBuf, n_runs: usize, seed: u64) -> Self {
        let scratch = std::env::temp_dir().join(format!("candlecast-kill-{}-{seed}", std::process::id()));
        Self { binary, scratch, n_runs, seed, import_rows: 420_768, train_rows: 17_544 }
    }
}

/// What was done; there is a report only if every check passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// As planned.
    pub seed: u64,
    /// Imports begun, and how many of them the kill cut short.
    pub imports: Rounds,
    /// Trainings begun, and how many of them the kill cut short.
    pub trainings: Rounds,
    /// Candles acknowledged before each import, and those of the whole file.
    pub rows: (usize, usize),
}

/// Count of rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rounds {
    /// Begun.
    pub n_begun: usize,
    /// Killed before the end.
    pub n_killed: usize,
}

impl Rounds {
    fn count(&mut self, ending: Ending) {
        self.n_begun += 1;
        self.n_killed += usize::from(ending == Ending::Killed);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, imports, trainings, rows: (acknowledged, all) } = self;
        write!(
            f,
            "kill -9 at {} random moments (seed {seed}): {} imports of {all} candles over {acknowledged} acknowledged \
             ones, {} cut short; {} trainings, {} cut short. After each, the store opened, no acknowledged candle was \
             missing, every partition was readable, importing again gave {all} candles, every listed model was \
             complete, and a forecast was made with it.",
            imports.n_begun + trainings.n_begun,
            imports.n_begun,
            imports.n_killed,
            trainings.n_begun,
            trainings.n_killed,
        )
    }
}

/// Carries out `plan`; the error says what was lost, in which round, and where the data folder is kept.
pub fn run(plan: &Plan) -> Result<Report> {
    in_scratch(&plan.scratch, plan.seed, || rounds(plan))
}

/// Does `work` in the folder `scratch`, which is removed after it; after an error it is kept, and the error says so.
fn in_scratch<R>(scratch: &Path, seed: u64, work: impl FnOnce() -> Result<R>) -> Result<R> {
    fs::create_dir_all(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let report = work().with_context(|| {
        format!("the crash harness failed (seed {seed}); the data is kept in {}", scratch.display())
    })?;
    fs::remove_dir_all(scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    Ok(report)
}

fn rounds(plan: &Plan) -> Result<Report> {
    let import = ImportRounds::prepare(plan).context("before any kill")?;
    let train = TrainRounds::prepare(plan).context("before any kill")?;
    let mut random = SplitMix64(plan.seed);
    let (mut imports, mut trainings) = (Rounds::default(), Rounds::default());
    for round in 0..plan.n_runs {
        let share = LATEST_SHARE * random.uniform();
        let delay = |typical: Duration| typical.mul_f64(share);
        if round % 2 == 0 {
            imports.count(import.round(delay(import.typical)).with_context(|| format!("round {round}, import"))?);
        } else {
            trainings.count(train.round(delay(train.typical)).with_context(|| format!("round {round}, training"))?);
        }
    }
    train.complete().context("training after the last kill")?;
    let n_killed = imports.n_killed + trainings.n_killed;
    ensure!(plan.n_runs < 4 || n_killed > 0, "no kill came before the end: use more rows");
    Ok(Report { seed: plan.seed, imports, trainings, rows: (import.head_rows, import.all_rows) })
}

/// `cargo xtask kill-harness`.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["runs", "seed", "binary"])?;
    args.no_names()?;
    let plan = Plan::new(binary(&args)?, args.number("runs", 100)?, args.number("seed", 9)?);
    println!("{}", run(&plan)?);
    Ok(())
}

/// The program that is named, or else the one that is handed out, built.
fn binary(args: &Args) -> Result<PathBuf> {
    match args.get("binary") {
        Some(path) => fs::canonicalize(path).with_context(|| format!("no program at {path}")),
        None => sh::build_candlecast(Profile::Dist),
    }
}
