//! What users ask of searches: lists, details, their trials as a table.

use candlecast_core::{Blame, Problem};
use candlecast_host::Host;
use candlecast_jobs::{Job, JobKind, JobState, find_job};
use candlecast_meta::{Goal, MetaError, PageRequest, Study, Trial, TrialState};
use serde_json::{Map, Value};

use crate::doc::{SearchDoc, SearchRowDoc, SearchesDoc, TrialDoc};
use crate::search::SearchJob;

/// Searches that have begun, newest first.
pub async fn list_searches(host: &Host, page: PageRequest) -> Result<SearchesDoc, Problem> {
    let store = host.metadata().await?;
    let found = store.studies(page).await?;
    let mut jobs = Vec::with_capacity(found.items.len());
    for study in &found.items {
        let trials = store.trials(&study.asked.id).await?;
        let job = match store.job(&study.asked.id).await {
            Ok(job) => Some(job),
            // Jobs are forgotten after a time, what was searched is not.
            Err(MetaError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        jobs.push(row(study, &trials, job.as_ref()));
    }
    Ok(SearchesDoc { jobs, next: found.next.map(|cursor| cursor.to_string()) })
}

fn row(study: &Study, trials: &[Trial], job: Option<&Job>) -> SearchRowDoc {
    let asked = &study.asked;
    let values = trials.iter().filter(|trial| trial.state == TrialState::Complete).filter_map(|trial| trial.value);
    SearchRowDoc {
        job_id: asked.id.clone(),
        status: job.map_or_else(|| status_of(study.state.as_str()), |job| status_of(job.state.as_str())),
        venue: asked.series.venue.to_string(),
        symbol: asked.series.symbol.to_string(),
        interval: asked.series.interval.to_string(),
        model: asked.model_type.clone(),
        method: asked.sampler.clone(),
        metric: asked.objective.clone(),
        trials: trials.iter().filter(|trial| trial.state != TrialState::Running).count(),
        best_value: match asked.goal {
            Goal::Minimize => values.reduce(f64::min),
            Goal::Maximize => values.reduce(f64::max),
        },
        created_at: asked.created_at,
    }
}

/// The word for a state on the wire.
fn status_of(state: &str) -> String {
    if state == JobState::Succeeded.as_str() { "completed".into() } else { state.into() }
}

/// The job of the search `id`, which may be the beginning of its identity.
pub async fn find_search(host: &Host, id: &str) -> Result<Job, Problem> {
    let job = find_job(host, id).await?;
    if job.kind == SearchJob::KIND {
        return Ok(job);
    }
    let why = format!("job {} is no search, it is of the kind {}: see `candlecast hpo list`", job.id, job.kind);
    Err(Problem::new("unknown-job", 404, Blame::Data, why).with_field("id"))
}

/// The search `id` as JSON: its result where it has come to its end, else what its trials tell so far.
pub async fn show_search(host: &Host, id: &str) -> Result<Value, Problem> {
    let job = find_search(host, id).await?;
    if let Some(result) = job.result {
        return Ok(result);
    }
    let doc = so_far(host, &job).await?;
    serde_json::to_value(doc).map_err(|e| Problem::data("no-document", e.to_string()))
}

/// What the trials of a search tell so far.
async fn so_far(host: &Host, job: &Job) -> Result<SearchDoc, Problem> {
    let request: SearchJob = serde_json::from_value(job.payload.clone()).map_err(|e| {
        Problem::data("bad-job", format!("the request of {} cannot be read, it is of another version: {e}", job.id))
    })?;
    let trials = host.metadata().await?.trials(&job.id).await?;
    SearchDoc::new(&job.id, &status_of(job.state.as_str()), &request, &trials)
}

/// The trials of the search `id` as CSV, one a line: number, state, value of the metric and of the reference, time, and
/// a column for each parameter, empty where it does not exist.
pub async fn export_search(host: &Host, id: &str) -> Result<String, Problem> {
    let job = find_search(host, id).await?;
    Ok(csv(&so_far(host, &job).await?.trials))
}

fn csv(trials: &[TrialDoc]) -> String {
    let empty = Map::new();
    let params = |trial: &'_ TrialDoc| trial.parameters.as_object().cloned().unwrap_or_else(|| empty.clone());
    let mut names: Vec<String> = Vec::new();
    for name in trials.iter().flat_map(|trial| params(trial).into_iter().map(|(name, _)| name)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let head = ["number", "state", "value", "naiveValue", "durationMs"].map(str::to_owned);
    let mut lines = vec![head.into_iter().chain(names.iter().cloned()).collect::<Vec<_>>().join(",")];
    for trial in trials {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let own = params(trial);
        let cells = [
            trial.number.to_string(),
            trial.state.to_owned(),
            number(trial.value),
            number(trial.naive_value),
            trial.duration_ms.map_or_else(String::new, |ms| ms.to_string()),
        ];
        let values = names.iter().map(|name| own.get(name).map_or_else(String::new, cell));
        lines.push(cells.into_iter().chain(values).collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

/// A value of a parameter in a cell: what has a comma or a quote stands in quotes.
fn cell(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::doc::CurveDoc;

    #[test]
    fn a_table_has_a_column_for_each_parameter_that_exists_anywhere() {
        let trial = |number, parameters: Value, value| TrialDoc {
            number,
            state: "completed",
            parameters,
            metrics: Value::Null,
            value,
            naive_value: Some(2.5),
            epoch: None,
            curve: CurveDoc::default(),
            started_at: Timestamp(0),
            duration_ms: Some(7),
            error: None,
        };
        let one = trial(0, json!({ "hiddenSize": 16, "hiddenSizes": null }), Some(1.5));
        let two = trial(1, json!({ "hiddenSizes": [32, 16], "dropout": 0.1 }), None);
        assert_eq!(
            csv(&[one, two]),
            "number,state,value,naiveValue,durationMs,hiddenSize,hiddenSizes,dropout\n\
             0,completed,1.5,2.5,7,16,null,\n\
             1,completed,,2.5,7,,\"[32,16]\",0.1"
        );
    }

    #[test]
    fn what_has_succeeded_is_completed_on_the_wire() {
        assert_eq!([status_of("succeeded"), status_of("interrupted")], ["completed", "interrupted"]);
    }
}
