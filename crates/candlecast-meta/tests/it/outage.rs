//! The database goes away under work and comes back.

use candlecast_meta::{JobFilter, JobStore, MetaError, NewJob, PageRequest, Retry, RunFilter, RunStore, SqlStore};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::backends::postgres_url;
use crate::fixtures::{T0, at, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lost_connections_cost_time_and_nothing_else() {
    let Some(url) = postgres_url("outage").await else { return };
    // A name of their own, so that other tests keep their connections.
    let url = format!("{url}&application_name=candlecast-outage");
    let store = SqlStore::connect(&url, T0).await.unwrap();
    let working = {
        let store = store.clone();
        tokio::spawn(async move {
            let retry = Retry { first_ms: 5, ..Retry::default() };
            for i in 0..300 {
                let job = NewJob::new(format!("j{i}"), "train", json!({}));
                retry.run(|| store.enqueue(&job, at(0))).await.unwrap();
            }
        })
    };
    let mut admin = PgConnection::connect(&url).await.unwrap();
    while !working.is_finished() {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'candlecast-outage' AND pid <> pg_backend_pid()";
        (&mut admin).execute(sql).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    working.await.unwrap();
    let page = PageRequest::first(1_000);
    let all = JobFilter::default();
    let jobs = Retry::default().run(|| store.jobs(&all, page)).await.unwrap();
    assert_eq!(jobs.items.len(), 300);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_transient_and_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let error = SqlStore::connect(&format!("postgres://me:hunter2@127.0.0.1:{port}/x"), T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Unreachable { .. }) && error.is_transient(), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_hold_the_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let error = SqlStore::open_in(&missing, T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Open { .. }) && !error.is_transient(), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");

    let text = dir.path().join("text.db");
    std::fs::write(&text, "this is no database, but it is long enough to be looked at".repeat(40)).unwrap();
    let error = SqlStore::open_file(&text, T0).await.unwrap_err();
    assert!(matches!(error, MetaError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open_in(dir.path(), T0).await.unwrap();
    store.start_run(&run("kept", 0)).await.unwrap();
    // The first store stays open, as a second process on the folder would find it.
    let second = SqlStore::open_in(dir.path(), T0).await.unwrap();
    second.start_run(&run("beside", 1)).await.unwrap();
    assert_eq!(store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items.len(), 2);
    store.close().await;
    assert!(store.run("kept").await.is_err());
    assert_eq!(second.run("kept").await.unwrap().asked, run("kept", 0));
}
