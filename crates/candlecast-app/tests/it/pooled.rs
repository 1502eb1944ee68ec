//! Models that learn from a pool of other series: what is saved, what it has seen, and how it is told from others.

use std::ops::Range;
use std::slice::from_ref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::doc::{ModelDoc, TrainDoc};
use candlecast_app::models::{StaleModel, model as saved_model, queue_retraining, stale_models, validate_model};
use candlecast_app::predict::predict;
use candlecast_app::{EvaluateJob, JOBS, TrainJob, Trained, pool_of, text};
use candlecast_core::market::random_walk;
use candlecast_core::{
    CandleSeries, FeatureSet, ModelRequest, NoProgress, Seed, SeriesKey, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_jobs::{JobOptions, run_job};
use candlecast_learn::ScoredForecasts;
use candlecast_meta::{NewJob, PageRequest, RunFilter};
use candlecast_monitor::{family, identity};
use candlecast_pipeline::{FeatureFrames, LoadedModel, MAX_FILL, Method, PipelineOptions, SavedModel};
use serde_json::{Value, json};

use crate::world::{World, model, store, world};

const HORIZON: usize = 3;
/// Candles that are learnt from, and all that there are.
const LEARNT: usize = 2_500;
const CANDLES: usize = 3_000;

/// A walk of its own, each of whose returns takes a part of the last one back.
fn series(symbol: &str, n: usize, seed: u64) -> CandleSeries {
    let walk = random_walk(n, Seed(seed), 0.4);
    let key = SeriesKey { symbol: Symbol::new(symbol).unwrap(), ..walk.key().clone() };
    CandleSeries::new(key, walk.into_columns()).unwrap()
}

fn own() -> CandleSeries {
    series("AAAUSDT", CANDLES, 1)
}

fn others() -> [CandleSeries; 2] {
    [series("BBBUSDT", CANDLES, 2), series("CCCUSDT", CANDLES, 3)]
}

fn part(series: &CandleSeries, rows: Range<usize>) -> CandleSeries {
    CandleSeries::new(series.key().clone(), series.columns().slice(rows)).unwrap()
}

fn keys(series: &[CandleSeries]) -> Vec<SeriesKey> {
    series.iter().map(|series| series.key().clone()).collect()
}

fn names(series: &[CandleSeries]) -> Vec<String> {
    series.iter().map(|series| series.key().to_string()).collect()
}

async fn world_with(all: &[CandleSeries]) -> World {
    let world = world();
    for series in all {
        store(&world.app, series).await;
    }
    world
}

/// The series that is forecast, and those beside it.
async fn full() -> World {
    let [b, c] = others();
    world_with(&[own(), b, c]).await
}

/// The end of what is learnt from.
fn end() -> Timestamp {
    Timestamp(own().open_time()[LEARNT])
}

fn learnt() -> TimeRange {
    TimeRange { to: end(), ..TimeRange::ALL }
}

fn common() -> PipelineOptions {
    PipelineOptions { features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])), ..PipelineOptions::new(HORIZON) }
}

fn linear() -> ModelRequest {
    model("linear", json!({}))
}

/// A training of `linear` for `series`, without a pool.
fn plain_job(app: &Host, series: &[SeriesKey]) -> TrainJob {
    TrainJob { range: learnt(), ..TrainJob::new(series.to_vec(), linear(), common(), app.seed) }
}

async fn pooled_job(app: &Host, series: &[SeriesKey]) -> TrainJob {
    TrainJob { pool: pool_of(app, series).await.unwrap(), ..plain_job(app, series) }
}

async fn train(app: &Host, job: TrainJob) -> Trained {
    candlecast_app::train(app, job, Arc::new(NoProgress)).await.unwrap()
}

async fn train_pooled(app: &Host) -> Trained {
    train(app, pooled_job(app, from_ref(own().key())).await).await
}

async fn saved(app: &Host, trained: &Trained, k: usize) -> SavedModel {
    saved_model(app, &trained.models[k].manifest.id).await.unwrap().1
}

