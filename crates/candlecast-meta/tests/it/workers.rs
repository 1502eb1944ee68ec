//! Many workers on one queue.

use std::collections::BTreeMap;

use candlecast_meta::{
    JobState, JobStore, ModelFilter, ModelStatus, ModelStore, NewJob, Outcome, PageRequest, Retry, SqlStore,
};
use candlecast_testkit::assert_lease_laws;
use serde_json::json;

use crate::backends::{backends, postgres_url};
use crate::fixtures::{T0, at, model};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_workers_take_each_of_500_jobs_once() {
    for store in &backends("workers").await.stores {
        for i in 0..500 {
            store.enqueue(&NewJob::new(format!("j{i}"), "train", json!({})), at(0)).await.unwrap();
        }
        let workers: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let owner = format!("worker-{number}");
                    let mut done = Vec::new();
                    while let Some(job) = store.lease_job(&owner, &[], 60_000, at(1)).await.unwrap() {
                        let lease = job.lease().unwrap();
                        store.finish_job(&lease, &Outcome::Succeeded(json!(number)), at(2)).await.unwrap();
                        done.push(job.id);
                    }
                    done
                })
            })
            .collect();
        let mut times = BTreeMap::new();
        for worker in workers {
            for id in worker.await.unwrap() {
                *times.entry(id).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 500);
        assert!(times.values().all(|&n| n == 1));
        for id in times.keys() {
            let job = store.job(id).await.unwrap();
            assert_eq!((job.state, job.attempt), (JobState::Succeeded, 1));
        }
    }
}

/// Opened as the program opens them, by two processes whose clocks are a minute apart.
#[tokio::test]
async fn clocks_that_differ_take_no_job_from_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let (one, ahead) =
        (SqlStore::open_in(dir.path(), T0).await.unwrap(), SqlStore::open_in(dir.path(), T0).await.unwrap());
    assert_lease_laws(&one, &ahead, T0).await;
    let Some(url) = postgres_url("lease_laws").await else { return };
    let (one, ahead) = (SqlStore::connect(&url, T0).await.unwrap(), SqlStore::connect(&url, T0).await.unwrap());
    assert_lease_laws(&one, &ahead, T0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_many_equal_jobs_is_queued() {
    for store in &backends("equal_jobs").await.stores {
        let tasks: Vec<_> = (0..16)
            .map(|i| {
                let store = store.clone();
                let job = NewJob { dedupe_key: Some("k".into()), ..NewJob::new(format!("j{i}"), "train", json!({})) };
                tokio::spawn(async move { store.enqueue(&job, at(0)).await.unwrap() })
            })
            .collect();
        let mut added = Vec::new();
        let mut told = Vec::new();
        for task in tasks {
            let enqueued = task.await.unwrap();
            told.push(enqueued.job.id.clone());
            if enqueued.is_new {
                added.push(enqueued.job.id);
            }
        }
        assert_eq!(added.len(), 1);
        assert!(told.iter().all(|id| *id == added[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn promotions_at_once_leave_one_active_model() {
    for store in &backends("promotions").await.stores {
        for patch in 0..8 {
            store.put_model(&model(&format!("1.0.{patch}"), patch), at(0)).await.unwrap();
        }
        let tasks: Vec<_> = (0..8)
            .map(|patch| {
                let store = store.clone();
                tokio::spawn(async move {
                    let id = model(&format!("1.0.{patch}"), 0).id;
                    let retry = Retry { first_ms: 5, ..Retry::default() };
                    retry.run(|| store.promote_model(&id, at(1))).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let active = ModelFilter { status: Some(ModelStatus::Active), ..ModelFilter::default() };
        assert_eq!(store.models(&active, PageRequest::default()).await.unwrap().items.len(), 1);
        let archived = ModelFilter { status: Some(ModelStatus::Archived), ..ModelFilter::default() };
        assert_eq!(store.models(&archived, PageRequest::default()).await.unwrap().items.len(), 7);
    }
}
