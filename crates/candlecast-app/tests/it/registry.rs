//! Saved models in use: the index, what serves after damage and deletion, stale models, scores on newer candles.

use candlecast_monitor::family;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::models::{
    FamilyQuery, Indexed, ModelName, ModelQuery, StaleModel, Status, delete_model, find_family, find_slot,
    index_family, keep_versions, models_page, promote_model, queue_retraining, reindex_models, roll_back_model,
    serving_history, serving_models, stale_models, surplus_models, validate_model,
};
use candlecast_app::predict::predict;
use candlecast_app::{JOBS, TrainJob, Trained};
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, NoProgress, Problem, ProgressSink, Seed, SeriesKey, Timestamp};
use candlecast_host::{Clock, Host, HostOptions, LOCAL};
use candlecast_jobs::{JobOptions, run_job};
use candlecast_learn::{Market, ScoredForecasts, TrainWindow};
use candlecast_meta::{JobFilter, ModelFilter, ModelStatus, NewJob, PageRequest};
use candlecast_monitor::{active_models, load_active};
use candlecast_pipeline::{MAX_FILL, PipelineOptions};
use candlecast_registry::Change;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::world::{World, active_row, all_models, model, store, world};

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
    train_for(app, key, HORIZON).await
}

async fn train_for(app: &Host, key: &SeriesKey, horizon: usize) -> Trained {
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    let common = PipelineOptions { horizon, ..common() };
    candlecast_app::train(app, TrainJob::new(vec![key.clone()], request, common, app.seed), Arc::new(NoProgress))
        .await
        .unwrap()
}

/// A world in which `hybrid` serves 24 steps and 6 steps, with the two trainings in this order.
async fn two_horizons() -> (World, SeriesKey, [Trained; 2]) {
    let world = world();
    let key = store(&world.app, &walk(LEARNT)).await;
    let trained = [train_for(&world.app, &key, 24).await, train_for(&world.app, &key, 6).await];
    (world, key, trained)
}

/// `hybrid` of the series `key`, as a request names it.
fn hybrid(key: &SeriesKey) -> FamilyQuery {
    FamilyQuery { symbol: key.symbol.clone(), model: "hybrid".into(), venue: None, interval: None, task: None }
}

/// A world with two versions of `hybrid`, both of the same candles; the second serves.
async fn two_versions() -> (World, SeriesKey, [String; 2]) {
    let world = world();
    let key = store(&world.app, &walk(LEARNT)).await;
    let ids = [
        train(&world.app, &key).await.models.remove(0).manifest.id,
        train(&world.app, &key).await.models.remove(0).manifest.id,
    ];
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

async fn status(app: &Host, id: &str) -> Status {
    all_models(app).await.iter().find(|l| l.name.to_string() == id).unwrap().status
}

/// Lets another version serve as soon as it hears of progress.
struct PromotesMeanwhile {
    app: Host,
    name: ModelName,
}

impl ProgressSink for PromotesMeanwhile {
    fn progress(&self, _: &str, _: u64, _: u64) {
        let change = Change { at: self.app.now(), by: "someone" };
        self.app.registry.promote(&self.name.family, self.name.version, change).unwrap();
    }
}

#[tokio::test]
async fn a_training_takes_over_only_from_what_it_was_compared_with() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    assert_eq!(status(app, &second).await, Status::Active, "equal scores take over");
    let watch = Arc::new(PromotesMeanwhile { app: app.clone(), name: first.parse().unwrap() });
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    let trained =
        candlecast_app::train(app, TrainJob::new(vec![key.clone()], request, common(), app.seed), watch).await.unwrap();
    let trained = trained.models.into_iter().next().unwrap();
    assert_eq!((trained.manifest.status, status(app, &first).await), (Status::Candidate, Status::Active));
    assert!(trained.candidate_because.unwrap().contains("has changed since this training began"));
}

