//! A training that is cancelled goes on where it was, and ends as if nothing had happened.

use candlecast_app::TrainJob;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use candlecast_app::Trained;
use candlecast_core::market::random_walk;
use candlecast_core::{FeatureSet, Problem, ProgressSink, Seed, SeriesKey};
use candlecast_host::Host;
use candlecast_monitor::{family, read_serving};
use candlecast_pipeline::PipelineOptions;
use serde_json::{Value, json};

use crate::world::{model, store, world};

/// Rounds of every fit.
const ROUNDS: u64 = 30;

/// Hears of the rounds of the fit that is saved; cancels the training at one of them.
#[derive(Default)]
struct Rounds {
    cancel_at: Option<(u64, Arc<AtomicBool>)>,
    heard: Mutex<Vec<u64>>,
    notes: Mutex<Vec<String>>,
}

impl ProgressSink for Rounds {
    fn progress(&self, what: &str, done: u64, _: u64) {
        if !what.contains("final fit") {
            return;
        }
        self.heard.lock().unwrap().push(done);
        if let Some((at, cancel)) = &self.cancel_at
            && *at == done
        {
            cancel.store(true, Ordering::Relaxed);
        }
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

async fn train(app: &Host, key: &SeriesKey, watch: Arc<Rounds>) -> Result<Trained, Problem> {
    let request = model("gbdt", json!({ "rounds": ROUNDS, "patience": 0, "maxDepth": 3 }));
    let common =
        PipelineOptions { features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])), ..PipelineOptions::new(3) };
    candlecast_app::train(app, TrainJob::new(vec![key.clone()], request, common, app.seed), watch).await
}

/// The model that serves, as it lies in its file.
fn saved(app: &Host, key: &SeriesKey) -> Value {
    let slot = family(key, "gbdt", "price").unwrap().slot(3);
    serde_json::to_value(read_serving(&app.registry, &slot).unwrap().payload).unwrap()
}

#[tokio::test]
async fn a_cancelled_training_goes_on_at_the_round_that_it_had_reached() {
    let series = random_walk(2_500, Seed(4), 0.4);
    let (undisturbed, disturbed) = (world(), world());
    let key = store(&undisturbed.app, &series).await;
    store(&disturbed.app, &series).await;

    let whole = Arc::new(Rounds::default());
    let expected = train(&undisturbed.app, &key, Arc::clone(&whole)).await.unwrap();
    assert_eq!(*whole.heard.lock().unwrap(), (1..=ROUNDS).collect::<Vec<_>>());
    assert!(whole.notes.lock().unwrap().is_empty(), "{:?}", whole.notes);

    let cancelled = Rounds { cancel_at: Some((10, Arc::clone(&disturbed.cancel))), ..Rounds::default() };
    let error = train(&disturbed.app, &key, Arc::new(cancelled)).await.unwrap_err();
    assert_eq!(error.code, "cancelled");
    disturbed.cancel.store(false, Ordering::Relaxed);

    let rest = Arc::new(Rounds::default());
    let trained = train(&disturbed.app, &key, Arc::clone(&rest)).await.unwrap();
    // The cancelling is noticed after the next round, which is kept.
    assert_eq!(*rest.heard.lock().unwrap(), (12..=ROUNDS).collect::<Vec<_>>());
    assert!(rest.notes.lock().unwrap().iter().any(|n| n.starts_with("going on from")), "{:?}", rest.notes);
    assert_eq!(trained.fit, expected.fit);
    assert_eq!(saved(&disturbed.app, &key), saved(&undisturbed.app, &key));
}
