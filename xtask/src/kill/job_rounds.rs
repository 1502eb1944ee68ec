//! [`JobRounds`]: trainings and walk-forwards killed over a data folder that has lived, and what their jobs say.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::jobs::JobsPlan;
use super::program::{Ending, Program, copy_folder};
use crate::candle_file::{CandleFile, YEAR_2020_MS};

/// "Now" of every run, so that ages and what is decided by them agree. The last candle closed half an hour before, so
/// forecasts are logged.
const NOW: &str = "2022-01-01T00:30:00Z";
const SERIES: [&str; 4] = ["--symbol", "ETHUSDT", "--interval", "1h"];

/// A kind of work that is killed.
#[derive(Debug)]
pub(super) struct Work {
    /// What it is called in the report.
    pub(super) name: &'static str,
    command: &'static [&'static str],
    /// The moments of the kill, as shares of an undisturbed run's time.
    moments: (f64, f64),
}

/// The kinds of work. Of the last the end is hit: the forward chain of a quick model is over by then, and the model,
/// its record and the job's end are being written.
pub(super) static WORKS: [Work; 4] = [
    Work {
        name: "a training of trees",
        command: &["train", "--model", "gbdt", "--horizon", "12h", "--train-days", "180", "--set", "rounds=40"],
        moments: (0.0, 1.1),
    },
    Work {
        name: "a walk-forward",
        command: &[
            "compare",
            "--models",
            "hybrid,linear",
            "--horizon",
            "12h",
            "--train-days",
            "180",
            "--retrain-days",
            "10",
            "--from",
            "2021-09-01",
            "--to",
            "2021-12-01",
        ],
        moments: (0.0, 1.1),
    },
    Work {
        name: "a training of a network",
        command: &[
            "train",
            "--model",
            "lstm",
            "--horizon",
            "6h",
            "--train-days",
            "60",
            "--set",
            "epochs=6",
            "--set",
            "hiddenSize=16",
        ],
        moments: (0.0, 1.1),
    },
    Work {
        name: "saving",
        command: &["train", "--model", "linear", "--horizon", "12h", "--train-days", "180"],
        moments: (0.8, 1.1),
    },
];

/// What became of the job of a run that was to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It is not on record.
    NotBegun,
    /// It is marked interrupted.
    Interrupted,
    /// It succeeded.
    Ended,
}

/// An undisturbed run.
#[derive(Debug)]
struct Undisturbed {
    took: Duration,
    document: Value,
}

/// A data folder with candles, a model, a forecast and their jobs, and what every kind of work brings over it.
#[derive(Debug)]
pub(super) struct JobRounds {
    binary: PathBuf,
    acknowledged: PathBuf,
    data_dir: PathBuf,
    known: Known,
    undisturbed: BTreeMap<&'static str, Undisturbed>,
}

/// What a data folder answers, by identity.
#[derive(Debug, PartialEq)]
struct Known {
    candles: Value,
    forecasts: Value,
    models: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Value>,
}

impl JobRounds {
    /// Imports, trains and predicts, then does every kind of work once.
    pub(super) fn prepare(plan: &JobsPlan) -> Result<Self> {
        let csv = plan.scratch.join("ETHUSDT-1h.csv");
        let candles = CandleFile {
            start_ms: YEAR_2020_MS,
            interval_ms: 3_600_000,
            n_rows: plan.rows,
            seed: plan.seed ^ 2,
            extra_volume: 0.0,
        };
        candles.write(&csv)?;
        let acknowledged = plan.scratch.join("acknowledged");
        let program = Program::new(&plan.binary, acknowledged.clone());
        program.complete(&["import", &csv.display().to_string()])?;
        program.complete(&line(&["train", "--model", "hybrid", "--horizon", "12h"]))?;
        program.complete(&line(&["predict", "--model", "hybrid"]))?;
        let known = Known::of(&program)?;
        ensure!(known.models.len() == 1 && known.jobs.len() == 1, "one training gave {known:?}");
        let n_forecasts = known.forecasts.as_array().map_or(0, Vec::len);
        ensure!(n_forecasts > 0, "no forecast was logged, so none could be lost: {known:?}");

        let data_dir = plan.scratch.join("data");
        let binary = plan.binary.clone();
        let mut rounds = Self { binary, acknowledged, data_dir, known, undisturbed: BTreeMap::new() };
        for work in &WORKS {
            let program = rounds.fresh()?;
            let took = program.complete(&line(work.command))?;
            let (id, _) = rounds.new_job(&Known::of(&program)?)?.context("a finished run left no job")?;
            let document = result_of(&program, &id)?;
            rounds.undisturbed.insert(work.name, Undisturbed { took, document });
        }
        Ok(rounds)
    }

