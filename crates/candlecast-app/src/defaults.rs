//! Parameters of models that the configuration gives a default.

use candlecast_config::{ModelCatalog, Settings};
use candlecast_core::ModelRequest;
use candlecast_pipeline::catalog;

/// `request` with the defaults of the configuration filled in: what is trained, hashed and recorded.
#[must_use]
pub fn with_model_defaults(settings: &Settings, request: ModelRequest) -> ModelRequest {
    let Ok(entry) = catalog::find(&request.id) else { return request };
    settings.with_model_defaults(entry.id, request)
}

/// The models that the configuration may name.
pub const MODEL_CATALOG: ModelCatalog = ModelCatalog {
    find: |name| catalog::find(name).map(|entry| entry.id),
    is_baseline: catalog::is_baseline,
    check: |id, params| Ok(catalog::find(id)?.build(params).map(drop)?),
};
