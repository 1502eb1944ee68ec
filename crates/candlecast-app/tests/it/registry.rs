//! Saved models in use: the index, what serves after damage and deletion, stale models, scores on newer candles.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::Trained;
use candlecast_app::models::{Indexed, ModelName, ModelQuery, StaleModel, Status};
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, NoProgress, Problem, ProgressSink, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_learn::TrainWindow;
use candlecast_meta::{ModelFilter, ModelStatus, NewJob, PageRequest};
use candlecast_pipeline::PipelineOptions;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::{World, model, store, world};

const HORIZON: usize = 6;
const LEARNT: usize = 1_200;

fn common() -> PipelineOptions {
    PipelineOptions { window: TrainWindow::Rolling { days: 100 }, retrain_days: 50, ..PipelineOptions::new(HORIZON) }
}

fn walk(n: usize) -> CandleSeries {
    random_walk(n, Seed(5), 0.5)
}

fn part(series: &CandleSeries, rows: std::ops::Range<usize>) -> CandleSeries {
    CandleSeries::new(series.key().clone(), series.columns().slice(rows)).unwrap()
}

async fn train(app: &Host, key: &SeriesKey) -> Trained {
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    candlecast_app::train(&app, key, request, common(), TimeRange::ALL, false, Arc::new(NoProgress)).await.unwrap()
}

/// A world with two versions of `hybrid`, both of the same candles; the second serves.
async fn two_versions() -> (World, SeriesKey, [String; 2]) {
    let world = world();
    let key = store(&world.app, &walk(LEARNT)).await;
    let ids = [train(&world.app, &key).await.meta.id, train(&world.app, &key).await.meta.id];
    (world, key, ids)
}

/// The same platform at another time, over another data folder if one is given.
fn another(world: &World, now: Timestamp, data_dir: Option<&std::path::Path>) -> Host {
    let mut settings = world.app.settings.clone();
    if let Some(dir) = data_dir {
        dir.clone_into(&mut settings.data_dir);
    }
    let cancel = Arc::new(AtomicBool::new(false));
    Host::open(settings, HostOptions { seed: Seed(42), threads: Some(2), clock: Clock::Fixed(now), cancel }).unwrap()
}

/// The index as it stands, by id.
async fn index(app: &Host) -> Vec<(String, ModelStatus)> {
    let store = app.metadata().await.unwrap();
    let page = store.models(&ModelFilter::default(), PageRequest::first(100)).await.unwrap();
    let mut rows: Vec<(String, ModelStatus)> = page.items.into_iter().map(|m| (m.id, m.status)).collect();
    rows.sort();
    rows
}

fn payload(world: &World, id: &str) -> std::path::PathBuf {
    candlecast_app::models::model_path(&world.app, &id.parse().unwrap())
}

fn status(app: &Host, id: &str) -> Status {
    candlecast_app::models::models(&app).unwrap().iter().find(|l| l.name.to_string() == id).unwrap().status
}

/// Lets another version serve as soon as it hears of progress.
struct PromotesMeanwhile {
    app: Host,
    name: ModelName,
}

impl ProgressSink for PromotesMeanwhile {
    fn progress(&self, _: &str, _: u64, _: u64) {
        self.app.registry.promote(&self.name.slot, self.name.version).unwrap();
    }
}

#[tokio::test]
async fn a_training_takes_over_only_from_what_it_was_compared_with() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    assert_eq!(status(app, &second), Status::Active, "equal scores take over");
    let watch = Arc::new(PromotesMeanwhile { app: app.clone(), name: first.parse().unwrap() });
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    let trained = candlecast_app::train(&app, &key, request, common(), TimeRange::ALL, false, watch).await.unwrap();
    assert_eq!((trained.meta.status, status(app, &first)), (Status::Candidate, Status::Active));
    assert!(trained.candidate_because.unwrap().contains("has changed since this training began"));
}

