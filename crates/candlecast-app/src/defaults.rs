//! Parameters of models that the configuration gives a default.

use candlecast_config::{ModelCatalog, Settings};
use candlecast_core::ModelRequest;
use candlecast_pipeline::catalog::{self, Part};
use serde_json::{Value, json};

/// `request` with the defaults of the configuration filled in, those of its members too: what is trained, hashed and
/// recorded.
#[must_use]
pub fn with_model_defaults(settings: &Settings, request: ModelRequest) -> ModelRequest {
    match catalog::part(&request.id) {
        Ok(Part::Learner(entry)) => settings.with_model_defaults(entry.id, request),
        Ok(Part::Composite(composite)) => match (composite.members)(&request.params) {
            Ok(members) => with_members(settings, members, request),
            Err(_) => request,
        },
        // Refused where it is built, with the reason.
        Err(_) => request,
    }
}

fn with_members(settings: &Settings, members: Vec<ModelRequest>, mut request: ModelRequest) -> ModelRequest {
    let filled = |member| {
        let ModelRequest { id, params } = with_model_defaults(settings, member);
        if params.is_null() { json!(id) } else { json!({ "id": id, "params": params }) }
    };
    let members: Vec<Value> = members.into_iter().map(filled).collect();
    if let Some(params) = request.params.as_object_mut() {
        params.insert("members".into(), members.into());
    }
    request
}

/// The models that the configuration may name.
pub const MODEL_CATALOG: ModelCatalog =
    ModelCatalog { find: catalog::canonical, is_baseline: catalog::is_baseline, check: catalog::check };
