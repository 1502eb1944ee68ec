//! Backtests on record: listed, shown, and done again to see whether they are the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::{Blame, Problem, ProgressSink, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_jobs::{JobKind, JobOptions, PageRequest, run_job};
use candlecast_learn::Market;
use candlecast_meta::{Run, RunFilter, RunState};
use candlecast_pipeline::doc::{ForecastDigestDoc, loss_key};
use candlecast_pipeline::{data_fingerprint, whole_range};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::doc::{
    BacktestDoc, BacktestsDoc, EvaluationDoc, RerunDoc, RerunModelDoc, RerunOutcome, ThenNow, backtest_id,
};
use crate::evaluate::EvaluateJob;
use crate::kinds::JOBS;
use crate::pool::markets_within;

/// Fewest characters of an identity that may stand for it.
const MIN_PREFIX: usize = 4;
/// Runs that are looked through for one whose identity begins as was asked.
const MAX_NAMED: u32 = 50;
/// Backtests named where a beginning fits several.
const MAX_TOLD: usize = 10;
/// Greatest relative difference of a loss between two instruction sets: the last bits of sums differ, and what a fit makes
/// of them.
pub const RERUN_TOLERANCE: f64 = 1e-3;

/// Candles of one series that a run was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Input {
    series: SeriesKey,
    range: TimeRange,
    /// Hash of them.
    fingerprint: String,
}

impl Input {
    /// The candles of each of `markets`, whose hashes are `fingerprints`.
    pub(crate) fn of(markets: &[Arc<Market>], fingerprints: &[String]) -> Vec<Self> {
        let input = |(market, fingerprint): (&Arc<Market>, &String)| {
            let (series, range) = (market.series().key().clone(), whole_range(market)?);
            Some(Self { series, range, fingerprint: fingerprint.clone() })
        };
        markets.iter().zip(fingerprints).filter_map(input).collect()
    }
}

/// What a run keeps with its result, to be shown and to be done again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptBacktest {
    /// As it was asked for, defaults filled in.
    pub(crate) request: EvaluateJob,
    /// Its own series, then those of the pool.
    pub(crate) inputs: Vec<Input>,
    /// The report.
    pub(crate) document: Value,
    /// The same as people were told it.
    pub(crate) text: String,
}

impl KeptBacktest {
    /// Name of the field in the result of a run.
    pub(crate) const FIELD: &'static str = "backtest";

    /// Of a run; `None` where it has none, as those that failed and those of older programs, or one that cannot be read.
    fn of(run: &Run) -> Option<Self> {
        serde_json::from_value(run.result.as_ref()?.get(Self::FIELD)?.clone()).ok()
    }
}

/// Which backtests are wanted.
#[derive(Debug, Clone, Default)]
pub struct BacktestFilter {
    /// On this series.
    pub series: Option<SeriesKey>,
    /// Of this model alone.
    pub model: Option<String>,
}

/// Backtests and comparisons that have ended, newest first. One that was gone on with has a line for each attempt.
pub async fn backtests_page(host: &Host, filter: &BacktestFilter, page: PageRequest) -> Result<BacktestsDoc, Problem> {
    let filter = RunFilter {
        kind: Some(EvaluateJob::KIND.into()),
        series: filter.series.clone(),
        model_type: filter.model.clone(),
        ..RunFilter::default()
    };
    let found = host.metadata().await?.runs(&filter, page).await?;
    Ok(BacktestsDoc {
        backtests: found.items.iter().map(|run| BacktestDoc::new(run, document(run))).collect(),
        next: found.next.map(|cursor| cursor.to_string()),
    })
}

fn document(run: &Run) -> Option<&Value> {
    run.result.as_ref()?.get(KeptBacktest::FIELD)?.get("document")
}

/// A backtest on record.
#[derive(Debug, Clone)]
pub struct ShownBacktest {
    /// The report as it was made, with its identity.
    pub document: Value,
    /// The same as people were told it.
    pub text: String,
}