#[tokio::test]
async fn the_index_follows_every_change() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    let both = |a, b| vec![(first.clone(), a), (second.clone(), b)];
    use ModelStatus::{Active, Archived, Corrupt};
    assert_eq!(index(app).await, both(Archived, Active));
    candlecast_app::models::promote_model(&app, &first).await.unwrap();
    assert_eq!(index(app).await, both(Active, Archived));
    let serving = app.metadata().await.unwrap().active_model(&key, "hybrid", "price").await.unwrap().unwrap();
    assert!(serving.id == first && serving.run_id.is_some(), "who trained it stays on record");
    let slot = candlecast_app::models::models(&app).unwrap()[0].name.slot.clone();
    assert_eq!(candlecast_app::models::roll_back_model(&app, &slot).await.unwrap().id, second);
    assert_eq!(index(app).await, both(Archived, Active));

    let whole = fs::read(payload(&world, &first)).unwrap();
    fs::write(payload(&world, &first), b"{}").unwrap();
    assert_eq!(
        candlecast_app::models::index_slot(&app, &slot).await.unwrap(),
        Indexed { added: 0, changed: 1, removed: 0 }
    );
    assert_eq!(index(app).await, both(Corrupt, Active));
    fs::write(payload(&world, &first), whole).unwrap();
    assert_eq!(candlecast_app::models::index_slot(&app, &slot).await.unwrap().changed, 1);
    assert_eq!(index(app).await, both(Archived, Active));
    assert_eq!(
        candlecast_app::models::index_slot(&app, &slot).await.unwrap(),
        Indexed::default(),
        "doing it again changes nothing"
    );

    let refused = candlecast_app::models::delete_model(&app, &second, false).await.unwrap_err();
    assert_eq!((refused.code, refused.exit_code()), ("model-active", 1));
    let deleted = candlecast_app::models::delete_model(&app, &second, true).await.unwrap();
    assert_eq!((deleted.served, deleted.serves.unwrap().to_string()), (true, first.clone()));
    assert_eq!(index(app).await, [(first.clone(), Active)]);
    assert_eq!(candlecast_app::models::delete_model(&app, &first, true).await.unwrap().serves, None);
    assert!(index(app).await.is_empty());
}

#[tokio::test]
async fn an_index_that_is_lost_is_built_from_the_files() {
    let (world, _, [first, second]) = two_versions().await;
    let empty = tempfile::tempdir().unwrap();
    let other = another(&world, Timestamp::year_start(2024), Some(empty.path()));
    assert!(index(&other).await.is_empty());
    let done = candlecast_app::models::reindex_models(&other, &NoProgress).await.unwrap();
    assert_eq!(done, Indexed { added: 2, changed: 0, removed: 0 });
    assert_eq!(index(&other).await, index(&world.app).await);
    assert_eq!(candlecast_app::models::reindex_models(&other, &NoProgress).await.unwrap(), Indexed::default());

    // Files that went behind its back.
    for id in [&first, &second] {
        fs::remove_file(payload(&world, id).with_extension("meta.json")).unwrap();
    }
    assert_eq!(candlecast_app::models::reindex_models(&other, &NoProgress).await.unwrap().removed, 2);
    assert!(index(&other).await.is_empty());
}

#[tokio::test]
async fn for_a_damaged_active_model_the_last_good_one_answers_and_nobody_is_silent() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    assert_eq!(candlecast_monitor::active_models(&app, |_| true).unwrap(), [(key.clone(), "hybrid".to_owned())]);
    // Another size: lists see it, and once left the model out of what should serve.
    fs::write(payload(&world, &second), b"{}").unwrap();
    assert_eq!((status(app, &first), status(app, &second)), (Status::Archived, Status::Corrupt));
    let corrupt = candlecast_app::models::models_page(
        &app,
        &ModelQuery { status: Some(Status::Corrupt), ..ModelQuery::default() },
        None,
        None,
    );
    let corrupt = corrupt.unwrap();
    assert!(corrupt.len() == 1 && corrupt[0].reason.as_deref().unwrap().contains("is damaged"), "{corrupt:?}");
    assert_eq!(candlecast_monitor::active_models(&app, |_| true).unwrap(), [(key.clone(), "hybrid".to_owned())]);
    let predicted = candlecast_app::predict::predict(&app, &key, "hybrid", None).await.unwrap();
    assert_eq!(predicted.meta.id, first);
    assert!(predicted.fell_back.unwrap().contains("is damaged"));

    fs::write(payload(&world, &first), b"{}").unwrap();
    assert_eq!(candlecast_monitor::active_models(&app, |_| true).unwrap(), [(key.clone(), "hybrid".to_owned())]);
    assert_eq!(candlecast_app::predict::predict(&app, &key, "hybrid", None).await.unwrap_err().code, "corrupt-model");
}

