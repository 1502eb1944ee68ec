//! [`Scene`]: a data folder that has lived, renewed for every round.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::checks::{Check, Round, Run, Undisturbed};
use super::kinds::{HOURS, Kind, MINUTES, NOW, arguments, play};
use super::known::Known;
use super::{Plan, Records};
use crate::candle_file::{CandleFile, YEAR_2020_MS};
use crate::postgres::Rig;
use crate::program::{Ending, Program, copy_folder, remove_folder};

/// Databases of a rig: as acknowledged, and of the round under way.
const ACKNOWLEDGED: &str = "acknowledged";
const ROUND: &str = "round";
/// Minutes of the streamed series: nine days of history, and the day that is played.
const HISTORY_MINUTES: usize = 12_960;
pub(super) const PLAYED_MINUTES: usize = 1_440;

/// The files that commands read and write.
#[derive(Debug, Clone)]
pub(super) struct Site {
    folder: PathBuf,
}

impl Site {
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes the candles; each file in a folder of its own, as the name tells the series. The whole file has all of
    /// the head's candles with their volumes corrected, so that importing it rewrites what is there.
    pub(super) fn prepare(plan: &Plan) -> Result<Self> {
        let site = Self::at(plan.scratch.join("files"));
        let file = |interval_ms, n_rows, seed| CandleFile {
            start_ms: YEAR_2020_MS,
            interval_ms,
            n_rows,
            seed: plan.seed ^ seed,
            extra_volume: 0.0,
        };
        let head = file(300_000, plan.import_rows * 5 / 8, 0);
        write(&site.head(), head)?;
        write(&site.whole(), CandleFile { n_rows: plan.import_rows, extra_volume: 1.0, ..head })?;
        write(&site.hours(), file(3_600_000, plan.train_rows, 1))?;
        let minutes = file(60_000, HISTORY_MINUTES + PLAYED_MINUTES, 2);
        write(&site.minutes(), minutes)?;
        write(&site.history(), CandleFile { n_rows: HISTORY_MINUTES, ..minutes })?;
        Ok(site)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn head(&self) -> String {
        self.file("head/BTCUSDT-5m.csv")
    }

    /// The file that is imported over the head.
    pub(super) fn whole(&self) -> String {
        self.file("whole/BTCUSDT-5m.csv")
    }

    fn hours(&self) -> String {
        self.file("ETHUSDT-1h.csv")
    }

    fn history(&self) -> String {
        self.file("history/SOLUSDT-1m.csv")
    }

    /// The file that is played.
    pub(super) fn minutes(&self) -> String {
        self.file("whole/SOLUSDT-1m.csv")
    }

    /// The backup under its final name.
    pub(super) fn archive(&self) -> String {
        self.file("archive.tar.zst")
    }

    /// The backup that is there before a round, of an earlier time.
    fn old_archive(&self) -> String {
        self.file("old.tar.zst")
    }

    /// Puts the earlier backup in its place, and clears away what killed ones left beside it.
    fn renew_archive(&self) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        fs::copy(self.old_archive(), self.archive()).context("cannot copy the earlier backup").map(drop)
    }
}

