//! What a run leaves on record: the run itself, an entry in the ledger for every model that was tried, and the row of
//! the model that was saved. The files of a model are the truth: what cannot be recorded is warned of, and never
//! costs a result. What was tried must not be forgotten, though, since later results would look better than they are:
//! what cannot be recorded of it before a model is saved is noted beside the models, and recorded later ([`pending`]).

pub(crate) mod pending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use candlecast_core::{Blame, Problem, Seed, SeriesKey, TimeRange, Timestamp, hex, open_range};
use candlecast_files::Note;
use candlecast_host::{Host, PROGRAM, RunHooks, blocking, content_hash};
use candlecast_jobs::Attempt;
use candlecast_learn::{DailyLosses, Forecaster, Market, ModelReport, Recipe, Report, Task};
use candlecast_meta::{
    DailyValues, LedgerEntry, MetaError, MetadataStore, NewRun, Retry, RunState, TriedDays, TryDays,
};
use candlecast_pipeline::doc::{baselines_value, scored_metrics_value};
use candlecast_pipeline::{
    Candidate, Fingerprints, Method, PreparedEvaluation, Training, instruction_set, scored_range, whole_range,
};
use candlecast_registry::{Family, ModelManifest, Tries};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::models::index::{TrainedBy, index};
use crate::records::pending::{EndedRun, PendingRecord, replay_pending};

/// Length of a day, ms.
const DAY_MS: i64 = 86_400_000;

/// Most tries of which days are read: of more the newest, which are likeliest to be on the same days.
const MOST_TRIES: u32 = 2_000;

const _: () = assert!(DailyLosses::MOST_DAYS <= DailyValues::MAX_DAYS, "the ledger takes all days of a report");

/// How long the record of a run that failed or was stopped is tried for, ms: nothing hangs on it.
const FAILED_BUDGET_MS: u64 = 5_000;

/// What a run is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunRecord {
    /// Such as `train`.
    pub(crate) kind: &'static str,
    /// In the order of the reports.
    pub(crate) series: Vec<SeriesKey>,
    /// Id of the task.
    pub(crate) task: String,
    /// What the daily losses of a report on the task are; only those of the same measure are set side by side.
    pub(crate) measure: String,
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
    /// What it takes to show the run and to do it again, by its name in the result.
    pub(crate) kept: Option<(&'static str, Value)>,
}

impl RunRecord {
    /// Of an evaluation.
    pub(crate) fn of_evaluation(prepared: &PreparedEvaluation, method: Method) -> Self {
        let how = serde_json::to_value(method).unwrap_or_default();
        let market = prepared.market();
        let markets = std::slice::from_ref(market);
        Self::new("evaluate", markets, &prepared.forecasters, how, &prepared.fingerprints, whole_range(market))
    }

    /// Of a training on `range`.
    pub(crate) fn of_training(training: &Training, range: TimeRange, warm_start: bool) -> Self {
        let mut how = json!({ "range": open_range::value(range), "warmStart": warm_start });
        if !training.pool().is_empty() {
            let name = |market: &Arc<Market>| market.series().key().to_string();
            how["pool"] = training.pool().iter().map(name).collect();
        }
        let markets = training.markets();
        let ranges = (0..markets.len()).map(|k| training.data_range(k));
        let range = ranges.reduce(|a, b| TimeRange { from: a.from.min(b.from), to: a.to.max(b.to) });
        Self::new("train", markets, &training.forecasters, how, &training.fingerprints, range)
    }

    /// Of a trial of a search over the candles within `range`: one configuration that was scored.
    pub(crate) fn of_trial(candidate: &Candidate, range: TimeRange) -> Self {
        let market = std::slice::from_ref(candidate.market());
        let how = json!({ "range": open_range::value(range), "fits": candidate.n_fits() });
        Self::new("hpo", market, &candidate.forecasters, how, &candidate.fingerprints, Some(range))
    }

