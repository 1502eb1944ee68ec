//! The spaces that are searched where nobody names one: what the catalog says, and the wide one of recurrent networks.

use candlecast_core::catalog::{Param, RecipeError, SearchRange, search_space};
use serde_json::{Map, Value, json};

use super::{Dimension, PART, Space};
use crate::domain::Domain;

impl Space {
    /// The space of the search ranges in `params`, without what is `fixed` and what has no effect beside it: dropout
    /// acts between layers only, and `hiddenSizes` overrides `hiddenSize`. Refused where nothing is left to search.
    pub fn of_params(params: &[Param], fixed: &Map<String, Value>) -> Result<Self, RecipeError> {
        let searched = search_space(params).filter(|(name, _)| !fixed.contains_key(*name) && acts(name, params, fixed));
        let dimensions: Result<Vec<Dimension>, RecipeError> = searched
            .map(|(name, range)| {
                let domain = domain(range).map_err(|why| RecipeError::one(PART, name, why))?;
                Ok(Dimension::new(name, domain))
            })
            .collect();
        Self::new(dimensions?)
    }

    /// The larger space of recurrent networks, without what is `fixed` or has no effect: one layer of 16 to 128 units or
    /// two layers, with dropout between them, longer windows, and more learning rates and epochs.
    pub fn wide(params: &[Param], fixed: &Map<String, Value>) -> Result<Self, RecipeError> {
        let has = |name: &str| params.iter().any(|p| p.name == name);
        if !["hiddenSizes", "hiddenSize", "sequenceLength", "learningRate", "epochs", "dropout"].into_iter().all(has) {
            let why = "\"wide\" is a space of lstm and gru: leave it out, or name the parameters of this model";
            return Err(RecipeError::one(PART, PART, why));
        }
        let layers = json!([null, [32, 16], [50, 30], [64, 32]]);
        let varies_layers = !["hiddenSizes", "hiddenSize", "layers"].into_iter().any(|name| fixed.contains_key(name));
        let one_layer = |d: Dimension| if varies_layers { d.when("hiddenSizes", vec![Value::Null]) } else { d };
        let two_layers = |d: Dimension| {
            let two = layers.as_array().map_or(Vec::new(), |all| all[1..].to_vec());
            if varies_layers && n_layers(fixed) < 2 { d.when("hiddenSizes", two) } else { d }
        };
        let all = [
            ("hiddenSizes", layers.clone()),
            ("hiddenSize", json!([16, 32, 64, 128])),
            ("sequenceLength", json!([10, 12, 20, 24, 30, 40, 48, 60])),
            ("learningRate", json!([1e-4, 1e-3, 1e-2, 1e-1])),
            ("epochs", json!([50, 100, 150, 200])),
            ("dropout", json!([0.1, 0.2, 0.3])),
        ];
        let mut dimensions = Vec::new();
        for (name, values) in all {
            let is_searched = match name {
                "hiddenSizes" => varies_layers,
                "dropout" if varies_layers => !fixed.contains_key(name),
                _ => !fixed.contains_key(name) && acts(name, params, fixed),
            };
            if !is_searched {
                continue;
            }
            let domain = listed(&values).map_err(|why| RecipeError::one(PART, name, why))?;
            let dimension = Dimension::new(name, domain);
            dimensions.push(match name {
                "hiddenSize" => one_layer(dimension),
                "dropout" => two_layers(dimension),
                _ => dimension,
            });
        }
        Self::new(dimensions)
    }
}

/// False for a parameter that changes nothing beside what is `fixed`.
fn acts(name: &str, params: &[Param], fixed: &Map<String, Value>) -> bool {
    let has_layers = params.iter().any(|p| p.name == "layers") && params.iter().any(|p| p.name == "hiddenSizes");
    match name {
        "dropout" if has_layers => n_layers(fixed) > 1,
        "hiddenSize" if has_layers => fixed.get("hiddenSizes").is_none_or(Value::is_null),
        _ => true,
    }
}

/// Layers of a recurrent network with these parameters.
fn n_layers(fixed: &Map<String, Value>) -> u64 {
    let sizes = fixed.get("hiddenSizes").and_then(Value::as_array).map(|sizes| sizes.len() as u64);
    let of_profile = if fixed.get("profile").and_then(Value::as_str) == Some("deep") { 2 } else { 1 };
    sizes.or_else(|| fixed.get("layers").and_then(Value::as_u64)).unwrap_or(of_profile)
}

