//! Many use cases in one process: what they share, and that they come to their end beside each other.

use std::sync::{Arc, Mutex};

use candlecast_core::{Interval, NoProgress, ProgressSink};
use candlecast_pipeline::{SeriesSize, memory_need};

use crate::jobs::{held, ready, training, until, walk};
use crate::world::{store, world_where};

/// Remembers what was waited for.
#[derive(Default)]
struct Waits(Mutex<Vec<Option<String>>>);

impl ProgressSink for Waits {
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn waiting(&self, for_what: Option<&str>) {
        self.0.lock().unwrap().push(for_what.map(str::to_owned));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forecast_comes_while_a_training_has_all_threads() {
    let (world, key) = ready().await;
    let trained = candlecast_app::train(&world.app, training(&key), Arc::new(NoProgress)).await.unwrap();
    let family = trained.models[0].manifest.family().unwrap();
    let (gate, running) = held(&world, &key).await;
    let predicted = candlecast_app::predict::predict(&world.app, &family, None).await.unwrap();
    assert_eq!(predicted.manifest.unwrap().id, trained.models[0].manifest.id);
    assert!(!running.is_finished());
    gate.open();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trainings_that_do_not_fit_side_by_side_follow_each_other() {
    let series = walk();
    let request = training(series.key());
    let size = SeriesSize { interval: Interval::H1, candles: series.len() };
    let models = [request.model.clone()];
    let need = memory_need(&[size], &[], &models, &request.common, 2).unwrap();
    // Room for one of them, and nearly for two.
    let room_mib = 2 * need.bytes.div_ceil(1 << 20) - 1;
    let world = world_where(|settings| settings.max_memory = room_mib << 20);
    let key = store(&world.app, &series).await;

    let (gate, first) = held(&world, &key).await;
    assert!(world.app.memory().in_use_bytes() >= need.bytes);
    let told = Arc::new(Waits::default());
    let second = {
        let (app, watch) = (world.app.clone(), Arc::clone(&told) as Arc<dyn ProgressSink>);
        tokio::spawn(async move { candlecast_app::train(&app, request, watch).await })
    };
    let for_memory = Some("waiting for memory".to_owned());
    until("the second training waits", || told.0.lock().unwrap().last() == Some(&for_memory)).await;
    assert!(!second.is_finished());
    gate.open();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(*told.0.lock().unwrap(), [for_memory, None]);
    assert_eq!(world.app.memory().in_use_bytes(), 0);
}