    /// The facts of a run of `forecasters` over `markets`, of which the candles within `data_range` are used.
    fn new(
        kind: &'static str,
        markets: &[Arc<Market>],
        forecasters: &[Forecaster],
        how: Value,
        fingerprints: &Fingerprints,
        data_range: Option<TimeRange>,
    ) -> Self {
        let task = forecasters.first().map(Forecaster::task);
        let asked = forecasters.iter().filter(|forecaster| !forecaster.baseline);
        Self {
            kind,
            series: markets.iter().map(|market| market.series().key().clone()).collect(),
            task: task.map_or("price", |task| task.id()).to_owned(),
            measure: task.as_ref().map(measure).unwrap_or_default(),
            horizon_steps: task.map_or(0, |task| task.horizon()),
            tried: asked.map(|forecaster| (forecaster.name.clone(), configuration(forecaster))).collect(),
            how,
            data_range,
            data_fingerprint: fingerprint_of_all(&fingerprints.data),
            fingerprint: fingerprints.run.clone(),
            seed: Seed::default(),
            started_at: Timestamp(0),
            kept: None,
        }
    }

    /// The same, begun at `now` with `seed`.
    pub(crate) fn begun(self, seed: Seed, now: Timestamp) -> Self {
        Self { seed, started_at: now, ..self }
    }

    /// The same, with what is to be kept of its outcome under the name `field`.
    pub(crate) fn keeping(self, field: &'static str, value: Value) -> Self {
        Self { kept: Some((field, value)), ..self }
    }

