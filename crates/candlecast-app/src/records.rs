//! What a run leaves on record: the run itself, an entry in the ledger for every model that was tried, and the row of
//! the model that was saved. The files of a model are the truth: what cannot be recorded is warned of, and never
//! costs a result.

use std::sync::Arc;

use candlecast_core::{Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_learn::{Contender, Market, ModelReport, Report};
use candlecast_meta::{LedgerEntry, MetaError, MetadataStore, NewRun, Retry, RunState};
use candlecast_registry::{Meta, Slot};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::doc::{baselines_value, scored_metrics_value};
use crate::evaluation::scored_range;
use crate::fingerprint::{Fingerprints, hex, instruction_set};
use crate::jobs::job_id;
use crate::models::index::row_of;
use crate::{App, AppError, Blame};

/// Program and version, as recorded with runs and models.
pub(crate) const PROGRAM: &str = concat!("candlecast ", env!("CARGO_PKG_VERSION"));

/// How long the record of a run that failed or was stopped is tried for, ms: nothing hangs on it.
const FAILED_BUDGET_MS: u64 = 5_000;

/// One attempt at a run, under which it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    id: String,
    job_id: Option<String>,
    number: u32,
}

impl Attempt {
    /// Attempt `number`, from 1, of a job.
    pub(crate) fn of_job(job_id: &str, number: u32) -> Self {
        Self { id: format!("{job_id}-{number}"), job_id: Some(job_id.to_owned()), number }
    }

    /// A run outside of any job.
    pub(crate) fn alone(now: Timestamp) -> Self {
        Self { id: job_id(now), job_id: None, number: 1 }
    }

    /// The job, if it is one.
    pub(crate) fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }

    /// True when an earlier attempt may have got as far as saving its model.
    pub(crate) fn is_repeated(&self) -> bool {
        self.number > 1
    }
}

/// What a run is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunFacts {
    /// Such as `train`.
    pub(crate) kind: &'static str,
    pub(crate) series: SeriesKey,
    pub(crate) horizon_steps: usize,
    /// The models that were asked for, each with its configuration; no baselines.
    pub(crate) tried: Vec<(String, Value)>,
    /// How the data are split.
    pub(crate) how: Value,
    pub(crate) data_range: Option<TimeRange>,
    pub(crate) data_fingerprint: String,
    /// Hash of data, configurations, split and seed.
    pub(crate) fingerprint: String,
    pub(crate) seed: Seed,
    pub(crate) started_at: Timestamp,
}

impl RunFacts {
    /// The facts of a run of `contenders` over `market`, of which the candles within `data_range` are used.
    pub(crate) fn new(
        kind: &'static str,
        market: &Market,
        contenders: &[Contender],
        how: Value,
        fingerprints: &Fingerprints,
        data_range: Option<TimeRange>,
    ) -> Self {
        let asked = contenders.iter().filter(|c| !c.baseline);
        Self {
            kind,
            series: market.series().key().clone(),
            horizon_steps: contenders.first().map_or(0, |c| c.config.task.horizon()),
            tried: asked.map(|c| (c.name.clone(), serde_json::to_value(&c.config).unwrap_or_default())).collect(),
            how,
            data_range,
            data_fingerprint: fingerprints.data.clone(),
            fingerprint: fingerprints.run.clone(),
            seed: Seed::default(),
            started_at: Timestamp(0),
        }
    }

    /// The same, begun at `now` with `seed`.
    pub(crate) fn begun(self, seed: Seed, now: Timestamp) -> Self {
        Self { seed, started_at: now, ..self }
    }

    fn run(&self, attempt: &Attempt) -> NewRun {
        let configs: Vec<&Value> = self.tried.iter().map(|(_, config)| config).collect();
        let config = json!({ "models": configs, "how": self.how });
        NewRun {
            id: attempt.id.clone(),
            kind: self.kind.into(),
            experiment: None,
            series: Some(self.series.clone()),
            model_type: match self.tried.as_slice() {
                [(only, _)] => Some(only.clone()),
                _ => None,
            },
            task: Some("price".into()),
            horizon_steps: u32::try_from(self.horizon_steps).ok(),
            config_hash: config_hash(&config),
            config,
            data_range: self.data_range,
            data_fingerprint: Some(self.data_fingerprint.clone()),
            seed: self.seed,
            program_version: PROGRAM.into(),
            instruction_set: instruction_set().into(),
            job_id: attempt.job_id.clone(),
            started_at: self.started_at,
        }
    }

    /// An entry for every model tried, with the origins that `report` scored it on. Its identity is its content, so
    /// that a run that is gone on with, or done again, counts once.
    fn tries(&self, report: &Report, run_id: &str, now: Timestamp) -> Vec<LedgerEntry> {
        let Some(period) = scored_range(report) else { return Vec::new() };
        let entry = |(name, config): &(String, Value)| {
            let mut hash = Sha256::new();
            for part in [self.kind, self.fingerprint.as_str(), name.as_str()] {
                hash.update(part.as_bytes());
                hash.update([0]);
            }
            LedgerEntry {
                id: hex(&hash.finalize()),
                kind: self.kind.into(),
                series: self.series.clone(),
                task: "price".into(),
                model_type: name.clone(),
                config: config.clone(),
                config_hash: config_hash(config),
                period,
                score: report.models.iter().find(|m| m.name == *name).and_then(|m| m.metrics.mae),
                sharpe: None,
                run_id: Some(run_id.to_owned()),
                tried_at: now,
            }
        };
        self.tried.iter().map(entry).collect()
    }
}