/// The backtest `id`, or the only one whose identity begins so.
pub async fn backtest(host: &Host, id: &str) -> Result<ShownBacktest, Problem> {
    let run = find_run(host, id).await?;
    let KeptBacktest { mut document, text, .. } = kept(&run)?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("backtestId".into(), backtest_id(&run).into());
    }
    Ok(ShownBacktest { document, text })
}

/// Does the backtest `id` again, as a job, on the candles that it was made of, and says whether its forecasts are the same.
/// Where candles, or defaults of the configuration, have changed since, it is not done: that would say nothing of it.
pub async fn rerun_backtest(
    host: &Host,
    id: &str,
    options: &JobOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<RerunDoc, Problem> {
    let run = find_run(host, id).await?;
    let KeptBacktest { request, inputs, document: then, .. } = kept(&run)?;
    let candles = inputs.iter().map(|input| input.range).collect();
    let request = EvaluateJob { candles, ..request };
    if request.clone().with_defaults(&host.settings) != request {
        return Err(Problem::data(
            "settings-changed",
            format!(
                "the configuration has other defaults for the models of backtest {} than when it was made, so the same is not done: take them out of the configuration",
                backtest_id(&run)
            ),
        ));
    }
    check_inputs(host, &inputs, request.common.max_fill).await?;
    let evaluation = run_job(host, &JOBS, &request, options, watch).await?;
    let now = serde_json::to_value(EvaluationDoc::new(&evaluation, request.seed.0))
        .map_err(|e| Problem::data("no-document", e.to_string()))?;
    Ok(compare(backtest_id(&run), &then, &now))
}

impl RerunDoc {
    /// A problem where it is another one.
    pub fn verdict(&self) -> Result<(), Problem> {
        match self.outcome {
            RerunOutcome::Same | RerunOutcome::WithinTolerance => Ok(()),
            RerunOutcome::Different => Err(Problem::data("rerun-differs", self.because.clone())),
        }
    }
}

/// Refuses where the candles that a run was made of are not stored as they were.
async fn check_inputs(host: &Host, inputs: &[Input], max_fill: usize) -> Result<(), Problem> {
    for input in inputs {
        let Input { series, range, fingerprint } = input.clone();
        let changed = Problem::data(
            "data-changed",
            format!(
                "the candles of {series} {range} have changed since, so nothing is said of the backtest and it was not done again; a new one can be made of the candles that are stored now"
            ),
        );
        let mut markets = markets_within(host, &[series], &[range], max_fill).await?;
        let Some(market) = markets.pop() else { return Err(changed) };
        if host.compute(move || Ok(data_fingerprint(&market))).await? != fingerprint {
            return Err(changed);
        }
    }
    Ok(())
}

/// Sets the report of a backtest beside that of the same one done again.
fn compare(id: &str, then: &Value, now: &Value) -> RerunDoc {
    let of = |field: &str| {
        let text = |document: &Value| document[field].as_str().unwrap_or_default().to_owned();
        ThenNow { then: text(then), now: text(now) }
    };
    let (instruction_set, program, fingerprint) = (of("instructionSet"), of("program"), of("fingerprint"));
    let (digests_then, digests_now) = (digests(then), digests(now));
    let models: Vec<RerunModelDoc> = digests_then
        .iter()
        .map(|(name, digest)| {
            let loss = ThenNow { then: loss(then, name), now: loss(now, name) };
            let difference = loss.then.zip(loss.now).map(|(then, now)| ((now - then) / then).abs());
            RerunModelDoc {
                model: name.clone(),
                same_bits: digests_now.get(name) == Some(digest),
                difference: difference.filter(|difference| difference.is_finite()),
                loss,
            }
        })
        .collect();
    let same = !models.is_empty() && digests_then == digests_now;
    // A loss of exactly 0, or none, has no relative difference.
    let is_near = |m: &RerunModelDoc| m.loss.then == m.loss.now || m.difference.is_some_and(|d| d <= RERUN_TOLERANCE);
    let near = !models.is_empty() && digests_then.keys().eq(digests_now.keys()) && models.iter().all(is_near);
    let other_set = instruction_set.then != instruction_set.now;
    let outcome = match (same, other_set && near) {
        (true, _) => RerunOutcome::Same,
        (false, true) => RerunOutcome::WithinTolerance,
        (false, false) => RerunOutcome::Different,
    };
    let because = because(outcome, &instruction_set, &program, &fingerprint);
    RerunDoc {
        backtest_id: id.into(),
        outcome,
        because,
        tolerance: RERUN_TOLERANCE,
        instruction_set,
        program,
        fingerprint,
        models,
    }
}

/// Hashes of the forecasts of each model of a report.
fn digests(document: &Value) -> BTreeMap<String, String> {
    let read: Option<Vec<ForecastDigestDoc>> = serde_json::from_value(document["forecastDigests"].clone()).ok();
    read.unwrap_or_default().into_iter().map(|digest| (digest.model, digest.sha256)).collect()
}

/// The loss of the model called `name` in a report.
fn loss(document: &Value, name: &str) -> Option<f64> {
    let task = document["task"].as_str().unwrap_or("price");
    let model = document["models"].as_array()?.iter().find(|model| model["model"] == name)?;
    model["metrics"][loss_key(task)].as_f64()
}

/// The outcome in words.
fn because(
    outcome: RerunOutcome,
    instruction_set: &ThenNow<String>,
    program: &ThenNow<String>,
    fingerprint: &ThenNow<String>,
) -> String {
    let sets = format!("{} then, {} now", instruction_set.then, instruction_set.now);
    let set = if instruction_set.then == instruction_set.now { instruction_set.now.clone() } else { sets.clone() };
    match outcome {
        RerunOutcome::Same => format!("the same: every forecast has the same bits ({set})"),
        RerunOutcome::WithinTolerance => format!(
            "within the tolerance: on another instruction set ({sets}) bits differ, and no loss by more than {} %",
            100.0 * RERUN_TOLERANCE
        ),
        RerunOutcome::Different => {
            let cause = if fingerprint.then != fingerprint.now {
                "features or parameters mean something else in this program".to_owned()
            } else if program.then != program.now {
                format!("another program made it ({} then, {} now)", program.then, program.now)
            } else if instruction_set.then != instruction_set.now {
                format!("by more than the tolerance of {} % between instruction sets", 100.0 * RERUN_TOLERANCE)
            } else {
                "on the same candles, with the same configuration and instruction set, which should not be: report this"
                    .to_owned()
            };
            format!("not the same ({set}): {cause}")
        }
    }
}

fn kept(run: &Run) -> Result<KeptBacktest, Problem> {
    KeptBacktest::of(run).ok_or_else(|| {
        let why = match run.state {
            RunState::Succeeded => {
                "it was made by another version of the program, whose record this one cannot read".to_owned()
            }
            state => format!("it is {state}, so there is no report"),
        };
        Problem::data("no-backtest", format!("backtest {}: {why}", backtest_id(run)))
    })
}

/// The run of the backtest `id`: of several attempts at it the one that succeeded, else the last.
async fn find_run(host: &Host, id: &str) -> Result<Run, Problem> {
    let id = id.trim();
    if id.len() < MIN_PREFIX {
        return Err(Problem::usage(
            "bad-backtest-id",
            "id",
            format!("backtest `{id}` is not known: write at least {MIN_PREFIX} characters of its id"),
        ));
    }
    let mut runs = host.metadata().await?.runs_named(EvaluateJob::KIND, id, MAX_NAMED).await?;
    if let Some(exact) = runs.iter().position(|run| run.asked.id == id) {
        return Ok(runs.swap_remove(exact));
    }
    let mut ids: Vec<String> = runs.iter().map(|run| backtest_id(run).to_owned()).collect();
    ids.dedup();
    match ids.as_slice() {
        [] => Err(Problem::new(
            "unknown-backtest",
            404,
            Blame::Data,
            format!("backtest `{id}` is not known: see `candlecast backtest list`"),
        )
        .with_field("id")),
        [_] => {
            let best = runs.iter().rposition(|run| run.state == RunState::Succeeded).unwrap_or(runs.len() - 1);
            Ok(runs.swap_remove(best))
        }
        several => {
            let more = if several.len() > MAX_TOLD { " and others" } else { "" };
            let told = several[..several.len().min(MAX_TOLD)].join(", ");
            Err(Problem::usage(
                "ambiguous-backtest",
                "id",
                format!("several backtests begin with `{id}`: {told}{more}; write more of it"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(set: &str, digests: [&str; 2], losses: [f64; 2]) -> Value {
        let model = |k: usize| json!({ "model": (["naive", "linear"][k]), "metrics": { "mae": losses[k] } });
        let digest = |k: usize| json!({ "model": (["naive", "linear"][k]), "sha256": digests[k] });
        json!({
            "task": "price",
            "instructionSet": set,
            "program": "0.1.0",
            "fingerprint": "f",
            "models": [model(0), model(1)],
            "forecastDigests": [digest(0), digest(1)],
        })
    }

    #[test]
    fn equal_bits_are_the_same_on_any_instruction_set() {
        let then = report("avx2", ["a", "b"], [2.0, 1.0]);
        for set in ["avx2", "avx512"] {
            let doc = compare("id", &then, &report(set, ["a", "b"], [2.0, 1.0]));
            assert_eq!((doc.outcome, doc.verdict()), (RerunOutcome::Same, Ok(())));
            assert!(doc.models.iter().all(|m| m.same_bits && m.difference == Some(0.0)), "{doc:?}");
            assert!(doc.because.starts_with("the same") && doc.because.contains(set), "{}", doc.because);
        }
    }

    #[test]
    fn other_bits_pass_on_another_instruction_set_alone_and_within_the_tolerance_alone() {
        let then = report("avx2", ["a", "b"], [2.0, 1.0]);
        let outcome = |set: &str, loss: f64| compare("id", &then, &report(set, ["a", "c"], [2.0, loss])).outcome;
        assert_eq!(outcome("avx512", 1.0009), RerunOutcome::WithinTolerance);
        assert_eq!(outcome("avx512", 1.0011), RerunOutcome::Different);
        assert_eq!(outcome("avx2", 1.0), RerunOutcome::Different, "one bit is enough where bits have to agree");
        let doc = compare("id", &then, &report("avx512", ["a", "c"], [2.0, 1.0005]));
        assert!(doc.because.contains("avx2 then, avx512 now") && doc.because.contains("0.1 %"), "{}", doc.because);
        let same: Vec<(&str, bool)> = doc.models.iter().map(|m| (m.model.as_str(), m.same_bits)).collect();
        assert_eq!(same, [("linear", false), ("naive", true)]);
    }

    #[test]
    fn what_differs_is_a_problem_that_tells_what_is_known_of_the_cause() {
        let then = report("avx2", ["a", "b"], [2.0, 1.0]);
        let mut now = report("avx2", ["a", "c"], [2.0, 1.0]);
        let problem = compare("id", &then, &now).verdict().unwrap_err();
        assert_eq!((problem.code, problem.exit_code()), ("rerun-differs", 1));
        assert!(problem.detail.contains("report this"), "{problem}");
        now["program"] = json!("0.2.0");
        assert!(compare("id", &then, &now).because.contains("0.1.0 then, 0.2.0 now"));
        now["fingerprint"] = json!("g");
        assert!(compare("id", &then, &now).because.contains("mean something else"));
    }

    #[test]
    fn reports_without_hashes_or_of_other_models_are_never_the_same() {
        let then = report("avx2", ["a", "b"], [2.0, 1.0]);
        let mut without = then.clone();
        without["forecastDigests"] = Value::Null;
        assert_eq!(compare("id", &without, &without).outcome, RerunOutcome::Different);
        let mut fewer = report("avx512", ["a", "b"], [2.0, 1.0]);
        fewer["forecastDigests"].as_array_mut().unwrap().pop();
        assert_eq!(compare("id", &then, &fewer).outcome, RerunOutcome::Different);
    }
}
