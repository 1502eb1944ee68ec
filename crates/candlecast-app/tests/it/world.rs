//! An application over a folder of its own, and shorthands for requests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::{App, AppClock, AppOptions, Flags, ModelRequest, Settings};
use candlecast_core::{CandleSeries, Seed, SeriesKey, Timestamp};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) cancel: Arc<AtomicBool>,
    _folder: TempDir,
}

/// An empty store, two threads, seed 42.
pub(crate) fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let settings = Settings::load(&flags, |_| None).unwrap();
    let cancel = Arc::new(AtomicBool::new(false));
    let options = AppOptions {
        seed: Seed(42),
        threads: Some(2),
        clock: AppClock::Fixed(Timestamp::year_start(2024)),
        cancel: Arc::clone(&cancel),
    };
    World { app: App::open(settings, options).unwrap(), cancel, _folder: folder }
}

pub(crate) async fn store(app: &App, series: &CandleSeries) -> SeriesKey {
    app.store_series(series).await.unwrap();
    series.key().clone()
}

pub(crate) fn model(id: &str, params: Value) -> ModelRequest {
    ModelRequest { id: id.into(), params }
}