/// Puts one attempt on record.
#[derive(Debug)]
pub(crate) struct Recorder {
    store: Arc<dyn MetadataStore>,
    attempt: Attempt,
}

impl App {
    /// The record of `attempt`. Fails where the metadata database cannot be opened, before anything is computed.
    pub(crate) async fn recorder(&self, attempt: Attempt) -> Result<Recorder, AppError> {
        Ok(Recorder { store: Arc::clone(self.metadata().await?), attempt })
    }
}

impl Recorder {
    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Records that the run succeeded, and what it tried.
    pub(crate) async fn succeeded(&self, facts: &RunFacts, report: &Report, saved: Option<&Meta>, now: Timestamp) {
        let run = facts.run(&self.attempt);
        let tries = facts.tries(report, &run.id, now);
        let result = result(facts, report, saved);
        let retry = self.retry(Retry::default().budget_ms);
        let written = retry.run(|| async {
            self.store.record_tries(&tries).await?;
            self.store.start_run(&run).await?;
            self.store.finish_run(&run.id, RunState::Succeeded, Some(&result), None, now).await
        });
        warn(written.await, &run.id, "the run and what it tried are not on record");
    }

    /// Records that the run failed or was stopped.
    pub(crate) async fn failed(&self, facts: &RunFacts, error: &AppError, now: Timestamp) {
        let run = facts.run(&self.attempt);
        let state = if error.blame == Blame::Cancelled { RunState::Cancelled } else { RunState::Failed };
        let retry = self.retry(FAILED_BUDGET_MS);
        let written = retry.run(|| async {
            self.store.start_run(&run).await?;
            self.store.finish_run(&run.id, state, None, Some(&error.detail), now).await
        });
        warn(written.await, &run.id, "the run is not on record");
    }

    /// Brings the index of models up to date after `meta` was saved, with the run that trained it.
    pub(crate) async fn indexed(&self, app: &App, slot: &Slot, meta: &Meta) {
        let (row, now) = (row_of(meta, Some(self.attempt.id.clone())), app.now());
        let written = self.retry(Retry::default().budget_ms).run(|| self.store.put_model(&row, now)).await;
        if warn(
            written,
            &meta.id,
            "the model is saved, its index does not show it; `candlecast models reindex` mends it",
        ) {
            app.index_follows(slot).await;
        }
    }

    fn retry(&self, budget_ms: u64) -> Retry {
        let seed = Seed::default().derive(&self.attempt.id, u64::from(self.attempt.number));
        Retry { budget_ms, seed, ..Retry::default() }
    }
}

/// Warns of what could not be written; true when it was.
fn warn(written: Result<(), MetaError>, id: &str, what: &str) -> bool {
    if let Err(error) = &written {
        tracing::warn!(%error, id, "{what}");
    }
    written.is_ok()
}

/// What came out of a run, in short.
fn result(facts: &RunFacts, report: &Report, saved: Option<&Meta>) -> Value {
    let asked = report.models.iter().filter(|m| !m.baseline);
    let metrics = |m: &ModelReport| (m.name.clone(), scored_metrics_value(m, report.origins));
    let models: Map<String, Value> = asked.map(metrics).collect();
    let baselines = baselines_value(report);
    let mut result = json!({ "fingerprint": facts.fingerprint, "models": models, "baselines": baselines });
    if let Some(meta) = saved {
        result["modelId"] = meta.id.clone().into();
        result["modelSha256"] = meta.sha256.clone().into();
    }
    result
}

/// SHA-256 of a configuration, whatever the order of its keys, in hexadecimal.
pub(crate) fn config_hash(config: &Value) -> String {
    hex(&Sha256::digest(sorted(config).to_string()))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
            entries.sort_by_key(|&(name, _)| name);
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_configurations_hash_equally_in_any_order_of_keys() {
        let one = json!({ "a": 1, "b": [{ "x": 0.1, "y": null }] });
        let other = json!({ "b": [{ "y": null, "x": 0.1 }], "a": 1 });
        assert_eq!(config_hash(&one), config_hash(&other));
        assert_eq!(config_hash(&one).len(), 64);
        for different in [json!({ "a": 2 }), json!({ "a": 1, "b": [{ "x": 0.1 }] }), json!([1, 2]), json!([2, 1])] {
            assert_ne!(config_hash(&different), config_hash(&one));
        }
        assert_ne!(config_hash(&json!([1, 2])), config_hash(&json!([2, 1])), "lists keep their order");
    }

    #[test]
    fn every_attempt_of_a_job_has_a_record_of_its_own() {
        let (first, second) = (Attempt::of_job("abc", 1), Attempt::of_job("abc", 2));
        assert_ne!(first.id, second.id);
        assert_eq!((first.is_repeated(), second.is_repeated()), (false, true));
        assert!(!Attempt::alone(Timestamp(0)).is_repeated());
    }
}
