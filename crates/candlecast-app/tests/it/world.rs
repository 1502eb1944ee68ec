//! An application over a folder of its own, and shorthands for requests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::models::{Listed, ModelQuery, models_page};
use candlecast_config::{Flags, Settings};
use candlecast_core::{CandleSeries, ModelRequest, Seed, SeriesKey, Timestamp};
use candlecast_host::{Clock, Host, HostOptions};
use candlecast_meta::{Model, ModelFilter, ModelStatus, PageRequest};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) app: Host,
    pub(crate) cancel: Arc<AtomicBool>,
    _folder: TempDir,
}

/// An empty store, two threads, seed 42.
pub(crate) fn world() -> World {
    world_where(|_| {})
}

/// The same with settings that `change` has changed.
pub(crate) fn world_where(change: impl FnOnce(&mut Settings)) -> World {
    let folder = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
    let mut settings = Settings::load(&flags, |_| None, &candlecast_app::MODEL_CATALOG).unwrap();
    change(&mut settings);
    let cancel = Arc::new(AtomicBool::new(false));
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(2),
        clock: Clock::Fixed(Timestamp::year_start(2024)),
        cancel: Arc::clone(&cancel),
    };
    World { app: Host::open(settings, options).unwrap(), cancel, _folder: folder }
}

pub(crate) async fn store(app: &Host, series: &CandleSeries) -> SeriesKey {
    candlecast_app::data::store_series(app, series).await.unwrap();
    series.key().clone()
}

/// All stored models.
pub(crate) async fn all_models(app: &Host) -> Vec<Listed> {
    models_page(app, &ModelQuery::default(), None, None).await.unwrap()
}

/// The row of the model of `key` that serves at a horizon, as the index has it.
pub(crate) async fn active_row(app: &Host, key: &SeriesKey, model: &str, horizon: u32) -> Model {
    let (series, model_type) = (Some(key.clone()), Some(model.to_owned()));
    let filter = ModelFilter { series, model_type, status: Some(ModelStatus::Active), ..ModelFilter::default() };
    let rows = app.metadata().await.unwrap().models(&filter, PageRequest::default()).await.unwrap().items;
    rows.into_iter().find(|row| row.horizon_steps == horizon).unwrap()
}

pub(crate) fn model(id: &str, params: Value) -> ModelRequest {
    ModelRequest { id: id.into(), params }
}