#[tokio::test]
async fn the_index_follows_every_change() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    let both = |a, b| vec![(first.clone(), a), (second.clone(), b)];
    use ModelStatus::{Active, Archived, Corrupt};
    assert_eq!(index(app).await, both(Archived, Active));
    promote_model(app, &first, LOCAL).await.unwrap();
    assert_eq!(index(app).await, both(Active, Archived));
    let serving = active_row(app, &key, "hybrid", HORIZON as u32).await;
    assert!(serving.id == first && serving.run_id.is_some(), "who trained it stays on record");
    let slot = all_models(app).await[0].slot().unwrap();
    assert_eq!(roll_back_model(app, &slot, LOCAL).await.unwrap().id, second);
    assert_eq!(index(app).await, both(Archived, Active));

    let whole = fs::read(payload(&world, &first)).unwrap();
    fs::write(payload(&world, &first), b"{}").unwrap();
    assert_eq!(index_family(app, &slot.family).await.unwrap(), Indexed { changed: 1, ..Indexed::default() });
    assert_eq!(index(app).await, both(Corrupt, Active));
    fs::write(payload(&world, &first), whole).unwrap();
    assert_eq!(index_family(app, &slot.family).await.unwrap().changed, 1);
    assert_eq!(index(app).await, both(Archived, Active));
    assert_eq!(index_family(app, &slot.family).await.unwrap(), Indexed::default(), "doing it again changes nothing");

    let refused = delete_model(app, &second, false, LOCAL).await.unwrap_err();
    assert_eq!((refused.code, refused.exit_code()), ("model-active", 1));
    let deleted = delete_model(app, &second, true, LOCAL).await.unwrap();
    assert_eq!((deleted.served, deleted.serves.unwrap().to_string()), (true, first.clone()));
    assert_eq!(index(app).await, [(first.clone(), Active)]);
    assert_eq!(delete_model(app, &first, true, LOCAL).await.unwrap().serves, None);
    assert!(index(app).await.is_empty());
}

#[tokio::test]
async fn two_horizons_of_a_model_serve_side_by_side() {
    let (world, key, [day, short]) = two_horizons().await;
    let app = &world.app;
    let [day, short] = [day, short].map(|mut trained| trained.models.remove(0).manifest);
    assert_eq!([day.version, short.version].map(|v| v.to_string()), ["1.0.0", "2.0.0"]);
    for (asked, serves) in [(Some(3), &short), (Some(6), &short), (Some(12), &day), (Some(24), &day), (None, &day)] {
        let predicted = predict(app, &family(&key, "hybrid", "price").unwrap(), asked).await.unwrap();
        assert_eq!(predicted.manifest.unwrap().id, serves.id, "{asked:?} steps");
        assert_eq!(predicted.forecast.steps().len(), asked.unwrap_or(24));
    }
    let refused = predict(app, &family(&key, "hybrid", "price").unwrap(), Some(25)).await.unwrap_err();
    assert_eq!((refused.code, refused.status, refused.field.as_deref()), ("horizon-too-long", 409, Some("horizon")));
    assert!(refused.detail.contains("up to 24 steps ahead") && refused.detail.contains("at most 24"), "{refused}");

    assert_eq!(active_models(app).await.unwrap(), [family(&key, "hybrid", "price").unwrap()], "once");
    assert_eq!(
        load_active(app, &family(&key, "hybrid", "price").unwrap()).await.unwrap().id,
        day.id,
        "the one that reaches farthest"
    );
    let (serving, problems) = serving_models(app).await.unwrap();
    assert_eq!(serving.iter().map(ToString::to_string).collect::<Vec<_>>(), [short.id.clone(), day.id.clone()]);
    assert!(problems.is_empty(), "{problems:?}");
}

#[tokio::test]
async fn a_training_competes_within_its_horizon_only() {
    let (world, key, [day, short]) = two_horizons().await;
    let app = &world.app;
    use ModelStatus::{Active, Archived};
    let [day, short] = [day, short].map(|mut trained| trained.models.remove(0).manifest.id);
    assert_eq!(index(app).await, [(day.clone(), Active), (short.clone(), Active)]);
    let again = train_for(app, &key, 6).await.models.remove(0).manifest;
    assert_eq!(again.version.to_string(), "2.0.1");
    let expected = [(day.clone(), Active), (short.clone(), Archived), (again.id.clone(), Active)];
    assert_eq!(index(app).await, expected);

    let ambiguous = find_slot(app, &hybrid(&key), None).await.unwrap_err();
    assert_eq!((ambiguous.code, ambiguous.field.as_deref()), ("ambiguous-model", Some("horizon")));
    assert!(ambiguous.detail.contains("6, 24"), "{ambiguous}");
    let missing = find_slot(app, &hybrid(&key), Some("12h")).await.unwrap_err();
    assert!(missing.code == "model-not-trained" && missing.detail.contains("6, 24"), "{missing}");
    let slot = find_slot(app, &hybrid(&key), Some("6h")).await.unwrap();
    assert_eq!(roll_back_model(app, &slot, LOCAL).await.unwrap().id, short);
    assert_eq!(
        predict(app, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap().manifest.unwrap().id,
        day,
        "the other horizon is left alone"
    );

    // With one horizon left nothing has to be said.
    let deleted = delete_model(app, &day, true, LOCAL).await.unwrap();
    assert_eq!((deleted.served, deleted.serves), (true, None), "what serves six steps does not serve in its place");
    assert_eq!(find_slot(app, &hybrid(&key), None).await.unwrap(), slot);
}

#[tokio::test]
async fn every_horizon_that_serves_is_trained_again_for_itself() {
    let (world, _, _) = two_horizons().await;
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, Timestamp::year_start(2024).plus_ms(ttl_ms + 1_000), None);
    let stale = stale_models(&late, late.now()).await.unwrap();
    assert_eq!(stale.iter().map(|model| model.common.horizon).collect::<Vec<_>>(), [6, 24]);
    let job = |stale: &StaleModel| Ok(NewJob::new("overridden", "train", json!({ "horizon": stale.common.horizon })));
    let queued = queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.problems.is_empty(), "{queued:?}");
    assert!(queued.jobs.len() == 2 && queued.jobs[0] != queued.jobs[1], "{queued:?}");
}

