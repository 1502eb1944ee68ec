//! The models that serve.

use candlecast_core::{Problem, SeriesKey};
use candlecast_host::Host;
use candlecast_pipeline::{LoadedModel, ModelIdentity, SavedModel, catalog};
use candlecast_registry::{Loaded, Meta, Slot};

/// What restoring a saved model has to know of its manifest.
pub fn identity(meta: &Meta) -> ModelIdentity {
    ModelIdentity {
        id: meta.id.clone(),
        version: meta.version.to_string(),
        features: meta.features.iter().map(|f| (f.id.clone(), f.version)).collect(),
    }
}

/// The active model of type `name` of the series `key`, restored.
pub async fn load_active(host: &Host, key: &SeriesKey, name: &str) -> Result<LoadedModel, Problem> {
    let entry = catalog::find(name)?;
    let slot = Slot::new(key.clone(), entry.id, "price")?;
    let registry = host.registry.clone();
    host.compute(move || {
        let Loaded { meta, payload, fell_back } = registry.load::<SavedModel>(&slot, None)?;
        Ok(LoadedModel { fell_back, ..LoadedModel::restore(payload, &identity(&meta))? })
    })
    .await
}

/// Every model that should serve the series that `wanted` selects, as `(series, model)`. One whose files are
/// damaged is among them: asking it brings the version before, or an error that names the damage.
pub fn active_models(host: &Host, wanted: impl Fn(&SeriesKey) -> bool) -> Result<Vec<(SeriesKey, String)>, Problem> {
    let serving = host.registry.serving_slots()?;
    let mut found: Vec<(SeriesKey, String)> = serving
        .iter()
        .filter(|slot| slot.task() == "price" && wanted(slot.key()))
        .map(|slot| (slot.key().clone(), slot.model().to_owned()))
        .collect();
    found.sort();
    Ok(found)
}
