//! The prediction log: what is kept, when it meets its outcome, and what the figures say.

use candlecast_app::TrainJob;
use candlecast_monitor::family;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::predict::Predicted;
use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, Columns, Move, NoProgress, Seed, SeriesKey, Timestamp};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_ingest::ImportOptions;
use candlecast_jobs::PageRequest;
use candlecast_learn::TrainWindow;
use candlecast_monitor::{LoggedPrediction, PredictionFilter, PredictionStatus, PredictionsOf};
use candlecast_pipeline::PipelineOptions;
use serde_json::json;

use crate::world::{World, model, store, world};

pub(crate) const HORIZON: usize = 6;
/// Candles that the model learns from.
pub(crate) const LEARNT: usize = 1_200;

fn common() -> PipelineOptions {
    PipelineOptions { window: TrainWindow::Rolling { days: 100 }, retrain_days: 50, ..PipelineOptions::new(HORIZON) }
}

/// Candles `rows` of `series`.
pub(crate) fn part(series: &CandleSeries, rows: std::ops::Range<usize>) -> CandleSeries {
    let columns: Columns = series.columns().slice(rows);
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// `series` with another close of candle `row`.
pub(crate) fn corrected(series: &CandleSeries, row: usize, factor: f64) -> CandleSeries {
    let mut columns = series.columns().clone();
    let close = columns.close[row] * factor;
    columns.close[row] = close;
    columns.high[row] = columns.high[row].max(close);
    columns.low[row] = columns.low[row].min(close);
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// A world whose model `hybrid` has learnt from the first candles of a walk of `n`.
pub(crate) async fn trained(n: usize) -> (World, CandleSeries, SeriesKey) {
    let world = world();
    // Something to find, so that forecasts differ from the last price; it takes one candle, so few are looked at.
    let walk = random_walk(n, Seed(5), 0.5);
    let key = store(&world.app, &part(&walk, 0..LEARNT)).await;
    let request = model("hybrid", json!({ "lookbackWindow": 6 }));
    candlecast_app::train(
        &world.app,
        TrainJob::new(vec![key.clone()], request, common(), world.app.seed),
        Arc::new(NoProgress),
    )
    .await
    .unwrap();
    (world, walk, key)
}

/// The same platform at another time.
pub(crate) fn at(world: &World, now: Timestamp) -> Host {
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(2),
        clock: Clock::Fixed(now),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    Host::open(world.app.settings.clone(), options).unwrap()
}

async fn predict(app: &Host, key: &SeriesKey) -> Predicted {
    candlecast_app::predict::predict(app, &family(key, "hybrid", "price").unwrap(), None).await.unwrap()
}

/// The same platform when the last stored candle has just closed.
async fn just_closed(world: &World, key: &SeriesKey) -> Host {
    at(world, world.app.store.coverage(key).await.unwrap().range.unwrap().to)
}

/// Forecasts from the last candle, in time, and logs it; how many rows are new.
pub(crate) async fn log(world: &World, key: &SeriesKey) -> u64 {
    let app = just_closed(world, key).await;
    candlecast_app::predict::log_predicted(&app, &[predict(&app, key).await]).await.unwrap()
}

pub(crate) async fn logged(app: &Host, status: Option<PredictionStatus>) -> Vec<LoggedPrediction> {
    let filter = PredictionFilter { status, ..PredictionFilter::default() };
    candlecast_monitor::predictions(app, &filter, PageRequest::first(1_000)).await.unwrap().items
}

fn steps(predictions: &[LoggedPrediction]) -> Vec<u32> {
    let mut steps: Vec<u32> = predictions.iter().map(|p| p.made.step).collect();
    steps.sort_unstable();
    steps
}

#[tokio::test]
async fn a_forecast_is_kept_as_it_was_first_made() {
    let (world, _, key) = trained(LEARNT).await;
    let app = just_closed(&world, &key).await;
    let predicted = predict(&app, &key).await;
    assert!(!predicted.is_too_late());
    assert_eq!(
        candlecast_app::predict::log_predicted(&app, std::slice::from_ref(&predicted)).await.unwrap(),
        HORIZON as u64
    );
    assert_eq!(log(&world, &key).await, 0, "the same forecast is the same rows");
    let found = logged(&world.app, None).await;
    assert_eq!(steps(&found), [1, 2, 3, 4, 5, 6]);
    for (row, step) in found.iter().rev().zip(predicted.forecast.steps()) {
        assert_eq!(
            (row.made.model_id.as_str(), row.made.origin),
            (predicted.manifest.as_ref().unwrap().id.as_str(), predicted.forecast.origin)
        );
        assert_eq!((row.made.prediction, row.made.target_time), (step.price, step.target_time));
        assert_eq!((row.made.base_price, row.made.direction), (predicted.forecast.origin_price, Some(step.direction)));
        let interval = row.made.interval.unwrap();
        assert_eq!((interval.lower, interval.upper, interval.level), (step.lower, step.upper, 0.9));
        assert_eq!((row.status, row.actual), (PredictionStatus::Pending, None));
    }
}

#[tokio::test]
async fn predictions_are_validated_when_their_candle_arrives_and_not_before() {
    let (world, walk, key) = trained(LEARNT + 20).await;
    let app = &world.app;
    log(&world, &key).await;
    assert_eq!(candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap().settled(), 0);
    assert_eq!(candlecast_monitor::count_pending_predictions(app).await.unwrap(), HORIZON as u64);

    store(app, &part(&walk, LEARNT..LEARNT + 2)).await;
    // The candles are there, but at this time the second has not closed.
    let early = at(&world, Timestamp(walk.open_time()[LEARNT + 1]));
    assert_eq!(candlecast_monitor::after_candles(&early, &key).await.validated, 1);
    assert_eq!(candlecast_monitor::after_candles(app, &key).await.validated, 1);
    assert_eq!(candlecast_monitor::after_candles(app, &key).await.settled(), 0);
    let validated = logged(app, Some(PredictionStatus::Validated)).await;
    assert_eq!(steps(&validated), [1, 2]);
    for row in &validated {
        let close = walk.close()[LEARNT + row.made.step as usize - 1];
        assert_eq!((row.actual, row.error), (Some(close), Some(row.made.prediction - close)));
    }

    store(app, &part(&walk, LEARNT + 2..LEARNT + 20)).await;
    assert_eq!(candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap().validated, 4);
    assert_eq!(candlecast_monitor::count_pending_predictions(app).await.unwrap(), 0);
}

#[tokio::test]
async fn a_model_that_has_seen_the_future_is_not_logged() {
    let (world, walk, key) = trained(LEARNT).await;
    let past = at(&world, Timestamp(walk.open_time()[LEARNT - 100]));
    let predicted = predict(&past, &key).await;
    assert!(predicted.has_seen_future());
    assert!(predicted.warnings().iter().any(|w| w.contains("not logged")), "{:?}", predicted.warnings());
    assert_eq!(candlecast_app::predict::log_predicted(&past, &[predicted]).await.unwrap(), 0);
    assert!(logged(&past, None).await.is_empty());
}

#[tokio::test]
async fn a_forecast_whose_outcome_could_be_known_is_not_logged() {
    let (world, walk, key) = trained(LEARNT + 2).await;
    let close = Timestamp(walk.open_time()[LEARNT]);
    let target = Timestamp(walk.open_time()[LEARNT]).plus_ms(walk.key().interval.ms());
    let too_late = async |now: Timestamp| {
        let app = at(&world, now);
        let predicted = predict(&app, &key).await;
        assert_eq!((predicted.forecast.origin, predicted.has_seen_future()), (close, false));
        let rows = candlecast_app::predict::log_predicted(&app, std::slice::from_ref(&predicted)).await.unwrap();
        (predicted.is_too_late(), rows)
    };
    assert_eq!(too_late(target).await, (true, 0), "the first target has closed");
    // The clock is set back, but the outcome is stored.
    store(&world.app, &part(&walk, LEARNT..LEARNT + 1)).await;
    assert_eq!(too_late(close).await, (true, 0));
    assert!(logged(&world.app, None).await.is_empty());

    let (world, _, key) = trained(LEARNT).await;
    let app = at(&world, target.plus_ms(-1));
    assert_eq!(
        candlecast_app::predict::log_predicted(&app, &[predict(&app, &key).await]).await.unwrap(),
        HORIZON as u64,
        "just in time"
    );
}

#[tokio::test]
async fn what_has_no_outcome_is_unscorable() {
    let (world, walk, key) = trained(LEARNT + 60).await;
    let app = &world.app;
    log(&world, &key).await;
    // The second candle after the origin is missing, at the third the exchange stands still.
    let mut columns = Columns::default();
    for i in (LEARNT..LEARNT + 60).filter(|&i| i != LEARNT + 1) {
        let mut candle = walk.candle(i);
        if i == LEARNT + 2 {
            (candle.open, candle.high, candle.low, candle.volume) = (candle.close, candle.close, candle.close, 0.0);
        }
        columns.push(&candle);
    }
    let damaged = CandleSeries::new(key.clone(), columns).unwrap();
    store(app, &part(&damaged, 0..5)).await;
    let first = candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((first.validated, first.halted, first.missing), (4, 1, 0), "a missing candle may come late");
    store(app, &part(&damaged, 5..59)).await;
    let then = candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((then.validated, then.halted, then.missing), (0, 0, 1));
    assert_eq!(steps(&logged(app, Some(PredictionStatus::Unscorable)).await), [2, 3]);
    assert_eq!(steps(&logged(app, Some(PredictionStatus::Validated)).await), [1, 4, 5, 6]);
}

#[tokio::test]
async fn predictions_of_a_corrected_candle_meet_the_corrected_price() {
    let (world, walk, key) = trained(LEARNT + 60).await;
    let app = &world.app;
    log(&world, &key).await;
    // The fourth candle is missing for so long that it is given up.
    store(app, &part(&walk, LEARNT..LEARNT + 3)).await;
    store(app, &part(&walk, LEARNT + 4..LEARNT + 60)).await;
    let first = candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((first.validated, first.missing), (5, 1));
    let before = logged(app, None).await;
    store(app, &part(&walk, LEARNT..LEARNT + 3)).await;
    assert_eq!(
        candlecast_monitor::count_pending_predictions(app).await.unwrap(),
        0,
        "the same candles again change nothing"
    );

    // A file that corrects the second candle and has the fourth after all.
    let new = corrected(&walk, LEARNT + 1, 1.01);
    let file = app.settings.data_dir.join("corrected.csv");
    candlecast_app::export::write(&part(&new, LEARNT..LEARNT + 6), &file).unwrap();
    let options = ImportOptions {
        symbol: Some(key.symbol.clone()),
        venue: Some(key.venue.clone()),
        interval: Some(key.interval),
        ..ImportOptions::default()
    };
    let imported = candlecast_app::import_file(app, &file, &options, &NoProgress).await.unwrap();
    assert!(imported.key == key && imported.changed.is_some(), "{imported:?}");
    assert_eq!(
        candlecast_monitor::count_pending_predictions(app).await.unwrap(),
        0,
        "an import settles what it reopens"
    );
    let after = logged(app, None).await;
    assert_eq!(after.len(), HORIZON);
    for (then, now) in before.iter().zip(&after) {
        let close = new.close()[LEARNT + now.made.step as usize - 1];
        let expected = (PredictionStatus::Validated, Some(close), Some(now.made.prediction - close));
        assert_eq!((now.status, now.actual, now.error), expected);
        let is_as_it_was = (then.actual, then.error) == (now.actual, now.error);
        assert_eq!(is_as_it_was, !matches!(now.made.step, 2 | 4), "step {}", now.made.step);
    }
}

#[tokio::test]
async fn candles_that_changed_behind_its_back_are_looked_at_again_on_request() {
    let (world, walk, key) = trained(LEARNT + 3).await;
    let app = &world.app;
    log(&world, &key).await;
    store(app, &part(&walk, LEARNT..LEARNT + 3)).await;
    assert_eq!(candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap().validated, 3);
    // Stored by a program that was killed before the log could follow.
    let new = corrected(&walk, LEARNT, 0.99);
    app.store.upsert(&part(&new, LEARNT..LEARNT + 1)).await.unwrap();
    assert_eq!(candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap().settled(), 0);
    assert_eq!(candlecast_monitor::revalidate_predictions(app).await.unwrap().validated, 3);
    let validated = logged(app, Some(PredictionStatus::Validated)).await;
    let actual = |step: u32| validated.iter().find(|p| p.made.step == step).unwrap().actual;
    assert_eq!([1, 2, 3].map(actual), [LEARNT, LEARNT + 1, LEARNT + 2].map(|row| Some(new.close()[row])));
    assert_eq!(
        candlecast_monitor::count_pending_predictions(app).await.unwrap(),
        3,
        "what lies beyond the candles still waits"
    );
}

#[tokio::test]
async fn accuracy_is_what_the_definitions_give() {
    const ORIGINS: usize = 30;
    let (world, walk, key) = trained(LEARNT + 40).await;
    let app = &world.app;
    for k in 0..ORIGINS {
        if k > 0 {
            store(app, &part(&walk, LEARNT + k - 1..LEARNT + k)).await;
        }
        log(&world, &key).await;
    }
    store(app, &part(&walk, LEARNT..LEARNT + 40)).await;
    candlecast_monitor::validate_predictions(app, u64::MAX).await.unwrap();

    let rows = logged(app, Some(PredictionStatus::Validated)).await;
    assert_eq!(rows.len(), ORIGINS * HORIZON);
    let n = rows.len() as f64;
    let actual = |p: &LoggedPrediction| {
        let origin = walk.open_time().partition_point(|&open| open < p.made.origin.ms());
        walk.close()[origin + p.made.step as usize - 1]
    };
    let mean = |f: &dyn Fn(&LoggedPrediction) -> f64| rows.iter().map(f).sum::<f64>() / n;
    let mae = mean(&|p| (p.made.prediction - actual(p)).abs());
    let naive = mean(&|p| (p.made.base_price - actual(p)).abs());
    let rmse = mean(&|p| (p.made.prediction - actual(p)).powi(2)).sqrt();
    let mape = mean(&|p| 100.0 * ((p.made.prediction - actual(p)) / actual(p)).abs());
    let coverage = mean(&|p| {
        let i = p.made.interval.unwrap();
        f64::from(u8::from((i.lower..=i.upper).contains(&actual(p))))
    });
    // By the direction that was told, which stands where the price is left where it is.
    let directed: Vec<&LoggedPrediction> =
        rows.iter().filter(|p| p.made.direction != Some(Move::None) && actual(p) != p.made.base_price).collect();
    let right =
        directed.iter().filter(|p| (p.made.direction.unwrap() == Move::Up) == (actual(p) > p.made.base_price)).count();

    let found = candlecast_monitor::prediction_accuracy(app, PredictionsOf::All, None).await.unwrap();
    assert_eq!(found.models.len(), 1);
    let groups = &found.models[0].groups;
    assert_eq!(groups.iter().map(|g| g.steps).collect::<Vec<_>>(), [(1, 6), (1, 1), (2, 6)]);
    let all = &groups[0];
    let close = |a: Option<f64>, b: f64| assert!((a.unwrap() - b).abs() < 1e-9 * b.abs().max(1.0), "{a:?} {b}");
    close(all.metrics.mae, mae);
    close(all.naive.mae, naive);
    close(all.skill, 1.0 - mae / naive);
    close(all.metrics.rmse, rmse);
    close(all.metrics.mape, mape);
    close(all.coverage, coverage);
    close(all.level, 0.9);
    assert_eq!((all.n, all.origins, all.independent), (ORIGINS * HORIZON, ORIGINS, ORIGINS / HORIZON));
    assert_eq!(all.n_directional, directed.len());
    assert!(!directed.is_empty());
    close(all.metrics.directional_accuracy, right as f64 / directed.len() as f64);
    let recent = all.recent.unwrap();
    assert_eq!((recent.hits, recent.directions), (right, directed.len()));
    assert_eq!(Some(recent.from), rows.iter().map(|p| p.made.origin.plus_ms(-walk.key().interval.ms())).min());
    assert_eq!(Some(recent.to), rows.iter().map(|p| p.made.origin).max());
    assert_eq!(all.verdict, "too few to tell (5 independent)");
    assert_eq!((groups[1].n, groups[1].independent), (ORIGINS, ORIGINS));
    assert!(!groups[1].verdict.starts_with("too few"), "{}", groups[1].verdict);

    // A day back from the newest target: the outcomes of the last 24 hours, whatever their origin.
    let day = candlecast_monitor::prediction_accuracy(app, PredictionsOf::Series(key.clone()), Some(1)).await.unwrap();
    let newest = rows.iter().map(|p| p.made.target_time).max().unwrap();
    let in_day = rows.iter().filter(|p| p.made.target_time > newest.plus_ms(-86_400_000)).count();
    assert_eq!(day.models[0].groups[0].n, in_day);
    let nobody = candlecast_monitor::prediction_accuracy(app, PredictionsOf::Model("BTCUSDT_GRU_1.0.0".into()), None)
        .await
        .unwrap();
    assert!(nobody.models.is_empty() && nobody.range.is_none());
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended() {
    let (world, walk, key) = trained(LEARNT + 5).await;
    let app = &world.app;
    for k in 0..5 {
        store(app, &part(&walk, LEARNT + k..LEARNT + k + 1)).await;
        log(&world, &key).await;
    }
    let whole = logged(app, None).await;
    assert_eq!(whole.len(), 5 * HORIZON);
    let filter = PredictionFilter { of: PredictionsOf::Series(key), ..PredictionFilter::default() };
    let (mut walked, mut page) = (Vec::new(), PageRequest::first(7));
    loop {
        let part = candlecast_monitor::predictions(app, &filter, page).await.unwrap();
        walked.extend(part.items);
        let Some(next) = part.next else { break };
        page.after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(walked, whole);
    assert!(candlecast_monitor::predictions(app, &filter, PageRequest::first(0)).await.is_err());
}

/// Without a database nothing was logged, so an import makes none.
#[tokio::test]
async fn candles_alone_make_no_database() {
    let world = world();
    let key = store(&world.app, &random_walk(50, Seed(1), 0.0)).await;
    assert_eq!(candlecast_monitor::after_candles(&world.app, &key).await.settled(), 0);
    assert!(!world.app.settings.data_dir.join("candlecast.db").exists());
}