/// The same models at another time, over another data folder if one is given.
fn another(world: &World, now: Timestamp, data_dir: Option<&std::path::Path>) -> Host {
    let mut settings = world.app.settings.clone();
    if let Some(dir) = data_dir {
        dir.clone_into(&mut settings.data_dir);
    }
    let cancel = Arc::new(AtomicBool::new(false));
    Host::open(settings, HostOptions { seed: Seed(42), threads: Some(2), clock: Clock::Fixed(now), cancel }).unwrap()
}

#[tokio::test]
async fn the_pool_is_what_else_is_stored_of_the_venue_and_interval() {
    let world = full().await;
    let [b, c] = others();
    let elsewhere = SeriesKey { venue: Venue::new("elsewhere").unwrap(), ..b.key().clone() };
    let far = store(&world.app, &CandleSeries::new(elsewhere, b.columns().clone()).unwrap()).await;
    let pool = async |keys: &[SeriesKey]| pool_of(&world.app, keys).await.unwrap();
    assert_eq!(pool(from_ref(own().key())).await, keys(&[b.clone(), c.clone()]));
    assert_eq!(pool(&keys(&[c, own()])).await, keys(&[b]));
    assert!(pool(&[far]).await.is_empty(), "no series of another venue");
}

/// What the model says in a backtest that is fitted once, at the end of what is learnt from, and scored behind it.
async fn backtest(app: &Host, pool: Vec<SeriesKey>) -> ScoredForecasts {
    let request = EvaluateJob {
        series: own().key().clone(),
        pool,
        models: vec![linear()],
        common: common(),
        method: Method::Simple { train: learnt(), test: TimeRange { from: end(), ..TimeRange::ALL } },
        candles: vec![],
        confidence_threshold: None,
        seed: app.seed,
    };
    let done = run_job(app, &JOBS, &request, &JobOptions::default(), Arc::new(NoProgress)).await.unwrap();
    done.report.models.into_iter().next_back().unwrap().forecasts
}

#[tokio::test]
async fn what_is_saved_forecasts_as_the_last_fold_of_a_pooled_backtest() {
    let world = full().await;
    let trained = train_pooled(&world.app).await;
    // Restored over the candles of its own series alone.
    let alone = world_with(&[own()]).await;
    let market = alone.app.market(own().key(), MAX_FILL).await.unwrap();
    let identity = identity(&trained.models[0].manifest);
    let model = LoadedModel::restore(saved(&world.app, &trained, 0).await, &identity).unwrap();
    let panel = FeatureFrames::new(market).panel(&model.forecaster.features()).unwrap();

    let pooled = backtest(&world.app, keys(&others())).await;
    assert!(pooled.rows.len() > 450 && pooled.rows[0] == LEARNT, "{} from {}", pooled.rows.len(), pooled.rows[0]);
    assert_eq!(model.forecaster.predict(&panel, &pooled.rows).means, pooled.means);
    let unpooled = backtest(&world.app, vec![]).await;
    assert_eq!(unpooled.rows, pooled.rows);
    assert_ne!(unpooled.means, pooled.means);
}

#[tokio::test]
async fn a_saved_model_needs_the_candles_of_its_own_series_alone() {
    let world = full().await;
    let trained = train_pooled(&world.app).await;
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = another(&world, world.app.now(), Some(folder.path()));
    store(&elsewhere, &own()).await;
    assert!(pool_of(&elsewhere, from_ref(own().key())).await.unwrap().is_empty());
    let family = family(own().key(), "linear", "price").unwrap();
    let here = predict(&world.app, &family, None).await.unwrap();
    let there = predict(&elsewhere, &family, None).await.unwrap();
    assert_eq!(there.forecast, here.forecast);
    assert_eq!((there.trained_to, there.manifest), (end(), Some(trained.models[0].manifest.clone())));

    let id = &trained.models[0].manifest.id;
    let scores = async |app: &Host| {
        let report = validate_model(app, id, 30).await.unwrap().validation.report.unwrap();
        report.models.into_iter().next_back().unwrap().forecasts
    };
    let (here, there) = (scores(&world.app).await, scores(&elsewhere).await);
    assert_eq!((here.rows, here.means), (there.rows, there.means));
}

