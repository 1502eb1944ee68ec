//! Whoever waits for another program keeps nobody else waiting.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use candlecast_app::{TrainJob, train};
use candlecast_core::market::random_walk;
use candlecast_core::{NoProgress, Seed, TimeRange};
use candlecast_learn::TrainWindow;
use candlecast_pipeline::PipelineOptions;
use serde_json::json;

use crate::world::{model, store, world};

/// On the thread of the test, which the runtime does not need: with its own threads blocked its timers would stand
/// still, too.
fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what} within 30 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn saves_that_wait_for_another_program_leave_the_async_threads_free_and_can_be_cancelled() {
    let world = world();
    let app = &world.app;
    let key = store(app, &random_walk(1_200, Seed(5), 0.5)).await;
    std::fs::create_dir_all(&app.settings.models_dir).unwrap();
    let lock = File::create(app.settings.models_dir.join(".lock")).unwrap();
    lock.lock().unwrap();

    let window = TrainWindow::Rolling { days: 100 };
    let common = PipelineOptions { window, retrain_days: 50, ..PipelineOptions::new(6) };
    let trainings = [1, 2].map(|seed| {
        let request = model("hybrid", json!({ "lookbackWindow": 6 }));
        let job = TrainJob::new(vec![key.clone()], request, common.clone(), Seed(seed));
        let app = app.clone();
        tokio::spawn(async move { train(&app, job, Arc::new(NoProgress)).await.map(drop) })
    });
    // What was tried is on record right before a model is saved.
    let records = Arc::clone(app.metadata().await.unwrap());
    while records.tried(&key, TimeRange::ALL, Some("price")).await.unwrap().n_entries < 2 {
        assert!(trainings.iter().all(|training| !training.is_finished()), "a training ended before it could save");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Time for both to come to the lock.
    std::thread::sleep(Duration::from_millis(200));

    let ticks = Arc::new(AtomicU64::new(0));
    let ticking = Arc::clone(&ticks);
    let ticker = tokio::spawn(async move {
        loop {
            ticking.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    until("other tasks go on", || ticks.load(Ordering::Relaxed) > 100);
    assert!(trainings.iter().all(|training| !training.is_finished()), "both wait");

    world.cancel.store(true, Ordering::Relaxed);
    for training in trainings {
        let error = training.await.unwrap().unwrap_err();
        assert_eq!((error.code, error.exit_code()), ("cancelled", 130), "{error}");
        assert!(error.detail.contains(".lock"), "{error}");
    }
    ticker.abort();
    assert!(app.registry.names().unwrap().is_empty());
    drop(lock);
}
