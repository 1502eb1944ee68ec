//! `cargo xtask stream-faults`: a day of one-minute candles is streamed from a file while the database crashes and
//! stands still, the lake is locked and the clock jumps. The stream must go on by itself, tell what happened, store
//! every candle, and log every forecast or say that it has not.

mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use self::faults::{FAULTS, Fault, Stage};
use crate::args::Args;
use crate::candle_file::{CandleFile, YEAR_2020_MS};
use crate::dump::Dump;
use crate::faketime::{self, Faketime};
use crate::kill;
use crate::packages;
use crate::postgres::Rig;
use crate::program::{Program, Running, remove_folder};
use crate::streamed::{Candle, Streamed, candles_in, check_stored};

const MINUTE_MS: i64 = 60_000;
/// Nine days of history, and the day that is played.
const HISTORY: usize = 12_960;
const PLAYED: usize = 1_440;
const PLAYED_FROM: &str = "2020-01-10";
const SERIES: [&str; 4] = ["--symbol", "SOLUSDT", "--interval", "1m"];
const DATABASE: &str = "stream";
/// A stream of less time has no room for all faults.
const LEAST_SECONDS: u64 = 180;
/// Longest time from the end of a fault until the stream says that all works again.
const HEALING: Duration = Duration::from_secs(120);
/// Longest time from a jump of the clock until the next candles.
const GOING_ON: Duration = Duration::from_secs(60);
/// Candles that show that a stream goes on.
const A_FEW: usize = 3;
const POLL: Duration = Duration::from_millis(200);

