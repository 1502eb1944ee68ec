//! A day of one-minute candles replayed: predictions made, logged and validated, and the real series left alone.

use candlecast_app::TrainJob;
use candlecast_monitor::family;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{
    CandleSeries, FilledSeries, NoProgress, Problem, SeriesKey, Symbol, TimeRange, Timestamp, Venue,
};
use candlecast_learn::Market;
use candlecast_live::{Ended, LogSteps, ReplayRequest, StreamRequest, StreamSource, StreamSummary};
use candlecast_meta::{LoggedPrediction, PageRequest, PredictionFilter, PredictionStatus};
use candlecast_pipeline::{FeatureFrames, LoadedModel, PipelineOptions};
use serde_json::json;
use tempfile::TempDir;

use super::{Recorder, generated, minutes, rows};
use crate::world::{World, model, store, world};

const HORIZON: usize = 3;
/// Candles that are stored, and learnt from, before those that are played.
const PAST: usize = 4_000;
const DAY: usize = 1_440;

/// A platform with a linear model trained on the first [`PAST`] candles of `series`, and a file of the others.
struct Stage {
    world: World,
    folder: TempDir,
    series: CandleSeries,
}

impl Stage {
    async fn new(series: CandleSeries) -> Self {
        let stage = Self { world: world(), folder: tempfile::tempdir().unwrap(), series };
        let key = store(&stage.world.app, &stage.part(0..PAST)).await;
        let common = PipelineOptions { min_candles: 500, ..PipelineOptions::new(HORIZON) };
        let range = TimeRange::ALL;
        let linear = model("linear", json!({}));
        candlecast_app::train(
            &stage.world.app,
            TrainJob {
                range,
                warm_start: false,
                ..TrainJob::new(vec![key.clone()], linear, common, stage.world.app.seed)
            },
            Arc::new(NoProgress),
        )
        .await
        .unwrap();
        stage
    }

    fn part(&self, range: std::ops::Range<usize>) -> CandleSeries {
        rows(&self.series, range, self.series.key())
    }

    fn file(&self, name: &str, series: &CandleSeries) -> PathBuf {
        let path = self.folder.path().join(name);
        candlecast_app::export::write(series, &path).unwrap();
        path
    }

    /// Plays `file` as fast as possible with the linear model.
    async fn play(
        &self,
        file: PathBuf,
        change: impl FnOnce(&mut StreamRequest, &mut ReplayRequest),
    ) -> Result<(StreamSummary, Arc<Recorder>), Problem> {
        let mut replay = ReplayRequest { files: vec![file], venue: None, speed: 0.0, since: None, store_as: None };
        let mut request = StreamRequest {
            task: "price".into(),
            symbol: Symbol::new("BTCUSDT").unwrap(),
            interval: self.series.key().interval,
            source: StreamSource::Replay(replay.clone()),
            models: vec!["linear".into()],
            model_venue: None,
            predict_every: 1,
            log: LogSteps::All,
            duration: None,
        };
        change(&mut request, &mut replay);
        request.source = StreamSource::Replay(replay);
        let recorder = Arc::new(Recorder::default());
        let listener = Arc::clone(&recorder);
        let summary = candlecast_live::stream(&self.world.app, request, listener, &NoProgress).await?;
        Ok((summary, recorder))
    }

    async fn logged(&self, status: Option<PredictionStatus>) -> Vec<LoggedPrediction> {
        let store = self.world.app.metadata().await.unwrap();
        let filter = PredictionFilter { status, ..PredictionFilter::default() };
        let mut page = PageRequest::first(1_000);
        let mut all = Vec::new();
        loop {
            let part = store.predictions(&filter, page).await.unwrap();
            all.extend(part.items);
            match part.next {
                Some(next) => page.after = Some(next),
                None => return all,
            }
        }
    }
}

fn replayed() -> SeriesKey {
    SeriesKey { venue: Venue::new("replay-binance").unwrap(), ..minutes() }
}

fn unchanged(_: &mut StreamRequest, _: &mut ReplayRequest) {}

