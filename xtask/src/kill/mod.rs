//! Crash harness: candlecast is killed with SIGKILL at random moments of imports, trainings, walk-forwards, saving,
//! replayed streams and backups, with its records in SQLite and in PostgreSQL. What was acknowledged must be there
//! afterwards, what is left must open, and the same command given again must bring the work to the end that it has
//! undisturbed.

mod checks;
mod kinds;
mod known;
mod report;
mod scene;

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::kinds::{KINDS, Kind};
pub use self::report::{Report, Row};
use self::scene::{Scene, Site};
use crate::args::Args;
use crate::candle_file::SplitMix64;
use crate::postgres::Rig;
use crate::sh;
use crate::sh::Profile;
use crate::{packages, program};

/// Share of the rounds that kill twice before anything is looked at: what one kill leaves meets the next run.
const TWICE: f64 = 0.25;
/// So many rounds for each kill that is to land, at most: the others come too late.
const MOST_ROUNDS: usize = 4;

/// What to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The `candlecast` to kill.
    pub binary: PathBuf,
    /// An empty or missing folder, as an absolute path; removed after success, kept after a failure.
    pub scratch: PathBuf,
    /// Kills that are to land: to come before the program's own end. Others do not count.
    pub n_kills: usize,
    /// Root of the moments.
    pub seed: u64,
    /// Kinds of work, by name, that take turns; all where none is named.
    pub kinds: Vec<String>,
    /// Five-minute candles of the imported file; 420,768 are four years.
    pub import_rows: usize,
    /// Hourly candles to train on; 17,544 are two years.
    pub train_rows: usize,
}

impl Plan {
    /// A plan of ordinary size in a folder of its own below the system's temporary one.
    pub fn new(binary: PathBuf, n_kills: usize, seed: u64) -> Self {
        let scratch = std::env::temp_dir().join(format!("candlecast-kill-{}-{seed}", std::process::id()));
        Self { binary, scratch, n_kills, seed, kinds: Vec::new(), import_rows: 420_768, train_rows: 17_544 }
    }

    fn chosen(&self) -> Result<Vec<&'static Kind>> {
        if let Some(unknown) = self.kinds.iter().find(|name| KINDS.iter().all(|kind| kind.name != name.as_str())) {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            bail!("unknown kind `{unknown}`; there are: {}", known.join(", "));
        }
        let is_chosen = |kind: &&Kind| self.kinds.is_empty() || self.kinds.iter().any(|name| name == kind.name);
        Ok(KINDS.iter().filter(is_chosen).collect())
    }
}

/// Carries out `plan` with the records in SQLite. The error says what was lost, in which round, and where the data
/// folder is kept.
pub fn run(plan: &Plan) -> Result<Report> {
    run_on(plan, &[Records::Sqlite])
}

/// Where the records of a round lie.
#[derive(Debug, Clone)]
enum Records {
    /// In the data folder.
    Sqlite,
    /// In a database of each round's own.
    Postgres(Rc<Rig>),
}