/// What served, as `6: 1.0.0 to 1.0.1, saved by local`, newest first.
async fn history(app: &Host, key: &SeriesKey) -> Vec<String> {
    let family = find_family(app, &hybrid(key)).await.unwrap();
    let changes = serving_history(app, &family).await.unwrap();
    assert!(changes.iter().all(|change| change.at == app.now()), "{changes:?}");
    let told = changes.iter().map(|change| {
        let [from, to] = [change.from, change.to].map(|v| v.map_or_else(|| "-".to_owned(), |v| v.to_string()));
        format!("{}: {from} to {to}, {} by {}", change.horizon, change.why, change.by)
    });
    told.collect()
}

#[tokio::test]
async fn what_served_is_on_record_with_the_reason_and_who_changed_it() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    promote_model(app, &first, "ann").await.unwrap();
    let slot = find_slot(app, &hybrid(&key), None).await.unwrap();
    roll_back_model(app, &slot, LOCAL).await.unwrap();
    delete_model(app, &second, true, "bob").await.unwrap();
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    let job = TrainJob::new(vec![key.clone()], request, common(), Seed(42));
    let trained = run_job(app, &JOBS, &job, &JobOptions::default(), Arc::new(NoProgress)).await.unwrap();
    let jobs = app.metadata().await.unwrap().jobs(&JobFilter::default(), PageRequest::first(1)).await.unwrap();
    let by_job = format!("6: 1.0.0 to 1.0.2, saved by job {}", jobs.items[0].id);
    let mut expected = vec![
        by_job.as_str(),
        "6: 1.0.1 to 1.0.0, deleted by bob",
        "6: 1.0.0 to 1.0.1, rolled-back by local",
        "6: 1.0.1 to 1.0.0, promoted by ann",
        "6: 1.0.0 to 1.0.1, saved by local",
        "6: - to 1.0.0, saved by local",
    ];
    assert_eq!(history(app, &key).await, expected);

    // Damage is told once, however often the model is asked, and so is its end.
    let newest = payload(&world, &trained.models[0].manifest.id);
    let whole = fs::read(&newest).unwrap();
    fs::write(&newest, b"{}").unwrap();
    expected.insert(0, "6: 1.0.2 to 1.0.0, fell-back by local");
    for _ in 0..2 {
        assert!(predict(app, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap().fell_back.is_some());
        assert_eq!(history(app, &key).await, expected);
    }
    fs::write(&newest, whole).unwrap();
    expected.insert(0, "6: 1.0.0 to 1.0.2, restored by local");
    for _ in 0..2 {
        assert_eq!(predict(app, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap().fell_back, None);
        assert_eq!(history(app, &key).await, expected);
    }

    for id in [&first, &trained.models[0].manifest.id] {
        delete_model(app, id, true, LOCAL).await.unwrap();
    }
    expected.insert(0, "6: 1.0.2 to -, deleted by local");
    assert_eq!(history(app, &key).await, expected, "it outlives the models");
}

#[tokio::test]
async fn an_index_that_is_lost_is_built_from_the_files() {
    let (world, _, [first, second]) = two_versions().await;
    let empty = tempfile::tempdir().unwrap();
    let other = another(&world, Timestamp::year_start(2024), Some(empty.path()));
    assert!(index(&other).await.is_empty());
    let done = reindex_models(&other, &NoProgress).await.unwrap();
    assert_eq!(done, Indexed { added: 2, ..Indexed::default() });
    assert_eq!(index(&other).await, index(&world.app).await);
    assert_eq!(reindex_models(&other, &NoProgress).await.unwrap(), Indexed::default());

    // Files that went behind its back.
    for id in [&first, &second] {
        fs::remove_file(payload(&world, id).with_extension("meta.json")).unwrap();
    }
    assert_eq!(reindex_models(&other, &NoProgress).await.unwrap().removed, 2);
    assert!(index(&other).await.is_empty());
}

#[tokio::test]
async fn for_a_damaged_active_model_the_last_good_one_answers_and_nobody_is_silent() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    assert_eq!(active_models(app).await.unwrap(), [family(&key, "hybrid", "price").unwrap()]);
    // Another size: lists see it, and once left the model out of what should serve.
    fs::write(payload(&world, &second), b"{}").unwrap();
    assert_eq!((status(app, &first).await, status(app, &second).await), (Status::Archived, Status::Corrupt));
    let wanted = ModelQuery { status: Some(Status::Corrupt), ..ModelQuery::default() };
    let corrupt = models_page(app, &wanted, None, None).await.unwrap();
    assert!(corrupt.len() == 1 && corrupt[0].reason.as_deref().unwrap().contains("is damaged"), "{corrupt:?}");
    assert_eq!(active_models(app).await.unwrap(), [family(&key, "hybrid", "price").unwrap()]);
    let predicted = predict(app, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap();
    assert_eq!(predicted.manifest.unwrap().id, first);
    assert!(predicted.fell_back.unwrap().contains("is damaged"));

    fs::write(payload(&world, &first), b"{}").unwrap();
    assert_eq!(active_models(app).await.unwrap(), [family(&key, "hybrid", "price").unwrap()]);
    assert_eq!(predict(app, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap_err().code, "corrupt-model");
}

#[tokio::test]
async fn pages_of_models_follow_their_ids() {
    let (world, key, ids) = two_versions().await;
    let app = &world.app;
    let wanted = ModelQuery { symbol: Some(key.symbol.clone()), ..ModelQuery::default() };
    let page = async |wanted: &ModelQuery, after: Option<&str>| -> Vec<String> {
        let after: Option<ModelName> = after.map(|id| id.parse().unwrap());
        let listed = models_page(app, wanted, after.as_ref(), Some(1)).await.unwrap();
        listed.iter().map(|l| l.name.to_string()).collect()
    };
    assert_eq!(page(&wanted, None).await, [ids[0].clone()]);
    assert_eq!(page(&wanted, Some(&ids[0])).await, [ids[1].clone()]);
    assert!(page(&wanted, Some(&ids[1])).await.is_empty());
    let active = ModelQuery { status: Some(Status::Active), ..wanted.clone() };
    assert_eq!(page(&active, None).await, [ids[1].clone()], "what is passed over does not count");
    let other = ModelQuery { model: Some("linear".into()), ..wanted };
    assert!(page(&other, None).await.is_empty());
}

#[tokio::test]
async fn a_downloaded_model_is_what_its_digest_says() {
    let (world, _, [first, _]) = two_versions().await;
    let folder = tempfile::tempdir().unwrap();
    let copied = candlecast_app::models::download_model(&world.app, &first, folder.path()).await.unwrap();
    let bytes = fs::read(&copied.payload_path).unwrap();
    let digest = Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(digest, copied.manifest.sha256);
    assert_eq!(bytes, fs::read(payload(&world, &first)).unwrap());
    let again = candlecast_app::models::download_model(&world.app, &first, folder.path()).await.unwrap_err();
    assert_eq!((again.code, again.field.as_deref()), ("file-exists", Some("dir")));
    for hostile in ["../x_1.0.0", "BTCUSDT_HYBRID_1.0.0/../..", ""] {
        let refused = candlecast_app::models::download_model(&world.app, hostile, folder.path()).await.unwrap_err();
        assert_eq!(refused.code, "bad-model-id", "{hostile}");
    }
}

#[tokio::test]
async fn surplus_versions_go_and_what_serves_stays() {
    let (world, key, [first, second]) = two_versions().await;
    let app = &world.app;
    promote_model(app, &first, LOCAL).await.unwrap();
    let third = train(app, &key).await.models.remove(0).manifest.id;
    assert!(surplus_models(app, 3).await.unwrap().is_empty());
    let gone: Vec<String> = keep_versions(app, 2).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(gone, [second]);
    let mut left = index(app).await;
    left.retain(|(_, status)| *status == ModelStatus::Active);
    assert_eq!((index(app).await.len(), left), (2, vec![(third, ModelStatus::Active)]));
}

#[tokio::test]
async fn a_stale_model_that_cannot_be_trained_again_holds_up_no_other() {
    let (world, key, _) = two_versions().await;
    let linear = model("linear", json!({}));
    let watch = Arc::new(NoProgress);
    candlecast_app::train(&world.app, TrainJob::new(vec![key.clone()], linear, common(), world.app.seed), watch)
        .await
        .unwrap();
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, Timestamp::year_start(2024).plus_ms(ttl_ms + 1_000), None);
    let stale = stale_models(&late, late.now()).await.unwrap();
    assert_eq!(stale.len(), 2);
    let first = stale[0].model_id.clone();
    let job = |stale: &StaleModel| {
        if stale.model_id == first {
            return Err(Problem::usage("bad-model", "model", "not trained any more"));
        }
        Ok(NewJob::new("overridden", "train", json!({})))
    };
    let queued = queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.jobs.len() == 1 && queued.jobs[0].contains(&stale[1].model_id), "{queued:?}");
    assert!(queued.problems.len() == 1 && queued.problems[0].detail.contains(&first), "{queued:?}");
}

