//! `bagging`: the mean of several fits of one model, each to a bootstrap draw of its training part.

use candlecast_core::{ModelRequest, Problem};
use candlecast_learn::Combine;
use serde::Deserialize;
use serde_json::Value;

use super::{Composite, bad, in_short, named};
use crate::catalog::{self, Part};

const ID: &str = "bagging";
const PARAMS: &[(&str, &str)] = &[
    ("model", "the model that is fitted several times: a name, such as gbdt, or {id, params}"),
    ("bags", "how often, 2 to 100; 10 by default"),
];
/// Bags, at least, at most, and where nobody says how many.
const BAGS: (u64, u64, u64) = (2, 100, 10);

pub(super) const ENTRY: Composite = Composite {
    id: ID,
    aliases: &["bag"],
    summary: "the mean of several fits of one model to bootstrap draws of its training part",
    params: PARAMS,
    members,
    combine: |_, _| Ok(Combine::Average),
    with_members,
    is_bagged: true,
};

/// The model as parameters name it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bagged {
    Name(String),
    Request(ModelRequest),
}

/// The model as often as there are bags.
fn members(params: &Value) -> Result<Vec<ModelRequest>, Problem> {
    let params = named(ID, params, &PARAMS.iter().map(|(name, _)| *name).collect::<Vec<_>>())?;
    let request = match params.get("model") {
        None | Some(Value::Null) => return Err(bad(ID, "model", "missing: name one, such as model=gbdt")),
        Some(value) => match serde_json::from_value(value.clone()) {
            Ok(Bagged::Name(name)) => ModelRequest { id: name.trim().to_owned(), params: Value::Null },
            Ok(Bagged::Request(request)) => request,
            Err(_) => return Err(bad(ID, "model", "must be the name of a model, or {id, params}")),
        },
    };
    match catalog::part(&request.id)? {
        Part::Composite(composite) => {
            return Err(bad(ID, "model", format!("{} is made of models: name a model that is fitted", composite.id)));
        }
        Part::Learner(entry) if catalog::is_baseline(entry.id) => {
            return Err(bad(ID, "model", format!("{} is a naive forecast, which draws would not change", entry.id)));
        }
        Part::Learner(_) => {}
    }
    let (least, most, usual) = BAGS;
    let bags = match params.get("bags") {
        None | Some(Value::Null) => usual,
        Some(value) => value.as_u64().filter(|bags| (least..=most).contains(bags)).ok_or_else(|| {
            bad(ID, "bags", format!("{value} is no whole number from {least} to {most}; without bags it is one fit"))
        })?,
    };
    Ok((0..bags).map(|_| request.clone()).collect())
}

fn with_members(mut params: Value, members: Vec<ModelRequest>) -> Value {
    if let (Some(object), Some(model)) = (params.as_object_mut(), members.into_iter().next()) {
        object.insert("model".into(), in_short(model));
    }
    params
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_is_named_once_and_fitted_as_often_as_there_are_bags() {
        let ids = |params: Value| -> Vec<String> { members(&params).unwrap().into_iter().map(|m| m.id).collect() };
        assert_eq!(ids(json!({ "model": "gbdt", "bags": 3 })), ["gbdt", "gbdt", "gbdt"]);
        assert_eq!(ids(json!({ "model": "linear" })).len(), 10);
        let with_params = json!({ "model": { "id": "gbdt", "params": { "rounds": 5 } }, "bags": 2 });
        assert_eq!(members(&with_params).unwrap()[1].params, json!({ "rounds": 5 }));
        let request = |params| ModelRequest { id: "lstm".into(), params };
        let filled = with_members(json!({ "model": "lstm", "bags": 2 }), vec![request(json!({ "epochs": 3 })); 2]);
        assert_eq!(filled, json!({ "model": { "id": "lstm", "params": { "epochs": 3 } }, "bags": 2 }));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for (params, field, part) in [
            (Value::Null, "model", "name one"),
            (json!({ "model": "ensemble" }), "model", "made of models"),
            (json!({ "model": "naive" }), "model", "naive forecast"),
            (json!({ "model": "gbdt", "bags": 1 }), "bags", "2 to 100"),
            (json!({ "model": "gbdt", "bags": 2.5 }), "bags", "2 to 100"),
            (json!({ "model": "gbdt", "bag": 3 }), "bag", "did you mean `bags`"),
            (json!({ "model": 7 }), "model", "name of a model"),
        ] {
            let error = members(&params).unwrap_err();
            assert_eq!((error.code, error.field.as_deref()), ("bad-parameter", Some(field)), "{params}");
            assert!(error.detail.contains(part), "{}", error.detail);
        }
        assert_eq!(members(&json!({ "model": "gdbt" })).unwrap_err().code, "unknown-model");
    }
}