fn write(path: &str, candles: CandleFile) -> Result<()> {
    let path = Path::new(path);
    let folder = path.parent().context("a file needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    candles.write(path)
}

/// A data folder with candles, models, a streamed hour, a forecast and their jobs, as acknowledged.
#[derive(Debug)]
pub(super) struct Scene {
    site: Site,
    binary: PathBuf,
    rig: Option<Rc<Rig>>,
    acknowledged: PathBuf,
    data_dir: PathBuf,
    known: Known,
    /// What the earlier backup holds.
    earlier: Known,
}

impl Scene {
    /// Imports, trains, predicts and streams.
    pub(super) fn prepare(binary: &Path, site: Site, scratch: &Path, records: Records) -> Result<Self> {
        let folder = scratch.join(records.name());
        fs::create_dir_all(&folder)?;
        let rig = match records {
            Records::Sqlite => None,
            Records::Postgres(rig) => Some(rig),
        };
        if let Some(rig) = &rig {
            rig.renew(ACKNOWLEDGED, None)?;
        }
        let acknowledged = folder.join("acknowledged");
        let url = rig.as_ref().map(|rig| rig.url(ACKNOWLEDGED));
        let program = Program::new(binary, acknowledged.clone()).on_database(url);
        let run = |words: &[&str]| program.complete(&[&["--now", NOW][..], words].concat());
        run(&["import", &site.head(), &site.hours(), &site.history()])?;
        run(&[&["train", "--model", "hybrid", "--horizon", "12h"][..], &HOURS].concat())?;
        let earlier = Known::of(&program)?;
        run(&["backup", &site.old_archive(), "--force"])?;
        run(&[&["train", "--model", "linear", "--horizon", "5"][..], &MINUTES].concat())?;
        run(&[&["predict", "--model", "hybrid"][..], &HOURS].concat())?;
        let played = [play(&site, "max"), vec!["--for".into(), "1h".into()]].concat();
        run(&arguments(&played))?;
        let known = Known::of(&program)?;
        ensure!(known.models.len() == 2 && known.jobs.len() == 2, "two trainings gave {:?}", known.jobs);
        ensure!(known.records.rows("ml_predictions").next().is_some(), "no forecast was logged, so none could be lost");
        ensure!(
            known.records.rows("ml_ledger").next().is_some(),
            "the ledger is empty, so nothing could be lost of it"
        );
        let (binary, data_dir) = (binary.to_owned(), folder.join("data"));
        Ok(Self { site, binary, rig, acknowledged, data_dir, known, earlier })
    }

    /// Does the work once without a kill: what it tells of others, and how long it takes.
    pub(super) fn undisturbed(&self, kind: &Kind) -> Result<(Box<dyn Check>, Duration)> {
        let program = self.renewed()?;
        let line = kind.line(&self.site);
        let begun = Instant::now();
        let printed = program.output(kind.globals(), &arguments(&line))?;
        let took = begun.elapsed();
        let after = Known::of(&program)?;
        after.holds(&self.known, kind.grows)?;
        let undisturbed = Undisturbed {
            site: &self.site,
            program: &program,
            before: &self.known,
            earlier: &self.earlier,
            after: &after,
            printed: &printed,
        };
        Ok(((kind.check)(&undisturbed)?, took))
    }

    /// Runs that are killed after `delays`, one after another; what they left looked at, and the work brought to its
    /// end. How many kills landed.
    pub(super) fn round(&self, kind: &Kind, check: &dyn Check, delays: &[Duration]) -> Result<usize> {
        let program = self.renewed()?;
        let line = kind.line(&self.site);
        let mut runs = Vec::with_capacity(delays.len());
        for &delay in delays {
            let (ending, printed) = program.kill_after(kind.globals(), &arguments(&line), delay)?;
            runs.push(Run { ending, printed });
        }
        let landed = runs.iter().filter(|run| run.ending == Ending::Killed).count();
        let left = Known::of(&program)?;
        left.holds(&self.known, kind.grows)?;
        let round = Round { site: &self.site, program: &program, line: &line, known: &self.known, left, runs };
        check.left(&round).context("what the kill left")?;
        check.complete(&round).context("going on after the kill")?;
        Ok(landed)
    }

    /// The data folder, its records and the backup beside it as acknowledged.
    fn renewed(&self) -> Result<Program> {
        remove_folder(&self.data_dir)?;
        copy_folder(&self.acknowledged, &self.data_dir)?;
        self.site.renew_archive()?;
        if let Some(rig) = &self.rig {
            rig.renew(ROUND, Some(ACKNOWLEDGED))?;
        }
        let url = self.rig.as_ref().map(|rig| rig.url(ROUND));
        Ok(Program::new(&self.binary, self.data_dir.clone()).on_database(url))
    }
}