/// Its job may be forgotten by then; the version that it brought is not.
#[tokio::test]
async fn a_model_that_was_not_beaten_is_tried_again_after_another_time_to_live() {
    let (world, key, [_, second]) = two_versions().await;
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, Timestamp::year_start(2024).plus_ms(ttl_ms + 1_000), None);
    let n_stale = async |host: &Host| stale_models(host, host.now()).await.unwrap().len();
    assert_eq!(n_stale(&late).await, 1);
    train(&late, &key).await;
    promote_model(&late, &second, LOCAL).await.unwrap();
    assert_eq!(n_stale(&late).await, 0);
    let later = another(&world, late.now().plus_ms(ttl_ms + 1_000), None);
    assert_eq!(n_stale(&later).await, 1);
}

#[tokio::test]
async fn stale_models_are_trained_again_as_they_were() {
    let (world, key, [_, second]) = two_versions().await;
    let now = Timestamp::year_start(2024);
    assert!(candlecast_app::models::stale_models(&world.app, now).await.unwrap().is_empty());
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, now.plus_ms(ttl_ms + 1_000), None);
    let stale = stale_models(&late, late.now()).await.unwrap();
    assert_eq!(stale.len(), 1);
    assert_eq!((&stale[0].model_id, &stale[0].series), (&second, &vec![key.clone()]));
    assert!(predict(&late, &family(&key, "hybrid", "price").unwrap(), None).await.unwrap().stale, "it goes on serving");

    let job =
        |stale: &StaleModel| Ok(NewJob::new("overridden", "train", json!({ "series": stale.series[0].to_string() })));
    assert!(queue_retraining(&late, false, job).await.unwrap().jobs.is_empty());
    let queued = queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.jobs.len() == 1 && queued.jobs[0].contains(&second), "{queued:?}");
    assert!(queue_retraining(&late, true, job).await.unwrap().jobs.is_empty(), "once in a time to live");

    let before = candlecast_app::models::model(&late, &second).await.unwrap().0;
    let StaleModel { series, request, common, range, .. } = stale[0].clone();
    let job = TrainJob { range, ..TrainJob::new(series, request, common, late.seed) };
    let again = candlecast_app::train(&late, job, Arc::new(NoProgress)).await.unwrap().models.remove(0).manifest;
    assert_eq!((&again.config, &again.pipeline), (&before.config, &before.pipeline));
    assert_eq!((again.version.major, again.version.minor), (before.version.major, before.version.minor));
    assert!(stale_models(&late, late.now()).await.unwrap().is_empty());
}

