//! What a search may vary: the parameters of the learner, and what of the run beside them; and what a point of such a
//! space asks for.

use candlecast_core::catalog::{Entry, Param, ParamKind, RecipeError};
use candlecast_core::{FeatureSet, ModelRequest, Problem};
use candlecast_features::Engine;
use candlecast_learn::{Learner, ScalerKind, TrainWindow};
use candlecast_tune::{Space, Vocabulary};
use serde_json::{Map, Value};

use crate::catalog::{self, Part};
use crate::feature_audit::with_all;
use crate::options::PipelineOptions;

/// Days between refits; only where it is searched is a trial refitted within a stretch.
pub(super) const RETRAIN: &str = "retrainInterval";
const TRAIN_DAYS: &str = "trainDays";
const WINDOW: &str = "window";
const SCALER: &str = "scaler";
const FEATURES: &str = "features";

const fn param(name: &'static str, kind: ParamKind, default: &'static str, summary: &'static str) -> Param {
    Param { name, kind, default, search: None, summary }
}

/// What may be searched beside the parameters of a learner.
static OF_THE_RUN: [Param; 4] = [
    param(RETRAIN, ParamKind::Int { min: 1, max: 3_650 }, "7", "days between refits"),
    param(TRAIN_DAYS, ParamKind::Int { min: 1, max: 36_500 }, "null", "days in a rolling window"),
    param(WINDOW, ParamKind::Choice(&["rolling", "expanding"]), "\"rolling\"", "how far back training reaches"),
    param(SCALER, ParamKind::Choice(&["standard", "min-max", "robust", "none"]), "null", "scaler of the features"),
];

/// The learner called `name`: parameters of models that are made of models are no space.
fn learner(name: &str) -> Result<&'static Entry<dyn Learner>, Problem> {
    match catalog::part(name)? {
        Part::Learner(entry) if catalog::is_baseline(entry.id) => {
            let why = format!("{} is a naive forecast, which has nothing to search", entry.id);
            Err(Problem::usage("baseline", "model", why))
        }
        Part::Learner(entry) => Ok(entry),
        Part::Composite(composite) => {
            let why = format!("{} is made of models: search each of its members by itself", composite.id);
            Err(Problem::usage("bad-value", "model", why))
        }
    }
}

/// The space that `given` names for `model`: `"default"` or null for what the catalog says, `"wide"`, or an object of
/// parameters. Parameters that `model` fixes are no part of the first two. With `max_points` the first is thinned to so
/// many, for a grid.
pub fn search_space(model: &ModelRequest, given: &Value, max_points: Option<u32>) -> Result<Space, Problem> {
    let entry = learner(&model.id)?;
    let fixed = model.params.as_object().cloned().unwrap_or_default();
    let space = match given {
        Value::Null => default_space(entry, &fixed, max_points)?,
        Value::String(word) if word.eq_ignore_ascii_case("default") => default_space(entry, &fixed, max_points)?,
        Value::String(word) if word.eq_ignore_ascii_case("wide") => Space::wide(entry.params, &fixed)?,
        Value::String(word) => {
            let why = format!("`{word}` is no space: write default, wide, or an object of parameters and their values");
            return Err(Problem::usage("bad-value", "parameterSpace", why));
        }
        object => {
            let own = |param: &&Param| entry.params.iter().all(|p| p.name != param.name);
            let params: Vec<Param> = entry.params.iter().chain(OF_THE_RUN.iter().filter(own)).copied().collect();
            Space::read(object, &Vocabulary { params: &params, free: &[FEATURES] })?
        }
    };
    check_features(&space)?;
    Ok(space)
}

fn default_space(
    entry: &Entry<dyn Learner>,
    fixed: &Map<String, Value>,
    max_points: Option<u32>,
) -> Result<Space, RecipeError> {
    let space = Space::of_params(entry.params, fixed)?;
    Ok(max_points.map_or_else(|| space.clone(), |max| space.thinned(max)))
}

/// Refuses features that are not in the catalog, before any trial fails by them.
fn check_features(space: &Space) -> Result<(), Problem> {
    let dimension = space.dimensions().iter().find(|d| d.name() == FEATURES);
    for value in dimension.and_then(|d| d.domain().values()).into_iter().flatten() {
        Engine::new(&with_all(&feature_set(&value)?)).map_err(|e| Problem::from(e).with_field("parameterSpace"))?;
    }
    Ok(())
}

/// What the point `params` of a space asks for: `model` and `common` with its values in place of theirs.
pub fn configured(
    model: &ModelRequest,
    common: &PipelineOptions,
    params: &Map<String, Value>,
) -> Result<(ModelRequest, PipelineOptions), Problem> {
    let entry = learner(&model.id)?;
    let mut common = common.clone();
    let mut own = model.params.as_object().cloned().unwrap_or_default();
    for (name, value) in params {
        if entry.params.iter().any(|param| param.name == name) {
            own.insert(name.clone(), value.clone());
            continue;
        }
        match name.as_str() {
            RETRAIN => common.retrain_days = days(name, value)?,
            FEATURES => common.features = Some(feature_set(value)?),
            SCALER => common.scaler = Some(scaler(value)?),
            TRAIN_DAYS | WINDOW => {}
            _ => return Err(bad(name, "is no parameter of the model and none of the run")),
        }
    }
    common.window = window(&common, params)?;
    Ok((ModelRequest { id: entry.id.into(), params: Value::Object(own) }, common))
}