#[tokio::test]
async fn a_day_replayed_is_forecast_logged_and_validated() {
    let stage = Stage::new(generated(&minutes(), PAST + DAY, &[])).await;
    let day = stage.part(PAST..PAST + DAY);
    let file = stage.file("BTCUSDT-1m.csv", &day);
    let (summary, recorder) = stage.play(file.clone(), unchanged).await.unwrap();
    assert_eq!((summary.ended, summary.candles, summary.backfilled), (Ended::Exhausted, DAY as u64, 0));
    assert_eq!(summary.key, replayed());

    // One forecast from the last candle of the past, and one from each that is played; each has three steps, of which
    // those beyond the end are not known yet.
    let forecasts = recorder.forecasts();
    let (made, beyond) = ((DAY + 1) * HORIZON, 1 + 2 + 3);
    assert_eq!((summary.forecasts, forecasts.len()), (DAY as u64 + 1, DAY + 1));
    assert_eq!((summary.logged, summary.validated), (made as u64, (made - beyond) as u64));
    assert_eq!((summary.seen_future, summary.too_late, summary.unscorable), (0, 0, 0));
    assert!(forecasts.iter().all(|f| f.made_at == f.forecast.origin && f.is_loggable()));
    assert_eq!(stage.logged(None).await.len(), made);
    assert_eq!(stage.logged(Some(PredictionStatus::Pending)).await.len(), beyond);
    for logged in stage.logged(Some(PredictionStatus::Validated)).await {
        let target = day.open_time().binary_search(&(logged.made.target_time.ms() - 60_000)).unwrap();
        assert_eq!(logged.actual, Some(day.close()[target]));
        assert_eq!(logged.made.series, replayed());
        assert_eq!(logged.validated_at.map(|t| t >= logged.made.target_time), Some(true));
    }
    assert_live_equals_batch(&stage, &recorder).await;

    // The real series is as it was; the played one is stored beside it.
    assert_eq!(stage.world.app.series(&minutes()).await.unwrap(), stage.part(0..PAST));
    assert_eq!(stage.world.app.series(&replayed()).await.unwrap(), rows(&day, 0..DAY, &replayed()));

    // Once more changes nothing and counts nothing twice.
    let (again, heard) = stage.play(file, unchanged).await.unwrap();
    assert_eq!((again.logged, again.validated, again.candles), (0, 0, DAY as u64));
    assert_eq!(heard.forecasts(), forecasts);
    assert_eq!(stage.logged(None).await.len(), made);
}

/// Every 31st forecast is that of `predict` over the same candles, and the log holds what was told.
async fn assert_live_equals_batch(stage: &Stage, recorder: &Recorder) {
    let served = candlecast_monitor::load_active(&stage.world.app, &family(&minutes(), "linear", "price").unwrap())
        .await
        .unwrap();
    let LoadedModel { id, forecaster, calibration, trained_to, .. } = served;
    let whole = rows(&stage.series, 0..stage.series.len(), &replayed());
    let market = Arc::new(Market::new(FilledSeries::new(&whole, forecaster.max_fill())));
    let panel = FeatureFrames::new(Arc::clone(&market)).panel(&forecaster.features()).unwrap();
    let from = market.series().first_row_from(trained_to.plus_ms(-60_000));
    let logged = stage.logged(None).await;
    for live in recorder.forecasts().iter().step_by(31) {
        let row = market.series().row_at(live.forecast.origin.plus_ms(-60_000)).unwrap();
        let mut calibrator = forecaster.replay(&panel, calibration.clone(), from, row);
        let batch = forecaster.forecast(&panel, row, &mut calibrator);
        assert_eq!(live.forecast.steps().len(), HORIZON);
        for (a, b) in live.forecast.steps().iter().zip(batch.steps()) {
            assert_eq!((a.step, a.target_time, a.calibrated), (b.step, b.target_time, b.calibrated));
            for (x, y) in [(a.price, b.price), (a.lower, b.lower), (a.upper, b.upper), (a.confidence, b.confidence)] {
                assert!((x - y).abs() <= 1e-6 * y.abs(), "{} step {}: {x} {y}", live.forecast.origin, a.step);
            }
            let same = |l: &&LoggedPrediction| l.made.origin == live.forecast.origin && l.made.step == a.step as u32;
            let row = logged.iter().find(same).unwrap();
            assert_eq!((row.made.prediction, row.made.model_id.as_str()), (a.price, id.as_str()));
            assert_eq!(row.made.interval.map(|i| (i.lower, i.upper)), Some((a.lower, a.upper)));
        }
    }
}

#[tokio::test]
async fn targets_that_are_missing_have_no_outcome() {
    // Two candles are missing in the middle: three forecasts reach the first of them, two the second.
    let stage = Stage::new(generated(&minutes(), PAST + 300, &[PAST + 150, PAST + 151])).await;
    let file = stage.file("BTCUSDT-1m.csv", &stage.part(PAST..stage.series.len()));
    let (summary, _) = stage.play(file, unchanged).await.unwrap();
    assert_eq!((summary.candles, summary.unscorable), (298, 3 + 2));
    let pending = stage.logged(Some(PredictionStatus::Pending)).await.len() as u64;
    assert_eq!(pending, 1 + 2 + 3);
    assert_eq!(summary.validated + summary.unscorable + pending, summary.logged);
    let settled = stage.logged(Some(PredictionStatus::Validated)).await.len() as u64;
    assert_eq!(settled, summary.validated);
}

