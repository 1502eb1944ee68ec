//! The models that serve: which slot answers, and the one way from its files to a model.
//!
//! What is not async here reads files, and may wait for writers of models: async code calls it within
//! [`blocking`](candlecast_host::blocking).

use std::time::Duration;

use candlecast_core::{Problem, SeriesKey};
use candlecast_host::{Host, LOCAL, blocking};
use candlecast_learn::task_kind;
use candlecast_pipeline::{LoadedModel, ModelIdentity, SavedModel, catalog, migrate_saved_model};
use candlecast_registry::{Change, Family, Loaded, ModelManifest, Registry, RegistryError, Slot, Version, Why};

/// Longest wait for writers of models before a note of what answers is given up: whoever asked has the answer already.
const PATIENCE: Duration = Duration::from_secs(2);

/// What restoring a saved model has to know of its manifest.
pub fn identity(manifest: &ModelManifest) -> ModelIdentity {
    ModelIdentity {
        id: manifest.id.clone(),
        model: manifest.model_type.to_ascii_lowercase(),
        task: manifest.task.clone(),
        horizon: manifest.horizon_steps,
        version: manifest.version.to_string(),
        features: manifest.features.iter().map(|f| (f.id.clone(), f.version)).collect(),
    }
}

/// The models of type `name` for the task `task` of the series `key`.
pub fn family(key: &SeriesKey, name: &str, task: &str) -> Result<Family, Problem> {
    let kind = task_kind(task).map_err(|e| Problem::usage("unknown-task", "task", e))?;
    Ok(Family::new(key.clone(), catalog::canonical(name)?, kind.id())?)
}

/// Reads one version, or says what is wrong with it.
pub fn load_version(
    registry: &Registry,
    family: &Family,
    version: Version,
) -> Result<Loaded<SavedModel>, RegistryError> {
    registry.load_with(family, version, migrate_saved_model)
}

/// Reads what answers in `slot`: the active version, or the last good one where that is damaged. Nothing is recorded.
pub fn read_serving(registry: &Registry, slot: &Slot) -> Result<Loaded<SavedModel>, RegistryError> {
    registry.load_serving_with(slot, migrate_saved_model)
}

/// [`read_serving`] for use: that another version answers than the active one, or that the active one answers again,
/// goes on record as met by `by`.
pub fn load_serving(host: &Host, slot: &Slot, by: &str) -> Result<Loaded<SavedModel>, RegistryError> {
    let loaded = read_serving(&host.registry, slot)?;
    if !is_on_record(&host.registry, slot, &loaded)
        && let Err(error) = host.registry.waiting(PATIENCE).record_serving(slot, Change { at: host.now(), by })
    {
        tracing::warn!(%slot, %error, "the serving history does not show which version answers");
    }
    Ok(loaded)
}

/// True when the serving history says what answers in `slot`. Looked at without the lock that recording takes.
fn is_on_record(registry: &Registry, slot: &Slot, loaded: &Loaded<SavedModel>) -> bool {
    let history = registry.history(&slot.family).unwrap_or_default();
    let last = history.iter().rev().find(|change| change.horizon == slot.horizon);
    let fallen_to = last.filter(|change| change.why == Why::FellBack).map(|change| change.to);
    let answers = Some(loaded.manifest.version);
    match fallen_to {
        Some(version) => version == answers,
        None => loaded.fell_back.is_none(),
    }
}

/// Of the active models of `family` the one that reaches farthest, restored.
pub async fn load_active(host: &Host, family: &Family) -> Result<LoadedModel, Problem> {
    let family = family.clone();
    let loaded = blocking(host, move |host| {
        let slot = host.registry.reaching(&family, None)?;
        Ok(load_serving(host, &slot, LOCAL)?)
    });
    let Loaded { manifest, payload, fell_back } = loaded.await?;
    host.compute(move || Ok(LoadedModel { fell_back, ..LoadedModel::restore(payload, &identity(&manifest))? })).await
}

/// Every series, type and task of which a model should serve, in order, each once whatever the horizons. One whose files
/// are damaged is among them: asking it brings the version before, or an error that names the damage.
pub async fn active_models(host: &Host) -> Result<Vec<Family>, Problem> {
    let mut found = blocking(host, |host| Ok(host.registry.serving_families()?)).await?;
    found.sort();
    Ok(found)
}
