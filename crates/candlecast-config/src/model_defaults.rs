//! Parameters of models that the configuration gives a default.

use candlecast_core::ModelRequest;
use serde_json::{Map, Value as Json};

use crate::kind::Value;
use crate::setting::Feed;
use crate::settings::Settings;

impl Settings {
    /// Parameters of the model with the catalog id `model` that the configuration gives another default than the
    /// catalog does; empty where it gives none.
    pub fn model_defaults(&self, model: &str) -> Map<String, Json> {
        self.feeds(model).map(|(feed, value)| (feed.param.to_owned(), value)).collect()
    }

    /// `request` for the model with the catalog id `model`, with the defaults of the configuration filled in: what is trained, hashed and recorded. What the
    /// request says stays, and a request that names a profile, or the sizes of all layers, gets those whole. Doing it
    /// twice changes nothing more.
    #[must_use]
    pub fn with_model_defaults(&self, model: &str, request: ModelRequest) -> ModelRequest {
        let mut params = match &request.params {
            Json::Null => Map::new(),
            Json::Object(given) => given.clone(),
            // Refused where the model is built, with the reason.
            _ => return request,
        };
        let is_open = |feed: &Feed| {
            let is_given = |name: &str| request.params.get(name).is_some();
            !is_given(feed.param) && !feed.yields_to.iter().any(|name| is_given(name))
        };
        let open: Vec<_> = self.feeds(model).filter(|(feed, _)| is_open(feed)).collect();
        if open.is_empty() {
            return request;
        }
        params.extend(open.into_iter().map(|(feed, value)| (feed.param.to_owned(), value)));
        ModelRequest { params: Json::Object(params), ..request }
    }

    fn feeds(&self, model: &str) -> impl Iterator<Item = (&'static Feed, Json)> {
        self.resolved().flat_map(|r| r.setting.feeds.iter().map(move |feed| (feed, r.value.as_ref()))).filter_map(
            move |(feed, value)| match value {
                Some(Value::Whole(n)) if feed.model == model => Some((feed, Json::from(*n))),
                Some(Value::Real(v)) if feed.model == model => Some((feed, Json::from(*v))),
                _ => None,
            },
        )
    }
}