/// Asks at every scored origin, with the clock set to it, what `predict` serves.
async fn assert_intervals_were_served(
    world: &World,
    key: &SeriesKey,
    market: &Market,
    scored: &ScoredForecasts,
    ks: &[usize],
) {
    for &k in ks {
        let row = scored.rows[k];
        let then = another(world, market.series().close_time(row), None);
        let served = predict(&then, &family(key, "hybrid", "price").unwrap(), None).await.unwrap();
        assert_eq!(served.forecast.steps().len(), HORIZON);
        for (h, step) in served.forecast.steps().iter().enumerate() {
            let log = |price: f64| (price / served.forecast.origin_price).ln();
            let issued = scored.calibrated[k * HORIZON + h];
            for (own, served) in [(issued.mean, step.price), (issued.lower, step.lower), (issued.upper, step.upper)] {
                assert!((own - log(served)).abs() < 1e-12, "row {row} step {h}: {own} {}", log(served));
            }
            assert_eq!(issued.confidence, step.confidence, "row {row} step {h}");
        }
    }
}

/// A missing candle is known to be missing only once it is: until then its forecasts have been served, and have taught
/// the steps before it.
#[tokio::test]
async fn around_gaps_the_intervals_of_a_validation_are_those_that_were_served() {
    let world = world();
    let walk = walk(LEARNT + 900);
    let key = store(&world.app, &part(&walk, 0..LEARNT)).await;
    let id = train(&world.app, &key).await.models.remove(0).manifest.id;
    // Two candles missing, which are filled, one missing, and ten, which end a segment.
    for rows in [0..100, 102..230, 231..400, 410..900] {
        store(&world.app, &part(&walk, LEARNT + rows.start..LEARNT + rows.end)).await;
    }
    let market = world.app.market(&key, MAX_FILL).await.unwrap();
    let report = validate_model(&world.app, &id, 60).await.unwrap().validation.report.unwrap();
    let scored = &report.models.last().unwrap().forecasts;
    let filled = market.series().filled();
    let behind_gap = |row: usize| filled[row - 8..row].iter().any(|&filled| filled);
    let ks: Vec<usize> = (0..scored.rows.len())
        .filter(|&k| {
            behind_gap(scored.rows[k])
                || scored.rows[k] - market.series().segment_of(scored.rows[k]).start < 300 && k % 40 == 0
        })
        .collect();
    assert!(ks.len() > 16 && scored.rows.last().unwrap() > &(LEARNT + 410), "{ks:?}");
    assert_intervals_were_served(&world, &key, &market, scored, &ks).await;
}

