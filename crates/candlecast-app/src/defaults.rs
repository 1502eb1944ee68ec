//! Parameters of models that the configuration gives a default.

use candlecast_config::{ModelCatalog, Settings};
use candlecast_core::ModelRequest;
use candlecast_pipeline::catalog::{self, Composite, Part};
use serde_json::Value;

/// `request` with the defaults of the configuration filled in, those of its members too: what is trained, hashed and
/// recorded. An ensemble that names no members gets those that the configuration names, or the usual ones.
#[must_use]
pub fn with_model_defaults(settings: &Settings, request: ModelRequest) -> ModelRequest {
    match catalog::part(&request.id) {
        Ok(Part::Learner(entry)) => settings.with_model_defaults(entry.id, request),
        Ok(Part::Composite(composite)) => {
            let request = with_usual_members(settings, composite, request);
            match (composite.members)(&request.params) {
                Ok(members) => {
                    let filled = members.into_iter().map(|member| with_model_defaults(settings, member)).collect();
                    ModelRequest { params: (composite.with_members)(request.params, filled), ..request }
                }
                Err(_) => request,
            }
        }
        // Refused where it is built, with the reason.
        Err(_) => request,
    }
}

/// The members that the configuration names, where the request names none.
fn with_usual_members(settings: &Settings, composite: &Composite, request: ModelRequest) -> ModelRequest {
    let is_named =
        ["members", "models"].iter().any(|name| request.params.get(name).is_some_and(|value| !value.is_null()));
    if composite.id != catalog::ENSEMBLE || is_named || settings.ensemble_members.is_empty() {
        return request;
    }
    let member = |name: &String| ModelRequest { id: name.clone(), params: Value::Null };
    let members = settings.ensemble_members.iter().map(member).collect();
    ModelRequest { params: (composite.with_members)(request.params, members), ..request }
}

/// The models that the configuration may name.
pub const MODEL_CATALOG: ModelCatalog =
    ModelCatalog { find: catalog::canonical, is_baseline: catalog::is_baseline, check: catalog::check };
