//! Predictions whose candles changed wait for their outcome again, also where the program was stopped in between.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_trait::async_trait;
use candlecast_core::{CandleSeries, Seed, SeriesKey, TimeRange};
use candlecast_host::{Clock, Host, HostOptions, upsert_candles};
use candlecast_monitor::{PredictionStatus, after_candles, validate_predictions};
use candlecast_store::{CandlePieces, CandleStore, Coverage, StoreError};
use tokio::sync::Notify;

use crate::predictions::{LEARNT, at, corrected, log, logged, part, trained};
use crate::world::{World, store};

/// A store that keeps candles and then never answers, as if the program had been stopped there.
#[derive(Debug)]
struct StopsAfterStoring {
    store: Arc<dyn CandleStore>,
    stored: Arc<Notify>,
}

#[async_trait]
impl CandleStore for StopsAfterStoring {
    async fn upsert(&self, series: &CandleSeries) -> Result<Option<TimeRange>, StoreError> {
        self.store.upsert(series).await?;
        self.stored.notify_one();
        std::future::pending().await
    }

    async fn scan(&self, key: &SeriesKey, range: TimeRange) -> Result<CandleSeries, StoreError> {
        self.store.scan(key, range).await
    }

    fn scan_pieces(&self, key: &SeriesKey, range: TimeRange) -> CandlePieces {
        self.store.scan_pieces(key, range)
    }

    async fn list(&self) -> Result<Vec<Coverage>, StoreError> {
        self.store.list().await
    }

    async fn coverage(&self, key: &SeriesKey) -> Result<Coverage, StoreError> {
        self.store.coverage(key).await
    }

    async fn delete(&self, key: &SeriesKey, range: TimeRange) -> Result<usize, StoreError> {
        self.store.delete(key, range).await
    }
}

/// Stores `series` with a program that is stopped right after.
async fn store_and_stop(app: &Host, series: &CandleSeries) {
    let stored = Arc::new(Notify::new());
    let mut stopped = app.clone();
    stopped.store = Arc::new(StopsAfterStoring { store: Arc::clone(&app.store), stored: Arc::clone(&stored) });
    tokio::select! {
        _ = upsert_candles(&stopped, series) => panic!("it never answers"),
        () = stored.notified() => {}
    }
}

/// A world in which the first three steps of a forecast have met their outcome, and candles that correct the first.
async fn settled() -> (World, CandleSeries, CandleSeries, SeriesKey) {
    let (world, walk, key) = trained(LEARNT + 4).await;
    log(&world, &key).await;
    store(&world.app, &part(&walk, LEARNT..LEARNT + 3)).await;
    assert_eq!(validate_predictions(&world.app, u64::MAX).await.unwrap().validated, 3);
    let correction = part(&corrected(&walk, LEARNT, 0.99), LEARNT..LEARNT + 1);
    (world, walk, correction, key)
}

/// What the first step of the forecast came to, as the log has it.
async fn outcome(app: &Host) -> Option<f64> {
    let validated = logged(app, Some(PredictionStatus::Validated)).await;
    validated.iter().find(|p| p.made.step == 1)?.actual
}

fn notes(app: &Host) -> usize {
    std::fs::read_dir(app.settings.data_dir.join("reopenings")).into_iter().flatten().count()
}

#[tokio::test]
async fn a_stop_between_storing_candles_and_reopening_is_made_good_by_the_next_program() {
    let (world, walk, correction, _) = settled().await;
    let app = &world.app;
    store_and_stop(app, &correction).await;
    // The same candles again change nothing, so that nothing is reopened by them.
    let again = upsert_candles(app, &correction).await.unwrap();
    assert_eq!((again.changed, again.reopened), (None, 0));
    assert_eq!((outcome(app).await, notes(app)), (Some(walk.close()[LEARNT]), 1));

    let next = at(&world, app.now());
    candlecast_app::catch_up(&next).await;
    assert_eq!((outcome(&next).await, notes(&next)), (Some(correction.close()[0]), 0));
    candlecast_app::catch_up(&next).await;
    assert_eq!(outcome(&next).await, Some(correction.close()[0]));
}

#[tokio::test]
async fn candles_that_come_after_the_stored_ones_need_no_note() {
    let (world, walk, _, _) = settled().await;
    store_and_stop(&world.app, &part(&walk, LEARNT + 3..LEARNT + 4)).await;
    assert_eq!(notes(&world.app), 0);
}

#[tokio::test]
async fn what_is_under_way_is_left_to_whoever_does_it() {
    let (world, walk, correction, _) = settled().await;
    let app = &world.app;
    let (stored, mut slow) = (Arc::new(Notify::new()), app.clone());
    slow.store = Arc::new(StopsAfterStoring { store: Arc::clone(&app.store), stored: Arc::clone(&stored) });
    let under_way = tokio::spawn(async move { upsert_candles(&slow, &correction).await.map(drop) });
    stored.notified().await;
    candlecast_app::catch_up(app).await;
    assert_eq!((outcome(app).await, notes(app)), (Some(walk.close()[LEARNT]), 1), "its program lives");
    under_way.abort();
    assert!(under_way.await.is_err());
    candlecast_app::catch_up(app).await;
    assert_eq!(notes(app), 0);
}

/// Nobody listens at that port.
#[tokio::test]
async fn a_log_that_could_not_be_reached_follows_as_soon_as_it_can() {
    let (world, walk, correction, key) = settled().await;
    let app = &world.app;
    let mut settings = app.settings.clone();
    settings.database_url = Some("postgres://nobody@127.0.0.1:1/none".into());
    let cancel = Arc::new(AtomicBool::new(false));
    let options = HostOptions { seed: Seed(42), threads: Some(1), clock: Clock::Fixed(app.now()), cancel };
    let away = Host::open(settings, options).unwrap();
    let upserted = upsert_candles(&away, &correction).await.unwrap();
    assert!(upserted.changed.is_some() && upserted.reopened == 0, "candles are stored all the same");
    assert_eq!((outcome(app).await, notes(app)), (Some(walk.close()[LEARNT]), 1));
    after_candles(app, &key).await;
    assert_eq!((outcome(app).await, notes(app)), (Some(correction.close()[0]), 0));
}