    /// When a round's kill comes; `share` is 0 to 1.
    pub(super) fn moment(&self, work: &Work, share: f64) -> Duration {
        let (from, to) = work.moments;
        self.undisturbed[work.name].took.mul_f64(from + share * (to - from))
    }

    /// One run killed after `delay`, what it left checked, and gone on with.
    pub(super) fn round(&self, work: &Work, delay: Duration) -> Result<(Ending, Found)> {
        let program = self.fresh()?;
        let ending = program.kill_after(&line(work.command), delay)?;
        let left = Known::of(&program)?;
        self.check_acknowledged(&left)?;
        let (found, id) = match self.new_job(&left)? {
            None => {
                ensure!(ending == Ending::Killed, "a run that ended well left no job");
                program.complete(&line(work.command)).context("giving the command again")?;
                let again = self.new_job(&Known::of(&program)?)?;
                (Found::NotBegun, again.context("the command left no job")?.0)
            }
            Some((id, state)) => match state.as_str() {
                "succeeded" => (Found::Ended, id),
                "interrupted" => {
                    program.complete(&line(&["jobs", "retry", &id])).context("going on with it")?;
                    (Found::Interrupted, id)
                }
                other => bail!("the job {id} of a killed process is {other}"),
            },
        };
        self.check_result(&program, work, &id)?;
        Ok((ending, found))
    }

    /// The data folder as acknowledged.
    fn fresh(&self) -> Result<Program> {
        if self.data_dir.exists() {
            fs::remove_dir_all(&self.data_dir)?;
        }
        copy_folder(&self.acknowledged, &self.data_dir)?;
        Ok(Program::new(&self.binary, self.data_dir.clone()))
    }

    /// The job that was not known before, with its state.
    fn new_job(&self, found: &Known) -> Result<Option<(String, String)>> {
        let mut new = found.jobs.iter().filter(|(id, _)| !self.known.jobs.contains_key(*id));
        let job = new.next();
        ensure!(new.next().is_none(), "one run left several jobs: {:?}", found.jobs);
        let Some((id, job)) = job else { return Ok(None) };
        let state = job["state"].as_str().with_context(|| format!("a job without a state: {job}"))?;
        Ok(Some((id.clone(), state.to_owned())))
    }

    /// Everything that was acknowledged before the run is as it was.
    fn check_acknowledged(&self, found: &Known) -> Result<()> {
        ensure!(found.candles == self.known.candles, "candles changed: {}", found.candles);
        ensure!(found.forecasts == self.known.forecasts, "logged forecasts changed: {}", found.forecasts);
        for (what, known, found) in
            [("model", &self.known.models, &found.models), ("job", &self.known.jobs, &found.jobs)]
        {
            for (id, before) in known {
                let after = found.get(id).with_context(|| format!("the acknowledged {what} {id} is gone"))?;
                ensure!(after == before, "the acknowledged {what} {id} changed: {after}, before {before}");
            }
        }
        Ok(())
    }

