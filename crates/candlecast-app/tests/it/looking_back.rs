//! Days of what was tried: kept by the ledger, and what choosing among all that was tried is worth.

use std::sync::Arc;

use candlecast_app::{EvaluateJob, JOBS};
use candlecast_core::{NoProgress, TimeRange};
use candlecast_jobs::JobOptions;
use candlecast_learn::Report;
use candlecast_meta::{DailyValues, PageRequest};
use serde_json::json;

use crate::jobs::{evaluation, metadata, ready, training};
use crate::world::{World, model};

/// What days of prices over three steps are.
const MEASURE: &str = r#"saved-loss:{"kind":"price","horizon":3}"#;

async fn report_of(world: &World, request: &EvaluateJob) -> Report {
    let options = JobOptions::default();
    candlecast_jobs::run_job(&world.app, &JOBS, request, &options, Arc::new(NoProgress)).await.unwrap().report
}

#[tokio::test]
async fn the_ledger_keeps_the_days_of_every_try() {
    let (world, key) = ready().await;
    let report = report_of(&world, &evaluation(&key, vec![model("linear", json!({}))])).await;
    let daily = &report.models.last().unwrap().daily;
    // Twenty days from the middle of one to the middle of another.
    assert!((20..=21).contains(&daily.values.len()), "{daily:?}");
    assert!(daily.values.iter().flatten().any(|saved| *saved != 0.0), "{daily:?}");
    let store = metadata(&world.app).await;
    let days = store.tried_days(&key, TimeRange::ALL, "price", MEASURE, 10).await.unwrap();
    let tried = store.ledger(Some(&key), PageRequest::default()).await.unwrap().items;
    assert_eq!((days.len(), tried.len()), (1, 1), "the baselines are no tries");
    assert_eq!(days[0].config_hash, tried[0].config_hash);
    assert_eq!(days[0].days, DailyValues { first_day: daily.first_day, values: daily.values.clone() });
}

#[tokio::test]
async fn reports_look_back_at_all_that_was_tried_and_at_the_same_only_once() {
    let (world, key) = ready().await;
    let asked = |ids: &[&str]| evaluation(&key, ids.iter().map(|id| model(id, json!({}))).collect());
    assert_eq!(report_of(&world, &asked(&["linear"])).await.hindsight, None, "there was nothing to choose from");
    let hybrid = report_of(&world, &asked(&["hybrid"])).await;
    let found = hybrid.hindsight.unwrap();
    assert_eq!((found.tries, found.left_out, found.blocks, found.splits), (2, 0, 10, 252), "{found:?}");
    assert_eq!(report_of(&world, &asked(&["hybrid"])).await.hindsight, Some(found));
    // Asked for together they are the same two.
    assert_eq!(report_of(&world, &asked(&["hybrid", "linear"])).await.hindsight, Some(found));

    // Another horizon is another measure: a try that cannot be set beside it.
    let mut further = asked(&["linear"]);
    further.common.horizon = 4;
    assert_eq!(report_of(&world, &further).await.hindsight, None);
    let again = report_of(&world, &asked(&["hybrid"])).await.hindsight.unwrap();
    assert_eq!((again.tries, again.left_out, again.probability), (2, 1, found.probability));

    // A training is scored on a part of these days. Its configuration was tried before.
    let (request, options) = (training(&key), JobOptions::default());
    let trained = candlecast_jobs::run_job(&world.app, &JOBS, &request, &options, Arc::new(NoProgress)).await.unwrap();
    let found = trained.models[0].report.hindsight.unwrap();
    assert_eq!((found.tries, found.left_out), (2, 1), "{found:?}");
}
