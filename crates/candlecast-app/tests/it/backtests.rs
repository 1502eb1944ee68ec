//! Backtests on record: shown and done again, whatever became of their record, and bounded by what was there then.

use std::sync::Arc;

use candlecast_app::doc::RerunOutcome;
use candlecast_app::{BacktestFilter, EvaluateJob, JOBS, backtest, backtests_page, rerun_backtest};
use candlecast_core::{NoProgress, Problem, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_jobs::{JobKind, JobOptions, PageRequest, run_job};
use candlecast_learn::TrainWindow;
use candlecast_meta::{NewRun, Run, RunFilter, RunState};
use candlecast_pipeline::{Method, PipelineOptions};
use serde_json::{Value, json};

use crate::jobs::{metadata, now, ready};
use crate::world::model;

/// A backtest of `linear` over the last twenty days.
fn request(app: &Host, key: &SeriesKey, end: TimeRange) -> EvaluateJob {
    let range = TimeRange { from: end.to.plus_ms(-20 * 86_400_000), to: TimeRange::ALL.to };
    EvaluateJob {
        series: key.clone(),
        pool: vec![],
        models: vec![model("linear", json!({}))],
        common: PipelineOptions {
            window: TrainWindow::Rolling { days: 60 },
            retrain_days: 15,
            ..PipelineOptions::new(3)
        },
        method: Method::walk_forward(range),
        candles: vec![],
        confidence_threshold: None,
        seed: app.seed,
    }
}

/// Does a backtest and returns its run.
async fn made(app: &Host, key: &SeriesKey) -> Run {
    let stored = app.store.coverage(key).await.unwrap().range.unwrap();
    let request = request(app, key, stored);
    run_job(app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress)).await.unwrap();
    let filter = RunFilter { kind: Some(EvaluateJob::KIND.into()), ..RunFilter::default() };
    metadata(app).await.runs(&filter, PageRequest::first(1)).await.unwrap().items.remove(0)
}

/// Puts a run on record that is `run` but for its identity and its result.
async fn recorded(app: &Host, run: &Run, id: &str, state: RunState, result: Option<&Value>) {
    let store = metadata(app).await;
    let asked = NewRun { id: id.into(), job_id: None, ..run.asked.clone() };
    store.start_run(&asked).await.unwrap();
    let error = (state != RunState::Succeeded).then_some("it was not to be");
    store.finish_run(id, state, result, error, now()).await.unwrap();
}

async fn rerun(app: &Host, id: &str) -> Result<RerunOutcome, Problem> {
    let done = rerun_backtest(app, id, &JobOptions::default(), Arc::new(NoProgress)).await?;
    done.verdict().map(|()| done.outcome)
}

/// The result of `run`, its report changed by `change`.
fn with_report(run: &Run, change: impl Fn(&mut Value)) -> Value {
    let mut result = run.result.clone().unwrap();
    change(&mut result["backtest"]["document"]);
    result
}

fn other_bits(report: &mut Value) {
    report["forecastDigests"].as_array_mut().unwrap().last_mut().unwrap()["sha256"] = json!("0".repeat(64));
}

fn other_set(report: &mut Value) {
    report["instructionSet"] = json!("another");
}

#[tokio::test]
async fn a_backtest_is_done_again_to_the_bit_and_one_with_other_bits_is_told() {
    let (world, key) = ready().await;
    let app = &world.app;
    let run = made(app, &key).await;
    let id = run.asked.job_id.as_deref().unwrap();
    assert_eq!(rerun(app, id).await, Ok(RerunOutcome::Same));
    assert_eq!(rerun(&app.with_threads(1).unwrap(), id).await, Ok(RerunOutcome::Same));

    recorded(app, &run, "other-bits", RunState::Succeeded, Some(&with_report(&run, other_bits))).await;
    let differs = rerun(app, "other-bits").await.unwrap_err();
    assert_eq!((differs.code, differs.exit_code()), ("rerun-differs", 1));

    // On another instruction set bits may differ, losses only by a little.
    let elsewhere = with_report(&run, |report| {
        other_bits(report);
        other_set(report);
    });
    recorded(app, &run, "elsewhere", RunState::Succeeded, Some(&elsewhere)).await;
    assert_eq!(rerun(app, "elsewhere").await, Ok(RerunOutcome::WithinTolerance));
    let far = with_report(&run, |report| {
        other_bits(report);
        other_set(report);
        let mae = &mut report["models"].as_array_mut().unwrap().last_mut().unwrap()["metrics"]["mae"];
        *mae = json!(1.01 * mae.as_f64().unwrap());
    });
    recorded(app, &run, "far-away", RunState::Succeeded, Some(&far)).await;
    assert_eq!(rerun(app, "far-away").await.unwrap_err().code, "rerun-differs");
}

#[tokio::test]
async fn what_cannot_be_shown_says_why() {
    let (world, key) = ready().await;
    let app = &world.app;
    let run = made(app, &key).await;
    let shown = backtest(app, run.asked.job_id.as_deref().unwrap()).await.unwrap();
    assert_eq!(shown.document["backtestId"], run.asked.job_id.clone().unwrap());
    assert!(shown.text.contains("naive *") && shown.text.contains("fingerprint"), "{}", shown.text);

    let mut older = run.result.clone().unwrap();
    older.as_object_mut().unwrap().remove("backtest");
    recorded(app, &run, "of-an-older-program", RunState::Succeeded, Some(&older)).await;
    recorded(app, &run, "that-failed", RunState::Failed, None).await;
    for (id, words) in [("of-an-older-program", "another version"), ("that-failed", "it is failed")] {
        for problem in [backtest(app, id).await.unwrap_err(), rerun(app, id).await.unwrap_err()] {
            assert!(problem.code == "no-backtest" && problem.detail.contains(words), "{id}: {problem}");
        }
    }
    let page = backtests_page(app, &BacktestFilter::default(), PageRequest::default()).await.unwrap();
    let kept: Vec<bool> = page.backtests.iter().map(|b| b.is_kept).collect();
    assert_eq!((kept.len(), kept.iter().filter(|kept| **kept).count()), (3, 1), "{page:?}");
    let failed = page.backtests.iter().find(|b| b.run_id == "that-failed").unwrap();
    assert_eq!((failed.status, failed.error.as_deref()), ("failed", Some("it was not to be")));
}

#[tokio::test]
async fn of_several_attempts_the_one_that_succeeded_is_meant() {
    let (world, key) = ready().await;
    let app = &world.app;
    let run = made(app, &key).await;
    let store = metadata(app).await;
    for (id, state, result) in [
        ("a-job-1", RunState::Cancelled, None),
        ("a-job-2", RunState::Succeeded, run.result.as_ref()),
        ("a-job-3", RunState::Failed, None),
    ] {
        let asked = NewRun { id: id.into(), job_id: Some("a-job".into()), ..run.asked.clone() };
        store.start_run(&asked).await.unwrap();
        store.finish_run(id, state, result, None, now()).await.unwrap();
    }
    assert_eq!(backtest(app, "a-job").await.unwrap().document["backtestId"], "a-job");
    assert_eq!(backtest(app, "a-job-1").await.unwrap_err().code, "no-backtest");
    let of_series = BacktestFilter { series: Some(key), model: Some("linear".into()) };
    let page = backtests_page(app, &of_series, PageRequest::first(2)).await.unwrap();
    assert!(page.backtests.len() == 2 && page.next.is_some());
    let none = BacktestFilter { model: Some("hybrid".into()), ..BacktestFilter::default() };
    assert!(backtests_page(app, &none, PageRequest::default()).await.unwrap().backtests.is_empty());
}