impl Records {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

fn run_on(plan: &Plan, records: &[Records]) -> Result<Report> {
    let scratch = &plan.scratch;
    fs::create_dir_all(scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let report = rounds(plan, records).with_context(|| {
        format!("the crash harness failed (seed {}); the data is kept in {}", plan.seed, scratch.display())
    })?;
    program::remove_folder(scratch)?;
    Ok(report)
}

fn rounds(plan: &Plan, records: &[Records]) -> Result<Report> {
    let kinds = plan.chosen()?;
    let site = Site::prepare(plan)?;
    let mut turns = Vec::new();
    for records in records {
        let scene = Scene::prepare(&plan.binary, site.clone(), &plan.scratch, records.clone())
            .with_context(|| format!("before any kill, {}", records.name()))?;
        let scene = Rc::new(scene);
        for &kind in &kinds {
            turns.push(Turn::prepare(kind, Rc::clone(&scene), records.name())?);
        }
    }
    let mut random = SplitMix64(plan.seed);
    let mut round = 0;
    while turns.iter().map(|turn| turn.row.landed).sum::<usize>() < plan.n_kills {
        ensure!(round < MOST_ROUNDS * plan.n_kills + turns.len(), "too few kills come before the end: use more rows");
        let at = round % turns.len();
        turns[at].round(&mut random).with_context(|| format!("round {round}"))?;
        round += 1;
    }
    Ok(Report { seed: plan.seed, rows: turns.into_iter().map(|turn| turn.row).collect() })
}

/// One kind of work on one database, and what came of it so far.
struct Turn {
    kind: &'static Kind,
    scene: Rc<Scene>,
    check: Box<dyn checks::Check>,
    /// Time of an undisturbed run.
    typical: Duration,
    row: Row,
}

impl Turn {
    fn prepare(kind: &'static Kind, scene: Rc<Scene>, records: &'static str) -> Result<Self> {
        let (check, typical) =
            scene.undisturbed(kind).with_context(|| format!("{} on {records}, left alone", kind.name))?;
        let row = Row { kind: kind.name, records, runs: 0, landed: 0, lost: 0, took: Duration::ZERO };
        Ok(Self { kind, scene, check, typical, row })
    }

    fn round(&mut self, random: &mut SplitMix64) -> Result<()> {
        let begun = Instant::now();
        let n_runs = if random.uniform() < TWICE { 2 } else { 1 };
        let (from, to) = self.kind.moments;
        let delays: Vec<Duration> =
            (0..n_runs).map(|_| self.typical.mul_f64(from + random.uniform() * (to - from))).collect();
        let landed = self
            .scene
            .round(self.kind, self.check.as_ref(), &delays)
            .with_context(|| format!("{} on {}, killed after {delays:?}", self.kind.name, self.row.records))?;
        self.row.runs += n_runs;
        self.row.landed += landed;
        self.row.took += begun.elapsed();
        Ok(())
    }
}

/// `cargo xtask kill-harness`.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["kills", "seed", "kinds", "records", "binary"])?;
    args.no_names()?;
    let (sqlite, postgresql) = match args.get("records") {
        None => (true, true),
        Some("sqlite") => (true, false),
        Some("postgresql") => (false, true),
        Some(other) => bail!("records lie in `sqlite` or `postgresql`, not in `{other}`"),
    };
    packages::require(&["tar", "zstd"])?;
    let mut records = Vec::new();
    if sqlite {
        records.push(Records::Sqlite);
    }
    if postgresql {
        records.push(Records::Postgres(Rc::new(Rig::start("kill")?)));
    }
    let kinds = args.get("kinds").into_iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    let plan = Plan {
        kinds,
        ..Plan::new(binary(args.get("binary").map(Path::new))?, args.number("kills", 500)?, args.number("seed", 9)?)
    };
    println!("{}", run_on(&plan, &records)?);
    Ok(())
}

/// The program that is named, or else the one that is handed out, built.
pub(crate) fn binary(named: Option<&Path>) -> Result<PathBuf> {
    match named {
        Some(path) => fs::canonicalize(path).with_context(|| format!("no program at {}", path.display())),
        None => sh::build_candlecast(Profile::Dist),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str]) -> Result<Vec<&'static str>> {
        let kinds = names.iter().map(|name| (*name).to_owned()).collect();
        let plan = Plan { kinds, ..Plan::new(PathBuf::new(), 1, 1) };
        plan.chosen().map(|kinds| kinds.iter().map(|kind| kind.name).collect())
    }

    #[test]
    fn kinds_are_chosen_by_name_and_all_without() {
        assert_eq!(chosen(&["stream", "import"]).unwrap(), ["import", "stream"]);
        assert_eq!(chosen(&[]).unwrap().len(), KINDS.len());
        assert!(chosen(&["streams"]).unwrap_err().to_string().contains("stream"));
    }

    #[test]
    fn flags_that_name_nothing_are_refused() {
        let error = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            command(&words).unwrap_err().to_string()
        };
        assert!(error("--records mysql").contains("mysql"));
        assert!(error("100").contains("100"));
    }
}
