//! [`Kind`]: a kind of work that is killed.

use anyhow::Result;

use super::checks::{Check, Undisturbed, backup, import, job, stream};
use super::scene::Site;

/// "Now" of every run, so that ages and what is decided by them agree. The last hourly candle closed half an hour
/// before, so forecasts are logged.
pub(super) const NOW: &str = "2022-01-01T00:30:00Z";
/// The series that trainings and walk-forwards are of.
pub(super) const HOURS: [&str; 4] = ["--symbol", "ETHUSDT", "--interval", "1h"];
/// The series that is streamed, and its first replayed minute.
pub(super) const MINUTES: [&str; 4] = ["--symbol", "SOLUSDT", "--interval", "1m"];
pub(super) const PLAYED_FROM: &str = "2020-01-10";
/// A day of the market in three seconds, so that candles come one by one.
const SPEED: &str = "28800";

/// A kind of work that is killed, and what must be there afterwards.
#[derive(Debug)]
pub(super) struct Kind {
    /// What it is called in the report and on the command line.
    pub(super) name: &'static str,
    /// True where what it prints is read.
    pub(super) is_json: bool,
    /// The moments of the kill, as shares of an undisturbed run's time. Of saving, the end is hit: the forward chain of
    /// a quick model is over by then, and the model, its record and the job's end are being written.
    pub(super) moments: (f64, f64),
    /// The series that it adds candles to.
    pub(super) grows: Option<&'static str>,
    /// The command.
    pub(super) words: fn(&Site) -> Vec<String>,
    /// What an undisturbed run tells of what must come of others.
    pub(super) check: fn(&Undisturbed<'_>) -> Result<Box<dyn Check>>,
}

/// The kinds of work.
pub(super) static KINDS: [Kind; 7] = [
    Kind {
        name: "import",
        is_json: false,
        moments: (0.0, 1.0),
        grows: Some(import::SERIES),
        words: |site| vec!["import".to_owned(), site.whole()],
        check: import::prepare,
    },
    Kind {
        name: "training",
        is_json: false,
        moments: (0.0, 1.0),
        grows: None,
        words: |_| on_hours("train --model gbdt --horizon 12h --train-days 180 --set rounds=40"),
        check: job::prepare,
    },
    Kind {
        name: "network",
        is_json: false,
        moments: (0.0, 1.0),
        grows: None,
        words: |_| on_hours("train --model lstm --horizon 6h --train-days 60 --set epochs=6 --set hiddenSize=16"),
        check: job::prepare,
    },
    Kind {
        name: "walk-forward",
        is_json: false,
        moments: (0.0, 1.0),
        grows: None,
        words: |_| {
            on_hours(
                "compare --models hybrid,linear --horizon 12h --train-days 180 --retrain-days 10 --from 2021-09-01 --to \
                 2021-12-01",
            )
        },
        check: job::prepare,
    },
    Kind {
        name: "saving",
        is_json: false,
        moments: (0.7, 1.0),
        grows: None,
        words: |_| on_hours("train --model linear --horizon 12h --train-days 180"),
        check: job::prepare,
    },
    Kind {
        name: "stream",
        is_json: true,
        moments: (0.0, 1.0),
        grows: Some(stream::SERIES),
        words: |site| play(site, SPEED),
        check: stream::prepare,
    },
    Kind {
        name: "backup",
        is_json: false,
        moments: (0.0, 1.0),
        grows: None,
        words: |site| ["backup", &site.archive(), "--force"].map(str::to_owned).to_vec(),
        check: backup::prepare,
    },
];

impl Kind {
    /// The command with the time that it takes for now.
    pub(super) fn line(&self, site: &Site) -> Vec<String> {
        [vec!["--now".to_owned(), NOW.to_owned()], (self.words)(site)].concat()
    }

    pub(super) fn globals(&self) -> &'static [&'static str] {
        if self.is_json { &["--json"] } else { &["--quiet"] }
    }
}

/// The words of a command, with the series of [`HOURS`].
fn on_hours(command: &str) -> Vec<String> {
    command.split_whitespace().chain(HOURS).map(str::to_owned).collect()
}

/// The command that plays the file of the streamed series.
pub(super) fn play(site: &Site, speed: &str) -> Vec<String> {
    let replay = site.minutes();
    let words = ["stream", MINUTES[1], MINUTES[3], "--model", "linear", "--log-steps", "1,5", "--replay", &replay];
    words.into_iter().chain(["--since", PLAYED_FROM, "--speed", speed]).map(str::to_owned).collect()
}

/// Words as arguments.
pub(super) fn arguments(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_and_commands_at_one_time() {
        let site = Site::at("folder".into());
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        for kind in &KINDS {
            let line = kind.line(&site);
            assert_eq!(line[..2], ["--now", NOW], "{}", kind.name);
            assert!(line.iter().all(|word| !word.contains(' ') && !word.is_empty()), "{line:?}");
            let (from, to) = kind.moments;
            assert!((0.0..to).contains(&from) && to <= 1.0, "{}", kind.name);
        }
    }

    #[test]
    fn works_on_hours_name_their_series() {
        assert!(on_hours("train --model x").ends_with(&HOURS.map(str::to_owned)));
        assert!(play(&Site::at("folder".into()), "max").ends_with(&["--speed".to_owned(), "max".to_owned()]));
    }
}