#[tokio::test]
async fn pages_of_models_follow_their_ids() {
    let (world, key, ids) = two_versions().await;
    let app = &world.app;
    let wanted = ModelQuery { symbol: Some(key.symbol.clone()), ..ModelQuery::default() };
    let page = |wanted: &ModelQuery, after: Option<&str>| -> Vec<String> {
        let after: Option<ModelName> = after.map(|id| id.parse().unwrap());
        let listed = candlecast_app::models::models_page(&app, wanted, after.as_ref(), Some(1)).unwrap();
        listed.iter().map(|l| l.name.to_string()).collect()
    };
    assert_eq!(page(&wanted, None), [ids[0].clone()]);
    assert_eq!(page(&wanted, Some(&ids[0])), [ids[1].clone()]);
    assert!(page(&wanted, Some(&ids[1])).is_empty());
    let active = ModelQuery { status: Some(Status::Active), ..wanted.clone() };
    assert_eq!(page(&active, None), [ids[1].clone()], "what is passed over does not count");
    let other = ModelQuery { model: Some("linear".into()), ..wanted };
    assert!(page(&other, None).is_empty());
}

#[tokio::test]
async fn a_downloaded_model_is_what_its_digest_says() {
    let (world, _, [first, _]) = two_versions().await;
    let folder = tempfile::tempdir().unwrap();
    let copied = candlecast_app::models::download_model(&world.app, &first, folder.path()).unwrap();
    let bytes = fs::read(&copied.payload_path).unwrap();
    let digest = Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(digest, copied.meta.sha256);
    assert_eq!(bytes, fs::read(payload(&world, &first)).unwrap());
    let again = candlecast_app::models::download_model(&world.app, &first, folder.path()).unwrap_err();
    assert_eq!((again.code, again.field.as_deref()), ("file-exists", Some("dir")));
    for hostile in ["../x_1.0.0", "BTCUSDT_HYBRID_1.0.0/../..", ""] {
        let refused = candlecast_app::models::download_model(&world.app, hostile, folder.path()).unwrap_err();
        assert_eq!(refused.code, "bad-model-id", "{hostile}");
    }
}

#[tokio::test]
async fn surplus_versions_go_and_what_serves_stays() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    candlecast_app::models::promote_model(&app, &first).await.unwrap();
    let third = train(app, &key).await.meta.id;
    assert!(candlecast_app::models::surplus_models(&app, 3).unwrap().is_empty());
    let gone: Vec<String> =
        candlecast_app::models::keep_versions(&app, 2).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(gone, [second]);
    let mut left = index(app).await;
    left.retain(|(_, status)| *status == ModelStatus::Active);
    assert_eq!((index(app).await.len(), left), (2, vec![(third, ModelStatus::Active)]));
}

#[tokio::test]
async fn a_stale_model_that_cannot_be_trained_again_holds_up_no_other() {
    let (world, key, _) = two_versions().await;
    let linear = model("linear", json!({}));
    candlecast_app::train(&world.app, &key, linear, common(), TimeRange::ALL, false, Arc::new(NoProgress))
        .await
        .unwrap();
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, Timestamp::year_start(2024).plus_ms(ttl_ms + 1_000), None);
    let stale = candlecast_app::models::stale_models(&late, late.now()).unwrap();
    assert_eq!(stale.len(), 2);
    let first = stale[0].model_id.clone();
    let job = |stale: &StaleModel| {
        if stale.model_id == first {
            return Err(Problem::usage("bad-model", "model", "not trained any more"));
        }
        Ok(NewJob::new("overridden", "train", json!({})))
    };
    let queued = candlecast_app::models::queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.jobs.len() == 1 && queued.jobs[0].contains(&stale[1].model_id), "{queued:?}");
    assert!(queued.problems.len() == 1 && queued.problems[0].detail.contains(&first), "{queued:?}");
}

#[tokio::test]
async fn stale_models_are_trained_again_as_they_were() {
    let (world, key, [_, second]) = two_versions().await;
    let now = Timestamp::year_start(2024);
    assert!(candlecast_app::models::stale_models(&world.app, now).unwrap().is_empty());
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, now.plus_ms(ttl_ms + 1_000), None);
    let stale = candlecast_app::models::stale_models(&late, late.now()).unwrap();
    assert_eq!(stale.len(), 1);
    assert_eq!((&stale[0].model_id, &stale[0].key), (&second, &key));
    assert!(candlecast_app::predict::predict(&late, &key, "hybrid", None).await.unwrap().stale, "it goes on serving");

    let job = |stale: &StaleModel| Ok(NewJob::new("overridden", "train", json!({ "series": stale.key.to_string() })));
    assert!(candlecast_app::models::queue_retraining(&late, false, job).await.unwrap().jobs.is_empty());
    let queued = candlecast_app::models::queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.jobs.len() == 1 && queued.jobs[0].contains(&second), "{queued:?}");
    assert!(
        candlecast_app::models::queue_retraining(&late, true, job).await.unwrap().jobs.is_empty(),
        "once in a time to live"
    );

    let before = candlecast_app::models::model(&late, &second).unwrap().0;
    let stale = stale[0].clone();
    let again =
        candlecast_app::train(&late, &stale.key, stale.request, stale.common, stale.range, false, Arc::new(NoProgress))
            .await
            .unwrap();
    assert_eq!(again.meta.config, before.config);
    assert_eq!((again.meta.version.major, again.meta.version.minor), (before.version.major, before.version.minor));
    assert!(candlecast_app::models::stale_models(&late, late.now()).unwrap().is_empty());
}

