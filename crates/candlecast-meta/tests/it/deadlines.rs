//! A database that gives no answer: every call ends within its limit, and works again when there are answers.

use std::time::Duration;

use candlecast_meta::{
    CallLimits, JobFilter, JobStore, Lease, Ledger, MetaError, NewJob, PageRequest, PredictionStore, Retry, RunFilter,
    RunStore, SqlStore,
};
use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, join_all};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::time::timeout;

use crate::backends::postgres_url;
use crate::fixtures::{T0, at, prediction, run, tried};
use crate::proxy::Proxy;

/// Short, for the sake of the tests; what is to succeed is tried again where a busy machine takes longer.
const LIMITS: CallLimits = CallLimits {
    connect: Duration::from_secs(1),
    brief: Duration::from_secs(1),
    statement: Duration::from_secs(1),
    lock: Duration::from_millis(500),
    long: Duration::from_secs(1),
};
/// More than ten times any of them.
const FOREVER: Duration = Duration::from_secs(60);

async fn connected(url: &str) -> SqlStore {
    Retry::default().run(|| SqlStore::connect_within(url, LIMITS, T0)).await.unwrap()
}

/// One call of each kind, by name.
type Calls<'a> = Vec<(&'static str, LocalBoxFuture<'a, Result<(), MetaError>>)>;

fn calls<'a>(store: &'a SqlStore, url: &'a str, lease: &'a Lease) -> Calls<'a> {
    let page = PageRequest::default();
    vec![
        ("connect", async move { SqlStore::connect_within(url, LIMITS, T0).await.map(drop) }.boxed_local()),
        ("ping", async move { store.ping().await }.boxed_local()),
        (
            "enqueue",
            async move { store.enqueue(&NewJob::new("b", "train", json!({})), at(1)).await.map(drop) }.boxed_local(),
        ),
        ("lease", async move { store.lease_job("other", &[], 60_000, at(1)).await.map(drop) }.boxed_local()),
        ("heartbeat", async move { store.heartbeat(lease, 60_000, at(1)).await.map(drop) }.boxed_local()),
        ("run", async move { store.start_run(&run("r", 0)).await.map(drop) }.boxed_local()),
        ("list", async move { store.jobs(&JobFilter::default(), page).await.map(drop) }.boxed_local()),
        ("log", async move { store.append_predictions(&[prediction("m", 0, 1, 1.0)]).await.map(drop) }.boxed_local()),
        ("ledger", async move { store.record_tries(&[tried("t", "x", None, (0, 10))]).await.map(drop) }.boxed_local()),
        ("dump", async move { store.dump(|_| Ok::<(), MetaError>(())).await.map(drop) }.boxed_local()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_over_a_dead_network_end_and_work_again_after_it() {
    let Some(url) = postgres_url("dead_network").await else { return };
    let proxy = Proxy::before(&url).await;
    let store = connected(proxy.url()).await;
    let retry = Retry::default();
    let job = NewJob::new("a", "train", json!({}));
    retry.run(|| store.enqueue(&job, at(0))).await.unwrap();
    retry.run(|| store.lease_job("me", &[], 60_000, at(0))).await.unwrap();
    let lease = retry.run(|| store.job("a")).await.unwrap().lease().unwrap();
    for round in 0..2 {
        // Several connections lie idle when the network dies.
        let pings = join_all((0..4).map(|_| retry.run(|| store.ping()))).await;
        assert!(pings.iter().all(Result::is_ok), "round {round}: {pings:?}");
        proxy.die_after(0);
        let calls = calls(&store, proxy.url(), &lease).into_iter();
        let ends = calls.map(|(name, call)| async move { (name, timeout(FOREVER, call).await) });
        for (name, end) in join_all(ends).await {
            let error = end.unwrap_or_else(|_| panic!("round {round}: {name} hangs")).unwrap_err();
            assert!(matches!(error, MetaError::Unreachable { .. }) && error.is_transient(), "{name}: {error}");
        }
        proxy.open();
        // More at once than there are places in the pool: none of them is lost.
        let pings = join_all((0..16).map(|_| retry.run(|| store.ping()))).await;
        assert!(pings.iter().all(Result::is_ok), "round {round}: {pings:?}");
        retry.run(|| store.heartbeat(&lease, 60_000, at(2))).await.unwrap();
    }
    let every = RunFilter::default();
    let runs = retry.run(|| store.runs(&every, PageRequest::default())).await.unwrap();
    assert!(runs.items.len() <= 1);
    timeout(FOREVER, store.close()).await.expect("closing hangs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_is_cut_off_anywhere_ends_and_can_be_repeated() {
    let Some(url) = postgres_url("cut_anywhere").await else { return };
    let proxy = Proxy::before(&url).await;
    let store = connected(proxy.url()).await;
    // Within the test of the connection, BEGIN, the preparation, the values, the answers and COMMIT.
    let places = [0, 4, 30, 150, 600, 1_500];
    for bytes in places {
        let entry = [tried(&format!("t{bytes}"), "x", None, (0, 10))];
        Retry::default().run(|| store.ping()).await.unwrap();
        proxy.die_after(bytes);
        let end = timeout(FOREVER, store.record_tries(&entry)).await.unwrap_or_else(|_| panic!("{bytes}: it hangs"));
        if let Err(error) = end {
            assert!(error.is_transient(), "{bytes}: {error}");
        }
        proxy.open();
        Retry::default().run(|| store.record_tries(&entry)).await.unwrap();
    }
    let kept = Retry::default().run(|| store.ledger(None, PageRequest::default())).await.unwrap();
    assert_eq!(kept.items.len(), places.len());
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgres://me:hunter2@127.0.0.1:{port}/x");
    let connecting = timeout(FOREVER, SqlStore::connect_within(&url, LIMITS, T0)).await.expect("it hangs");
    let error = connecting.unwrap_err();
    assert!(matches!(error, MetaError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1") && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn locks_of_others_are_waited_for_within_a_limit() {
    let Some(url) = postgres_url("locks").await else { return };
    let store = connected(&url).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    (&mut other).execute("BEGIN; LOCK TABLE ml_training_jobs IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let job = NewJob::new("a", "train", json!({}));
    let error = timeout(FOREVER, store.enqueue(&job, at(0))).await.expect("it hangs").unwrap_err();
    assert!(error.is_transient(), "{error}");
    (&mut other).execute("ROLLBACK").await.unwrap();
    Retry::default().run(|| store.enqueue(&job, at(0))).await.unwrap();

    // The lock under which schemas are changed: "candlecs" in ASCII.
    let lock = i64::from_be_bytes(*b"candlecs");
    (&mut other).execute(AssertSqlSafe(format!("BEGIN; SELECT pg_advisory_xact_lock({lock})"))).await.unwrap();
    let error = timeout(FOREVER, SqlStore::connect_within(&url, LIMITS, T0)).await.expect("it hangs").unwrap_err();
    assert!(error.is_transient(), "{error}");
    (&mut other).execute("ROLLBACK").await.unwrap();
    connected(&url).await;
}