/// The pool is cut where the range ends. Candles behind it may be others, or none, or the only ones of a series.
#[tokio::test]
async fn nothing_of_the_pool_behind_the_range_is_learnt_from() {
    let world = full().await;
    let trained = train_pooled(&world.app).await;
    let [b, c] = others();
    let tail = part(&series("CCCUSDT", CANDLES, 9), LEARNT..CANDLES);
    let late = part(&series("DDDUSDT", CANDLES, 4), LEARNT..CANDLES);
    let changed = [own(), part(&b, 0..LEARNT), part(&c, 0..LEARNT).merged(&tail).unwrap(), late];
    let other_world = world_with(&changed).await;
    let again = train_pooled(&other_world.app).await;
    assert_eq!(again.models[0].manifest.pool, names(&changed[1..]));
    assert_eq!(again.models[0].manifest.data_range, trained.models[0].manifest.data_range);
    let (first, second) = (saved(&world.app, &trained, 0).await, saved(&other_world.app, &again, 0).await);
    assert_eq!((first.trained_to, second.trained_to), (end(), end()));
    assert!(first == second, "weights, calibration and out-of-fold forecasts");
    // What lies before the end is learnt from.
    let shorter = world_with(&[own(), part(&b, 0..LEARNT - 200), c]).await;
    let other = train_pooled(&shorter.app).await;
    assert!(saved(&shorter.app, &other, 0).await.forecaster != first.forecaster);
}

/// A series that begins after everything has no candle that is learnt from, so its first one is no end of the training.
#[tokio::test]
async fn a_late_series_in_the_pool_does_not_let_a_warm_start_see_the_future() {
    let late = part(&series("DDDUSDT", CANDLES + 100, 4), CANDLES..CANDLES + 100);
    let world = world_with(&[own(), late]).await;
    let app = &world.app;
    let gbdt = model("gbdt", json!({ "rounds": 10, "patience": 0, "maxDepth": 3 }));
    let whole = TrainJob::new(vec![own().key().clone()], gbdt, common(), app.seed);
    train(app, whole.clone()).await;
    let pool = pool_of(app, &whole.series).await.unwrap();
    assert_eq!(pool.len(), 1);
    let warm = TrainJob { pool, range: learnt(), warm_start: true, ..whole };
    let refused = candlecast_app::train(app, warm.clone(), Arc::new(NoProgress)).await.unwrap_err();
    assert_eq!(refused.code, "bad-warm-start");
    assert!(refused.detail.contains(&end().to_string()), "{refused}");
    // On the same candles it may begin there, and has seen no more than it did.
    let trained = train(app, TrainJob { range: TimeRange::ALL, ..warm }).await;
    assert_eq!(saved(app, &trained, 0).await.trained_to, own().range().unwrap().to);
}