fn window(common: &PipelineOptions, params: &Map<String, Value>) -> Result<TrainWindow, Problem> {
    let asked = params.get(TRAIN_DAYS).filter(|value| !value.is_null());
    let asked = asked.map(|value| days(TRAIN_DAYS, value)).transpose()?;
    Ok(match (params.get(WINDOW).and_then(Value::as_str), asked) {
        (Some("expanding"), _) => TrainWindow::Expanding,
        (_, Some(days)) => TrainWindow::Rolling { days },
        (Some(_), None) => {
            TrainWindow::Rolling { days: common.window.days().unwrap_or(candlecast_learn::DEFAULT_WINDOW) }
        }
        (None, None) => common.window,
    })
}

fn days(name: &str, value: &Value) -> Result<u32, Problem> {
    let days = value.as_u64().and_then(|days| u32::try_from(days).ok());
    days.ok_or_else(|| bad(name, "is a whole number of days"))
}

fn scaler(value: &Value) -> Result<ScalerKind, Problem> {
    let word = value.as_str().ok_or_else(|| bad(SCALER, "is one word"))?;
    word.parse().map_err(|why: String| bad(SCALER, &why))
}

/// A word, or a list of them.
fn feature_set(value: &Value) -> Result<FeatureSet, Problem> {
    let ids = match value {
        Value::String(id) => Some(vec![id.clone()]),
        Value::Array(ids) => ids.iter().map(|id| id.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let ids = ids.filter(|ids: &Vec<String>| !ids.is_empty());
    ids.map(FeatureSet).ok_or_else(|| bad(FEATURES, "is a list of sets, each a name or a list of names"))
}

fn bad(name: &str, why: &str) -> Problem {
    Problem::usage("bad-parameter", name, format!("parameterSpace: {name} {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model(id: &str, params: Value) -> ModelRequest {
        ModelRequest { id: id.into(), params }
    }

    #[test]
    fn spaces_are_default_wide_or_as_given() {
        let lstm = model("lstm", json!({ "epochs": 5 }));
        let points = |given: Value| search_space(&lstm, &given, None).unwrap().n_points();
        assert_eq!([points(json!(null)), points(json!("Default"))], [Some(27); 2]);
        assert_eq!(points(json!("wide")), Some((4 + 9) * 8 * 4));
        assert_eq!(points(json!({ "retrainInterval": [7, 14, 30], "features": ["default", ["rsi_14"]] })), Some(6));
        let gbdt = model("gbdt", json!({}));
        assert_eq!(search_space(&gbdt, &Value::Null, None).unwrap().n_points(), None);
        assert!(search_space(&gbdt, &Value::Null, Some(500)).unwrap().n_points().unwrap() <= 500);
    }

    #[test]
    fn what_cannot_be_searched_is_refused_with_its_field() {
        let refused = |id: &str, given: Value| search_space(&model(id, json!({})), &given, None).unwrap_err();
        assert_eq!(refused("naive", Value::Null).code, "baseline");
        assert!(refused("ensemble", Value::Null).detail.contains("each of its members"));
        assert_eq!(refused("lstm", json!("huge")).field.as_deref(), Some("parameterSpace"));
        assert_eq!(refused("lstm", json!({ "layers": [9] })).field.as_deref(), Some("layers"));
        assert_eq!(refused("gbdt", json!({ "features": ["rsy_14"] })).field.as_deref(), Some("parameterSpace"));
        assert_eq!(refused("gbdt", json!({ "features": [3] })).field.as_deref(), Some("features"));
        assert!(refused("hybrid", json!("wide")).detail.contains("lstm and gru"));
    }

    #[test]
    fn a_point_is_set_in_place_of_what_was_fixed() {
        let base = PipelineOptions { window: TrainWindow::Rolling { days: 100 }, ..PipelineOptions::new(6) };
        let of = |params: Value| {
            let lstm = model("LSTM", json!({ "hiddenSize": 8, "epochs": 3 }));
            configured(&lstm, &base, params.as_object().unwrap()).unwrap()
        };
        let (lstm, common) =
            of(json!({ "hiddenSize": 16, "hiddenSizes": null, "retrainInterval": 14, "scaler": "robust" }));
        assert_eq!(lstm, model("lstm", json!({ "hiddenSize": 16, "epochs": 3, "hiddenSizes": null })));
        assert_eq!((common.retrain_days, common.scaler), (14, Some(ScalerKind::Robust)));
        assert_eq!(common.window, base.window);
        assert_eq!(of(json!({ "trainDays": 30, "window": "rolling" })).1.window, TrainWindow::Rolling { days: 30 });
        assert_eq!(of(json!({ "trainDays": 30, "window": "expanding" })).1.window, TrainWindow::Expanding);
        assert_eq!(of(json!({ "window": "rolling" })).1.window, TrainWindow::Rolling { days: 100 });
        let features = of(json!({ "features": ["rsi_14", "log_return_1"] })).1.features;
        assert_eq!(features, Some(FeatureSet::of(&["rsi_14", "log_return_1"])));
    }
}
