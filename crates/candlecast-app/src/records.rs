//! What a run leaves on record: the run itself, an entry in the ledger for every model that was tried, and the row of
//! the model that was saved. The files of a model are the truth: what cannot be recorded is warned of, and never
//! costs a result.

use std::sync::Arc;

use candlecast_core::{Blame, Problem, Seed, SeriesKey, TimeRange, Timestamp, hex, open_range};
use candlecast_host::{Host, PROGRAM, content_hash};
use candlecast_jobs::Attempt;
use candlecast_learn::{Contender, Market, ModelReport, Report};
use candlecast_meta::{LedgerEntry, MetaError, MetadataStore, NewRun, Retry, RunState};
use candlecast_pipeline::doc::{baselines_value, scored_metrics_value};
use candlecast_pipeline::{
    Fingerprints, Method, PreparedEvaluation, Training, instruction_set, scored_range, whole_range,
};
use candlecast_registry::{Meta, Slot};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::models::index::{index_follows, row_of};

/// How long the record of a run that failed or was stopped is tried for, ms: nothing hangs on it.
const FAILED_BUDGET_MS: u64 = 5_000;

/// What a run is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRecord {
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

impl RunRecord {
    /// Of an evaluation.
    pub(crate) fn of_evaluation(prepared: &PreparedEvaluation, method: Method) -> Self {
        let how = serde_json::to_value(method).unwrap_or_default();
        let market = prepared.market();
        Self::new("evaluate", market, &prepared.contenders, how, &prepared.fingerprints, whole_range(market))
    }

    /// Of a training on `range`.
    pub(crate) fn of_training(training: &Training, range: TimeRange, warm_start: bool) -> Self {
        let how = json!({ "range": open_range::value(range), "warmStart": warm_start });
        let (market, range) = (training.market(), Some(training.data_range()));
        Self::new("train", market, &training.contenders, how, &training.fingerprints, range)
    }

    /// The facts of a run of `contenders` over `market`, of which the candles within `data_range` are used.
    fn new(
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
            config_hash: content_hash(&config),
            config,
            data_range: self.data_range,
            data_fingerprint: Some(self.data_fingerprint.clone()),
            seed: self.seed,
            program_version: PROGRAM.into(),
            instruction_set: instruction_set().into(),
            job_id: attempt.job_id().map(str::to_owned),
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
                config_hash: content_hash(config),
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
pub(crate) struct RunRecorder {
    store: Arc<dyn MetadataStore>,
    attempt: Attempt,
}

/// The record of `attempt`. Fails where the metadata database cannot be opened, before anything is computed.
pub(crate) async fn recorder(host: &Host, attempt: Attempt) -> Result<RunRecorder, Problem> {
    Ok(RunRecorder { store: Arc::clone(host.metadata().await?), attempt })
}

impl RunRecorder {
    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Records that the run succeeded, and what it tried.
    pub(crate) async fn succeeded(&self, facts: &RunRecord, report: &Report, saved: Option<&Meta>, now: Timestamp) {
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
    pub(crate) async fn failed(&self, facts: &RunRecord, error: &Problem, now: Timestamp) {
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
    pub(crate) async fn indexed(&self, app: &Host, slot: &Slot, meta: &Meta) {
        let (row, now) = (row_of(meta, Some(self.attempt.id.clone())), app.now());
        let written = self.retry(Retry::default().budget_ms).run(|| self.store.put_model(&row, now)).await;
        if warn(
            written,
            &meta.id,
            "the model is saved, its index does not show it; `candlecast models reindex` mends it",
        ) {
            index_follows(&app, slot).await;
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
fn result(facts: &RunRecord, report: &Report, saved: Option<&Meta>) -> Value {
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