fn domain(range: SearchRange) -> Result<Domain, String> {
    match range {
        SearchRange::Values(texts) => {
            let values: Result<Vec<Value>, _> = texts.iter().map(|text| serde_json::from_str(text)).collect();
            Domain::list(values.map_err(|e| e.to_string())?)
        }
        SearchRange::Int { low, high, step } => Domain::int(low, high, step, false),
        SearchRange::Float { low, high, log } => Domain::float(low, high, None, log),
    }
}

fn listed(values: &Value) -> Result<Domain, String> {
    Domain::list(values.as_array().cloned().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use candlecast_core::catalog::Entry;
    use candlecast_learn::Learner;

    use super::*;

    /// Points up to which a grid goes.
    const MAX: u32 = 500;

    fn entries() -> impl Iterator<Item = &'static Entry<dyn Learner>> {
        candlecast_models::catalog().iter().chain(candlecast_nn::catalog())
    }

    fn params(id: &str) -> &'static [Param] {
        entries().find(|entry| entry.id == id).unwrap().params
    }

    fn fixed(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn lists(space: &Space) -> Value {
        space.to_json()
    }

    #[test]
    fn the_default_space_of_networks_has_81_points_and_with_layers_243() {
        for id in ["lstm", "gru"] {
            let space = Space::of_params(params(id), &Map::new()).unwrap();
            let expected = json!({
                "sequenceLength": [10, 20, 30], "hiddenSize": [16, 32, 64],
                "learningRate": [0.0001, 0.001, 0.01], "epochs": [50, 100, 200],
            });
            assert_eq!((lists(&space), space.n_points()), (expected, Some(81)));
            for more in [json!({ "layers": 2 }), json!({ "profile": "deep" })] {
                let space = Space::of_params(params(id), &fixed(&more)).unwrap();
                assert_eq!(lists(&space)["dropout"], json!([0.1, 0.2, 0.3]));
                assert_eq!(space.n_points(), Some(243), "{more}");
            }
            let sizes =
                Space::of_params(params(id), &fixed(&json!({ "hiddenSizes": [50, 30], "epochs": 10 }))).unwrap();
            assert_eq!(sizes.n_points(), Some(27), "{}", lists(&sizes));
        }
    }

    #[test]
    fn the_hybrid_has_nine_points() {
        let space = Space::of_params(params("hybrid"), &Map::new()).unwrap();
        assert_eq!(lists(&space), json!({ "lookbackWindow": [20, 30, 50], "smoothingFactor": [0.1, 0.2, 0.3] }));
    }

    #[test]
    fn every_default_space_fits_a_grid() {
        for entry in entries() {
            let space = Space::of_params(entry.params, &Map::new()).unwrap().thinned(MAX);
            assert!(space.n_points().is_some_and(|n| n > 1 && n <= u128::from(MAX)), "{}: {space:?}", entry.id);
            for point in space.points(u128::from(MAX)).unwrap() {
                entry.build(&Value::Object(space.params(&point))).unwrap();
            }
        }
    }

    #[test]
    fn the_wide_space_has_one_layer_or_two_with_dropout() {
        let space = Space::wide(params("lstm"), &Map::new()).unwrap();
        // One layer: 4 sizes. Two layers: 3 pairs, 3 dropouts.
        assert_eq!(space.n_points(), Some((4 + 3 * 3) * 8 * 4 * 4));
        for point in space.points(10_000).unwrap() {
            let params = space.params(&point);
            let one_layer = params["hiddenSizes"].is_null();
            assert_eq!((params.contains_key("hiddenSize"), params.contains_key("dropout")), (one_layer, !one_layer));
        }
        let of = |more: Value| Space::wide(params("gru"), &fixed(&more)).unwrap().n_points().unwrap();
        assert_eq!(of(json!({ "layers": 1 })), 4 * 8 * 4 * 4);
        assert_eq!(of(json!({ "layers": 2 })), 4 * 8 * 4 * 4 * 3);
        assert_eq!(of(json!({ "hiddenSizes": [8, 4] })), 8 * 4 * 4 * 3);
        assert_eq!(of(json!({ "hiddenSize": 8 })), 8 * 4 * 4);
        assert_eq!(of(json!({ "dropout": 0.2, "epochs": 5 })), (4 + 3) * 8 * 4);
        let error = Space::wide(params("gbdt"), &Map::new()).unwrap_err().to_string();
        assert!(error.contains("is a space of lstm and gru"), "{error}");
    }
}