    fn run(&self, attempt: &Attempt) -> NewRun {
        let configs: Vec<&Value> = self.tried.iter().map(|(_, config)| config).collect();
        let config = json!({ "models": configs, "how": self.how });
        NewRun {
            id: attempt.id.clone(),
            kind: self.kind.into(),
            experiment: None,
            series: match self.series.as_slice() {
                [only] => Some(only.clone()),
                _ => None,
            },
            model_type: match self.tried.as_slice() {
                [(only, _)] => Some(only.clone()),
                _ => None,
            },
            task: Some(self.task.clone()),
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

    /// An entry for every model tried in every series, with the origins that the series' report scored it on, and its
    /// days. Its identity is its content, so that a run that is gone on with, or done again, counts once.
    pub(crate) fn tries(&self, reports: &[&Report], run_id: &str, now: Timestamp) -> LedgerLines {
        let mut lines = LedgerLines::default();
        for (series, report) in self.series.iter().zip(reports) {
            let Some(period) = scored_range(report) else { continue };
            for (name, config) in &self.tried {
                let (id, model) = (self.try_id(series, name), report.models.iter().find(|m| m.name == *name));
                if let Some(DailyLosses { first_day, values }) = model.map(|m| m.daily.clone())
                    && !values.is_empty()
                {
                    let days = DailyValues { first_day, values };
                    lines.days.push(TryDays { try_id: id.clone(), measure: self.measure.clone(), days });
                }
                lines.entries.push(LedgerEntry {
                    id,
                    kind: self.kind.into(),
                    series: series.clone(),
                    task: self.task.clone(),
                    model_type: name.clone(),
                    config: config.clone(),
                    config_hash: content_hash(config),
                    period,
                    score: model.and_then(|m| m.metrics.loss()),
                    sharpe: None,
                    run_id: Some(run_id.to_owned()),
                    tried_at: now,
                });
            }
        }
        lines
    }

    fn try_id(&self, series: &SeriesKey, name: &str) -> String {
        let mut hash = Sha256::new();
        let mut parts = vec![self.kind, self.fingerprint.as_str(), name];
        // The fingerprint alone tells runs of one series apart.
        let series = series.to_string();
        if self.series.len() > 1 {
            parts.push(&series);
        }
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hex(&hash.finalize())
    }
}

/// What was tried, as the ledger keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LedgerLines {
    pub(crate) entries: Vec<LedgerEntry>,
    /// What these were worth day by day.
    pub(crate) days: Vec<TryDays>,
}

/// What the daily losses of a report on `task` are: the loss that its verdicts compare by, less that of the reference.
/// Those of another horizon, or of other classes, are another measure.
fn measure(task: &Task) -> String {
    format!("saved-loss:{}", serde_json::to_value(task).unwrap_or_default())
}

/// The recipe as it goes on record: that of a pipeline is its configuration. The markets that it learns from are named
/// where there are several: the same recipe on others is another try.
fn configuration(forecaster: &Forecaster) -> Value {
    let value = match forecaster.recipe() {
        Recipe::Pipeline(config) => serde_json::to_value(config),
        Recipe::Ensemble(config) => serde_json::to_value(config),
    };
    let mut value = value.unwrap_or_default();
    if let Some(fields) = value.as_object_mut().filter(|_| forecaster.n_markets() > 1) {
        let key = |k: usize| forecaster.market(k).series().key().to_string();
        let mut series: Vec<String> = (0..forecaster.n_markets()).map(key).collect();
        series.sort();
        fields.insert("learntFrom".into(), json!(series));
    }
    value
}

/// One fingerprint for the candles of all series.
fn fingerprint_of_all(data: &[String]) -> String {
    match data {
        [only] => only.clone(),
        several => content_hash(&json!(several)),
    }
}

/// Puts one attempt on record.
#[derive(Debug)]
pub(crate) struct RunRecorder {
    store: Arc<dyn MetadataStore>,
    attempt: Attempt,
}

/// The record of `attempt`, after what earlier runs could not record was recorded. Fails where the metadata database
/// cannot be opened, before anything is computed.
pub(crate) async fn recorder(host: &Host, attempt: Attempt) -> Result<RunRecorder, Problem> {
    let store = Arc::clone(host.metadata().await?);
    replay_pending(host).await;
    Ok(RunRecorder { store, attempt })
}

impl RunRecorder {
    pub(crate) fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// Puts on record what a run tried, before anything is saved of it, and says by series how much has been scored on
    /// candles of its test part by now. `None` where the records cannot be asked: that costs no result. Then what was
    /// tried is noted, to be recorded later, and the note is returned. An error where that cannot be done either.
    pub(crate) async fn tried(
        &self,
        host: &Host,
        facts: &RunRecord,
        reports: &[&Report],
    ) -> Result<(Vec<Option<Tries>>, Option<Note>), Problem> {
        let lines = facts.tries(reports, &self.attempt.id, host.now());
        let note = self.record_or_note(host, lines).await?;
        let mut tries = Vec::with_capacity(reports.len());
        for (series, report) in facts.series.iter().zip(reports) {
            let period = scored_range(report).filter(|_| note.is_none());
            tries.push(match period {
                Some(period) => self.tries_on(series, period, &facts.task).await,
                None => None,
            });
        }
        Ok((tries, note))
    }

    /// Records `lines`; where that cannot be done they are noted, and the note is returned.
    async fn record_or_note(&self, host: &Host, lines: LedgerLines) -> Result<Option<Note>, Problem> {
        let write = || self.store.record_tries_with_days(&lines.entries, &lines.days);
        let written = self.retry(FAILED_BUDGET_MS).run(write).await.map(|_| ());
        if warn(written, &self.attempt.id, "what was tried is not on record yet") {
            return Ok(None);
        }
        let noted = PendingRecord::of_lines(lines).write(host, &self.attempt.id).await;
        noted.map(Some).map_err(|e| e.context("what was tried can neither be recorded nor noted, so nothing is saved"))
    }

    /// How many configurations other than those of `facts` were tried before on each of its series, over periods that
    /// overlap `scored`. What cannot be read counts as none and is warned of.
    pub(crate) async fn earlier_tries(&self, facts: &RunRecord, scored: TimeRange) -> Vec<usize> {
        let asked: BTreeSet<String> = facts.tried.iter().map(|(_, config)| content_hash(config)).collect();
        let mut tries = Vec::with_capacity(facts.series.len());
        for series in &facts.series {
            let retry = self.retry(Retry::default().budget_ms);
            let found = retry.run(|| self.store.tried_configurations(series, scored, &facts.task)).await;
            let others = found.unwrap_or_else(|error| {
                let id = self.attempt.id.as_str();
                tracing::warn!(%error, id, "what was tried before cannot be read: p-values are not corrected for it");
                Vec::new()
            });
            tries.push(others.iter().filter(|hash| !asked.contains(*hash)).count());
        }
        tries
    }