#[tokio::test]
async fn a_model_is_validated_on_what_it_has_not_learnt_from() {
    let world = world();
    let walk = walk(LEARNT + 400);
    let key = store(&world.app, &part(&walk, 0..LEARNT)).await;
    let id = train(&world.app, &key).await.meta.id;
    let nothing = candlecast_app::models::validate_model(&world.app, &id, 7).await.unwrap();
    assert!(
        nothing.validation.report.is_none() && nothing.validation.remark.contains("nothing can be scored yet"),
        "{}",
        nothing.validation.remark
    );
    assert_eq!(nothing.validation.seen, 7 * 24);

    store(&world.app, &part(&walk, LEARNT..LEARNT + 400)).await;
    // The week ends with the data; of its last six hours the outcomes are not known.
    let week = candlecast_app::models::validate_model(&world.app, &id, 7).await.unwrap();
    let report = week.validation.report.unwrap();
    assert_eq!(
        (report.origins, week.validation.seen, week.validation.independent),
        (7 * 24 - HORIZON, 0, (7 * 24 - HORIZON) / HORIZON)
    );
    let model = report.models.last().unwrap();
    assert_eq!((model.name.as_str(), model.baseline), ("hybrid", false));
    assert!(model.vs_naive.verdict.starts_with("too few to tell: 27"), "{}", model.vs_naive.verdict);
    let naive = report.models.iter().find(|m| m.name == "naive").unwrap();
    assert_eq!(naive.vs_naive.verdict, "the reference");

    // More days than are new: those learnt from are left out, and there is enough to judge by.
    let all = candlecast_app::models::validate_model(&world.app, &id, 30).await.unwrap();
    let report = all.validation.report.unwrap();
    // Its last candle is an origin, too: what follows it is new.
    assert_eq!((report.origins, all.validation.seen), (400 - HORIZON + 1, 30 * 24 - 400));
    let (model, naive) = (report.models.last().unwrap(), report.models.iter().find(|m| m.name == "naive").unwrap());
    assert!(!model.vs_naive.verdict.starts_with("too few"), "{}", model.vs_naive.verdict);
    assert_eq!(model.forecasts.rows, naive.forecasts.rows);
    assert!(model.forecasts.rows.iter().all(|&row| row >= LEARNT - 1));
    let errors = model.forecasts.rows.iter().flat_map(|&row| {
        let close = walk.close();
        (1..=HORIZON).map(move |h| (close[row + h] - close[row]).abs())
    });
    let by_hand = errors.sum::<f64>() / (report.origins * HORIZON) as f64;
    assert!((naive.metrics.mae.unwrap() - by_hand).abs() < 1e-9, "{by_hand}");
    let covered = model.metrics.coverage.unwrap();
    assert!((0.8..1.0).contains(&covered), "{covered}");

    // The intervals are those that were served at the time.
    for k in [0, 100, 394] {
        let row = model.forecasts.rows[k];
        let then = another(&world, Timestamp(walk.open_time()[row]).plus_ms(3_600_000), None);
        let served = candlecast_app::predict::predict(&then, &key, "hybrid", None).await.unwrap();
        for (h, step) in served.forecast.steps.iter().enumerate() {
            let (mean, half) = ((step.price / served.forecast.origin_price).ln(), (step.upper / step.price).ln());
            let issued = model.forecasts.calibrated[k * HORIZON + h];
            assert!((model.forecasts.means[k * HORIZON + h] - mean).abs() < 1e-12, "row {row} step {h}");
            assert!((issued.half_width - half).abs() < 1e-12, "row {row} step {h}: {} {half}", issued.half_width);
            assert_eq!(issued.confidence, step.confidence);
        }
    }
    let refused = candlecast_app::models::validate_model(&world.app, &id, 0).await.unwrap_err();
    assert_eq!(refused.code, "bad-days");
}
