//! The database goes away under work and comes back.

use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use candlecast_meta::{
    JobFilter, JobState, JobStore, MetaError, NewJob, Outcome, PageRequest, Progress, Retry, RunFilter, RunStore,
    SqlStore,
};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use crate::backends::{fresh_schema, postgres_url};
use crate::fixtures::{T0, at, run};

/// A server that only this test uses, so that it may be stopped; `cargo xtask test` starts it.
struct Stoppable(OsString);

impl Stoppable {
    fn find() -> Option<Self> {
        let found = std::env::var_os("CANDLECAST_TEST_POSTGRES_CTL").map(Self);
        if found.is_none() {
            candlecast_testenv::missing("a PostgreSQL that stops: CANDLECAST_TEST_POSTGRES_CTL names no program");
        }
        found
    }

    /// What the program prints for `url`, `stop` or `start`.
    fn control(&self, what: &str) -> String {
        let output = Command::new(&self.0).arg(what).output().unwrap();
        assert!(output.status.success(), "{what}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Queues, leases, reports and finishes jobs one after the other until `stop`; returns how many.
async fn work(store: SqlStore, stop: Arc<AtomicBool>) -> usize {
    let retry = Retry { first_ms: 5, ..Retry::default() };
    let mut n_done = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = format!("j{n_done}");
        let job = NewJob::new(id.as_str(), "train", json!({}));
        retry.run(|| store.enqueue(&job, at(0))).await.unwrap();
        let leased = retry.run(|| store.lease_job("worker", &[], 60_000, at(1))).await.unwrap();
        // Where the answer to a lease was lost, the job is this worker's all the same.
        let leased = match leased {
            Some(job) => job,
            None => retry.run(|| store.job(&id)).await.unwrap(),
        };
        let lease = leased.lease().unwrap();
        assert_eq!(lease.job_id, id);
        let progress = Progress { stage: "fit".into(), done_share: 0.5, ..Progress::default() };
        retry.run(|| store.report_progress(&lease, &progress, at(1))).await.unwrap();
        retry.run(|| store.save_checkpoint(&lease, vec![1, 2, 3], at(1))).await.unwrap();
        let end = Outcome::Succeeded(json!(n_done));
        retry.run(|| store.finish_job(&lease, &end, at(2))).await.unwrap();
        n_done += 1;
    }
    n_done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_crashes_and_returns_loses_nothing_that_was_acknowledged() {
    let Some(server) = Stoppable::find() else { return };
    let url = fresh_schema(&server.control("url"), "crash").await;
    let store = SqlStore::connect(&url, T0).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let working = tokio::spawn(work(store.clone(), Arc::clone(&stop)));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.control("stop");
        let error = store.ping().await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        server.control("start");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.store(true, Ordering::Relaxed);
    let n_done = working.await.unwrap();
    assert!(n_done > 3, "{n_done} jobs between three crashes");
    let retry = Retry::default();
    for i in 0..n_done {
        let id = format!("j{i}");
        let job = retry.run(|| store.job(&id)).await.unwrap();
        assert_eq!((job.state, job.result, job.attempt), (JobState::Succeeded, Some(json!(i)), 1));
    }
}

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
    let mut n_lost = 0;
    while !working.is_finished() {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'candlecast-outage' AND pid <> pg_backend_pid()";
        n_lost += (&mut admin).execute(sql).await.unwrap().rows_affected();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    working.await.unwrap();
    assert!(n_lost > 0, "no connection was there to be lost");
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