/// Runs the stream through every fault.
pub(crate) fn command(args: &[String]) -> Result<()> {
    let args = Args::parse(args, &["seconds", "seed", "binary"])?;
    args.no_names()?;
    let (seconds, seed) = (args.number("seconds", 360_u64)?, args.number("seed", 9_u64)?);
    ensure!(seconds >= LEAST_SECONDS, "`--seconds` is at least {LEAST_SECONDS}: less has no room for all faults");
    packages::require(&["flock", "tar", "zstd"])?;
    let faketime = Faketime::find_or_install()?;
    let binary = kill::binary(args.get("binary").map(Path::new))?;
    let scratch = std::env::temp_dir().join(format!("candlecast-stream-faults-{}-{seed}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let play = Play::prepare(&binary, &scratch, &faketime, seconds, seed)?;
    let report = play.through_faults().with_context(|| {
        format!("the stream did not come through (seed {seed}); the data is kept in {}", scratch.display())
    })?;
    println!("{report}");
    drop(play);
    remove_folder(&scratch)
}

/// A stream that can begin.
struct Play {
    stage: Stage,
    program: Program,
    /// The file that is played, and the candles of it that are.
    file: PathBuf,
    candles: Vec<Candle>,
    seconds: u64,
}

impl Play {
    /// Imports the history and trains the model that goes along.
    fn prepare(binary: &Path, scratch: &Path, faketime: &Faketime, seconds: u64, seed: u64) -> Result<Self> {
        let minutes =
            |n_rows| CandleFile { start_ms: YEAR_2020_MS, interval_ms: MINUTE_MS, n_rows, seed, extra_volume: 0.0 };
        // The name of a file tells its series.
        let (history, file) = (scratch.join("history/SOLUSDT-1m.csv"), scratch.join("played/SOLUSDT-1m.csv"));
        for (path, n_rows) in [(&history, HISTORY), (&file, HISTORY + PLAYED)] {
            fs::create_dir_all(path.parent().context("a file needs a folder")?)?;
            minutes(n_rows).write(path)?;
        }
        let candles = candles_in(&file)?.split_off(HISTORY);

        let rig = Rig::start("stream")?;
        rig.renew(DATABASE, None)?;
        let program = Program::new(binary, scratch.join("data")).on_database(Some(rig.url(DATABASE)));
        program.complete(&["import", &history.display().to_string()])?;
        program.complete(&[&["train", "--model", "linear", "--horizon", "5"][..], &SERIES].concat())?;
        let offset = scratch.join("offset");
        faketime::write_offset(&offset, 0)?;
        let clock = faketime.by_file(&offset);
        faketime::check(&clock, 0)?;
        let lake_lock = program.data_dir.join("candles/.lock");
        ensure!(lake_lock.is_file(), "there is no lock at {}", lake_lock.display());
        Ok(Self { stage: Stage { rig, lake_lock, offset, clock }, program, file, candles, seconds })
    }

    /// The stream from its beginning to its end; what came of it, in words.
    fn through_faults(&self) -> Result<String> {
        let (file, speed) = (self.file.display().to_string(), (86_400.0 / self.seconds as f64).to_string());
        let stream = ["stream", SERIES[1], SERIES[3], "--model", "linear", "--log-steps", "1,5"];
        let replay = ["--replay", &file, "--since", PLAYED_FROM, "--speed", &speed];
        let behind = self.program.clone().behind(self.stage.clock.clone());
        let begun = Instant::now();
        let mut running = behind.start("stream", &["--json"], &[&stream[..], &replay].concat())?;
        let mut rows = Vec::with_capacity(FAULTS.len());
        for fault in &FAULTS {
            let at = Duration::from_secs_f64(fault.at * self.seconds as f64);
            while begun.elapsed() < at {
                ensure!(running.runs()?, "the stream ended early: {}", running.complained().trim());
                sleep(POLL);
            }
            rows.push(self.through(fault, &mut running).with_context(|| fault.name.to_owned())?);
        }
        let limit = Duration::from_secs(self.seconds) + HEALING;
        let printed = running.finish(limit).context("after the last fault")?;
        let streamed = Streamed::read(&printed)?;
        let accounts = self.settle(&streamed)?;
        Ok(report(&rows, &accounts, begun.elapsed()))
    }

    /// One fault, and the stream after it: how long it lasted, and how often something was tried again.
    fn through(&self, fault: &Fault, running: &mut Running) -> Result<Row> {
        let before = Streamed::read(&running.printed()?)?;
        let begun = Instant::now();
        fault.happen(&self.stage)?;
        let lasted = begun.elapsed();
        let is_over = |now: &Streamed| match fault.part() {
            Some(part) => {
                let (then, now) = (before.outages(part), now.outages(part));
                now.0 > then.0 && now.1 > then.1
            }
            None => now.candles >= before.candles + A_FEW,
        };
        let limit = if fault.part().is_some() { HEALING } else { GOING_ON };
        let deadline = Instant::now() + limit;
        loop {
            let now = Streamed::read(&running.printed()?)?;
            if is_over(&now) {
                let folder = self.program.data_dir.display().to_string();
                let short = |(part, why): &(String, String)| (part.clone(), first_line(why).replace(&folder, "data"));
                let reasons = now.retries[before.retries.len()..].iter().map(short).collect();
                return Ok(Row {
                    fault: fault.name,
                    lasted,
                    healed_after: begun.elapsed().saturating_sub(lasted),
                    reasons,
                });
            }
            ensure!(running.runs()?, "the stream ended: {}", running.complained().trim());
            if Instant::now() > deadline {
                bail!("the stream told of {:?} and {:?} only", now.retries, now.healed);
            }
            sleep(POLL);
        }
    }

    /// Sets what was told beside what is stored and logged.
    fn settle(&self, streamed: &Streamed) -> Result<Accounts> {
        let n = self.candles.len();
        ensure!(streamed.candles == n, "{} candles were told of, {n} were played", streamed.candles);
        check_stored(&self.program, &SERIES, &self.candles)?;
        self.program.complete(&["predictions", "validate"])?;
        let records = Dump::of(&self.program)?;
        let accounts = Accounts::of(streamed, |row| records.has("ml_predictions", row))?;
        let n_rows = records.rows("ml_predictions").count() as u64;
        ensure!(n_rows == accounts.rows, "{n_rows} predictions in the log, {} were told of", accounts.rows);
        let end = self.candles.last().map_or(0, |last| last[0] as i64 + MINUTE_MS);
        let is_late = |row: &&crate::dump::Row| {
            let target = row.get("target_time").and_then(Value::as_i64).unwrap_or(0);
            row.get("status").is_some_and(|status| status == "pending") && target <= end
        };
        let late = records.rows("ml_predictions").find(is_late);
        ensure!(late.is_none(), "a prediction whose target is stored waits for its outcome: {late:?}");
        Ok(accounts)
    }
}

/// One fault.
#[derive(Debug)]
struct Row {
    fault: &'static str,
    lasted: Duration,
    /// From its end until the stream said that all works.
    healed_after: Duration,
    /// Parts that failed, and why.
    reasons: Vec<(String, String)>,
}

/// What became of the forecasts.
#[derive(Debug, PartialEq, Eq)]
struct Accounts {
    candles: usize,
    forecasts: u64,
    /// Predictions in the log.
    rows: u64,
    /// Forecasts that are not in the log, and were said not to be.
    unlogged: u64,
    too_late: u64,
    seen_future: u64,
}

impl Accounts {
    /// An error unless every forecast is in the log or was counted as not logged, and the stream's own sums agree.
    fn of(streamed: &Streamed, is_logged: impl Fn(&str) -> bool) -> Result<Self> {
        let summary = streamed.summary.as_ref().context("the stream told no summary")?;
        let count = |name: &str| summary[name].as_u64().with_context(|| format!("no {name}: {summary}"));
        let whole = |rows: &[String; 2]| rows.iter().all(|row| is_logged(row));
        let none = |rows: &[String; 2]| !rows.iter().any(|row| is_logged(row));
        let n_whole = streamed.logged.iter().filter(|logged| whole(&logged.rows)).count() as u64;
        let n_none = streamed.logged.iter().filter(|logged| none(&logged.rows)).count() as u64;
        let n_due = streamed.logged.len() as u64;
        ensure!(n_whole + n_none == n_due, "{} forecasts are in the log in part", n_due - n_whole - n_none);
        for (what, told, summed) in [
            ("candles", streamed.candles as u64, count("candles")?),
            ("forecasts", streamed.forecasts, count("forecasts")?),
            ("forecasts too late", streamed.too_late, count("tooLate")?),
            ("forecasts of models that have seen the future", streamed.seen_future, count("seenFuture")?),
            ("forecasts given up", streamed.unlogged, count("unlogged")?),
            ("forecasts that are not in the log", n_none, count("unlogged")?),
        ] {
            ensure!(told == summed, "{told} {what}, the stream's summary says {summed}");
        }
        ensure!(summary["ended"] == "exhausted", "the stream ended as {}", summary["ended"]);
        Ok(Self {
            candles: streamed.candles,
            forecasts: streamed.forecasts,
            rows: n_whole * 2,
            unlogged: n_none,
            too_late: streamed.too_late,
            seen_future: streamed.seen_future,
        })
    }
}

/// The first line of a message; what it goes on with is for whoever meets it.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}

fn report(rows: &[Row], accounts: &Accounts, took: Duration) -> String {
    let mut text = format!(
        "a day of one-minute candles, replayed in {:.0} s\n\n| fault | lasted | works after | told |\n| --- | ---: | ---: | \
         --- |\n",
        took.as_secs_f64()
    );
    for Row { fault, lasted, healed_after, reasons } in rows {
        let told = match reasons.first() {
            Some((part, reason)) => format!("{part}: {} ({} attempts failed)", reason.replace('|', "/"), reasons.len()),
            None => "candles go on".to_owned(),
        };
        let (lasted, after) = (lasted.as_secs_f64(), healed_after.as_secs_f64());
        text.push_str(&format!("| {fault} | {lasted:.1} s | {after:.1} s | {told} |\n"));
    }
    let Accounts { candles, forecasts, rows, unlogged, too_late, seen_future } = accounts;
    text + &format!(
        "\n{candles} of {candles} candles stored as they were played; {forecasts} forecasts, {rows} predictions in the log, \
         none of them waiting whose outcome is known; not logged and counted as such: {unlogged} given up, {too_late} too \
         late, {seen_future} by a model that has seen the future"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::streamed::Logged;

    fn streamed(unlogged: u64) -> Streamed {
        let logged = |id: u32| Logged { rows: [format!("{id} 1"), format!("{id} 5")] };
        Streamed {
            candles: 2,
            forecasts: 3,
            logged: vec![logged(1), logged(2)],
            too_late: 1,
            unlogged,
            summary: Some(json!({
                "ended": "exhausted", "candles": 2, "forecasts": 3, "tooLate": 1, "seenFuture": 0, "unlogged": unlogged,
            })),
            ..Streamed::default()
        }
    }

    #[test]
    fn every_forecast_is_in_the_log_or_counted() {
        let accounts = Accounts::of(&streamed(0), |_| true).unwrap();
        assert_eq!((accounts.rows, accounts.unlogged, accounts.too_late), (4, 0, 1));
        let accounts = Accounts::of(&streamed(1), |row| row.starts_with('1')).unwrap();
        assert_eq!((accounts.rows, accounts.unlogged), (2, 1));
    }

    #[test]
    fn what_is_missing_without_a_word_is_found() {
        let error =
            |told: &Streamed, is_logged: fn(&str) -> bool| Accounts::of(told, is_logged).unwrap_err().to_string();
        assert!(error(&streamed(0), |row| row.starts_with('1')).contains("1 forecasts that are not in the log"));
        assert!(error(&streamed(0), |row| row != "2 5").contains("in part"));
        assert!(error(&streamed(2), |_| true).contains("0 forecasts that are not in the log"));
        let cut = Streamed { summary: None, ..streamed(0) };
        assert!(error(&cut, |_| true).contains("no summary"));
        let fewer = Streamed { candles: 1, ..streamed(0) };
        assert!(error(&fewer, |_| true).contains("1 candles, the stream's summary says 2"));
    }

    #[test]
    fn the_report_says_what_each_fault_was_told_as() {
        let row = |reasons: &[(&str, &str)]| Row {
            fault: "the database stands still",
            lasted: Duration::from_secs(25),
            healed_after: Duration::from_millis(1_500),
            reasons: reasons.iter().map(|(part, why)| ((*part).to_owned(), (*why).to_owned())).collect(),
        };
        let accounts = Accounts::of(&streamed(0), |_| true).unwrap();
        let text = report(&[row(&[("log", "no answer"), ("log", "x")]), row(&[])], &accounts, Duration::from_secs(480));
        assert!(text.contains("| 25.0 s | 1.5 s | log: no answer (2 attempts failed) |"), "{text}");
        assert!(text.contains("| candles go on |") && text.contains("4 predictions in the log"), "{text}");
        assert_eq!(first_line("it does not answer:\nconnection refused"), "it does not answer");
    }

    #[test]
    fn a_stream_that_is_too_short_is_refused() {
        let words = ["--seconds".to_owned(), "30".to_owned()];
        assert!(command(&words).unwrap_err().to_string().contains("at least 180"));
    }
}