    /// What other configurations than those of `facts` were worth day by day on each of its series, as far as it is on
    /// record: one try each, that which was scored on the most days of `scored`, of equals the newest. What cannot be
    /// read is none and is warned of.
    pub(crate) async fn earlier_days(&self, facts: &RunRecord, scored: TimeRange) -> Vec<Vec<DailyLosses>> {
        let asked: BTreeSet<String> = facts.tried.iter().map(|(_, config)| content_hash(config)).collect();
        let mut earlier = Vec::with_capacity(facts.series.len());
        for series in &facts.series {
            let retry = self.retry(Retry::default().budget_ms);
            let read = || self.store.tried_days(series, scored, &facts.task, &facts.measure, MOST_TRIES);
            let mut found = retry.run(read).await.unwrap_or_else(|error| {
                let id = self.attempt.id.as_str();
                tracing::warn!(%error, id, "what was tried before cannot be read: nothing is set beside it");
                Vec::new()
            });
            found.retain(|tried| !asked.contains(&tried.config_hash));
            earlier.push(one_a_configuration(found, scored));
        }
        earlier
    }

    async fn tries_on(&self, series: &SeriesKey, period: TimeRange, task: &str) -> Option<Tries> {
        match self.store.tried(series, period, Some(task)).await {
            Ok(tried) => Some(Tries { scorings: tried.n_entries, configurations: tried.n_configurations }),
            Err(error) => {
                tracing::warn!(%error, %series, "how much was scored on this test part is not known");
                None
            }
        }
    }