    /// The job succeeded with the result of an undisturbed run, and so did every model that was saved.
    fn check_result(&self, program: &Program, work: &Work, id: &str) -> Result<()> {
        let found = Known::of(program)?;
        self.check_acknowledged(&found)?;
        ensure!(found.jobs.get(id).is_some_and(|job| job["state"] == "succeeded"), "job {id} did not succeed");
        let (expected, document) = (&self.undisturbed[work.name].document, result_of(program, id)?);
        ensure!(document == *expected, "the result differs from an undisturbed run's: {document}\nwas {expected}");
        let saved = found.models.iter().filter(|(id, _)| !self.known.models.contains_key(*id));
        for (id, model) in saved {
            let agrees = model["sha256"] == expected["model"]["sha256"];
            ensure!(agrees, "the saved model {id} differs from an undisturbed run's: {model}");
        }
        program.complete(&["data", "check"]).map(drop)
    }
}

impl Known {
    fn of(program: &Program) -> Result<Self> {
        let ask = |command: &[&str]| program.json(&[&["--now", NOW][..], command].concat());
        let predictions = ask(&["predictions", "list", "--limit", "1000"])?;
        let models = by_id(&ask(&["models", "list"])?, &["status", "path"])?;
        let jobs = by_id(&ask(&["jobs", "list", "--limit", "100"])?["jobs"], &["ageMs"])?;
        for (id, model) in &models {
            ensure!(model["sha256"].is_string(), "model {id} is not whole: {model}");
        }
        Ok(Self { candles: ask(&["data", "list"])?, forecasts: predictions["predictions"].clone(), models, jobs })
    }
}

/// The objects of a list by their ids, without the fields that change as time and other models come.
fn by_id(list: &Value, without: &[&str]) -> Result<BTreeMap<String, Value>> {
    let items = list.as_array().with_context(|| format!("no list: {list}"))?;
    let mut found = BTreeMap::new();
    for item in items {
        let id = item["id"].as_str().with_context(|| format!("an object without an id: {item}"))?.to_owned();
        let mut item = item.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.retain(|name, _| !without.contains(&name.as_str()));
        }
        found.insert(id, item);
    }
    Ok(found)
}

/// The result on record of a job, without what may differ between two runs: times, places, and of a saved model its
/// number, whether it serves and how much was tried by then, since a run that was killed after saving may have saved one
/// before, and jobs end in any order.
fn result_of(program: &Program, id: &str) -> Result<Value> {
    let mut result = program.json(&["jobs", "show", id])?["result"].take();
    ensure!(result.is_object(), "job {id} has no result: {result}");
    strip(&mut result);
    Ok(result)
}

fn strip(value: &mut Value) {
    const VARYING: [&str; 11] = [
        "fitSeconds",
        "path",
        "id",
        "version",
        "status",
        "active",
        "candidateBecause",
        "activeBecause",
        "tries",
        "looks",
        "overfitting",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !VARYING.contains(&name.as_str()));
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// `command` at [`NOW`], on the series where it takes one.
fn line<'a>(command: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["--now", NOW];
    words.extend(command);
    if command.first() != Some(&"jobs") {
        words.extend(SERIES);
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_may_differ_is_left_out_at_every_depth() {
        let mut document =
            json!({"model": {"id": "A_1", "sha256": "ab", "path": "x"}, "models": [{"fitSeconds": 1.5, "mae": 2.0}]});
        strip(&mut document);
        assert_eq!(document, json!({"model": {"sha256": "ab"}, "models": [{"mae": 2.0}]}));
    }

    #[test]
    fn objects_are_found_by_their_ids() {
        let list = json!([{"id": "a", "state": "running", "ageMs": 5}, {"id": "b"}]);
        let found = by_id(&list, &["ageMs"]).unwrap();
        assert_eq!(found["a"], json!({"id": "a", "state": "running"}));
        assert!(by_id(&json!({}), &[]).is_err() && by_id(&json!([{}]), &[]).is_err());
    }

    #[test]
    fn commands_name_the_series_where_they_take_one() {
        assert_eq!(line(&["jobs", "retry", "x"]), ["--now", NOW, "jobs", "retry", "x"]);
        assert!(line(&["train"]).ends_with(&SERIES));
    }
}