#[tokio::test]
async fn a_training_with_a_pool_is_told_from_one_without() {
    let world = full().await;
    let (app, key) = (&world.app, own().key().clone());
    let plain = train(app, plain_job(app, from_ref(&key))).await;
    let pooled = train_pooled(app).await;
    let (first, second) = (&plain.models[0].manifest, &pooled.models[0].manifest);
    assert_eq!((&first.trained_on, &first.pool), (&vec![key.to_string()], &vec![]));
    assert_eq!((&second.trained_on, &second.pool), (&vec![key.to_string()], &names(&others())));
    assert_eq!((first.version.to_string(), second.version.to_string()), ("1.0.0".into(), "1.1.0".into()));
    assert_eq!(app.registry.names().unwrap().len(), 2, "nothing is saved for the pool");
    let why = pooled.models[0].candidate_because.as_deref().unwrap();
    assert!(why.contains("its configuration is another one"), "{why}");

    let store = app.metadata().await.unwrap();
    let tried = store.ledger(Some(&key), PageRequest::default()).await.unwrap().items;
    let learnt_from: Vec<&Value> = tried.iter().filter_map(|entry| entry.config.get("learntFrom")).collect();
    let [b, c] = others();
    assert_eq!((tried.len(), learnt_from), (2, vec![&json!(names(&[own(), b.clone(), c]))]));
    assert!(store.ledger(Some(b.key()), PageRequest::default()).await.unwrap().items.is_empty());
    assert_eq!(second.tries.map(|tries| (tries.scorings, tries.configurations)), Some((2, 2)));
    let runs = store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items;
    let pools: Vec<&Value> = runs.iter().filter_map(|run| run.asked.config["how"].get("pool")).collect();
    assert_eq!((runs.len(), pools), (2, vec![&json!(names(&others()))]));
    let fingerprint = |k: usize| runs[k].result.as_ref().unwrap()["fingerprint"].clone();
    assert_ne!(fingerprint(0), fingerprint(1));

    let doc = serde_json::to_value(ModelDoc::of(second, &pooled.models[0].path)).unwrap();
    assert_eq!((&doc["trainedOn"], &doc["pool"]), (&json!([key.to_string()]), &json!(names(&others()))));
    let words = format!("learnt from a pool of 2 other series, too: {}", names(&others()).join(", "));
    let shown = |trained: &Trained| {
        let of = &trained.models[0];
        [text::model(&of.manifest, &of.path), text::trained(&TrainDoc::from(trained))]
    };
    assert!(shown(&pooled).iter().all(|text| text.contains(&words)), "{:?}", shown(&pooled));
    assert!(shown(&plain).iter().all(|text| !text.contains("pool of")), "{:?}", shown(&plain));
}

#[tokio::test]
async fn with_another_series_in_the_pool_it_is_the_same_configuration() {
    let world = full().await;
    let app = &world.app;
    train_pooled(app).await;
    store(app, &series("DDDUSDT", CANDLES, 4)).await;
    let again = train_pooled(app).await;
    assert_eq!(again.models[0].manifest.pool.len(), 3);
    let why = again.models[0].active_because.as_deref().unwrap();
    assert!(why.contains("the same configuration as version 1.0.0"), "{why}");
    let plain = train(app, plain_job(app, from_ref(own().key()))).await;
    assert!(plain.models[0].candidate_because.as_deref().unwrap().contains("another one"), "without it is another");
}

#[tokio::test]
async fn several_series_may_have_a_pool_beside_them() {
    let world = full().await;
    let [b, c] = others();
    let both = keys(&[own(), b.clone()]);
    let trained = train(&world.app, pooled_job(&world.app, &both).await).await;
    let of: Vec<SeriesKey> = trained.models.iter().map(candlecast_app::TrainedModel::series).collect();
    assert_eq!(of, both);
    for model in &trained.models {
        assert_eq!(
            (&model.manifest.trained_on, &model.manifest.pool),
            (&names(&[own(), b.clone()]), &names(from_ref(&c)))
        );
    }
    let (first, second) = (saved(&world.app, &trained, 0).await, saved(&world.app, &trained, 1).await);
    assert!(first.forecaster == second.forecaster && first.calibration != second.calibration);
}

#[tokio::test]
async fn a_stale_model_is_trained_again_with_a_pool_of_what_is_stored_by_then() {
    let world = full().await;
    train_pooled(&world.app).await;
    let ttl_ms = world.app.settings.model_ttl_s * 1_000;
    let late = another(&world, world.app.now().plus_ms(ttl_ms + 1_000), None);
    let stale = stale_models(&late, late.now()).await.unwrap();
    assert_eq!((stale.len(), &stale[0].series), (1, &keys(&[own()])));
    assert_eq!(stale[0].pool, keys(&others()));
    let new = series("DDDUSDT", CANDLES, 4);
    store(&late, &new).await;
    let job = |stale: &StaleModel| Ok(NewJob::new("overridden", "train", json!({ "pool": stale.pool })));
    let queued = queue_retraining(&late, true, job).await.unwrap();
    assert!(queued.problems.is_empty(), "{queued:?}");
    let stored = late.metadata().await.unwrap().job(&queued.jobs[0]).await.unwrap();
    let [b, c] = others();
    assert_eq!(stored.payload["pool"], json!(keys(&[b, c, new])));
}
