//! `ensemble`: the mean or the weighted mean of several models, of volatilities also that of their logarithms.

use candlecast_core::catalog::nearest;
use candlecast_core::{ModelRequest, Problem};
use candlecast_learn::Combine;
use serde::Deserialize;
use serde_json::Value;

use super::Composite;

const ID: &str = "ensemble";
const PARAMS: &[(&str, &str)] = &[
    ("members", "names of two models or more, such as lstm,hybrid, or a list of {id, params}"),
    ("strategy", "average or weighted; weighted where weights are given, else average"),
    ("weights", "one number a member, not negative; they are made to sum to 1"),
    ("mean", "arithmetic or logarithmic; of volatilities only, arithmetic by default"),
];

pub(super) const ENTRY: Composite = Composite {
    id: ID,
    aliases: &[],
    summary: "the mean or the weighted mean of the forecasts of several models",
    params: PARAMS,
    members,
    combine,
};

/// A member as parameters name it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Member {
    Name(String),
    Request(ModelRequest),
}

fn bad(param: &str, message: impl std::fmt::Display) -> Problem {
    Problem::usage("bad-parameter", param, format!("{ID}: {param}: {message}"))
}

fn check_names(params: &Value) -> Result<(), Problem> {
    let names: Vec<&str> = PARAMS.iter().map(|(name, _)| *name).collect();
    let Some(object) = params.as_object() else {
        return Err(bad("members", "missing: name two models or more, such as members=lstm,hybrid"));
    };
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => {
            let hint = nearest(key, &names).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            Err(bad(key, format!("no such parameter{hint}; there are {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

fn members(params: &Value) -> Result<Vec<ModelRequest>, Problem> {
    check_names(params)?;
    let request = |name: &str| ModelRequest { id: name.trim().to_owned(), params: Value::Null };
    let members: Vec<ModelRequest> = match params.get("members") {
        Some(Value::String(names)) => names.split(',').filter(|name| !name.trim().is_empty()).map(request).collect(),
        Some(list @ Value::Array(_)) => {
            let list: Vec<Member> = serde_json::from_value(list.clone())
                .map_err(|_| bad("members", "must be names of models, or {id, params} each"))?;
            let member = |member| match member {
                Member::Name(name) => request(&name),
                Member::Request(request) => request,
            };
            list.into_iter().map(member).collect()
        }
        _ => Vec::new(),
    };
    if members.len() < 2 {
        return Err(bad("members", "name two models or more, such as members=lstm,hybrid"));
    }
    if let Some(nested) = members.iter().find(|member| ENTRY.answers_to(&member.id)) {
        return Err(bad("members", format!("{} cannot be a member of one: name its members", nested.id)));
    }
    let same = |a: &ModelRequest, b: &ModelRequest| {
        a.id.eq_ignore_ascii_case(&b.id) && (a.params == b.params || is_empty(&a.params) && is_empty(&b.params))
    };
    let twice = |(k, member): (usize, &ModelRequest)| members[..k].iter().any(|other| same(member, other));
    if let Some((_, member)) = members.iter().enumerate().find(|&(k, member)| twice((k, member))) {
        return Err(bad(
            "members",
            format!("{} is named twice with the same parameters: name it once, and weigh it", member.id),
        ));
    }
    Ok(members)
}

fn is_empty(params: &Value) -> bool {
    params.as_object().is_none_or(serde_json::Map::is_empty)
}

fn combine(params: &Value) -> Result<Combine, Problem> {
    check_names(params)?;
    let weights = match params.get("weights") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => {
            let numbers: Result<Vec<f64>, _> = text.split(',').map(|w| w.trim().parse()).collect();
            Some(numbers.map_err(|_| bad("weights", format!("`{text}` is no list of numbers, such as 3,1")))?)
        }
        Some(list) => Some(
            serde_json::from_value(list.clone())
                .map_err(|_| bad("weights", format!("{list} is no list of numbers, such as [3, 1]")))?,
        ),
    };
    let weights = match (params.get("strategy").and_then(Value::as_str), weights) {
        (None | Some("weighted"), Some(weights)) => Some(weights),
        (None | Some("average"), None) => None,
        (Some("average"), Some(_)) => {
            return Err(bad("weights", "an average has none: leave them out, or take weighted"));
        }
        (Some("weighted"), None) => {
            return Err(bad("weights", "missing: give one a member, such as weights=3,1"));
        }
        (Some(other), _) => {
            return Err(bad("strategy", format!("`{other}` is not known: there are average, weighted")));
        }
    };
    match params.get("mean") {
        None | Some(Value::Null) => Ok(arithmetic(weights)),
        Some(Value::String(word)) if word == "arithmetic" => Ok(arithmetic(weights)),
        Some(Value::String(word)) if word == "logarithmic" => Ok(Combine::Logarithmic { weights }),
        Some(other) => Err(bad("mean", format!("{other} is not known: there are arithmetic, logarithmic"))),
    }
}

fn arithmetic(weights: Option<Vec<f64>>) -> Combine {
    weights.map_or(Combine::Average, |weights| Combine::Weighted { weights })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_named_in_a_line_or_as_requests() {
        let ids =
            |params: Value| -> Vec<String> { members(&params).unwrap().into_iter().map(|member| member.id).collect() };
        assert_eq!(ids(json!({ "members": "lstm, hybrid" })), ["lstm", "hybrid"]);
        assert_eq!(ids(json!({ "members": ["lstm", "hybrid"] })), ["lstm", "hybrid"]);
        let with_params = json!({ "members": [{ "id": "gbdt", "params": { "rounds": 5 } }, "linear"] });
        assert_eq!(members(&with_params).unwrap()[0].params, json!({ "rounds": 5 }));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_remedy() {
        for (params, field, part) in [
            (Value::Null, "members", "name two models"),
            (json!({ "members": "lstm" }), "members", "two models or more"),
            (json!({ "members": "lstm,ensemble" }), "members", "cannot be a member"),
            (json!({ "members": "lstm,gru,lstm" }), "members", "named twice"),
            (json!({ "member": "lstm,gru" }), "member", "did you mean `members`"),
        ] {
            let error = members(&params).unwrap_err();
            assert_eq!((error.code, error.field.as_deref()), ("bad-parameter", Some(field)), "{params}");
            assert!(error.detail.contains(part), "{}", error.detail);
        }
        let two = |extra: Value| {
            let mut params = json!({ "members": "lstm,gru" });
            params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            combine(&params)
        };
        assert_eq!(two(json!({})), Ok(Combine::Average));
        assert_eq!(two(json!({ "weights": "3,1" })), Ok(Combine::Weighted { weights: vec![3.0, 1.0] }));
        assert_eq!(two(json!({ "weights": [1, 1], "strategy": "average" })).unwrap_err().field.unwrap(), "weights");
        assert_eq!(two(json!({ "strategy": "voting" })).unwrap_err().field.unwrap(), "strategy");
        assert_eq!(two(json!({ "weights": "a" })).unwrap_err().field.unwrap(), "weights");
        assert_eq!(two(json!({ "mean": "arithmetic" })), Ok(Combine::Average));
        assert_eq!(two(json!({ "mean": "logarithmic" })), Ok(Combine::Logarithmic { weights: None }));
        let weighted = Combine::Logarithmic { weights: Some(vec![3.0, 1.0]) };
        assert_eq!(two(json!({ "mean": "logarithmic", "weights": "3,1" })), Ok(weighted));
        for bad in [json!("geometric"), json!(1)] {
            assert_eq!(two(json!({ "mean": bad })).unwrap_err().field.unwrap(), "mean");
        }
    }
}
