//! The trials of a search on record: begun before they are evaluated, ended with all that was measured. What is recorded
//! is done, so a search that was killed goes on at its first unfinished trial.

use std::collections::BTreeSet;
use std::sync::Arc;

use candlecast_core::{Problem, Seed, Timestamp};
use candlecast_meta::{Goal, MetadataStore, NewStudy, Retry, RunState, Trial, TrialEnd, TrialState};
use candlecast_pipeline::catalog;
use candlecast_tune::{Study, TrialRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::search::SearchJob;

/// What is kept of a trial besides its parameters and its value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct KeptTrial {
    /// The value of each metric.
    pub(crate) values: Vec<f64>,
    /// Steps and what was reported there.
    pub(crate) curve: Vec<(u32, Option<f64>)>,
    /// Values with which it came to each rung of successive halving.
    pub(crate) rungs: Vec<f64>,
    /// Figures of the model.
    pub(crate) metrics: Value,
    /// The same of the reference.
    pub(crate) reference: Value,
    /// Training loss of the last fit by step.
    pub(crate) train_curve: Vec<f64>,
    /// Validation loss of the last fit by step.
    pub(crate) valid_curve: Vec<f64>,
    /// Time that it took, ms.
    pub(crate) duration_ms: u64,
}

impl KeptTrial {
    /// What is kept of `trial`; nothing where there is none, or none that can be read.
    pub(crate) fn of(trial: &Trial) -> Self {
        let metrics = trial.metrics.clone().unwrap_or_default();
        serde_json::from_value(metrics).unwrap_or_default()
    }

    fn value(&self) -> Result<Value, Problem> {
        serde_json::to_value(self).map_err(|e| Problem::data("save-failed", e.to_string()))
    }
}

/// How a trial ended.
pub(super) enum End<'a> {
    Complete(&'a KeptTrial),
    Pruned(&'a KeptTrial),
    Failed(&'a str),
}

/// The record of one search, written by one attempt at its job.
#[derive(Debug)]
pub(super) struct StudyRecords {
    store: Arc<dyn MetadataStore>,
    id: String,
    owner: String,
}

impl StudyRecords {
    /// The record of the search `id`, written by `owner`.
    pub(super) fn new(store: Arc<dyn MetadataStore>, id: &str, owner: &str) -> Self {
        Self { store, id: id.into(), owner: owner.into() }
    }

    pub(super) fn store(&self) -> &Arc<dyn MetadataStore> {
        &self.store
    }

    /// The study of `job`: a new one, or what earlier attempts have left of it, whose unfinished trials are this
    /// attempt's from now on.
    pub(super) async fn begin(&self, job: &SearchJob, now: Timestamp) -> Result<Study, Problem> {
        let plan = job.plan()?;
        let metrics = job.metrics()?;
        let ids: Vec<&str> = metrics.iter().map(|metric| metric.id).collect();
        let goal = match metrics.first().map(|metric| metric.goal) {
            Some(candlecast_tune::Goal::Maximize) => Goal::Maximize,
            _ => Goal::Minimize,
        };
        let new = NewStudy {
            id: self.id.clone(),
            run_id: None,
            series: job.series.clone(),
            model_type: catalog::canonical(&job.model.id)?.into(),
            objective: ids.join("+"),
            goal,
            space: plan.space.to_json(),
            sampler: job.method_id().into(),
            pruner: Some(job.pruner.id.clone()),
            seed: job.seed,
            max_trials: plan.trials,
            created_at: now,
        };
        self.retry().run(|| self.store.start_study(&new)).await?;
        let trials = self.retry().run(|| self.store.trials(&self.id)).await?;
        let running = trials.iter().filter(|trial| trial.state == TrialState::Running);
        let others: BTreeSet<&str> = running.map(|trial| trial.owner.as_str()).filter(|o| *o != self.owner).collect();
        for other in others {
            self.retry().run(|| self.store.take_over_trials(&self.id, other, &self.owner)).await?;
        }
        let records = trials.iter().map(record_of).collect::<Result<Vec<_>, _>>()?;
        Ok(Study::resume(plan, &records)?)
    }

    /// Puts on record that trial `number` begins.
    pub(super) async fn begin_trial(
        &self,
        number: u32,
        params: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let params = Value::Object(params.clone());
        let begin = || self.store.begin_trial(&self.id, number, &self.owner, &params, now);
        if self.retry().run(begin).await? {
            return Ok(());
        }
        Err(Problem::data("conflict", format!("trial {number} of {} is another worker's", self.id)))
    }

    /// Puts on record how trial `number` ended.
    pub(super) async fn end_trial(&self, number: u32, end: End<'_>, now: Timestamp) -> Result<(), Problem> {
        let end = match end {
            End::Complete(kept) => {
                let value = kept.values.first().copied().unwrap_or(f64::NAN);
                TrialEnd::Complete { value, metrics: kept.value()? }
            }
            End::Pruned(kept) => {
                let value = kept.curve.last().and_then(|(_, value)| *value);
                TrialEnd::Pruned { value, metrics: kept.value()? }
            }
            End::Failed(why) => TrialEnd::Failed(why.into()),
        };
        let finish = || self.store.finish_trial(&self.id, number, &self.owner, &end, now);
        Ok(self.retry().run(finish).await?)
    }

    /// All trials that have begun, by number.
    pub(super) async fn trials(&self) -> Result<Vec<Trial>, Problem> {
        Ok(self.retry().run(|| self.store.trials(&self.id)).await?)
    }

    /// Puts on record that the search has come to its end.
    pub(super) async fn finish(&self, now: Timestamp) -> Result<(), Problem> {
        let finish = || self.store.finish_study(&self.id, RunState::Succeeded, now);
        Ok(self.retry().run(finish).await?)
    }

    fn retry(&self) -> Retry {
        Retry { seed: Seed::default().derive(&self.owner, 0), ..Retry::default() }
    }
}

/// A trial as its study takes it up again.
pub(crate) fn record_of(trial: &Trial) -> Result<TrialRecord, Problem> {
    let Some(params) = trial.params.as_object() else {
        let why = format!("the parameters of trial {} of {} are no object", trial.number, trial.study_id);
        return Err(Problem::data("conflict", why));
    };
    let kept = KeptTrial::of(trial);
    Ok(TrialRecord {
        number: trial.number,
        params: params.clone(),
        state: match trial.state {
            TrialState::Running => candlecast_tune::TrialState::Running,
            TrialState::Complete => candlecast_tune::TrialState::Complete,
            TrialState::Pruned => candlecast_tune::TrialState::Pruned,
            TrialState::Failed => candlecast_tune::TrialState::Failed,
        },
        values: kept.values,
        curve: kept.curve,
        rungs: kept.rungs,
    })
}
