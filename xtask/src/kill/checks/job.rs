//! Trainings and walk-forwards: what their jobs say is true, and what comes of them in the end is bit for bit what
//! comes of them undisturbed.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Check, Round, Undisturbed};
use crate::document::strip;
use crate::kill::kinds::{HOURS, NOW, arguments};
use crate::kill::known::Known;
use crate::program::Program;

/// What an undisturbed run comes to.
#[derive(Debug)]
struct Job {
    /// The job's result.
    result: Value,
    /// Identities of what it adds to the ledger, which are those of their content.
    tries: BTreeSet<String>,
    /// How many models it saves.
    n_models: usize,
}

pub(in crate::kill) fn prepare(undisturbed: &Undisturbed<'_>) -> Result<Box<dyn Check>> {
    let Undisturbed { program, before, after, .. } = undisturbed;
    let jobs = after.new_jobs(before);
    ensure!(jobs.len() == 1 && jobs[0].1 == "succeeded", "a finished run left the jobs {jobs:?}");
    let result = result_of(program, jobs[0].0)?;
    let tries = tries(after, before);
    ensure!(!tries.is_empty(), "a finished run left nothing in the ledger");
    Ok(Box::new(Job { result, tries, n_models: after.models.len() - before.models.len() }))
}

impl Check for Job {
    fn left(&self, round: &Round<'_>) -> Result<()> {
        let jobs = round.left.new_jobs(round.known);
        ensure!(jobs.len() <= round.runs.len(), "{} runs left the jobs {jobs:?}", round.runs.len());
        for (id, state) in &jobs {
            let is_true = ["succeeded", "interrupted"].contains(state);
            ensure!(is_true, "the job {id} of a killed process is {state}");
        }
        let n_succeeded = jobs.iter().filter(|(_, state)| *state == "succeeded").count();
        let n_acknowledged = round.runs.iter().filter(|run| run.is_acknowledged()).count();
        ensure!(
            n_succeeded >= n_acknowledged,
            "{n_acknowledged} runs ended well, {n_succeeded} of their jobs are on record as such: {jobs:?}"
        );
        if n_acknowledged > 0 {
            self.check_tries(&round.left, round.known)?;
        }
        // Whatever was cut short, what serves answers.
        let predict = ["--now", NOW, "predict", "--model", "hybrid", "--no-log"];
        let forecast = round.program.json(&[&predict[..], &HOURS].concat())?;
        ensure!(forecast.is_object(), "no forecast: {forecast}");
        Ok(())
    }

    fn complete(&self, round: &Round<'_>) -> Result<()> {
        let program = round.program;
        let jobs = round.left.new_jobs(round.known);
        let interrupted = jobs.iter().rev().find(|(_, state)| *state == "interrupted");
        match interrupted {
            Some(&(id, _)) => {
                program.complete(&["--now", NOW, "jobs", "retry", id]).context("going on with the job")?;
            }
            None if jobs.is_empty() => {
                program.complete(&arguments(round.line)).context("giving the command again")?;
            }
            None => {}
        }
        let after = Known::of(program)?;
        after.holds(round.known, None)?;
        let done = after.new_jobs(round.known);
        let succeeded: Vec<&str> = done.iter().filter(|(_, state)| *state == "succeeded").map(|(id, _)| *id).collect();
        ensure!(!succeeded.is_empty(), "no job succeeded: {done:?}");
        for id in succeeded {
            let result = result_of(program, id)?;
            ensure!(
                result == self.result,
                "the result differs from an undisturbed run's: {result}\nwas {}",
                self.result
            );
        }
        self.check_tries(&after, round.known)?;
        self.check_models(&after, round.known)
    }
}

impl Job {
    /// What was tried is in the ledger, once.
    fn check_tries(&self, after: &Known, before: &Known) -> Result<()> {
        let found = tries(after, before);
        ensure!(found == self.tries, "the ledger has gained {found:?}, undisturbed {:?}", self.tries);
        Ok(())
    }

    /// Every model that was saved is the one that an undisturbed run saves.
    fn check_models(&self, after: &Known, before: &Known) -> Result<()> {
        let saved: Vec<_> = after.models.iter().filter(|(id, _)| !before.models.contains_key(*id)).collect();
        ensure!(saved.len() >= self.n_models, "{} models were saved, undisturbed {}", saved.len(), self.n_models);
        for (id, model) in saved {
            let agrees = model["sha256"] == self.result["model"]["sha256"];
            ensure!(agrees, "the saved model {id} differs from an undisturbed run's: {model}");
        }
        Ok(())
    }
}

fn tries(after: &Known, before: &Known) -> BTreeSet<String> {
    after.records.added("ml_ledger", &before.records).into_iter().collect()
}

/// The result on record of a job, without what may differ between two runs.
fn result_of(program: &Program, id: &str) -> Result<Value> {
    let mut result = program.json(&["jobs", "show", id])?["result"].take();
    ensure!(result.is_object(), "job {id} has no result: {result}");
    strip(&mut result);
    Ok(result)
}
