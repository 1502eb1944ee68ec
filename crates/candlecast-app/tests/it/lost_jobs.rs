//! Work that goes on after its job was given to another.

use std::sync::Arc;

use candlecast_app::JOBS;
use candlecast_core::{NoProgress, ProgressSink, Stage};
use candlecast_host::Host;
use candlecast_jobs::{JobFilter, JobOptions, JobState, PageRequest};
use candlecast_meta::JobStore as _;

use crate::jobs::{again, comparable, metadata, newest, now, ready, told_times, training, undisturbed};
use crate::world::all_models;

/// Takes the job away from whoever trains, when all that is left to do is the fit that is saved.
struct Thief {
    host: Host,
}

impl ProgressSink for Thief {
    fn progress(&self, _: &str, _: u64, _: u64) {}

    fn stage(&self, stage: &Stage) {
        if stage.name != "final fit" {
            return;
        }
        let host = self.host.clone();
        let stealing = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store = told_times(&host).await;
                let job = store.jobs(&JobFilter::default(), PageRequest::first(1)).await.unwrap().items.remove(0);
                store.end_lease(&job.lease().unwrap(), now()).await.unwrap().unwrap();
                store.close().await;
            });
        });
        stealing.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_lost_a_training_saves_no_model_and_no_line_in_the_ledger() {
    let (world, key) = ready().await;
    let thief = Arc::new(Thief { host: world.app.clone() });
    let error =
        candlecast_jobs::run_job(&world.app, &JOBS, &training(&key), &JobOptions::default(), thief).await.unwrap_err();
    assert_eq!(error.code, "job-taken-over", "{error}");
    assert!(all_models(&world.app).await.is_empty());
    let store = metadata(&world.app).await;
    assert!(store.ledger(Some(&key), PageRequest::default()).await.unwrap().items.is_empty());
    assert_eq!(newest(&world.app).await.state, JobState::Interrupted);
    // Whoever is given it goes on from what was finished.
    let id = newest(&world.app).await.id;
    let done = candlecast_jobs::retry_job_here(&again(&world), &JOBS, &id, Arc::new(NoProgress)).await.unwrap();
    assert_eq!(comparable(done.document), undisturbed().await);
}