#[tokio::test]
async fn a_model_is_validated_on_what_it_has_not_learnt_from() {
    let world = world();
    let walk = walk(LEARNT + 400);
    let key = store(&world.app, &part(&walk, 0..LEARNT)).await;
    let id = train(&world.app, &key).await.models.remove(0).manifest.id;
    let nothing = validate_model(&world.app, &id, 7).await.unwrap();
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
    assert_eq!(model.vs_reference.verdict, "too few to tell (27 independent)");
    let naive = report.models.iter().find(|m| m.name == "naive").unwrap();
    assert_eq!(naive.vs_reference.verdict, "the reference");

    // More days than are new: those learnt from are left out, and there is enough to judge by.
    let all = candlecast_app::models::validate_model(&world.app, &id, 30).await.unwrap();
    let report = all.validation.report.unwrap();
    // Its last candle is an origin, too: what follows it is new.
    assert_eq!((report.origins, all.validation.seen), (400 - HORIZON + 1, 30 * 24 - 400));
    let (model, naive) = (report.models.last().unwrap(), report.models.iter().find(|m| m.name == "naive").unwrap());
    assert!(!model.vs_reference.verdict.starts_with("too few"), "{}", model.vs_reference.verdict);
    assert_eq!(model.forecasts.rows, naive.forecasts.rows);
    assert!(model.forecasts.rows.iter().all(|&row| row >= LEARNT - 1));
    let errors = model.forecasts.rows.iter().flat_map(|&row| {
        let close = walk.close();
        (1..=HORIZON).map(move |h| (close[row + h] - close[row]).abs())
    });
    let by_hand = errors.sum::<f64>() / (report.origins * HORIZON) as f64;
    assert!((naive.metrics.loss().unwrap() - by_hand).abs() < 1e-9, "{by_hand}");
    let covered = model.metrics.coverage().unwrap();
    assert!((0.8..1.0).contains(&covered), "{covered}");

    // The intervals are those that were served at the time.
    let market = world.app.market(&key, MAX_FILL).await.unwrap();
    assert_intervals_were_served(&world, &key, &market, &model.forecasts, &[0, 100, 394]).await;
    let refused = candlecast_app::models::validate_model(&world.app, &id, 0).await.unwrap_err();
    assert_eq!(refused.code, "bad-days");
}