    /// Records that the run succeeded, and what it tried, of which `note` is, if that could not be recorded before.
    /// What cannot be recorded now either is noted.
    pub(crate) async fn succeeded(
        &self,
        host: &Host,
        facts: &RunRecord,
        reports: &[&Report],
        saved: &[&ModelManifest],
        note: Option<Note>,
    ) {
        let (run, now) = (facts.run(&self.attempt), host.now());
        let lines = facts.tries(reports, &run.id, now);
        let result = result(facts, reports, saved);
        let retry = self.retry(Retry::default().budget_ms);
        let written = retry.run(|| async {
            self.store.record_tries_with_days(&lines.entries, &lines.days).await?;
            self.store.start_run(&run).await?;
            self.store.finish_run(&run.id, RunState::Succeeded, Some(&result), None, now).await
        });
        if warn(written.await, &run.id, "the run and what it tried are not on record yet") {
            pending::done(host, note).await;
            return;
        }
        let id = run.id.clone();
        let pending = PendingRecord::of_lines(lines).with_run(EndedRun { asked: run, result, finished_at: now });
        if let Err(error) = pending.write(host, &self.attempt.id).await {
            tracing::warn!(%error, id, "nor could the run be noted");
        }
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

    /// Brings the index of models up to date after `manifest` was saved, with the run that trained it.
    pub(crate) async fn indexed(&self, host: &Host, family: &Family, manifest: &ModelManifest) {
        let trained = TrainedBy { model_id: &manifest.id, run_id: &self.attempt.id };
        let indexed = index(host, family, Some(trained), self.retry(Retry::default().budget_ms)).await;
        if let Err(error) = indexed {
            let id = &manifest.id;
            tracing::warn!(%error, id, "the model is saved, its index does not show it; `candlecast models reindex` mends it");
        }
    }

    fn retry(&self, budget_ms: u64) -> Retry {
        let seed = Seed::default().derive(&self.attempt.id, u64::from(self.attempt.number));
        Retry { budget_ms, seed, ..Retry::default() }
    }
}

/// Of the tries `found`, the newest first, one a configuration: that with values on the most days of `scored`.
fn one_a_configuration(found: Vec<TriedDays>, scored: TimeRange) -> Vec<DailyLosses> {
    let (from, to) = (scored.from.ms().div_euclid(DAY_MS), scored.to.ms().div_euclid(DAY_MS));
    let mut best: BTreeMap<String, (usize, DailyLosses)> = BTreeMap::new();
    for TriedDays { config_hash, days: DailyValues { first_day, values } } in found {
        let days = DailyLosses { first_day, values };
        let covered = days.days().filter(|day| (from..=to).contains(day)).count();
        if best.get(&config_hash).is_none_or(|(most, _)| covered > *most) {
            best.insert(config_hash, (covered, days));
        }
    }
    best.into_values().map(|(_, days)| days).collect()
}

/// The run of `hooks` is done and on record: nothing is left to go on from.
pub(crate) async fn clear(host: &Host, hooks: RunHooks) {
    let cleared = blocking(host, move |_| {
        hooks.done();
        Ok(())
    });
    if let Err(error) = cleared.await {
        tracing::warn!(%error, "what the run finished is kept for a while");
    }
}

/// Warns of what could not be written; true when it was.
fn warn(written: Result<(), MetaError>, id: &str, what: &str) -> bool {
    if let Err(error) = &written {
        tracing::warn!(%error, id, "{what}");
    }
    written.is_ok()
}

/// What came out of a run, in short: of several series by series.
fn result(facts: &RunRecord, reports: &[&Report], saved: &[&ModelManifest]) -> Value {
    let mut results: Vec<Value> = Vec::with_capacity(reports.len());
    for (k, report) in reports.iter().enumerate() {
        let asked = report.models.iter().filter(|m| !m.baseline);
        let metrics = |m: &ModelReport| (m.name.clone(), scored_metrics_value(m, report.origins));
        let models: Map<String, Value> = asked.map(metrics).collect();
        let mut result = json!({ "models": models, "baselines": baselines_value(report) });
        if let Some(manifest) = saved.get(k) {
            result["modelId"] = manifest.id.clone().into();
            result["modelSha256"] = manifest.sha256.clone().into();
        }
        results.push(result);
    }
    let mut result = match <[Value; 1]>::try_from(results) {
        Ok([only]) => only,
        Err(several) => {
            let names = facts.series.iter().map(ToString::to_string);
            json!({ "series": names.zip(several).collect::<Map<String, Value>>() })
        }
    };
    result["fingerprint"] = facts.fingerprint.clone().into();
    if let Some((field, value)) = &facts.kept {
        result[*field] = value.clone();
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_tries_of_a_configuration_the_one_on_the_most_days_counts_and_of_equals_the_newest() {
        let tried = |config_hash: &str, first_day: i64, values: &[Option<f32>]| TriedDays {
            config_hash: config_hash.into(),
            days: DailyValues { first_day, values: values.to_vec() },
        };
        let scored = TimeRange { from: Timestamp(10 * DAY_MS), to: Timestamp(13 * DAY_MS) };
        let found = one_a_configuration(
            vec![
                tried("b", 10, &[Some(1.0), Some(2.0)]),
                tried("a", 10, &[Some(3.0), None, Some(4.0)]),
                tried("b", 9, &[Some(5.0), Some(6.0), Some(7.0)]),
                tried("a", 0, &[Some(8.0); 20]),
            ],
            scored,
        );
        let expected = [
            DailyLosses { first_day: 0, values: vec![Some(8.0); 20] },
            DailyLosses { first_day: 10, values: vec![Some(1.0), Some(2.0)] },
        ];
        assert_eq!(found, expected);
        assert!(one_a_configuration(vec![], TimeRange::ALL).is_empty());
    }

    #[test]
    fn losses_are_of_the_same_measure_where_the_same_was_forecast() {
        let of = |horizon| measure(&Task::Price { horizon });
        assert_eq!(of(24), r#"saved-loss:{"kind":"price","horizon":24}"#);
        assert_ne!(of(24), of(1));
        assert_ne!(of(24), measure(&Task::Volatility { horizon: 24 }));
    }
}
