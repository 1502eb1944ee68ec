//! The schema over time.

use candlecast_core::TimeRange;
use candlecast_meta::{
    JobFilter, JobState, JobStore, Ledger, LogLevel, MetaError, Model, ModelFilter, ModelStatus, ModelStore, NewJob,
    PRICE_TASK, PageRequest, PredictionFilter, PredictionStore, PredictionsOf, RollUpDue, RollUpStore, RunFilter,
    RunStore, SqlStore, StudyStore,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use crate::backends::postgres_url;
use crate::fixtures::{HOUR_MS, T0, found, lstm_in, model};

/// A database of schema 1 with a record in every table, as `.dump` of the sqlite3 shell writes it. It is never
/// made anew: every later program must open it.
const FORMAT_1: &str = include_str!("../fixtures/schema-1.sql");

async fn sqlite(file: &std::path::Path, sql: &str) {
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    (&mut connection).execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_database_of_schema_1_opens_with_all_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.db");
    sqlite(&file, FORMAT_1).await;
    let store = SqlStore::open_file(&file, T0).await.unwrap();
    let page = PageRequest::default();
    assert_eq!(store.runs(&RunFilter::default(), page).await.unwrap().items[0].asked.id, "run-1");
    let old = store.models(&ModelFilter::default(), page).await.unwrap().items.remove(0);
    assert_eq!((old.id.as_str(), old.status, old.horizon_steps), ("BTCUSDT_LSTM_1.0.0", ModelStatus::Active, 24));
    // A model of another horizon may serve beside it.
    let short = Model { horizon_steps: 6, status: ModelStatus::Active, ..model("2.0.0", 1) };
    store.sync_models(&lstm_in(""), &found(&[old.clone(), short.clone()]), T0).await.unwrap();
    assert_eq!(store.model(&old.id).await, Ok(old.clone()));
    assert_eq!(store.model(&short.id).await.unwrap().status, ModelStatus::Active);
    assert_eq!(old.folder, "", "there was one folder only");
    let job = store.jobs(&JobFilter::default(), page).await.unwrap().items.remove(0);
    assert_eq!((job.id.as_str(), job.state, job.attempt), ("job-1", JobState::Interrupted, 1));
    assert_eq!(job.progress.unwrap().fold_of, Some((7, 52)));
    assert_eq!(store.job_log("job-1", None, 10).await.unwrap()[0].level, LogLevel::Info);
    assert_eq!(store.checkpoint("job-1").await.unwrap().unwrap().body, [0, 1, 255]);
    let predictions = store.predictions(&PredictionFilter::default(), page).await.unwrap().items;
    assert_eq!((predictions[0].error, predictions[0].made.step), (Some(-250.5), 24));
    assert_eq!((predictions[0].made.task.as_str(), predictions[0].made.borders), (PRICE_TASK, None));
    assert_eq!(predictions[0].made.direction, None, "it was not recorded");
    assert_eq!(store.trials("study-1").await.unwrap()[0].value, Some(0.125));
    assert_eq!(store.folds("study-1", 0).await.unwrap()[0].duration_ms, 1_500);
    assert_eq!(store.ledger(None, page).await.unwrap().items[0].sharpe, Some(0.05));
}

#[tokio::test]
async fn predictions_of_a_database_of_schema_1_age_by_their_targets_until_they_are_marked() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.db");
    sqlite(&file, FORMAT_1).await;
    let store = SqlStore::open_file(&file, T0).await.unwrap();
    let target = T0.plus_ms(24 * HOUR_MS);
    let due = |target_before| RollUpDue { target_before, logged_by: T0.plus_ms(-1_000 * HOUR_MS), limit: 10 };
    let roll_up = async |target_before| store.roll_up_predictions(&due(target_before), &|_| "{}".into(), T0).await;
    assert_eq!(roll_up(target.plus_ms(1)).await, Ok(0), "nothing is known of when it was logged");
    store.mark_predictions(target, T0).await.unwrap();
    assert_eq!(roll_up(target).await, Ok(0));
    assert_eq!(roll_up(target.plus_ms(1)).await, Ok(1));
    let days = store.prediction_days(&PredictionsOf::All, None, TimeRange::ALL, PageRequest::default()).await.unwrap();
    assert_eq!((days.items[0].day, days.items[0].task.as_str(), days.items[0].validated), (target, PRICE_TASK, 1));
}

