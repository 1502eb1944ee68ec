//! Forecasts of finished fits are kept, and taken in the place of the fits when a run is gone on with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use candlecast_app::evaluate as evaluate_on;
use candlecast_core::market::random_walk;
use candlecast_core::{FeatureSet, NoProgress, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_host::{Checkpoints, Host};
use candlecast_learn::walk_forward;
use candlecast_learn::walk_forward::Hooks;
use candlecast_pipeline::{Evaluation, Method, PipelineOptions, plan_config, run_fingerprint};
use serde_json::json;

use crate::world::{model, store, world};

fn common() -> PipelineOptions {
    PipelineOptions { features: Some(FeatureSet::of(&["log_return_1"])), ..PipelineOptions::new(2) }
}

async fn evaluate(host: &Host, key: &SeriesKey, method: Method, watch: Arc<dyn ProgressSink>) -> Evaluation {
    evaluate_on(host, key, vec![model("linear", json!({}))], common(), method, watch).await.unwrap()
}

fn forecasts<'a>(evaluation: &'a Evaluation, model: &str) -> &'a [f64] {
    &evaluation.report.models.iter().find(|m| m.name == model).unwrap().forecasts.means
}

/// Keeps every fit: each look at its clock takes a second.
struct Slow {
    kept: Checkpoints,
    seconds: AtomicU64,
}

impl Hooks for Slow {
    fn seconds(&self) -> f64 {
        self.seconds.fetch_add(1, Ordering::Relaxed) as f64
    }
    fn cancelled(&self) -> bool {
        false
    }
    fn fits_done(&self, _: usize, _: usize, _: &str) {}
    fn keep(&self, name: &str, content: &[u8]) {
        self.kept.keep(name, content);
    }
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl ProgressSink for Notes {
    fn progress(&self, _: &str, _: u64, _: u64) {}
    fn note(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

/// The forecasts of another model are kept in a model's place: they turn up in the report, so the pieces were read
/// and the model was not fitted.
#[tokio::test]
async fn a_kept_piece_takes_the_place_of_its_fit() {
    let world = world();
    let app = &world.app;
    let series = random_walk(2_400, Seed(3), 0.4);
    store(app, &series).await;
    let border = Timestamp(series.open_time()[1_800]);
    let (train, test) = (TimeRange { to: border, ..TimeRange::ALL }, TimeRange { from: border, ..TimeRange::ALL });
    let method = Method::Simple { train, test };
    let undisturbed = evaluate(app, series.key(), method, Arc::new(NoProgress)).await;
    assert_ne!(forecasts(&undisturbed, "linear"), forecasts(&undisturbed, "drift"));

    let run = run_fingerprint(&undisturbed.fingerprint, "evaluate");
    let slow = Slow { kept: Checkpoints::open(&app.checkpoints_dir(), &run), seconds: AtomicU64::new(0) };
    let plan = plan_config(&common()).simple(&undisturbed.market, train, test).unwrap();
    walk_forward::run(&undisturbed.forecasters, &plan, app.seed, &slow).unwrap();
    let kept = slow.kept;
    let piece = |name: &str, fold: usize| {
        let forecaster = undisturbed.forecasters.iter().find(|forecaster| forecaster.name == name).unwrap();
        format!("{}-{fold}.piece", forecaster.id())
    };
    for fold in 0..plan.folds.len() {
        let drift = kept.recall(&piece("drift", fold)).unwrap();
        assert!(kept.recall(&piece("linear", fold)).is_some_and(|linear| linear != drift));
        kept.keep(&piece("linear", fold), &drift);
    }
    let told = format!("going on from {} pieces", kept.len());
    // What somebody else is at work on is not cleared.
    drop(kept);
    let notes = Arc::new(Notes::default());
    let resumed = evaluate(app, series.key(), method, Arc::clone(&notes) as Arc<dyn ProgressSink>).await;
    assert!(notes.0.lock().unwrap().iter().any(|note| note.starts_with(&told)), "{told}: {:?}", notes.0);
    assert_eq!(forecasts(&resumed, "linear"), forecasts(&undisturbed, "drift"));
    assert_eq!(forecasts(&resumed, "drift"), forecasts(&undisturbed, "drift"));
    assert_eq!(Checkpoints::open(&app.checkpoints_dir(), &run).len(), 0);

    let anew = evaluate(app, series.key(), method, Arc::new(NoProgress)).await;
    assert_eq!(forecasts(&anew, "linear"), forecasts(&undisturbed, "linear"));
}