#[tokio::test]
async fn forecasts_of_what_the_model_has_seen_are_told_but_not_logged() {
    let stage = Stage::new(generated(&minutes(), PAST + 10, &[])).await;
    let file = stage.file("BTCUSDT-1m.csv", &stage.part(0..PAST));
    let since = stage.series.candle(PAST - 200).open_time;
    let (summary, recorder) = stage.play(file, |_, replay| replay.since = Some(since)).await.unwrap();
    // The last one is made when the model has seen nothing beyond.
    assert_eq!((summary.candles, summary.forecasts, summary.seen_future), (200, 201, 200));
    assert_eq!(summary.logged, HORIZON as u64);
    assert!(recorder.candles()[0].candle.open_time == since);
    assert!(recorder.forecasts()[..200].iter().all(|f| f.has_seen_future() && !f.is_loggable()));
}

#[tokio::test]
async fn what_is_told_and_logged_can_be_less() {
    let stage = Stage::new(generated(&minutes(), PAST + 120, &[])).await;
    let file = stage.file("BTCUSDT-1m.csv", &stage.part(PAST..PAST + 120));
    let fewer = |request: &mut StreamRequest, _: &mut ReplayRequest| {
        request.predict_every = 15;
        request.log = LogSteps::Only(vec![HORIZON]);
        request.duration = Some(Duration::from_secs(3_600));
        request.models = vec!["all".into()];
    };
    let (summary, recorder) = stage.play(file, fewer).await.unwrap();
    assert_eq!((summary.ended, summary.candles), (Ended::TimeOver, 60));
    let due = |t: Timestamp| t.ms().rem_euclid(15 * 60_000) == 0;
    let closes = (0..=60).map(|k| stage.series.candle(PAST).open_time.plus_ms(k * 60_000));
    let expected: Vec<Timestamp> = closes.filter(|&t| due(t)).collect();
    let told: Vec<Timestamp> = recorder.forecasts().iter().map(|f| f.forecast.origin).collect();
    assert_eq!(told, expected);
    assert!(expected.len() >= 4);
    let logged = stage.logged(None).await;
    assert_eq!(logged.len(), expected.len());
    assert!(logged.iter().all(|l| l.made.step == HORIZON as u32));
    let beyond = |request: &mut StreamRequest, _: &mut ReplayRequest| request.log = LogSteps::Only(vec![HORIZON + 1]);
    let file = stage.file("BTCUSDT-1m.csv", &stage.part(PAST..PAST + 120));
    let error = stage.play(file, beyond).await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("bad-log-steps", 2));
}

#[tokio::test]
async fn a_replay_does_no_harm() {
    let stage = Stage::new(generated(&minutes(), PAST + 100, &[])).await;
    let part = stage.part(PAST..PAST + 100);
    let file = stage.file("BTCUSDT-1m.csv", &part);
    stage.play(file.clone(), unchanged).await.unwrap();
    let stored = candlecast_app::data::coverage(&stage.world.app).await.unwrap();

    let mut other = part.columns().clone();
    other.volume[50] += 1.0;
    let other = CandleSeries::new(minutes(), other).unwrap();
    let differing = stage.file("BTCUSDT-1m-2024-01.csv", &other);
    let error = stage.play(differing.clone(), unchanged).await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("replay-differs", 1));
    assert!(error.detail.contains(&other.candle(50).open_time.to_string()), "{}", error.detail);
    let as_binance = |_: &mut StreamRequest, replay: &mut ReplayRequest| replay.store_as = Some(Venue::binance());
    let error = stage.play(differing.clone(), as_binance).await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("bad-store-as", 2));
    let wrong = |request: &mut StreamRequest, _: &mut ReplayRequest| request.symbol = Symbol::new("ETHUSDT").unwrap();
    let error = stage.play(file, wrong).await.unwrap_err();
    assert_eq!((error.code, error.exit_code()), ("replay-series", 2));
    assert_eq!(
        candlecast_app::data::coverage(&stage.world.app).await.unwrap(),
        stored,
        "nothing was stored by what was refused"
    );

    let apart = |_: &mut StreamRequest, replay: &mut ReplayRequest| {
        replay.store_as = Some(Venue::new("replay-other").unwrap());
    };
    let (summary, _) = stage.play(differing, apart).await.unwrap();
    assert_eq!((summary.key.venue.as_str(), summary.candles), ("replay-other", 100));
    assert_eq!(stage.world.app.series(&minutes()).await.unwrap(), stage.part(0..PAST));
}