#[tokio::test]
async fn a_database_that_is_opened_as_it_is_keeps_its_schema_and_can_be_dumped() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("old.db");
    sqlite(&file, FORMAT_1).await;
    let store = SqlStore::open_file_as_it_is(&file).await.unwrap().unwrap();
    let mut pieces = Vec::new();
    let dump = store
        .dump(|piece| {
            pieces.push(Ok::<_, MetaError>(piece));
            Ok::<_, MetaError>(())
        })
        .await
        .unwrap();
    store.close().await;
    assert_eq!(dump.schema, 1, "it was not brought up to date");
    assert_eq!(
        SqlStore::open_file_as_it_is(&file).await.unwrap().unwrap().dump(|_| Ok::<_, MetaError>(())).await,
        Ok(dump.clone())
    );
    let restored = dir.path().join("new.db");
    SqlStore::load_file(&restored, T0, &dump, pieces).await.unwrap();
    let store = SqlStore::open_file(&restored, T0).await.unwrap();
    assert_eq!(store.job("job-1").await.unwrap().payload_version, 1);

    let empty = dir.path().join("empty.db");
    sqlite(&empty, "CREATE TABLE other (a BIGINT)").await;
    assert!(SqlStore::open_file_as_it_is(&empty).await.unwrap().is_none());
    sqlite(&file, "INSERT INTO candlecast_schema VALUES (999, 'later', 'x', 0)").await;
    let newer = SqlStore::open_file_as_it_is(&file).await.unwrap_err();
    assert!(matches!(newer, MetaError::Newer { found: 999, .. }), "{newer}");

    let Some(url) = postgres_url("as_it_is").await else { return };
    assert!(SqlStore::connect_as_it_is(&url).await.unwrap().is_none());
    SqlStore::connect(&url, T0).await.unwrap().close().await;
    assert!(SqlStore::connect_as_it_is(&url).await.unwrap().is_some());
}

#[tokio::test]
async fn an_older_program_takes_no_jobs_once_the_schema_is_newer() {
    let newer = "INSERT INTO candlecast_schema VALUES (999, 'later', 'x', 0)";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("newer.db");
    let store = SqlStore::open_file(&file, T0).await.unwrap();
    store.enqueue(&NewJob::new("a", "train", json!({})), T0).await.unwrap();
    sqlite(&file, newer).await;
    let error = store.lease_job("old", &[], 60_000, T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Newer { found: 999, .. }), "{error}");
    assert_eq!(store.job("a").await.unwrap().state, JobState::Queued);

    let Some(url) = postgres_url("newer_lease").await else { return };
    let store = SqlStore::connect(&url, T0).await.unwrap();
    store.enqueue(&NewJob::new("a", "train", json!({})), T0).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    (&mut connection).execute(newer).await.unwrap();
    assert!(matches!(store.lease_job("old", &[], 60_000, T0).await, Err(MetaError::Newer { found: 999, .. })));
}

#[tokio::test]
async fn a_schema_with_another_history_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("changed.db");
    SqlStore::open_file(&file, T0).await.unwrap().close().await;
    SqlStore::open_file(&file, T0).await.expect("opening twice is no change").close().await;
    sqlite(&file, "UPDATE candlecast_schema SET checksum = 'other' WHERE version = 1").await;
    let error = SqlStore::open_file(&file, T0).await.unwrap_err();
    assert_eq!(error, MetaError::Changed { version: 1, name: "base".into() });
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let newer = "INSERT INTO candlecast_schema VALUES (999, 'later', 'x', 0)";
    let expected = |error: MetaError| matches!(error, MetaError::Newer { found: 999, .. });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("newer.db");
    SqlStore::open_file(&file, T0).await.unwrap().close().await;
    sqlite(&file, newer).await;
    assert!(expected(SqlStore::open_file(&file, T0).await.unwrap_err()));

    let Some(url) = postgres_url("newer").await else { return };
    SqlStore::connect(&url, T0).await.unwrap().close().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    (&mut connection).execute(newer).await.unwrap();
    assert!(expected(SqlStore::connect(&url, T0).await.unwrap_err()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn programs_that_start_together_migrate_once() {
    let dir = tempfile::tempdir().unwrap();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let folder = dir.path().to_owned();
            tokio::spawn(async move { SqlStore::open_in(&folder, T0).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let Some(url) = postgres_url("together").await else { return };
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { SqlStore::connect(&url, T0).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}
