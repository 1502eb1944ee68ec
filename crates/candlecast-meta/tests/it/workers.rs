//! Many workers on one queue.

use std::collections::BTreeMap;

use candlecast_meta::{
    FoundModel, JobState, JobStore, Model, ModelFilter, ModelStatus, ModelStore, NewJob, Outcome, PageRequest, Retry,
    SqlStore,
};
use candlecast_testkit::assert_lease_laws;
use serde_json::json;

use crate::backends::{backends, postgres_url};
use crate::fixtures::{T0, at, found, lstm_in, model};

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

/// Each of eight writers has seen another version serve, the last one the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_brings_the_index_in_line_at_once_leaves_the_state_of_one_of_them() {
    for store in &backends("syncs").await.stores {
        let seen = |serves: i64| -> Vec<FoundModel> {
            let status = |patch| if patch == serves { ModelStatus::Active } else { ModelStatus::Archived };
            let versions = (0..8).map(|patch| Model { status: status(patch), ..model(&format!("1.0.{patch}"), patch) });
            found(&versions.collect::<Vec<_>>())
        };
        let tasks: Vec<_> = (0..8)
            .map(|serves| {
                let (store, seen) = (store.clone(), seen(serves));
                tokio::spawn(async move {
                    let (retry, models) = (Retry { first_ms: 5, ..Retry::default() }, lstm_in("alpha"));
                    retry.run(|| store.sync_models(&models, &seen, at(1))).await.unwrap();
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let all = store.models(&ModelFilter::default(), PageRequest::default()).await.unwrap().items;
        assert_eq!(all.len(), 8);
        assert_eq!(all.iter().filter(|model| model.status == ModelStatus::Active).count(), 1);
        assert_eq!(all.iter().filter(|model| model.status == ModelStatus::Archived).count(), 7);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_given_by_one_folder_however_many_want_it() {
    for store in &backends("claims_at_once").await.stores {
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move {
                    let folder = format!("folder-{number}");
                    let retry = Retry { first_ms: 5, ..Retry::default() };
                    retry.run(|| store.claim_model("BTCUSDT_LSTM_1.0.0", &folder, at(1))).await.unwrap()
                })
            })
            .collect();
        let mut given = 0;
        for task in tasks {
            given += usize::from(task.await.unwrap());
        }
        assert_eq!(given, 1);
    }
}
